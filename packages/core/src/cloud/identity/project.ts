import { Type } from 'typebox';
import { defineKind } from '../../kernel/index.ts';

export const project = defineKind({
  name: 'project',
  plural: 'projects',
  description: 'What a tenant owns resources in. There is one, `default`, until tenants are introduced.',
  scope: 'cloud',
  schema: Type.Object({ description: Type.Optional(Type.String({ maxLength: 1024 })) }),
  states: { available: ['deleted'] },
  initial: 'available',
});
