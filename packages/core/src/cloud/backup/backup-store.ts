import { Type } from 'typebox';
import { defineKind, secret } from '../../kernel/index.ts';

export const backupStore = defineKind({
  name: 'backupStore',
  plural: 'backup-stores',
  description: 'A place outside of all pools that keeps backups, encrypted with a key that only this cloud has.',
  scope: 'cloud',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    driver: Type.String({ description: 'Name of the strategy, e.g. `directory`.' }),
    settings: Type.Record(Type.String(), Type.String(), { description: 'What the driver asks for, e.g. `path`.' }),
    secrets: Type.Optional(secret({ description: 'JSON with the settings that the driver marks as secret.' })),
    key: Type.Optional(secret({ description: 'What everything in it is encrypted with. Without it no backup can be read.' })),
  }),
  states: {
    creating: ['available', 'deleted'],
    available: ['disabled', 'deleting'],
    disabled: ['available', 'deleting'],
    deleting: ['deleted'],
  },
  initial: 'creating',
});
