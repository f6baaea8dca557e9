import { Type } from 'typebox';
import { type Action, defineAction } from '../action.ts';
import { inWords, oneOf } from '../article.ts';
import { CloudError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { RowBase, Trashed } from '../kind.ts';
import { revert } from '../rows.ts';
import { type BoundSaga, bindSaga, saga } from '../saga/definition.ts';
import type { Deletion } from './deletion.ts';
import { TRASHED } from './plan.ts';
import { batches, type CascadeContext, type Found, survey } from './survey.ts';

interface Member {
  readonly kind: string;
  readonly id: string;
  readonly to: string;
  readonly trash: Trashed;
  /** What the way back changes beside the state, as it was in the trash. */
  readonly before: JsonObject;
  /** Of the kind's deletion. */
  readonly params: JsonObject;
}
interface RecoverParams {
  readonly members: readonly Member[];
}

const ROWS_AT_ONCE = 200;
const PARALLEL = 16;

const trashOf = (row: RowBase): Trashed | undefined => (row as { readonly trash?: Trashed }).trash;

/** What went into the trash with another comes and goes with it. @throws CloudError conflict */
export async function refuseMember({ registry, reader }: CascadeContext, { kind, row }: Found): Promise<void> {
  const rootId = trashOf(row)?.rootId;
  if (rootId === undefined || rootId === row.id) return;
  for (const edge of kind.refs) {
    const owner = registry.kind(edge.kind);
    const found: RowBase | undefined = await reader.find(owner, rootId);
    if (found === undefined) continue;
    throw new CloudError('conflict', `It was deleted with ${inWords(owner.name)} ${found.name}; recover or expunge that.`, {
      params: { kind: owner.name, id: found.id, name: found.name },
    });
  }
  throw new CloudError('conflict', 'It was deleted with what owns it; recover or expunge that.', { params: { id: rootId } });
}

async function membersOf(ctx: CascadeContext, root: Found): Promise<readonly Member[]> {
  const { owned } = await survey(ctx, root, { recursive: false });
  return owned.flatMap(({ kind, row }): Member[] => {
    const trash = trashOf(row);
    const deletion = ctx.registry.deletion(kind.name);
    if (row.state !== TRASHED || trash?.rootId !== root.row.id) return [];
    const set = Object.keys(deletion.trash?.set ?? {});
    const before = Object.fromEntries(set.map((field) => [field, (row as unknown as JsonObject)[field] ?? null]));
    const params = deletion.params(row, { force: false });
    return [{ kind: kind.name, id: row.id, to: deletion.trash?.to ?? trash.from, trash, before, params }];
  });
}

/** In the place of a step. */
export const restoreRows = saga<CascadeContext, RecoverParams>('cascade.restore', 1)
  .write('restore', {
    do: ({ ctx, params }) =>
      params.members.map(({ kind, id, to }) => {
        const set = { ...ctx.registry.deletion(kind).trash?.set, trash: null };
        return revert(ctx.registry.kind(kind), id as never, { from: TRASHED, to, set: set as never });
      }),
    undo: ({ ctx, params }) =>
      params.members.map(({ kind, id, to, before, trash }) =>
        revert(ctx.registry.kind(kind), id as never, { from: to, to: TRASHED, set: { ...before, trash } as never }),
      ),
  })
  .build();

/** Brings back what was deleted together, or nothing of it: first all rows, then what their machines and disks need to be again. */
export const cascadeRecover = saga<CascadeContext, RecoverParams>('cascade.recover', 1)
  .subs('rows', {
    limit: 1,
    run: ({ ctx, params }) => batches(params.members, ROWS_AT_ONCE).map((members) => [bindSaga(restoreRows, ctx, { members })]),
  })
  .subs('back', {
    limit: PARALLEL,
    run: ({ ctx, params }) => [
      params.members.flatMap((member): BoundSaga[] => {
        const { trash, context } = ctx.registry.deletion(member.kind);
        return trash?.back === undefined ? [] : [bindSaga(trash.back, context(), member.params)];
      }),
    ],
  })
  .build();

/** The `recover` action of a kind that takes part in the trash. */
export const recoverAction = ({ kind, from }: Deletion, context: () => CascadeContext): Action =>
  defineAction({
    kind,
    verb: 'recover',
    description: `Brings ${oneOf(kind.name)} back from the trash, with all that was deleted with it.`,
    target: 'resource',
    input: Type.Object({}),
    from: [TRASHED],
    satisfied: (row) => from.includes(row.state),
    accept: async ({ row }) => {
      await refuseMember(context(), { kind, row });
      const members = await membersOf(context(), { kind, row });
      const { registry } = context();
      const shared = members.flatMap((member) => registry.deletion(member.kind).shares?.(member.params) ?? []);
      return { params: { members }, statements: [], keys: [...new Set([...members.map(({ id }) => id), ...shared])] };
    },
    saga: cascadeRecover,
    context,
  });
