import { Type } from 'typebox';
import { defineKind } from '../../kernel/index.ts';

export const account = defineKind({
  name: 'account',
  plural: 'accounts',
  description: 'A tenant: owns projects, and has users, groups and roles of its own.',
  scope: 'cloud',
  schema: Type.Object({ description: Type.Optional(Type.String({ maxLength: 1024 })) }),
  states: { available: ['deleted'] },
  initial: 'available',
});
