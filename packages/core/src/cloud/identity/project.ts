import { Type } from 'typebox';
import { defineKind, type Migration } from '../../kernel/index.ts';
import { DEFAULT_ACCOUNT_ID } from './principal.ts';

export const project = defineKind({
  name: 'project',
  plural: 'projects',
  description: 'What an account owns resources in.',
  scope: 'account',
  schema: Type.Object({ description: Type.Optional(Type.String({ maxLength: 1024 })) }),
  states: { available: ['deleted'] },
  initial: 'available',
});

/** Projects of the time before accounts belong to the default one. */
export const projectAccounts: Migration = {
  plugin: 'identity',
  number: 1,
  table: project.name,
  up: (row) => ({ accountId: DEFAULT_ACCOUNT_ID, ...row }),
};
