import type { Clock } from '../environment.ts';
import type { AnyKind, OnDelete, RefEdge, RowBase } from '../kind.ts';
import { placeOf } from '../live-operation.ts';
import { operation, UNFINISHED } from '../operation.ts';
import { both, equals, type Reader } from '../reader.ts';
import type { Registry } from '../registry.ts';
import { inLanes } from '../saga/lanes.ts';

export interface CascadeContext {
  readonly registry: Registry;
  readonly reader: Reader;
  readonly clock: Clock;
  /** How long what is deleted can be recovered. 0 = not at all. */
  readonly trashMs: number;
}

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

/**
 * What deleting the row takes with it, lets go of, and is stopped by. Looked up level by level, many rows a query. With `deletionId` as that operation sees
 * it at the head of its queues: what later ones have announced does not count.
 */
export async function survey(ctx: CascadeContext, root: Found, deletionId?: string): Promise<Survey> {
  const owned = new Map<string, Owned>();
  const others = new Map<string, Referring & { readonly how: OnDelete }>();
  let level: readonly Found[] = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    // No way without a circle is longer than there are rows.
    const fresh = level.filter(({ row }) => (owned.get(row.id)?.depth ?? -1) < depth && depth <= owned.size);
    for (const found of fresh) owned.set(found.row.id, { ...found, depth });
    const children = new Map<string, Found>();
    for (const child of await childrenOf(ctx, fresh, deletionId)) {
      const how = ownership(child.edge, child.row);
      if (how === 'cascade') children.set(child.row.id, { kind: child.kind, row: child.row });
      // Where ownership joins again below, a row is met twice.
      else others.set(`${child.row.id}/${child.edge.field}`, { ...child, how });
    }
    level = [...children.values()];
  }
  const standing = [...others.values()].filter(({ row }) => !owned.has(row.id));
  return {
    owned: [...owned.values()],
    detached: standing.filter(({ how }) => how === 'detach'),
    blocking: standing.filter(({ how }) => how === 'restrict'),
  };
}

const ownership = (edge: RefEdge, child: RowBase): OnDelete =>
  edge.ownedIf !== undefined && (child as unknown as Record<string, unknown>)[edge.ownedIf] === true ? 'cascade' : edge.onDelete;

async function childrenOf(
  { registry, reader }: CascadeContext,
  owners: readonly Found[],
  deletionId: string | undefined,
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
    const rows = (await reader.list(kind, where)) as readonly RowBase[];
    const found = rows.map((row) => ({ kind, row, edge, to: byId.get(String((row as unknown as Record<string, unknown>)[edge.field])) }));
    return found.filter((child): child is Referring => child.to !== undefined);
  });
  const all = answers.flat();
  if (deletionId === undefined) return all;
  const later = await inLanes(all, PARALLEL, (child) => comesLater(reader, child, deletionId));
  return all.filter((_, index) => later[index] !== true);
}

export function batches<T>(items: readonly T[], length = BATCH_LENGTH): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / length) }, (_, index) => items.slice(index * length, (index + 1) * length));
}

/**
 * Made by the acceptance of an operation on its owner that waits behind: that one will find its owner deleted, and takes back what it has announced. Other
 * operations behind may be about the row, too: what makes it has come in one transaction with it, hence at the same instant.
 */
async function comesLater(reader: Reader, { kind, row, to }: Referring, deletionId: string): Promise<boolean> {
  if (row.state !== kind.initial) return false;
  const unfinished = { field: 'state', op: 'in', value: [...UNFINISHED] } as const;
  const others = await reader.list(operation, both(equals('resourceId', to.row.id), unfinished));
  const made = others.filter(({ createdAt, keys }) => createdAt === row.createdAt && keys.includes(row.id));
  if (made.length === 0) return false;
  const deletion = await reader.find(operation, deletionId);
  const place = deletion === undefined ? deletionId : placeOf(deletion);
  return made.some((other) => placeOf(other) > place);
}
