import { Type } from 'typebox';
import {
  type AcceptRequest,
  ANY_PROJECT,
  type AnyKind,
  CloudError,
  Cursors,
  change,
  create,
  defineAction,
  defineDeletion,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  type Principal,
  parseRowFilter,
  type Registry,
  readPermission,
  resourceName,
  type Statement,
  saga,
  transition,
} from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowCreate, rowMove, rowTakenBack } from '../row-only.ts';
import type { CloudServices } from '../services.ts';
import type { Dispatcher } from './dispatcher.ts';
import { secretBytes } from './signature.ts';
import type { Webhook } from './subscriptions.ts';
import { refuseTarget } from './target.ts';
import { QUERY_FIELD, SECRET_FIELD, URL_FIELD, WANTS, webhook } from './webhook.ts';

const DESCRIPTION = Type.Optional(Type.String({ maxLength: 1024 }));

interface Context {
  readonly dispatcher: Dispatcher;
  readonly services: CloudServices;
}

interface UpdateParams {
  readonly id: Id<'webhook'>;
  readonly set: object;
  readonly forget?: string;
  readonly forgetQuery?: string;
}

/** Changes fields, one write for all of them. */
const webhookUpdate = saga<null, UpdateParams>('webhook.update', 1)
  .write('set', {
    do: ({ params: { id, set, ...forgotten } }) => [change(webhook, id, set), ...forgetAll(forgotten.forget, forgotten.forgetQuery)],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const forgetAll = (...references: readonly (string | undefined)[]): readonly Statement[] =>
  references.flatMap((reference) => (reference === undefined ? [] : [forgetSealed(reference)]));

const webhookReplay = saga<Context, { readonly id: Id<'webhook'>; readonly revision: number }>('webhook.replay', 1)
  .effect('queue', {
    do: async ({ ctx, params }) => ctx.dispatcher.replay(await ctx.services.reader.get(webhook, params.id), params.revision),
    undo: NOTHING_TO_UNDO,
  })
  .build();

const webhookRemove = saga<Context, { readonly id: Id<'webhook'>; readonly secret?: string; readonly urlQuery?: string }>(
  'webhook.remove',
  1,
)
  .effect('queue', { do: ({ ctx, params }) => ctx.dispatcher.drop(params.id), undo: FORWARD_ONLY })
  .write('deleted', {
    do: ({ params: { id, secret, urlQuery } }) => [
      transition(webhook, id, { from: 'deleting', to: 'deleted' }),
      ...forgetAll(secret, urlQuery),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** Who makes a webhook is told through it of no more than he may read. */
function refuseKinds(kinds: readonly string[], principal: Principal, registry: Registry): void {
  for (const [index, name] of kinds.entries()) {
    const pointer = `/kinds/${index}`;
    const kind: AnyKind | undefined = registry.findKind(name);
    // What is the cloud's is told to who sees all of it.
    const isThere = kind?.scope === 'project' || (kind?.scope === 'cloud' && principal.allows(ANY_PROJECT));
    if (kind === undefined || !isThere) throw new CloudError('invalid_input', `${name} is no kind of a project.`, { pointer });
    const permission = readPermission(kind);
    // What may be read of some rows alone cannot be told of others, and nobody asks who reads it when it is sent.
    if (!principal.allows(permission) || principal.limits?.(permission) !== undefined)
      throw new CloudError('permission_denied', `A webhook for ${name} needs the permission ${permission} on all rows.`, {
        pointer,
        params: { permission },
      });
  }
}

/** Who turns it elsewhere is told of what it was told of before. */
const refuseTakenOver = ({ kinds }: Webhook, principal: Principal, registry: Registry): void =>
  refuseKinds(
    kinds.filter((name) => registry.findKind(name) !== undefined),
    principal,
    registry,
  );

interface Wants {
  readonly kinds: readonly string[];
  readonly states?: readonly string[] | null;
  readonly when?: string | null;
}

/** @throws CloudError for what its kinds do not have */
function refuseWants({ kinds, states, when }: Wants, registry: Registry): void {
  refuseFilter(when, kinds, registry);
  refuseStates(states, kinds, registry);
}

/** A filter is read over the fields of one kind. @throws CloudError */
function refuseFilter(when: string | null | undefined, kinds: readonly string[], registry: Registry): void {
  if (when === undefined || when === null) return;
  const [kind, another] = kinds.map((name) => registry.findKind(name));
  if (kind === undefined || another !== undefined)
    throw new CloudError('invalid_input', 'A filter is over the fields of one kind: name that one alone.', { pointer: '/when' });
  try {
    parseRowFilter(when, kind);
  } catch (error) {
    if (!isCloudError(error)) throw error;
    throw new CloudError('invalid_input', error.publicMessage, { pointer: '/when', cause: error });
  }
}

/** A state that none of the kinds has would be waited for in vain. @throws CloudError */
function refuseStates(states: readonly string[] | null | undefined, kinds: readonly string[], registry: Registry): void {
  const known = new Set(['deleted']);
  for (const name of kinds) {
    const kind = registry.findKind(name);
    if (kind === undefined) return;
    for (const state of Object.keys(kind.states)) known.add(state);
  }
  const index = states?.findIndex((state) => !known.has(state)) ?? -1;
  if (index >= 0)
    throw new CloudError('invalid_input', `No ${kinds.join(' or ')} is ever ${states?.[index]}; there is ${[...known].join(', ')}.`, {
      pointer: `/states/${index}`,
    });
}

function refuseQuery(query: string): void {
  if (!/^[^?#\s][^#\s]*$/.test(query) || !URL.canParse(`https://host/?${query}`))
    throw new CloudError('invalid_input', 'A query is what is behind the `?` of a URL, encoded as it is there.', { pointer: '/urlQuery' });
}

function refuseSecret(secret: string): void {
  if (secretBytes(secret) === undefined)
    throw new CloudError('invalid_input', 'A secret is `whsec_` and 24 to 64 random bytes as base64.', { pointer: '/secret' });
}

interface Secrets {
  readonly secret?: string | undefined;
  readonly urlQuery?: string | null | undefined;
}

/** References that take the places of those that are given, and what is to be written for them. */
async function sealed(secrets: Secrets, seal: AcceptRequest<AnyKind, unknown>['seal']) {
  const references: Record<string, string | null> = {};
  const statements: Statement[] = [];
  for (const [field, value] of Object.entries(secrets)) {
    if (value === undefined) continue;
    const kept = value === null ? undefined : await seal(value);
    references[field] = kept?.reference ?? null;
    if (kept !== undefined) statements.push(kept.statement);
  }
  return { references, statements };
}

export function webhookActions({ dispatcher, services }: Context) {
  const { kernel, config } = services;
  const refuseInput = (
    input: { readonly url?: string; readonly urlQuery?: string | null; readonly kinds?: readonly string[]; readonly secret?: string },
    principal: Principal,
  ) => {
    if (input.url !== undefined) refuseTarget(input.url, config.webhookUrls);
    if (input.kinds !== undefined) refuseKinds(input.kinds, principal, kernel().registry);
    if (input.secret !== undefined) refuseSecret(input.secret);
    if (typeof input.urlQuery === 'string') refuseQuery(input.urlQuery);
  };
  return [
    defineAction({
      kind: webhook,
      verb: 'create',
      description: 'Makes a webhook: from now on it is sent what it wants of the changes in its project.',
      target: 'collection',
      input: Type.Object({
        name: Type.Optional(resourceName()),
        ...{ url: URL_FIELD, urlQuery: Type.Optional(QUERY_FIELD), ...WANTS, secret: SECRET_FIELD, description: DESCRIPTION },
      }),
      accept: async ({ id, input, projectId, principal, seal, rehearses }) => {
        refuseInput(input, principal);
        refuseWants(input, kernel().registry);
        const { secret, urlQuery, ...fields } = input;
        const { references, statements } = await sealed({ secret, urlQuery }, seal);
        if (!rehearses) await dispatcher.attend();
        const secrets = references as Pick<Webhook, 'secret' | 'urlQuery'>;
        const row = { ...given(fields), id, projectId, name: nameOr(input.name, webhook, id), ...secrets };
        return { params: { kind: webhook.name, id }, statements: [create(webhook, row), ...statements] };
      },
      saga: rowCreate,
      context: () => null,
      unwound: rowTakenBack,
    }),
    defineAction({
      kind: webhook,
      verb: 'update',
      description: 'Changes where events are sent, which ones, or what they are signed with.',
      target: 'resource',
      input: Type.Object({
        name: Type.Optional(resourceName()),
        url: Type.Optional(URL_FIELD),
        kinds: Type.Optional(WANTS.kinds),
        states: Type.Optional(Type.Union([WANTS.states, Type.Null()])),
        types: Type.Optional(Type.Union([WANTS.types, Type.Null()])),
        when: Type.Optional(Type.Union([WANTS.when, Type.Null()])),
        secret: Type.Optional(SECRET_FIELD),
        urlQuery: Type.Optional(Type.Union([QUERY_FIELD, Type.Null()])),
        description: Type.Optional(Type.Union([DESCRIPTION, Type.Null()])),
      }),
      accept: async ({ row, input, principal, seal }) => {
        if (Object.keys(input).length === 0) throw new CloudError('invalid_input', 'Nothing to change was given.', { pointer: '' });
        refuseInput(input, principal);
        refuseTakenOver(row, principal, kernel().registry);
        refuseWants({ kinds: row.kinds, ...(row.when === undefined ? {} : { when: row.when }), ...input }, kernel().registry);
        const { secret, urlQuery, ...set } = input;
        const { references, statements } = await sealed({ secret, urlQuery }, seal);
        const params: UpdateParams = {
          ...{ id: row.id, set: { ...set, ...references } },
          ...(secret === undefined || row.secret === undefined ? {} : { forget: row.secret }),
          ...(urlQuery === undefined || row.urlQuery === undefined ? {} : { forgetQuery: row.urlQuery }),
        };
        return { params, statements };
      },
      saga: webhookUpdate,
      context: () => null,
    }),
    move('enable', 'Sends events again, first those that are still waiting.', ['disabled', 'failing'], 'available'),
    move('disable', 'Sends nothing more. What happens meanwhile is not kept for it.', ['available', 'failing'], 'disabled'),
    replay({ dispatcher, services }),
  ];
}

function replay(context: Context) {
  const cursors = new Cursors(context.services.store);
  return defineAction({
    kind: webhook,
    verb: 'replay',
    description:
      'Sends again what it wants of the changes behind a cursor, as far as they are kept, in their order, after what is waiting.',
    target: 'resource',
    input: Type.Object({
      after: Type.String({ maxLength: 64, description: 'A cursor of the change feed; `0.0` = all that is kept.' }),
    }),
    from: ['available'],
    accept: ({ row, input }) => ({ params: { id: row.id, revision: cursors.parse(input.after).revision }, statements: [] }),
    saga: webhookReplay,
    context: () => context,
  });
}

const move = (verb: string, description: string, from: readonly ('available' | 'disabled' | 'failing')[], to: 'available' | 'disabled') =>
  defineAction({
    kind: webhook,
    verb,
    description,
    target: 'resource',
    input: Type.Object({}),
    from,
    satisfied: (row) => row.state === to,
    accept: ({ row }) => ({ params: { kind: webhook.name, id: row.id, from, to }, statements: [] }),
    saga: rowMove,
    context: () => null,
  });

export const webhookDeletion = (context: Context) =>
  defineDeletion({
    kind: webhook,
    from: ['available', 'disabled', 'failing'],
    remove: webhookRemove,
    context: () => context,
    params: ({ id, secret, urlQuery }: Webhook) => ({
      ...{ id, ...(secret === undefined ? {} : { secret }), ...(urlQuery === undefined ? {} : { urlQuery }) },
    }),
  });
