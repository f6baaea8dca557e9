import { Type } from 'typebox';
import { create, defineKind, type Id, lacks, type Migration, resourceName, updateAction } from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowDeletion } from '../row-only.ts';
import { DEFAULT_ACCOUNT_ID } from './principal.ts';
import { limitedCounters, limitsField, type StartingQuota } from './quota-limits.ts';
import { creation } from './row-verbs.ts';

const description = Type.Optional(Type.String({ maxLength: 1024 }));

export const project = defineKind({
  name: 'project',
  plural: 'projects',
  description: 'What an account owns resources in.',
  scope: 'account',
  schema: Type.Object({ description, limits: limitsField }),
  states: { available: ['deleting'], deleting: ['available', 'deleted'] },
  initial: 'available',
  quota: { projects: 1 },
});

/** Projects of the time before accounts belong to the default one. */
export const projectAccounts: Migration = {
  plugin: 'identity',
  number: 1,
  table: project.name,
  up: (row) => ({ accountId: DEFAULT_ACCOUNT_ID, ...row }),
};

export const projectActions = (starting: StartingQuota) => [
  creation(project, {
    description: 'Makes a project.',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description,
      accountId: Type.Optional(
        Type.Unsafe<Id<'account'>>({ type: 'string', format: 'uuid', description: 'Of another account: for the operator.' }),
      ),
    }),
    rows: ({ id, input, principal }) => {
      const { accountId = principal.accountId, ...fields } = input;
      if (accountId !== principal.accountId && !principal.allows('project.any')) throw lacks('project.any', principal);
      const quota = starting('project', id, accountId);
      return [
        { op: 'expect', table: 'account', key: accountId, expect: { state: ['available', 'disabled'] } },
        create(project, { ...given(fields), ...quota.fields, id, accountId, name: nameOr(input.name, project, id) }),
        ...quota.statements,
      ];
    },
  }),
  updateAction(project, ['description']),
];

export const projectDeletion = rowDeletion(project, ['available'], limitedCounters('project'));
