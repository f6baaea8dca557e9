import { Type } from 'typebox';
import {
  type Action,
  both,
  CloudError,
  type Condition,
  change,
  create,
  defineAction,
  equals,
  expectState,
  type Id,
  instant,
  type JsonObject,
  type KernelServices,
  lacks,
  matches,
  NOTHING_TO_UNDO,
  type Principal,
  type RowOf,
  resourceName,
  saga,
  timestamp,
  transition,
  usable,
} from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowCreate, rowDeletion } from '../row-only.ts';
import { project } from './project.ts';
import { type LimitChanges, type Limits, merged, refuseUnknown } from './quota-limits.ts';
import { quotaRequest } from './quota-request.ts';
import { GRANT_QUOTA, limitsSet, ownerRow, type QuotaOwner, SET_ACCOUNT_QUOTA } from './quota-set.ts';

type Row = RowOf<typeof quotaRequest>;
type Context = Pick<KernelServices, 'reader'>;

const ownerOf = ({ inProjectId, accountId }: Row): QuotaOwner =>
  inProjectId === undefined ? { scope: 'account', id: accountId as string } : { scope: 'project', id: inProjectId };

/** Account limits are the operator's to give. */
function refuseOther(row: Row, principal: Principal): void {
  const needed = row.inProjectId === undefined ? SET_ACCOUNT_QUOTA : GRANT_QUOTA;
  if (!principal.allows(needed)) throw lacks(needed, principal);
}

interface Decision {
  readonly requestId: Id<'quotaRequest'>;
  readonly decidedBy: string;
  readonly decidedAt: string;
  readonly answer?: string;
}
interface Grant extends Decision, QuotaOwner {
  readonly changes: LimitChanges;
}

const decided = ({ decidedBy, decidedAt, answer }: Decision) => given({ decidedBy, decidedAt, answer });

/** Of those that are to change, what they are: to go back to. */
const asBefore = (limits: Limits = {}, changes: LimitChanges): LimitChanges =>
  Object.fromEntries(Object.keys(changes).map((counter) => [counter, limits[counter] ?? null]));

const approve = saga<Context, Grant>('quotaRequest.approve', 1)
  .effect('look', {
    do: async ({ ctx, params }): Promise<{ readonly limits: Limits; readonly before: LimitChanges }> => {
      const { limits } = await ownerRow(params, ctx.reader);
      return { limits: merged(limits, params.changes), before: asBefore(limits, params.changes) };
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('applied', {
    do: ({ params, out: { look } }) => [
      transition(quotaRequest, params.requestId, { from: 'requested', to: 'applied', set: { ...decided(params), before: look.before } }),
      ...limitsSet(params, look.limits, params.changes),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const deny = saga<null, Decision>('quotaRequest.deny', 1)
  .write('denied', {
    do: ({ params }) => [transition(quotaRequest, params.requestId, { from: 'requested', to: 'denied', set: decided(params) })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

interface Expiry extends QuotaOwner {
  readonly requestId: Id<'quotaRequest'>;
  readonly granted: LimitChanges;
  readonly before: LimitChanges;
}

interface Expired {
  readonly limits: Limits;
  /** What goes back to what it was. */
  readonly back: LimitChanges;
  readonly heirs: readonly { readonly id: Id<'quotaRequest'>; readonly before: LimitChanges }[];
}

/** What was set otherwise since is left as it is. What was granted on top of it goes back, one day, to what was before both. */
async function lookForExpiry({ reader }: Context, params: Expiry): Promise<Expired> {
  const { limits = {} } = await ownerRow(params, reader);
  const isMine = (counter: string, limit: number | null | undefined) => (limit ?? null) === params.granted[counter];
  const back = Object.fromEntries(Object.entries(params.before).filter(([counter]) => isMine(counter, limits[counter])));
  const field = params.scope === 'project' ? 'inProjectId' : 'accountId';
  const applied = await reader.list(quotaRequest, both(equals(field, params.id), equals('state', 'applied')));
  const heirs = applied.flatMap((row) => {
    const onTop = Object.keys(row.before ?? {}).filter((counter) => counter in params.before && isMine(counter, row.before?.[counter]));
    const same = ownerOf(row).scope === params.scope && row.id !== params.requestId;
    if (!same || onTop.length === 0) return [];
    return [
      { id: row.id, before: { ...row.before, ...Object.fromEntries(onTop.map((counter) => [counter, params.before[counter] ?? null])) } },
    ];
  });
  return { limits: merged(limits, back), back, heirs };
}

const expire = saga<Context, Expiry>('quotaRequest.expire', 1)
  .effect('look', { do: ({ ctx, params }) => lookForExpiry(ctx, params), undo: NOTHING_TO_UNDO })
  .write('expired', {
    do: ({ params, out: { look } }) => [
      transition(quotaRequest, params.requestId, { from: 'applied', to: 'expired' }),
      ...look.heirs.map(({ id, before }) => change(quotaRequest, id, { before })),
      ...limitsSet(params, look.limits, look.back),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const { properties } = quotaRequest.schema;
const ASK = 'quotaRequest.create';

const isWithin = (limit: Condition | undefined, row: object): boolean => limit === undefined || matches(row as JsonObject, limit);

function requestAction({ environment, kernel }: KernelServices): Action {
  return defineAction({
    kind: quotaRequest,
    verb: 'create',
    description: 'Asks for other limits of a project, or of the account.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      projectId: properties.inProjectId,
      limits: properties.limits,
      reason: properties.reason,
      expiresAt: properties.expiresAt,
    }),
    accept: async ({ id, input, principal, reader }) => {
      const { projectId: inProjectId, ...fields } = input;
      const { limits } = fields;
      const expiresAt = fields.expiresAt === undefined ? undefined : instant(fields.expiresAt, '/expiresAt');
      refuseUnknown(kernel, inProjectId === undefined ? 'account' : 'project', limits);
      const at = inProjectId === undefined ? undefined : await usable(reader, project, inProjectId, principal, '/projectId');
      if (expiresAt !== undefined && expiresAt <= timestamp(environment.clock))
        throw new CloudError('invalid_input', 'That day is over.', { pointer: '/expiresAt' });
      const name = nameOr(input.name, quotaRequest, id);
      const row = {
        ...given({ ...fields, expiresAt, inProjectId }),
        id,
        accountId: principal.accountId,
        name,
        requestedBy: principal.actor,
      };
      // Who is let into one project alone asks for that.
      if (!isWithin(principal.limits?.(ASK), row)) throw lacks(ASK, principal);
      return {
        params: { kind: quotaRequest.name, id },
        statements: [...(at === undefined ? [] : [expectState(project, at.id, ['available'])]), create(quotaRequest, row)],
      };
    },
    saga: rowCreate,
    context: () => null,
    unwound: ({ id }) => [transition(quotaRequest, id as Id<'quotaRequest'>, { from: 'requested', to: 'deleted' })],
  });
}

const answerInput = Type.Object({ answer: properties.answer });

function approveAction(services: KernelServices): Action {
  return defineAction({
    kind: quotaRequest,
    verb: 'approve',
    description: 'Sets the limits that are asked for, until the day that was asked for.',
    permission: GRANT_QUOTA,
    target: 'resource',
    input: answerInput,
    from: ['requested'],
    accept: ({ id, row, input, principal }) => {
      refuseOther(row, principal);
      const decidedAt = timestamp(services.environment.clock);
      if (row.expiresAt !== undefined && row.expiresAt <= decidedAt)
        throw new CloudError('conflict', 'The day until which it was asked for is over.', { params: { expiresAt: row.expiresAt } });
      const owner = ownerOf(row);
      const decision = { requestId: id, decidedBy: principal.actor, decidedAt, ...given({ answer: input.answer }) };
      return { params: { ...decision, ...owner, changes: row.limits }, statements: [], keys: [owner.id] };
    },
    saga: approve,
    context: () => services,
  });
}

function denyAction({ environment }: KernelServices): Action {
  return defineAction({
    kind: quotaRequest,
    verb: 'deny',
    description: 'Refuses the limits that are asked for.',
    permission: GRANT_QUOTA,
    target: 'resource',
    input: answerInput,
    from: ['requested'],
    accept: ({ id, row, input, principal }) => {
      refuseOther(row, principal);
      const decidedAt = timestamp(environment.clock);
      return { params: { requestId: id, decidedBy: principal.actor, decidedAt, ...given({ answer: input.answer }) }, statements: [] };
    },
    saga: deny,
    context: () => null,
  });
}

function expireAction(services: KernelServices): Action {
  return defineAction({
    kind: quotaRequest,
    verb: 'expire',
    description: 'Sets the limits back to what they were before; happens by itself on the day that was asked for.',
    permission: GRANT_QUOTA,
    target: 'resource',
    input: Type.Object({}),
    from: ['applied'],
    accept: ({ id, row, principal }) => {
      refuseOther(row, principal);
      const owner = ownerOf(row);
      return { params: { ...owner, requestId: id, granted: row.limits, before: row.before ?? {} }, statements: [], keys: [owner.id] };
    },
    saga: expire,
    context: () => services,
  });
}

export const quotaRequestActions = (services: KernelServices): readonly Action[] => [
  requestAction(services),
  approveAction(services),
  denyAction(services),
  expireAction(services),
];

/** What is granted is known by its request for as long. */
export const quotaRequestDeletion = rowDeletion(quotaRequest, ['requested', 'denied', 'expired']);
