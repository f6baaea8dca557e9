import { hash } from 'node:crypto';
import { inWords } from '../article.ts';
import { timestamp } from '../environment.ts';
import { CloudError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { RowBase } from '../kind.ts';
import { type CascadeContext, type Found, type Survey, survey } from './survey.ts';

export interface Target {
  readonly kind: string;
  readonly id: string;
  readonly state: string;
  /** Distance from the root of the deletion. */
  readonly depth: number;
  readonly params: JsonObject;
}
export interface LetGo {
  readonly kind: string;
  readonly id: string;
  readonly field: string;
  /** What the detachment changes, as it was. */
  readonly before: JsonObject;
}
/** Exactly what a deletion does. It is kept with the operation, once, and nothing else is done. */
export interface Plan {
  readonly targets: readonly Target[];
  readonly detached: readonly LetGo[];
  /** They go into the trash, with this time. */
  readonly trash?: string;
}

/** What is asked for beside the row. */
export interface Asked {
  readonly force: boolean;
  /** Not into the trash, and out of it. */
  readonly forGood: boolean;
  /** What blocks is taken along, where that may be. */
  readonly recursive: boolean;
  /** The plan by which all of it is marked: where it goes is decided. */
  readonly marked?: Plan;
}

const BLOCKERS_SHOWN = 100;
const BLOCKERS_NAMED = 5;
const DIFFERENCES_SHOWN = 100;

/** What deleting the row takes with it. @throws CloudError `in_use` naming what blocks, or why it does not go by itself */
export async function planDeletion(ctx: CascadeContext, root: Found, asked: Asked, deletionId?: string): Promise<Plan> {
  const problem = await ctx.registry.deletion(root.kind.name).alone?.(root.row, ctx.reader);
  if (problem !== undefined) throw problem;
  const found = await survey(ctx, root, { ...asked, deletionId });
  refuseBlocked(ctx, root.row, found);
  return planOf(ctx, found, asked);
}

/** Of kinds that do not take part in the trash rows stay, and go when the rest is expunged. */
export function planOf(ctx: CascadeContext, { owned, detached }: Survey, asked: Asked): Plan {
  const { registry } = ctx;
  const [root] = owned;
  const trash = root === undefined ? undefined : trashTime(ctx, root, asked);
  const going = owned.filter(({ kind }) => trash === undefined || registry.deletion(kind.name).trash !== undefined);
  return {
    ...(trash === undefined ? {} : { trash }),
    targets: going.map(({ kind, row, depth }) => {
      const params = registry.deletion(kind.name).params(row, asked);
      return { kind: kind.name, id: row.id, state: row.state, depth, params };
    }),
    detached: detached.map(({ kind, row, edge: { field } }) => {
      const fields = [field, ...(kind.detached?.[field]?.clears ?? []), 'state'];
      return { kind: kind.name, id: row.id, field, before: picked(row, fields) };
    }),
  };
}

/** What is forced leaves debts, and what a deletion has left half done cannot be brought back. */
function trashTime(
  { registry, trashMs, clock }: CascadeContext,
  { kind, row }: Found,
  { force, forGood, marked }: Asked,
): string | undefined {
  if (marked !== undefined) return marked.trash;
  const stays = force || forGood || row.state === 'deleting' || row.state === TRASHED;
  const own = registry.deletion(kind.name).trash;
  return trashMs() <= 0 || stays || own === undefined || own.withOwner === true ? undefined : timestamp(clock);
}

export const TRASHED = 'trashed';

const picked = (row: RowBase, fields: readonly string[]): JsonObject =>
  Object.fromEntries(fields.map((field) => [field, (row as unknown as JsonObject)[field] ?? null]));

/** Of rows of other projects nothing is told but that there are some. @throws CloudError `in_use` */
function refuseBlocked({ registry }: CascadeContext, root: RowBase, { blocking }: Survey): void {
  if (blocking.length === 0) return;
  // One row may stand in the way by several edges.
  const all = [...new Map(blocking.map((blocker) => [blocker.row.id as string, blocker])).values()];
  const blockers = all.filter(({ row }) => isBesides(root, row));
  const named = blockers.map(({ kind, row: { id, name } }) => {
    const absentPlugin = registry.findDormant(kind.name)?.plugin;
    return { kind: kind.name as string, id: id as string, name, ...(absentPlugin === undefined ? {} : { absentPlugin }) };
  });
  const names = named.slice(0, BLOCKERS_NAMED).map(({ kind, name, absentPlugin }) => {
    const of = absentPlugin === undefined ? '' : ` of the absent plugin ${absentPlugin}`;
    return `${inWords(kind)} ${name}${of}`;
  });
  const others = named.length > names.length ? ' and others' : all.length > named.length ? ' and something of another project' : '';
  const what = names.length === 0 ? 'something of another project' : `${names.join(', ')}${others}`;
  throw new CloudError('in_use', `Still used by ${what}.`, { params: { blockers: named.slice(0, BLOCKERS_SHOWN) } });
}

/** Who may delete the one may see the other. What belongs to nobody is deleted by the operator alone. */
const isBesides = (root: RowBase, { projectId, accountId }: RowBase): boolean =>
  (root.projectId === undefined || projectId === undefined || projectId === root.projectId) &&
  (root.accountId === undefined || accountId === undefined || accountId === root.accountId);

const idsOf = ({ targets, detached }: Plan): readonly string[] => [
  ...new Set([...targets.map(({ id }) => id), ...detached.map(({ id }) => id)]),
];

/** All that the deletion must not share meanwhile. */
export const keysOf = ({ registry }: Pick<CascadeContext, 'registry'>, plan: Plan): readonly string[] => [
  ...new Set([...idsOf(plan), ...plan.targets.flatMap(({ kind, params }) => registry.deletion(kind).shares?.(params) ?? [])]),
];

/** Deletes the row, puts it into the trash, or lets it go by this field. */
const effectsOf = ({ targets, detached, trash }: Plan): readonly { readonly effect: string; readonly id: string }[] => [
  ...targets.map(({ kind, id }) => ({ effect: trash === undefined ? kind : `${kind}~${TRASHED}`, id })),
  ...detached.map(({ kind, id, field }) => ({ effect: `${kind}~${field}`, id })),
];

/** Of the rows and what becomes of each: `instance.1-nic.1-volume.2-volume~instanceId.1-<digest>`. Says how many of each kind, so that it can be told what differs. */
export function planHash(plan: Plan): string {
  const effects = effectsOf(plan);
  const counts = countsOf(effects.map(({ effect }) => effect));
  const lines = effects.map(({ effect, id }) => `${effect} ${id}`).sort();
  const digest = hash('sha256', lines.join('\n'), 'hex').slice(0, 32);
  return [...[...counts].map(([effect, count]) => `${effect}.${count}`).sort(), digest].join('-');
}

/** A caller who may not see all of it has the digest alone. */
export const isPlan = (planned: string, plan: Plan): boolean => digestOf(planned) === digestOf(planHash(plan));

const digestOf = (planned: string): string => planned.slice(planned.lastIndexOf('-') + 1);

function countsOf(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

function countsIn(planned: string): Map<string, number> {
  const parts = planned.split('-').slice(0, -1);
  return new Map(parts.map((part) => [part.slice(0, part.indexOf('.')), Number(part.slice(part.indexOf('.') + 1))]));
}

const described = (effect: string, planned: number, now: number): JsonObject => {
  const [kind = '', field] = effect.split('~');
  if (field === undefined || field === TRASHED) return { kind, effect: field ?? 'deleted', planned, now };
  return { kind, effect: 'detached', field, planned, now };
};

/** What is asked for is not what would be done now. Tells for each kind how many rows it was about and how many it would be. */
export function planChanged(planned: string, plan: Plan): CloudError {
  const [before, now] = [countsIn(planned), countsIn(planHash(plan))];
  const differences = [...new Set([...before.keys(), ...now.keys()])].sort().flatMap((effect) => {
    const [then = 0, since = 0] = [before.get(effect), now.get(effect)];
    return then === since ? [] : [described(effect, then, since)];
  });
  return changed(differences, plan);
}

function changed(differences: readonly JsonObject[], plan: Plan): CloudError {
  const told = differences.map(({ kind, effect, planned, now }) => `${planned} → ${now} of kind ${kind} ${effect}`);
  const what = told.length === 0 ? 'as many of each kind, but others' : told.join(', ');
  return new CloudError('plan_changed', `The deletion is no longer what was previewed: ${what}. Preview it again.`, {
    params: { differences: [...differences], plan: planHash(plan) },
  });
}

/** As `planChanged`, when both are known: names the rows that came and went. */
export function planDiffers(before: Plan, now: Plan): CloudError {
  const [then, since] = [effectsOf(before), effectsOf(now)].map((effects) => new Set(effects.map(({ effect, id }) => `${effect} ${id}`)));
  const only = (a: Set<string> | undefined, b: Set<string> | undefined) => [...(a ?? [])].filter((entry) => b?.has(entry) !== true);
  const [gone, come] = [only(then, since), only(since, then)];
  const kinds = new Set([...gone, ...come].map((entry) => entry.slice(0, entry.indexOf(' '))));
  const error = changed(
    [...kinds].map((kind) => {
      const ids = (entries: readonly string[]) =>
        entries.filter((entry) => entry.startsWith(`${kind} `)).map((entry) => entry.slice(kind.length + 1));
      const count = (entries: Set<string> | undefined) => ids([...(entries ?? [])]).length;
      return {
        ...described(kind, count(then), count(since)),
        added: ids(come).slice(0, DIFFERENCES_SHOWN),
        gone: ids(gone).slice(0, DIFFERENCES_SHOWN),
      };
    }),
    now,
  );
  return error;
}

/** Whether both do the same to the same rows, found alike. What marking changes, the states, is not compared. */
export function sameEffects(a: Plan, b: Plan): boolean {
  const lines = ({ targets, detached }: Plan) =>
    [
      ...targets.map(({ kind, id, params }) => `${kind} ${id} ${JSON.stringify(params)}`),
      ...detached.map(({ kind, id, field, before }) => `${kind}~${field} ${id} ${JSON.stringify(before)}`),
    ].sort();
  const [left, right] = [lines(a), lines(b)];
  return left.length === right.length && left.every((line, index) => line === right[index]);
}

/** As `sameEffects`, in the same states. */
export const samePlan = (a: Plan, b: Plan): boolean => {
  const states = new Map(a.targets.map(({ id, state }) => [id, state]));
  return sameEffects(a, b) && b.targets.every(({ id, state }) => states.get(id) === state);
};
