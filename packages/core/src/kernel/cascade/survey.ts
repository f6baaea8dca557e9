import type { Clock } from '../environment.ts';
import type { AnyKind, OnDelete, RefEdge, RowBase } from '../kind.ts';
import { placeOf } from '../live-operation.ts';
import { operation, UNFINISHED } from '../operation.ts';
import { both, equals, type Reader } from '../reader.ts';
import type { Registry } from '../registry.ts';
import { inLanes } from '../saga/lanes.ts';
import type { Slices } from '../slices.ts';

export interface CascadeContext {
  readonly registry: Registry;
  readonly reader: Reader;
  readonly clock: Clock;
  /** How long what is deleted can be recovered. 0 = not at all. */
  readonly trashMs: () => number;
  /** A deletion may be of tens of thousands of rows. */
  readonly slices: Slices;
}

/** Rows that are only sorted in a turn of the event loop, a few milliseconds. */
export const PER_TURN = 1000;

export interface Found {
  readonly kind: AnyKind;
  readonly row: RowBase;
}
export interface Owned extends Found {
  /** Distance from the root, along the longest way. */
  readonly depth: number;
}
export interface Referring extends Found {
  readonly edge: RefEdge;
  readonly to: Found;
}

/** All that hangs on a row, as the graph has it. */
export interface Survey {
  /** The row itself first. */
  readonly owned: readonly Owned[];
  readonly detached: readonly Referring[];
  readonly blocking: readonly Referring[];
}

/** Rows asked about in one query. */
const BATCH_LENGTH = 200;
/** Queries at once: they share one view of the store. */
const PARALLEL = 8;

interface SurveyOptions {
  /** What blocks is taken along, where its edge says that it may be. */
  readonly recursive: boolean;
  /** As that operation sees it at the head of its queues: what later ones have announced does not count. */
  readonly deletionId?: string | undefined;
}

type Related = Referring & { readonly how: OnDelete };

/** What deleting the row takes with it, lets go of, and is stopped by. Looked up level by level, each row once, many rows a query. */
export async function survey(ctx: CascadeContext, root: Found, { recursive, deletionId }: SurveyOptions): Promise<Survey> {
  const owned = new Map<string, Found>([[root.row.id, root]]);
  const relations: Related[] = [];
  const going = deletionId === undefined ? undefined : { deletionId, rootId: root.row.id };
  for (let level: readonly Found[] = [root]; level.length > 0; ) {
    const below = new Map<string, Found>();
    const sortIn = (child: Referring) => {
      // Rows of an absent plugin cannot be changed, nor left behind: whatever they refer to stays.
      const how = ctx.registry.findDormant(child.kind.name) === undefined ? ownership(child.edge, child.row) : 'restrict';
      relations.push({ ...child, how });
      const goes = how === 'cascade' || (how === 'restrict' && recursive && mayGo(ctx, child));
      if (goes && !owned.has(child.row.id)) below.set(child.row.id, { kind: child.kind, row: child.row });
    };
    await ctx.slices.each(await childrenOf(ctx, level, going), sortIn, PER_TURN);
    await ctx.slices.each(await takenBy(ctx, level), sortIn, PER_TURN);
    for (const [id, found] of below) owned.set(id, found);
    level = [...below.values()];
  }
  const standing = await filtered(ctx, relations, ({ row }) => !owned.has(row.id));
  const of = (how: OnDelete) => standing.filter((relation) => relation.how === how);
  return {
    owned: await withDepths(ctx, owned, relations),
    detached: of('detach'),
    blocking: [...of('restrict'), ...(await inUse(ctx, relations, owned))],
  };
}

const TAKEN: RefEdge = { field: 'id', kind: '', onDelete: 'cascade' };

/** What owners take along by their own word; of its order they tell, too. */
async function takenBy({ registry }: CascadeContext, owners: readonly Found[]): Promise<readonly Referring[]> {
  const answers = await inLanes(owners, PARALLEL, async (to) => {
    const taken = (await registry.findDeletion(to.kind.name)?.takes?.(to.row)) ?? [];
    const byId = new Map(taken.map((each) => [each.row.id as string, each]));
    return taken.flatMap(({ kind, row, before }) =>
      [to, ...before.flatMap((id) => byId.get(id) ?? [])].map((later) => ({ kind, row, edge: TAKEN, to: later })),
    );
  });
  return answers.flat();
}

/** What the deletion of what the field points to makes of the row. */
export const ownership = (edge: RefEdge, child: RowBase): OnDelete =>
  edge.ownedIf !== undefined && (child as unknown as Record<string, unknown>)[edge.ownedIf] === true ? 'cascade' : edge.onDelete;

const mayGo = ({ registry }: CascadeContext, { kind, edge }: Referring): boolean =>
  edge.recursive === true && registry.findDormant(kind.name) === undefined;

async function filtered<T>({ slices }: CascadeContext, all: readonly T[], keeps: (one: T) => boolean): Promise<readonly T[]> {
  const kept: T[] = [];
  await slices.each(all, (one) => void (keeps(one) && kept.push(one)), PER_TURN);
  return kept;
}

/** What refers goes before what it refers to. */
async function withDepths(
  ctx: CascadeContext,
  owned: ReadonlyMap<string, Found>,
  relations: readonly Related[],
): Promise<readonly Owned[]> {
  const depths = new Map([...owned.keys()].map((id) => [id, 0]));
  const ways = await filtered(ctx, relations, ({ row, how }) => how !== 'detach' && owned.has(row.id));
  // No way without a circle is longer than there are rows.
  for (let round = 0, deepens = true; deepens && round < owned.size; round += 1) {
    deepens = false;
    const deepen = ({ row, to }: Related) => {
      const depth = (depths.get(to.row.id) ?? 0) + 1;
      if (depth <= (depths.get(row.id) ?? 0)) return;
      depths.set(row.id, depth);
      deepens = true;
    };
    await ctx.slices.each(ways, deepen, PER_TURN);
  }
  return [...owned].map(([id, found]) => ({ ...found, depth: depths.get(id) ?? 0 }));
}

/** What was taken along although something that stays has it: a disk of a machine that is elsewhere. */
async function inUse(ctx: CascadeContext, relations: readonly Related[], owned: ReadonlyMap<string, Found>): Promise<readonly Referring[]> {
  const { registry, reader } = ctx;
  const taken = await filtered(ctx, relations, ({ row, how, edge }) => (how === 'restrict' || edge === TAKEN) && owned.has(row.id));
  const held = taken.flatMap(({ kind, row, edge: by }) =>
    kind.refs.flatMap((edge) => {
      const id = (row as unknown as Record<string, string | undefined>)[edge.field];
      const holds = by === TAKEN ? isHeldBy(kind, row, edge) : isToStayWith(edge);
      return id === undefined || !holds || owned.has(id) ? [] : [{ kind, row, edge, id }];
    }),
  );
  const answers = await inLanes(held, PARALLEL, async ({ id, ...found }) => {
    const kind = registry.kind(found.edge.kind);
    const row: RowBase | undefined = await reader.find(kind, id);
    return row === undefined || row.deletedAt !== undefined ? [] : [{ ...found, to: { kind, row } }];
  });
  return answers.flat();
}

const isToStayWith = ({ onDelete, field }: RefEdge): boolean => onDelete !== 'restrict' && field !== 'projectId' && field !== 'accountId';

/** The row is in the state that it has for what this field points to: by itself it would not be deleted either. */
const isHeldBy = ({ detached }: AnyKind, { state }: RowBase, { field }: RefEdge): boolean =>
  (detached as Readonly<Record<string, { readonly from: readonly string[] }>> | undefined)?.[field]?.from.includes(state) === true;

async function childrenOf(
  { registry, reader }: CascadeContext,
  owners: readonly Found[],
  going: Going | undefined,
): Promise<readonly Referring[]> {
  const byId = new Map(owners.map((owner) => [owner.row.id as string, owner]));
  const kinds = new Map(owners.map(({ kind }) => [kind.name as string, kind]));
  const asked = [...kinds.keys()].flatMap((name) => {
    const ids = owners.filter(({ kind }) => kind.name === name).map(({ row }) => row.id);
    return registry.edgesTo(name).flatMap((incoming) => batches(ids).map((batch) => ({ ...incoming, batch })));
  });
  const answers = await inLanes(asked, PARALLEL, async ({ kind, edge, batch }) => {
    const [only] = batch;
    const where =
      batch.length === 1 && only !== undefined ? equals(edge.field, only) : ({ field: edge.field, op: 'in', value: batch } as const);
    const texts = await reader.texts(kind, where);
    return texts.flatMap((text) => {
      const row = JSON.parse(text) as RowBase;
      const to = byId.get(String((row as unknown as Record<string, unknown>)[edge.field]));
      return to === undefined ? [] : [{ kind, row, edge, to }];
    });
  });
  const all = answers.flat();
  if (going === undefined) return all;
  const later = await inLanes(all, PARALLEL, (child) => comesLater(reader, child, going));
  return all.filter((_, index) => later[index] !== true);
}

export function batches<T>(items: readonly T[], length = BATCH_LENGTH): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / length) }, (_, index) => items.slice(index * length, (index + 1) * length));
}

/** A deletion that is under way, by its operation, and what it began with. */
interface Going {
  readonly deletionId: string;
  readonly rootId: string;
}

/**
 * Made by the acceptance of an operation on its owner, or on the root, that waits behind: that one will find it deleted, and takes back what it has
 * announced. Other operations behind may be about the row, too: what makes it has come in one transaction with it, hence at the same instant.
 */
async function comesLater(reader: Reader, { kind, row, to }: Referring, { deletionId, rootId }: Going): Promise<boolean> {
  if (row.state !== kind.initial) return false;
  const unfinished = { field: 'state', op: 'in', value: [...UNFINISHED] } as const;
  const others = await reader.list(
    operation,
    both({ field: 'resourceId', op: 'in', value: [...new Set([to.row.id, rootId])] }, unfinished),
  );
  const made = others.filter(({ createdAt, keys }) => createdAt === row.createdAt && keys.includes(row.id));
  if (made.length === 0) return false;
  const deletion = await reader.find(operation, deletionId);
  const place = deletion === undefined ? deletionId : placeOf(deletion);
  return made.some((other) => placeOf(other) > place);
}
