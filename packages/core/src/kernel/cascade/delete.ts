import { type TObject, Type } from 'typebox';
import { isVisible, lacks, type Principal } from '../access.ts';
import { type Action, defineAction, stateProblem } from '../action.ts';
import { oneOf } from '../article.ts';
import { CloudError } from '../errors.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import type { Reader } from '../reader.ts';
import { change, revert, transition } from '../rows.ts';
import { type BoundSaga, bindSaga, FORWARD_ONLY, NOTHING_TO_UNDO, saga } from '../saga/definition.ts';
import type { Expect, Statement } from '../store.ts';
import type { Deletion } from './deletion.ts';
import {
  type Asked,
  isPlan,
  keysOf,
  type LetGo,
  type Plan,
  planChanged,
  planDeletion,
  planDiffers,
  sameEffects,
  samePlan,
  type Target,
  TRASHED,
} from './plan.ts';
import { refuseMember } from './recover.ts';
import { batches, type CascadeContext, type Found } from './survey.ts';

interface CascadeParams {
  readonly root: { readonly kind: string; readonly id: string };
  readonly force: boolean;
  readonly forGood: boolean;
  readonly recursive: boolean;
  /** As it was when the request was accepted, or planned again since. */
  readonly plan: Plan;
  /** The hash of what the caller has previewed: nothing else may be done. */
  readonly planned?: string;
}

const CHANGED = 'What depends on it changed after the request was accepted.';
/** Planned so often, it is told that it keeps changing. */
const PLANS_MAX = 8;
/** Rows marked, or let go, in one transaction. */
const ROWS_AT_ONCE = 200;
const PARALLEL = 16;

/** Deepest first; targets of one depth go side by side. */
function byDepth(targets: readonly Target[], deepestFirst: boolean): readonly (readonly Target[])[] {
  const stages = new Map<number, Target[]>();
  for (const target of targets) {
    const stage = stages.get(target.depth);
    if (stage === undefined) stages.set(target.depth, [target]);
    else stage.push(target);
  }
  return [...stages].sort(([a], [b]) => (deepestFirst ? b - a : a - b)).map(([, stage]) => stage);
}

/** What is attached to something goes with that at any time, marked or not, and nothing attaches itself to it. */
const isMarked = ({ registry }: CascadeContext, { kind, state }: Target): boolean =>
  state === 'deleting' || registry.kind(kind).attached !== undefined;

const cleared = (fields: readonly string[]) => Object.fromEntries(fields.map((field) => [field, null])) as never;

type Move = (target: Target, registry: CascadeContext['registry']) => Statement;
const toDeleting: Move = ({ kind, id, state }, registry) => revert(registry.kind(kind), id as never, { from: state, to: 'deleting' });
const backFromDeleting: Move = ({ kind, id, state }, registry) => revert(registry.kind(kind), id as never, { from: 'deleting', to: state });

const markRows = saga<CascadeContext, { readonly targets: readonly Target[] }>('cascade.mark', 1)
  .write('mark', {
    do: ({ ctx, params }) => params.targets.map((target) => toDeleting(target, ctx.registry)),
    undo: ({ ctx, params }) => params.targets.map((target) => backFromDeleting(target, ctx.registry)),
  })
  .build();

/** Makes of a row what the deletion of what its field points to makes of it. */
export function detach(kind: AnyKind, id: string, field: string, expect: Expect = {}): Statement {
  const move = kind.detached?.[field];
  if (move === undefined) return change(kind, id as never, { [field]: null } as never, expect);
  return transition(kind, id as never, { from: move.from, to: move.to, set: cleared([field, ...(move.clears ?? [])]), expect });
}

const letRowsGo = saga<CascadeContext, { readonly rows: readonly LetGo[] }>('cascade.detach', 1)
  .write('detach', {
    do: ({ ctx, params }) => params.rows.map(({ kind, id, field }) => detach(ctx.registry.kind(kind), id, field)),
    undo: ({ ctx, params }) => params.rows.map(({ kind, id, before }) => change(ctx.registry.kind(kind), id as never, before as never)),
  })
  .build();

const trashRows = saga<CascadeContext, { readonly targets: readonly Target[]; readonly at: string; readonly rootId: string }>(
  'cascade.trash',
  1,
)
  .write('trash', {
    do: ({ ctx, params: { targets, at, rootId } }) =>
      targets.map(({ kind, id, state: from }) =>
        transition(ctx.registry.kind(kind), id as never, { from: 'deleting', to: TRASHED, set: { trash: { at, rootId, from } } as never }),
      ),
    undo: FORWARD_ONLY,
  })
  .build();

/** The sagas of a deletion that run in the place of its steps. */
export const CASCADE_PARTS = [markRows, letRowsGo, trashRows];

/**
 * Deletion of a row with everything it owns, as one saga. The plan comes with the acceptance. Once all of it is marked `deleting`, nothing can attach itself
 * any more, and a second look makes sure that nothing did in between. Then: quiesce from the root, let go, and remove leaf first or put into the trash.
 */
export const cascadeDelete = saga<CascadeContext, CascadeParams>('cascade.delete', 1)
  .subs('mark', {
    limit: 1,
    // From the root on: to what is marked nothing new comes. One found in `deleting` was left so by a deletion that was abandoned.
    run: ({ ctx, params }) => {
      const unmarked = byDepth(params.plan.targets, false)
        .flat()
        .filter((target) => !isMarked(ctx, target));
      return batches(unmarked, ROWS_AT_ONCE).map((targets) => [bindSaga(markRows, ctx, { targets })]);
    },
  })
  .effect('verify', {
    do: async ({ ctx, params, operationId }) => {
      // It lies in the trash already.
      if (params.plan.targets.length === 0) return;
      const kind = ctx.registry.kind(params.root.kind);
      const row = await ctx.reader.get(kind, params.root.id);
      const now = await planDeletion(ctx, { kind, row }, { ...params, marked: params.plan }, operationId);
      // What was found in `deleting` may be back from there: the deletion that was before this one has unwound.
      if (!now.targets.every((target) => isMarked(ctx, target)) || !sameEffects(params.plan, now))
        throw new CloudError('conflict', CHANGED);
    },
    undo: NOTHING_TO_UNDO,
    light: true,
  })
  .subs('quiesce', {
    limit: PARALLEL,
    run: ({ ctx, params }) =>
      byDepth(params.plan.targets, false).map((stage) =>
        stage.flatMap((target): BoundSaga[] => {
          const deletion = ctx.registry.deletion(target.kind);
          return deletion.quiesce === undefined ? [] : [bindSaga(deletion.quiesce, deletion.context(), target.params)];
        }),
      ),
  })
  .subs('detach', {
    limit: 1,
    run: ({ ctx, params }) => batches(params.plan.detached, ROWS_AT_ONCE).map((rows) => [bindSaga(letRowsGo, ctx, { rows })]),
  })
  .subs('trash', {
    limit: 1,
    run: ({ ctx, params: { root, plan } }) => {
      const { targets, trash: at } = plan;
      return at === undefined
        ? []
        : batches(targets, ROWS_AT_ONCE).map((rows) => [bindSaga(trashRows, ctx, { targets: rows, at, rootId: root.id })]);
    },
  })
  .subs('remove', {
    limit: PARALLEL,
    run: ({ ctx, params }) =>
      byDepth(params.plan.trash === undefined ? params.plan.targets : [], true).map((stage) =>
        stage.map((target) => {
          const deletion = ctx.registry.deletion(target.kind);
          return bindSaga(deletion.remove, deletion.context(), target.params);
        }),
      ),
  })
  .build();

const PLAN = Type.String({
  pattern: '^[A-Za-z0-9.~-]{1,4096}$',
  description: 'The `plan` of a preview: exactly that is done, or else nothing.',
});
const FORCE = Type.Boolean({
  description:
    'Go on where a host is out of reach, leaving the rest of the cleanup as a visible debt; also passes an operation that needs attention.',
});

const PERMANENT = Type.Boolean({ description: 'Not into the trash: for good. What is forced never goes there.' });

const RECURSIVE = Type.Boolean({
  description: 'Also all that stands on it, which would block it: hosts, machines, pools and their disks.',
});

/** Made once for all kinds. */
const FIELDS = {
  force: Type.Optional(FORCE),
  plan: Type.Optional(PLAN),
  recursive: Type.Optional(RECURSIVE),
  permanent: Type.Optional(PERMANENT),
};

/** The `delete` action of a kind that has a deletion. Deleting what is deleted, or in the trash, succeeds. */
export function deleteAction(deletion: Deletion, context: () => CascadeContext, contains: boolean): Action {
  const { kind, trash } = deletion;
  return deletingAction(deletion, context, {
    verb: 'delete',
    description: `Deletes the ${kind.name} and everything it owns.`,
    input: Type.Object({
      force: FIELDS.force,
      plan: FIELDS.plan,
      ...(contains ? { recursive: FIELDS.recursive } : {}),
      ...(trash === undefined || trash.withOwner === true ? {} : { permanent: FIELDS.permanent }),
    }),
    from: [...deletion.from, 'deleting', ...(trash === undefined ? [] : [TRASHED])],
    forGood: (input) => input.permanent === true,
  });
}

export const expungeAction = (deletion: Deletion, context: () => CascadeContext): Action =>
  deletingAction(deletion, context, {
    verb: 'expunge',
    description: `Deletes ${oneOf(deletion.kind.name)} that lies in the trash for good, with all that was deleted with it.`,
    input: Type.Object({ force: FIELDS.force }),
    from: [TRASHED, 'deleting'],
    forGood: () => true,
  });

interface DeleteInput {
  readonly recursive?: boolean;
  readonly force?: boolean;
  readonly plan?: string;
  readonly permanent?: boolean;
}
interface Deleting {
  readonly verb: string;
  readonly description: string;
  readonly input: TObject;
  readonly from: readonly string[];
  readonly forGood: (input: DeleteInput) => boolean;
}

function deletingAction(deletion: Deletion, context: () => CascadeContext, { forGood, ...spec }: Deleting): Action {
  const { kind, heldBy } = deletion;
  const action: Action = defineAction({
    kind,
    target: 'resource',
    ...spec,
    ...(heldBy === undefined ? {} : { heldBy }),
    satisfied: (row) => row.state === 'deleted',
    accept: async ({ row, input: given, principal, reader }) => {
      const input = given as DeleteInput;
      await assertTakes(deletion, row, principal, reader);
      const asked = { force: input.force === true, forGood: forGood(input), recursive: input.recursive === true };
      const plan = await planAsked(context(), { kind, row }, asked);
      if (input.plan !== undefined && !isPlan(input.plan, plan)) throw planChanged(input.plan, plan);
      const planned = input.plan === undefined ? {} : { planned: input.plan };
      return {
        params: { root: { kind: kind.name, id: row.id }, ...asked, plan, ...planned },
        statements: [],
        keys: keysOf(context(), plan),
      };
    },
    saga: cascadeDelete,
    context,
    takes: ({ plan }) => plan.targets.map(({ id }) => id),
    again: ({ params, error, attempt, operationId }) =>
      error.code === 'conflict' && attempt + 1 < PLANS_MAX ? planAgain(action, context(), params, operationId) : Promise.resolve(undefined),
  });
  return action;
}

/** What goes by the word of its owner alone is deleted by who could do that himself. @throws CloudError permission_denied */
async function assertTakes({ takes }: Deletion, root: RowBase, principal: Principal, reader: Reader): Promise<void> {
  for (const { kind, row } of (await takes?.(root)) ?? []) {
    if (kind.attached !== undefined) continue;
    const permission = `${kind.name}.delete`;
    const isAllowed = principal.allows(permission) && (await isVisible(kind, row, principal, permission, reader));
    if (!isAllowed) throw lacks(permission, principal);
  }
}

/** Whether it has come to take along something else, which its caller could not be asked about. */
async function takesMore({ takes }: Deletion, root: RowBase, { targets }: Plan): Promise<boolean> {
  const known = new Set(targets.map(({ id }) => id));
  return ((await takes?.(root)) ?? []).some(({ kind, row }) => kind.attached === undefined && !known.has(row.id));
}

/** What lies in the trash stays there unless it is to go for good. @throws CloudError conflict for what goes with another */
async function planAsked(ctx: CascadeContext, root: Found, asked: Asked, deletionId?: string): Promise<Plan> {
  if (root.row.state !== TRASHED) return planDeletion(ctx, root, asked, deletionId);
  if (!asked.forGood && !asked.force) return { targets: [], detached: [] };
  await refuseMember(ctx, root);
  return planDeletion(ctx, root, asked, deletionId);
}

/** Something attached itself between plan and mark, or an operation ahead has changed what was planned: then it is planned anew. */
async function planAgain(action: Action, ctx: CascadeContext, params: CascadeParams, operationId: string) {
  const { root, plan: before, planned } = params;
  const kind = ctx.registry.kind(root.kind);
  const row: RowBase = await ctx.reader.get(kind, root.id);
  const problem = stateProblem(action, row, params.force);
  if (problem !== undefined) return problem;
  const plan = await planAsked(ctx, { kind, row }, params, operationId);
  if (planned !== undefined && !isPlan(planned, plan)) return planDiffers(before, plan);
  if (await takesMore(ctx.registry.deletion(kind.name), row, before)) return planDiffers(before, plan);
  // It failed for a reason of its own.
  if (samePlan(before, plan)) return undefined;
  return { params: { ...params, plan }, statements: [], keys: keysOf(ctx, plan), queue: true } as const;
}
