import { Type } from 'typebox';
import { type Action, defineAction } from './action.ts';
import { CloudError } from './errors.ts';
import type { JsonObject } from './json.ts';
import type { AnyKind, OnDelete, RowBase } from './kind.ts';
import { operation, UNFINISHED } from './operation.ts';
import { both, equals, type Reader } from './reader.ts';
import type { Registry } from './registry.ts';
import { change, revert, transition } from './rows.ts';
import { type AnySaga, type BoundSaga, bindSaga, NOTHING_TO_UNDO, type Saga, saga } from './saga/definition.ts';

/**
 * How a kind is deleted. Its states include `deleting`, which the cascade sets before anything else, so that nothing new can attach itself.
 * `quiesce` runs before the row's children go (stop the machine), `remove` after; the last write of `remove` moves the row to `deleted`.
 * Both only go on once they have begun to destroy (FORWARD_ONLY).
 */
export interface Deletion {
  readonly kind: AnyKind;
  readonly from: readonly string[];
  readonly heldBy?: Action['heldBy'];
  readonly quiesce?: AnySaga;
  readonly remove: AnySaga;
  readonly context: () => unknown;
  readonly params: (row: RowBase, request: { readonly force: boolean }) => JsonObject;
}

export interface DeletionSpec<K extends AnyKind, R extends RowBase, C, P extends object> {
  readonly kind: K;
  readonly from: readonly string[];
  /** As in `ActionSpec`. */
  readonly heldBy?: (row: R, reader: Reader) => Promise<CloudError | undefined>;
  readonly quiesce?: Saga<C, P>;
  readonly remove: Saga<C, P>;
  readonly context: () => C;
  readonly params: (row: R, request: { readonly force: boolean }) => P;
}
export const defineDeletion = <K extends AnyKind, R extends RowBase, C, P extends object>(spec: DeletionSpec<K, R, C, P>): Deletion =>
  spec as unknown as Deletion;

interface Target {
  readonly kind: string;
  readonly id: string;
  readonly state: string;
  /** Distance from the root of the deletion. */
  readonly depth: number;
  readonly params: JsonObject;
}
interface LetGo {
  readonly kind: string;
  readonly id: string;
  readonly field: string;
}
interface Plan {
  readonly targets: readonly Target[];
  readonly detached: readonly LetGo[];
}
interface CascadeParams {
  readonly root: { readonly kind: string; readonly id: string };
  readonly force: boolean;
  /** The ids whose queues the operation is in: what is deleted must be among them. */
  readonly held: readonly string[];
}
interface CascadeContext {
  readonly registry: Registry;
  readonly reader: Reader;
}

const ownership = (edge: { readonly onDelete: OnDelete; readonly ownedIf?: string | undefined }, child: RowBase): OnDelete =>
  edge.ownedIf !== undefined && (child as unknown as Record<string, unknown>)[edge.ownedIf] === true ? 'cascade' : edge.onDelete;

/**
 * Made by the acceptance of an operation on its owner that waits behind: that one will find its owner deleted, and takes back what it has announced. Other
 * operations behind may be about the row, too: what makes it has come in one transaction with it, hence at the same instant.
 */
async function comesLater(reader: Reader, owner: RowBase, kind: AnyKind, row: RowBase, deletionId: string): Promise<boolean> {
  if (row.state !== kind.initial) return false;
  const unfinished = { field: 'state', op: 'in', value: [...UNFINISHED] } as const;
  const others = await reader.list(operation, both(equals('resourceId', owner.id), unfinished));
  return others.some(({ id, keys, createdAt }) => id > deletionId && createdAt === row.createdAt && keys.includes(row.id));
}

/**
 * What deleting the row takes with it; with `deletionId` when that operation is at the head of the queues. @throws CloudError `in_use` naming what blocks.
 */
async function planDeletion(
  { registry, reader }: CascadeContext,
  root: AnyKind,
  row: RowBase,
  force: boolean,
  deletionId?: string,
): Promise<Plan> {
  const targets = new Map<string, Target>();
  /** By row and field: where ownership joins again below, a row is met twice. */
  const detached = new Map<string, LetGo>();
  const restricting: { kind: string; row: RowBase }[] = [];
  const visit = async (kind: AnyKind, at: RowBase, depth: number): Promise<void> => {
    const seen = targets.get(at.id);
    if (seen !== undefined && seen.depth >= depth) return;
    const deletion = registry.deletion(kind.name);
    targets.set(at.id, { kind: kind.name, id: at.id, state: at.state, depth, params: deletion.params(at, { force }) });
    for (const { kind: child, edge } of registry.edgesTo(kind.name))
      for (const found of (await reader.list(child, equals(edge.field, at.id))) as readonly RowBase[]) {
        if (deletionId !== undefined && (await comesLater(reader, at, child, found, deletionId))) continue;
        const how = ownership(edge, found);
        if (how === 'cascade') await visit(child, found, depth + 1);
        else if (how === 'detach') detached.set(`${found.id}/${edge.field}`, { kind: child.name, id: found.id, field: edge.field });
        else restricting.push({ kind: child.name, row: found });
      }
  };
  await visit(root, row, 0);
  // One row may stand in the way by several edges.
  const standing = restricting.filter((blocker) => !targets.has(blocker.row.id));
  const blockers = [...new Map(standing.map((blocker) => [blocker.row.id, blocker])).values()];
  if (blockers.length > 0)
    throw new CloudError(
      'in_use',
      `Still used by ${blockers
        .map((blocker) => `${blocker.kind} ${blocker.row.name}`)
        .slice(0, 5)
        .join(', ')}${blockers.length > 5 ? ' and others' : ''}.`,
      {
        params: { blockers: blockers.slice(0, 100).map((blocker) => ({ kind: blocker.kind, id: blocker.row.id, name: blocker.row.name })) },
      },
    );
  return { targets: [...targets.values()], detached: [...detached.values()].filter((child) => !targets.has(child.id)) };
}

const idsOf = (plan: Plan): readonly string[] => [...plan.targets, ...plan.detached].map((entry) => entry.id).sort();

async function planNow(ctx: CascadeContext, params: CascadeParams, operationId: string): Promise<Plan> {
  const kind = ctx.registry.kind(params.root.kind);
  return planDeletion(ctx, kind, await ctx.reader.get(kind, params.root.id), params.force, operationId);
}

const CHANGED = 'What depends on it changed after the request was accepted; ask again.';

/** Deepest first; targets of one depth go side by side. */
function byDepth(targets: readonly Target[], deepestFirst: boolean): readonly (readonly Target[])[] {
  const depths = [...new Set(targets.map((target) => target.depth))].sort((a, b) => (deepestFirst ? b - a : a - b));
  return depths.map((depth) => targets.filter((target) => target.depth === depth));
}

/** A target found in `deleting` was left so by a deletion that was abandoned: there is nothing to mark. */
const marked = (plan: Plan): readonly Target[] => plan.targets.filter((target) => target.state !== 'deleting');

const cleared = (fields: readonly string[]) => Object.fromEntries(fields.map((field) => [field, null])) as never;

const PARALLEL = 8;

/**
 * Deletion of a row with everything it owns, as one saga. The plan is made at the head of the queues; once all of it is marked `deleting`, nothing can
 * attach itself any more, and a second look makes sure that nothing did in between. Then: quiesce from the root, let go, remove leaf first.
 */
export const cascadeDelete = saga<CascadeContext, CascadeParams>('cascade.delete', 1)
  .effect('plan', {
    do: async ({ ctx, params, operationId }) => {
      const plan = await planNow(ctx, params, operationId);
      if (!idsOf(plan).every((id) => params.held.includes(id))) throw new CloudError('conflict', CHANGED);
      return plan;
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('mark', {
    do: ({ ctx, out }) =>
      marked(out.plan).map((target) => revert(ctx.registry.kind(target.kind), target.id as never, { from: target.state, to: 'deleting' })),
    undo: ({ ctx, out }) =>
      marked(out.plan).map((target) => revert(ctx.registry.kind(target.kind), target.id as never, { from: 'deleting', to: target.state })),
  })
  .effect('verify', {
    do: async ({ ctx, params, out, operationId }) => {
      if (idsOf(await planNow(ctx, params, operationId)).join() !== idsOf(out.plan).join()) throw new CloudError('conflict', CHANGED);
    },
    undo: NOTHING_TO_UNDO,
  })
  .subs('quiesce', {
    limit: PARALLEL,
    run: ({ ctx, out }) =>
      byDepth(out.plan.targets, false).map((stage) =>
        stage.flatMap((target): BoundSaga[] => {
          const deletion = ctx.registry.deletion(target.kind);
          return deletion.quiesce === undefined ? [] : [bindSaga(deletion.quiesce, deletion.context(), target.params)];
        }),
      ),
  })
  .write('detach', {
    do: ({ ctx, out }) =>
      out.plan.detached.map(({ kind: name, id, field }) => {
        const kind = ctx.registry.kind(name);
        const move = kind.detached?.[field];
        return move === undefined
          ? change(kind, id as never, { [field]: null } as never)
          : transition(kind, id as never, { from: move.from, to: move.to, set: cleared([field, ...(move.clears ?? [])]) });
      }),
    undo: NOTHING_TO_UNDO,
  })
  .subs('remove', {
    limit: PARALLEL,
    run: ({ ctx, out }) =>
      byDepth(out.plan.targets, true).map((stage) =>
        stage.map((target) => {
          const deletion = ctx.registry.deletion(target.kind);
          return bindSaga(deletion.remove, deletion.context(), target.params);
        }),
      ),
  })
  .build();

/** The `delete` action of a kind that has a deletion. Deleting what is deleted succeeds. */
export function deleteAction(deletion: Deletion, context: () => CascadeContext): Action {
  return defineAction({
    kind: deletion.kind,
    verb: 'delete',
    description: `Deletes the ${deletion.kind.name} and everything it owns.`,
    target: 'resource',
    input: Type.Object({
      force: Type.Optional(
        Type.Boolean({
          description:
            'Go on where a host is out of reach, leaving the rest of the cleanup as a visible debt; also passes an operation that needs attention.',
        }),
      ),
    }),
    from: [...deletion.from, 'deleting'],
    ...(deletion.heldBy === undefined ? {} : { heldBy: deletion.heldBy }),
    satisfied: (row) => row.state === 'deleted',
    accept: async ({ row, input }) => {
      const force = input.force === true;
      const plan = await planDeletion(context(), deletion.kind, row, force);
      const held = idsOf(plan);
      return { params: { root: { kind: deletion.kind.name, id: row.id }, force, held }, statements: [], keys: held };
    },
    saga: cascadeDelete,
    context,
  });
}
