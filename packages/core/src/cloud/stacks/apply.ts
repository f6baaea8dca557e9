import {
  AWAITS_PARTS,
  bindSaga,
  CloudError,
  change,
  create,
  equals,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  type Json,
  type JsonObject,
  NOTHING_TO_UNDO,
  type RowBase,
  type Statement,
  saga,
  transition,
} from '../../kernel/index.ts';
import { nameOr } from '../naming.ts';
import type { CloudServices } from '../services.ts';
import type { Caller } from './caller.ts';
import { carryOut, type Members, remove, resolved, takeBack, type Work } from './part-runs.ts';
import { type AppliedResource, stack, stackResource, stackRevision } from './stack.ts';

/** A resource that the stack has from now on, by its new row. */
interface NewMember {
  readonly id: Id<'stackResource'>;
  readonly logicalName: string;
  readonly after: readonly string[];
  readonly keep: boolean;
}

export interface ApplyParams {
  readonly stackId: Id<'stack'>;
  readonly projectId: Id<'project'>;
  readonly from: 'creating' | 'updating';
  readonly caller: Caller;
  /** Stage by stage what may go side by side. */
  readonly stages: readonly (readonly Work[])[];
  /** What nothing takes back, hence last, one after the other. */
  readonly last: readonly Work[];
  /** Stage by stage what leaves. */
  readonly leaving: readonly (readonly { readonly name: string; readonly kind: string; readonly id: string }[])[];
  /** Names that the stack lets go of. */
  readonly released: readonly string[];
  /** All that there will be. */
  readonly members: Members;
  readonly joining: readonly NewMember[];
  /** What stays, where what is noted of it changes. */
  readonly noted: readonly { readonly id: Id<'stackResource'>; readonly after: readonly string[]; readonly keep: boolean }[];
  readonly revision: {
    readonly id: Id<'stackRevision'>;
    readonly number: number;
    readonly template: JsonObject;
    readonly parameters: JsonObject;
    readonly secrets: Readonly<Record<string, string>>;
  };
  /** Of each resource what was asked for. */
  readonly properties: Readonly<Record<string, JsonObject>>;
  readonly description: string | null;
  /** Revisions that are no longer kept. */
  readonly dropped: readonly { readonly id: Id<'stackRevision'>; readonly sealed: readonly string[] }[];
}

const PARALLEL = 8;

interface OfOne<T> {
  readonly one: T;
  readonly caller: Caller;
  readonly members: Members;
}

/** In the place of a step: what has to be done to one resource. */
export const changeResource = saga<CloudServices, OfOne<Work>>('stack.change', 1)
  .effect('parts', {
    ...AWAITS_PARTS,
    do: ({ ctx, params: { one, ...rest }, ...at }) => carryOut({ ...at, ...rest, services: ctx }, one),
    undo: ({ ctx, params: { one, ...rest }, ...at }) => takeBack({ ...at, ...rest, services: ctx }, one),
  })
  .build();

/** In the place of a step: a resource that has left goes. */
export const removeResource = saga<CloudServices, OfOne<{ readonly name: string; readonly kind: string; readonly id: string }>>(
  'stack.remove',
  1,
)
  .effect('remove', {
    timeoutMs: AWAITS_PARTS.timeoutMs,
    do: ({ ctx, params: { one, ...rest }, ...at }) => remove({ ...at, ...rest, services: ctx }, one.name, one),
    undo: FORWARD_ONLY,
  })
  .build();

interface Look {
  readonly applied: Record<string, AppliedResource>;
  readonly outputs: JsonObject;
  /** Rows of what the stack no longer has. */
  readonly stale: readonly Id<'stackResource'>[];
}

/**
 * Makes what a template says. What is made and changed is done by operations of their own, each accepted as if its caller had asked for it, in order of what
 * needs what; all of it is taken back when one of them fails. What leaves goes last, when nothing can fail any more.
 */
export const applyStack = saga<CloudServices, ApplyParams>('stack.apply', 1)
  .subs('change', {
    limit: PARALLEL,
    run: ({ ctx, params: { stages, caller, members } }) =>
      stages.map((stage) => stage.map((one) => bindSaga(changeResource, ctx, { one, caller, members }))),
  })
  .subs('last', {
    limit: 1,
    run: ({ ctx, params: { last, caller, members } }) => last.map((one) => [bindSaga(changeResource, ctx, { one, caller, members })]),
  })
  .subs('remove', {
    limit: PARALLEL,
    run: ({ ctx, params: { leaving, caller, members } }) =>
      leaving.map((stage) => stage.map((one) => bindSaga(removeResource, ctx, { one, caller, members }))),
  })
  .effect('look', { do: ({ ctx, params }) => look(ctx, params), undo: NOTHING_TO_UNDO, needed: true })
  .effect('entries', { do: ({ ctx, params, out }) => noteEntries(ctx, params, out.look), undo: FORWARD_ONLY })
  .write('ready', { do: ({ params, out }) => noted(params, out.look), undo: NOTHING_TO_UNDO })
  .build();

export const releaseResources = saga<null, { readonly ids: readonly Id<'stackResource'>[] }>('stack.release', 1)
  .write('released', {
    do: ({ params }) => params.ids.map((id) => transition(stackResource, id, { from: 'available', to: 'deleted' })),
    undo: NOTHING_TO_UNDO,
  })
  .build();

async function look(
  services: CloudServices,
  { stackId, members, properties, revision, joining, released, leaving }: ApplyParams,
): Promise<Look> {
  const { registry } = services.kernel();
  const applied: Record<string, AppliedResource> = {};
  const gone: string[] = [];
  for (const [name, asked] of Object.entries(properties)) {
    const { kind, id } = members[name] ?? { kind: '', id: '' };
    const row: RowBase | undefined = await services.reader.find(registry.kind(kind), id);
    if (row === undefined || row.deletedAt !== undefined) gone.push(name);
    const own =
      row === undefined ? [] : Object.keys(asked).filter((field) => field in row && !registry.kind(kind).secretFields.includes(field));
    const found = Object.fromEntries(own.map((field) => [field, (row as unknown as JsonObject)[field] ?? null]));
    applied[name] = { properties: await settled(services, members, asked), found };
  }
  const outputs = (revision.template.outputs ?? {}) as JsonObject;
  const shown: Record<string, Json> = {};
  for (const [name, value] of Object.entries(outputs)) shown[name] = await settled(services, members, value);
  const names = new Set([
    ...joining.map(({ logicalName }) => logicalName),
    ...released,
    ...leaving.flat().map(({ name }) => name),
    ...gone,
  ]);
  const rows = await services.reader.list(stackResource, equals('stackId', stackId));
  return { applied, outputs: shown, stale: rows.filter(({ logicalName }) => names.has(logicalName)).map(({ id }) => id) };
}

/** What refers to something that is not there shows null: by now nothing may fail any more. */
const settled = <T extends Json>(services: CloudServices, members: Members, value: T): Promise<T> =>
  resolved(services, members, value).catch(() => null as T);

/** What is noted of a resource goes with that, which waits for no stack: so it is looked at anew each time that this is tried. */
async function noteEntries(services: CloudServices, params: ApplyParams, { stale }: Look): Promise<void> {
  const { reader, kernel } = services;
  const there = new Set((await reader.list(stackResource, equals('stackId', params.stackId))).map(({ id }) => id));
  const joining = await Promise.all(params.joining.filter(({ id }) => !there.has(id)).map((member) => joined(services, params, member)));
  const result = await kernel().observe([
    ...stale.flatMap((id) => (there.has(id) ? [transition(stackResource, id, { from: 'available', to: 'deleted' })] : [])),
    ...params.noted.flatMap(({ id, after, keep }) =>
      there.has(id) && !stale.includes(id) ? [change(stackResource, id, { after: [...after], keep })] : [],
    ),
    ...joining.flat(),
  ]);
  if (!result.ok) throw new CloudError('conflict', 'What belongs to the stack was changed meanwhile.');
}

/** As long as there is what it is about. */
async function joined(
  { reader, kernel }: CloudServices,
  { stackId, projectId, members }: ApplyParams,
  { id, logicalName, after, keep }: NewMember,
): Promise<readonly Statement[]> {
  const { kind = '', id: resourceId = '' } = members[logicalName] ?? {};
  const row: RowBase | undefined = await reader.find(kernel().registry.kind(kind), resourceId);
  if (row === undefined || row.deletedAt !== undefined) return [];
  const entry = { id, projectId, name: nameOr(undefined, stackResource, id), stackId, logicalName, after: [...after], keep };
  return [
    { op: 'expect', table: kind, key: resourceId, expect: { deletedAt: null } },
    create(stackResource, { ...entry, resourceKind: kind, resourceId }),
  ];
}

function noted({ stackId, projectId, from, revision, description, dropped }: ApplyParams, seen: Look): readonly Statement[] {
  return [
    ...dropped.flatMap(({ id, sealed }) => [
      transition(stackRevision, id, { from: 'available', to: 'deleted' }),
      ...sealed.map(forgetSealed),
    ]),
    create(stackRevision, { ...revision, projectId, name: nameOr(undefined, stackRevision, revision.id), stackId, applied: seen.applied }),
    transition(stack, stackId, { from, to: 'ready', set: { revisionNumber: revision.number, outputs: seen.outputs, description } }),
  ];
}
