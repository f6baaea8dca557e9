import { type Action, stateProblem } from '../action.ts';
import { inWords } from '../article.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import { inLanes } from '../saga/lanes.ts';
import { planHash, planOf } from './plan.ts';
import { batches, type CascadeContext, type Found, PER_TURN, type Referring, survey } from './survey.ts';

/** What a deletion would do now, and what stops it. Changes nothing. */
export interface DeletionPreview {
  readonly resourceKind: string;
  readonly resourceId: string;
  /** Given back with the deletion, it does exactly this or nothing. Absent while something blocks it. */
  readonly plan?: string;
  /** It goes into the trash, and can be recovered. */
  readonly recoverable: boolean;
  readonly deleted: Effects<{ readonly state: string; readonly depth: number }>;
  readonly detached: Effects<{ readonly field: string }>;
  readonly blocked: Effects<{ readonly reason: string }>;
}

/** All that the caller may see counted, and the first rows. */
export interface Effects<T> {
  readonly total: number;
  /** There is more, which the caller may not see. */
  readonly hidden: boolean;
  readonly kinds: readonly { readonly kind: string; readonly total: number }[];
  readonly rows: readonly (RowName & T)[];
}
interface RowName {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
}

export interface PreviewRequest {
  readonly force: boolean;
  readonly permanent: boolean;
  readonly recursive: boolean;
  /** Rows shown of each effect. */
  readonly limit: number;
  /** Nothing is under way on the row: its state is what the deletion would find. */
  readonly idle: boolean;
  /** Whether the caller may see the row. */
  readonly sees: (kind: AnyKind, row: RowBase) => Promise<boolean>;
}

type Sees = (row: RowBase) => boolean;
const PARALLEL = 8;

export async function previewDeletion(
  ctx: CascadeContext,
  action: Action,
  row: RowBase,
  { force, permanent, recursive, limit, idle, sees: asked }: PreviewRequest,
): Promise<DeletionPreview> {
  const root = { kind: action.kind, row };
  const found = await survey(ctx, root, { recursive });
  const sees = await seen(ctx, [...found.owned, ...found.detached, ...found.blocking, ...found.blocking.map(({ to }) => to)], asked);
  const own = idle ? stateProblem(action, row, force) : undefined;
  const held = own === undefined ? undefined : ((await action.heldBy?.(row as never, ctx.reader)) ?? own);
  const problem = held ?? (await ctx.registry.deletion(action.kind.name).alone?.(row, ctx.reader));
  const blocking = problem === undefined ? [] : [{ ...root, reason: problem.publicMessage }];
  const blocked = [...blocking, ...found.blocking.map((blocker) => ({ ...blocker, reason: reasonOf(ctx, blocker, sees) }))];
  const visible = [...found.owned, ...found.detached].every((each) => sees(each.row));
  const planned = planOf(ctx, found, { force, forGood: permanent, recursive });
  const going = new Set(planned.targets.map(({ id }) => id));
  const plan = planHash(planned);
  const effects = <E extends Found, T>(all: readonly E[], more: (entry: E) => T) => effectsOf(all, more, limit, sees);
  return {
    resourceKind: action.kind.name,
    resourceId: row.id,
    // Without its counts where these would tell of what the caller may not see.
    ...(blocked.length > 0 ? {} : { plan: visible ? plan : plan.slice(plan.lastIndexOf('-') + 1) }),
    recoverable: planned.trash !== undefined,
    deleted: effects(
      found.owned.filter((each) => going.has(each.row.id)),
      ({ row: { state }, depth }) => ({ state, depth }),
    ),
    detached: effects(found.detached, ({ edge: { field } }) => ({ field })),
    blocked: effects(onceEach(blocked), ({ reason }) => ({ reason })),
  };
}

/** What is in the way for several reasons is so once. */
function onceEach<F extends Found & { readonly reason: string }>(all: readonly F[]): readonly F[] {
  const rows = new Map<string, F>();
  for (const each of all) {
    const before = rows.get(each.row.id);
    rows.set(each.row.id, before === undefined ? each : { ...before, reason: `${before.reason} ${each.reason}` });
  }
  return [...rows.values()];
}

async function seen({ slices }: CascadeContext, all: readonly Found[], sees: PreviewRequest['sees']): Promise<Sees> {
  const rows = new Map(all.map((found) => [found.row.id as string, found]));
  const visible = new Set<string>();
  for (const [index, batch] of batches([...rows.values()], PER_TURN).entries()) {
    if (index > 0) await slices.turn();
    await inLanes(batch, PARALLEL, async ({ kind, row }) => void ((await sees(kind, row)) && visible.add(row.id)));
  }
  return ({ id }) => visible.has(id);
}

function effectsOf<E extends Found, T>(all: readonly E[], more: (entry: E) => T, limit: number, sees: Sees): Effects<T> {
  const seen = all.filter(({ row }) => sees(row));
  const kinds = new Map<string, number>();
  for (const { kind } of seen) kinds.set(kind.name, (kinds.get(kind.name) ?? 0) + 1);
  return {
    total: seen.length,
    hidden: seen.length < all.length,
    kinds: [...kinds].map(([kind, total]) => ({ kind, total })),
    rows: seen.slice(0, limit).map((entry) => ({ kind: entry.kind.name, id: entry.row.id, name: entry.row.name, ...more(entry) })),
  };
}

function reasonOf({ registry }: CascadeContext, { kind, edge, to }: Referring, sees: Sees): string {
  const dormant = registry.findDormant(kind.name);
  const why =
    dormant === undefined ? 'which cannot go before it' : `and nothing can be done to it while the plugin ${dormant.plugin} is absent`;
  return `The ${edge.field} of this ${inWords(kind.name)} is ${inWords(to.kind.name)} ${sees(to.row) ? to.row.name : 'of another project'}, ${why}.`;
}
