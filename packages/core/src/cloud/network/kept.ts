import {
  type AnyKind,
  change,
  FORWARD_ONLY,
  type Id,
  type JsonObject,
  NOTHING_TO_UNDO,
  type RowBase,
  type RowOf,
  revert,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { Call, KeptObjects, KeptSort } from '../../strategy/index.ts';
import type { Fabric } from './fabrics.ts';
import type { NetworkContext } from './network-context.ts';

/**
 * A kind whose rows a network driver keeps as objects of one sort. An object is put together anew from its row and what belongs to it whenever one of them
 * changes, so making it twice, or once too often, is harmless.
 */
export interface KeptKind<K extends AnyKind, S extends KeptSort> {
  readonly kind: K;
  readonly sort: S;
  /** The fabric that keeps it. */
  fabric(ctx: NetworkContext, row: RowOf<K>): Promise<Fabric>;
  /** As the rows say it should be, with the parts that are `isThere`. Undefined: nothing is to be there. */
  spec(ctx: NetworkContext, row: RowOf<K>, arriving?: string): Promise<KeptObjects[S] | undefined>;
  /** Where objects of the sort may name one another: the same without that. */
  bare?(spec: KeptObjects[S]): KeptObjects[S];
  /** Keys that are held while it changes, beside the row's own. */
  keys?(row: RowOf<K>): readonly string[];
}

/**
 * Whether a part belongs to what its whole is made of now: not what is on its way out, nor what an operation further back in the queue has announced, which may
 * never begin. `arriving` is the part that is being made; what was made with the whole comes with it.
 */
export const isThere = (part: RowBase, whole: RowBase, arriving?: string): boolean =>
  part.state === 'available' || (part.state === 'creating' && (part.id === arriving || whole.state === 'creating'));

/** Makes the object of a row equal to its rows. */
export async function ensureKept<K extends AnyKind, S extends KeptSort>(
  of: KeptKind<K, S>,
  ctx: NetworkContext,
  id: string,
  call: Call,
  arriving?: string,
): Promise<void> {
  // Two that make it anew side by side must not end with what the first has read.
  await ctx.fabrics.inTurn(id, async () => {
    const row = (await ctx.reader.get(of.kind, id)) as RowOf<K>;
    const keeper = (await of.fabric(ctx, row)).keeper(of.sort);
    const spec = await of.spec(ctx, row, arriving);
    if (spec === undefined) await keeper.remove(id, call);
    else await keeper.ensure(spec, call);
  });
}

/** The same outside of an operation of its own: of one that is on its way out, or has gone, when its turn comes, nothing is made again. */
export async function ensureStanding<K extends AnyKind, S extends KeptSort>(
  of: KeptKind<K, S>,
  ctx: NetworkContext,
  id: string,
  call: Call,
): Promise<void> {
  await ctx.fabrics.inTurn(id, async () => {
    const row = (await ctx.reader.find(of.kind, id)) as RowOf<K> | undefined;
    if (row?.state !== 'available') return;
    const spec = await of.spec(ctx, row);
    if (spec !== undefined) await (await of.fabric(ctx, row)).keeper(of.sort).ensure(spec, call);
  });
}

export async function removeKept<K extends AnyKind, S extends KeptSort>(
  of: KeptKind<K, S>,
  ctx: NetworkContext,
  id: string,
  call: Call,
): Promise<void> {
  await ctx.fabrics.inTurn(id, async () => {
    const row = (await ctx.reader.get(of.kind, id)) as RowOf<K>;
    await (await of.fabric(ctx, row)).keeper(of.sort).remove(id, call);
  });
}

/** What the sagas of one row are told. */
export interface KeptParams {
  readonly id: string;
}

const move = (kind: AnyKind, id: string, from: string, to: string) => transition(kind, id as Id<never>, { from, to } as never);
const back = (kind: AnyKind, id: string, from: string, to: string) => revert(kind, id as Id<never>, { from, to } as never);

/** `creating` to `available`, with the object made in between. */
export const keptCreation = <K extends AnyKind, S extends KeptSort, P extends KeptParams = KeptParams>(of: KeptKind<K, S>) =>
  saga<NetworkContext, P>(`${of.kind.name}.create`, 1)
    .effect('realize', {
      do: ({ ctx, params, call }) => ensureKept(of, ctx, params.id, call),
      undo: ({ ctx, params, call }) => removeKept(of, ctx, params.id, call),
    })
    .write('available', {
      do: ({ params }) => [move(of.kind, params.id, 'creating', 'available')],
      undo: ({ params }) => [back(of.kind, params.id, 'available', 'creating')],
    })
    .build();

/** The `remove` of a deletion. */
export const keptRemoval = <K extends AnyKind, S extends KeptSort, P extends KeptParams = KeptParams>(of: KeptKind<K, S>) =>
  saga<NetworkContext, P>(`${of.kind.name}.remove`, 1)
    .effect('remove', { do: ({ ctx, params, call }) => removeKept(of, ctx, params.id, call), undo: FORWARD_ONLY })
    .write('deleted', { do: ({ params }) => [move(of.kind, params.id, 'deleting', 'deleted')], undo: FORWARD_ONLY })
    .build();

/** What the sagas of a part (a route, a rule, a listener) are told. Its parent is a key of the operation: parts change one after the other. */
export interface PartParams extends KeptParams {
  readonly parentId: string;
}

/** The `shares` of a part's deletion. */
export const parentOf = ({ parentId }: PartParams): readonly string[] => [parentId];

/** A row that has no object of its own: the parent's is made anew with it. */
export const partCreation = <K extends AnyKind, S extends KeptSort, P extends PartParams = PartParams>(
  part: AnyKind,
  parent: KeptKind<K, S>,
) =>
  saga<NetworkContext, P>(`${part.name}.create`, 1)
    .effect('realize', {
      do: ({ ctx, params, call }) => ensureKept(parent, ctx, params.parentId, call, params.id),
      undo: ({ ctx, params, call }) => ensureKept(parent, ctx, params.parentId, call),
    })
    .write('available', {
      do: ({ params }) => [move(part, params.id, 'creating', 'available')],
      undo: ({ params }) => [back(part, params.id, 'available', 'creating')],
    })
    .build();

export interface PartChange extends PartParams {
  readonly set: object;
}

/** Fields of a part change, and the parent's object with them. */
export const partChange = <K extends AnyKind, S extends KeptSort>(part: AnyKind, parent: KeptKind<K, S>) =>
  saga<NetworkContext, PartChange>(`${part.name}.update`, 1)
    .effect('before', {
      do: async ({ ctx, params: { id, set } }) => {
        const row = (await ctx.reader.get(part, id)) as unknown as JsonObject;
        return Object.fromEntries(Object.keys(set).map((field) => [field, row[field] ?? null])) as JsonObject;
      },
      // Undone last, when the row is as it was.
      undo: ({ ctx, params, call }) => ensureKept(parent, ctx, params.parentId, call),
    })
    .write('set', {
      do: ({ params: { id, set } }) => [change(part, id as Id<never>, set as never, { state: 'available' })],
      undo: ({ params, out }) => [change(part, params.id as Id<never>, out.before as never)],
    })
    .effect('realize', { do: ({ ctx, params, call }) => ensureKept(parent, ctx, params.parentId, call), undo: NOTHING_TO_UNDO })
    .build();

/** The `remove` of a part's deletion. When the parent goes too, its removal takes the part with it. */
export const partRemoval = <K extends AnyKind, S extends KeptSort, P extends PartParams = PartParams>(
  part: AnyKind,
  parent: KeptKind<K, S>,
) =>
  saga<NetworkContext, P>(`${part.name}.remove`, 1)
    .effect('realize', {
      do: async ({ ctx, params, call }) => {
        const row = (await ctx.reader.get(parent.kind, params.parentId)) as RowOf<K>;
        if (row.state !== 'deleting') await ensureKept(parent, ctx, params.parentId, call);
      },
      undo: FORWARD_ONLY,
    })
    .write('deleted', { do: ({ params }) => [move(part, params.id, 'deleting', 'deleted')], undo: FORWARD_ONLY })
    .build();
