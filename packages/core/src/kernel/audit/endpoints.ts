import { type Static, Type } from 'typebox';
import { ANY_PROJECT, lacks, type Principal } from '../access.ts';
import { CloudError } from '../errors.ts';
import { instant } from '../instant.ts';
import type { Plugin } from '../plugin.ts';
import type { Condition, Store } from '../store.ts';
import { AUDIT_TABLE, type AuditRow } from './record.ts';
import { verifyAudit } from './verify.ts';

const LIMIT_DEFAULT = 50;
const LIMIT_MAX = 1000;

const text = (description: string) => Type.Optional(Type.String({ maxLength: 256, description }));
const time = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }));
const RESULTS = ['pending', 'succeeded', 'failed', 'cancelled', 'interrupted', 'unknown', 'denied'] as const;

const QUERY = Type.Object({
  actor: text('Who asked, e.g. `key:root`.'),
  action: text('e.g. `instance.create`.'),
  resourceKind: text('e.g. `instance`.'),
  resourceId: Type.Optional(Type.String({ format: 'uuid' })),
  result: Type.Optional(Type.Unsafe<(typeof RESULTS)[number]>({ type: 'string', enum: [...RESULTS] })),
  since: time('Accepted at this time or later.'),
  until: time('Accepted before this time.'),
  of: Type.Optional(
    Type.Unsafe<'project' | 'account' | 'cloud'>({
      type: 'string',
      enum: ['project', 'account', 'cloud'],
      description: 'Of the project (default), of its account (needs the permission `audit.account`), or of all (needs `project.any`).',
    }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMIT_MAX, description: `Default ${LIMIT_DEFAULT}.` })),
  after: text('`next` of the page before.'),
});
type Query = Static<typeof QUERY>;

const place = Type.Object({ number: Type.Integer({ minimum: 0 }), hash: Type.String() });
const fields = (description: string) => Type.Unsafe<Record<string, unknown>>({ type: 'object', description });

const ENTRY = Type.Object({
  id: Type.String({ format: 'uuid', description: 'Of an action also the id of its operation.' }),
  at: Type.String({ format: 'date-time', description: 'When it was accepted, or denied.' }),
  actor: Type.String(),
  action: Type.String(),
  projectId: Type.Optional(Type.String()),
  accountId: Type.Optional(Type.String()),
  resourceKind: Type.Optional(Type.String()),
  resourceId: Type.Optional(Type.String()),
  causeId: Type.Optional(Type.String({ description: 'The operation that asked for it in place of the actor, e.g. that of a stack.' })),
  times: Type.Optional(
    Type.Integer({
      minimum: 2,
      description: 'Of denied calls and sign-ins: so many that were alike, the first at `at`, the last at `endedAt`.',
    }),
  ),
  request: Type.Optional(
    fields(
      'What was asked for, without secrets; what is long by its digest. Of who was not let in: whom he named, and `from`, his address.',
    ),
  ),
  changes: Type.Optional(fields('Fields that were asked to change: `from` what they were, `to` what they were to be.')),
  result: Type.Unsafe<string>({
    type: 'string',
    enum: [...RESULTS],
    description:
      '`pending` until it is sealed; `interrupted`: the server stopped while it was under way, and how far it came is not known; `unknown`: of before there was a chain; `denied`: its caller may not do that, or was not let in, and nothing was done.',
  }),
  endedAt: Type.Optional(Type.String({ format: 'date-time' })),
  error: Type.Optional(fields('Why it failed: `code` and `message`.')),
  contentSha256: Type.Optional(Type.String({ description: 'Of bytes that were uploaded.' })),
  revision: Type.Optional(Type.Integer({ description: 'Of its end, in the change feed.' })),
  number: Type.Integer({ minimum: 0, description: 'Its place in the chain; 0 until it is sealed.' }),
  previous: Type.Optional(Type.String({ description: 'The hash of the link before it.' })),
  hash: Type.Optional(Type.String({ description: 'SHA-256 of the canonical JSON of all its other fields.' })),
});

const VERIFY_QUERY = Type.Object({
  number: Type.Optional(Type.Integer({ minimum: 1, description: 'A head that was answered before: its number …' })),
  hash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: '… and its hash.' })),
});

const VERDICT = Type.Object({
  whole: Type.Boolean({ description: 'Whether every link is there, unchanged and in its place.' }),
  links: Type.Integer({ minimum: 0, description: 'Links that were looked at.' }),
  anchor: Type.Object(place.properties, { description: 'What is left follows this link; what came before was removed by retention.' }),
  head: Type.Object(place.properties, {
    description: 'The newest link. Kept elsewhere and asked for again, it proves that nothing before it was made anew.',
  }),
  unsealed: Type.Integer({ minimum: 0, description: 'Calls that have not ended, or are about to be sealed.' }),
  faults: Type.Array(
    Type.Object({
      number: Type.Integer(),
      id: Type.Optional(Type.String()),
      fault: Type.Unsafe<string>({
        type: 'string',
        enum: ['changed', 'missing', 'duplicate', 'unlinked', 'replaced'],
        description:
          '`changed`: it is not what was sealed. `missing`: no entry has this number. `duplicate`: another has it, too. `unlinked`: it does not follow the one before it, so that one of both was made anew. `replaced`: it is not the link that was asked for.',
      }),
    }),
    { description: 'The first hundred.' },
  ),
});

/** Reads the audit. */
export function auditPlugin({ store }: { readonly store: Store }): Plugin {
  return {
    id: 'audit',
    version: '1',
    endpoints: [
      {
        type: 'value',
        method: 'GET',
        path: '/audit',
        summary:
          'Who has changed what, newest first: one entry for each call that was accepted, for each that was denied for want of a permission, and for who was not let in; like ones of a minute are one.',
        permission: 'audit.read',
        scope: 'project',
        query: QUERY,
        answer: Type.Object({ items: Type.Array(ENTRY), next: Type.Optional(Type.String()) }),
        handle: ({ principal, query }) => auditPage(store, principal, query as Query),
      },
      {
        type: 'value',
        method: 'GET',
        path: '/audit/verify',
        summary: 'Looks at every link of the chain that the audit is, of all projects, and names what was tampered with.',
        permission: 'audit.verify',
        query: VERIFY_QUERY,
        answer: VERDICT,
        handle: ({ query, signal }) => {
          const { number, hash } = query as Static<typeof VERIFY_QUERY>;
          if ((number === undefined) !== (hash === undefined))
            throw new CloudError('invalid_input', 'A head has a number and a hash.', {
              params: { parameter: number === undefined ? 'number' : 'hash' },
            });
          return verifyAudit(store, { signal, ...(number === undefined || hash === undefined ? {} : { known: { number, hash } }) });
        },
      },
    ],
  };
}

async function auditPage(store: Store, principal: Principal, query: Query) {
  const { limit = LIMIT_DEFAULT, after } = query;
  const where = conditionOf(principal, query);
  const texts = await store.list({
    table: AUDIT_TABLE,
    ...(where.length === 0 ? {} : { where: { and: where } }),
    order: [
      { field: 'at', descending: true },
      { field: 'id', descending: true },
    ],
    ...(after === undefined ? {} : { after: readPlace(after) }),
    limit: limit + 1,
  });
  const items = texts.slice(0, limit).map((text) => ({ result: 'pending', ...(JSON.parse(text) as AuditRow) }));
  const last = items.at(-1);
  return { items, ...(texts.length > limit && last !== undefined ? { next: `${last.at}/${last.id}` } : {}) };
}

const WIDE = { project: 'audit.read', account: 'audit.account', cloud: ANY_PROJECT } as const;

function conditionOf(principal: Principal, query: Query): readonly Condition[] {
  const { since, until, result, of = 'project' } = query;
  if (!principal.allows(WIDE[of])) throw lacks(WIDE[of]);
  const { projectId, accountId } = principal;
  const own: readonly Condition[] = [{ field: 'accountId', op: '=', value: accountId }];
  const scope = { cloud: [], account: own, project: [...own, { field: 'projectId', op: '=', value: projectId } as const] }[of];
  const limit = principal.limits?.('audit.read');
  const equal = (['actor', 'action', 'resourceKind', 'resourceId'] as const).flatMap((field): Condition[] => {
    const value = query[field];
    return value === undefined ? [] : [{ field, op: '=', value }];
  });
  return [
    ...scope,
    ...(limit === undefined ? [] : [limit]),
    ...equal,
    ...(result === undefined ? [] : [resultIs(result)]),
    ...(since === undefined ? [] : [{ field: 'at', op: '>=', value: instant(since, '/since') } as const]),
    ...(until === undefined ? [] : [{ field: 'at', op: '<', value: instant(until, '/until') } as const]),
  ];
}

const resultIs = (result: (typeof RESULTS)[number]): Condition => {
  const is: Condition = { field: 'result', op: '=', value: result };
  return result === 'pending' ? { or: [is, { field: 'result', op: 'null' }] } : is;
};

function readPlace(after: string): readonly string[] {
  const [at, id, ...more] = after.split('/');
  if (at === undefined || id === undefined || more.length > 0)
    throw new CloudError('invalid_input', 'after is no place that a page of the audit answered.', { params: { parameter: 'after' } });
  return [at, id, id];
}
