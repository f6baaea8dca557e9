import { Type } from 'typebox';
import { defineKind } from '../../kernel/index.ts';

export const zone = defineKind({
  name: 'zone',
  plural: 'zones',
  description: 'A place that fails and is powered as one: a data centre or a hall.',
  scope: 'cloud',
  tenantsRead: true,
  schema: Type.Object({ description: Type.Optional(Type.String({ maxLength: 1024 })) }),
  states: { available: ['deleting'], deleting: ['deleted'] },
  initial: 'available',
});
