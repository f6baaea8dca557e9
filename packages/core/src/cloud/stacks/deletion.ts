import {
  CloudError,
  defineDeletion,
  equals,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  type RowBase,
  saga,
  type Taken,
  transition,
} from '../../kernel/index.ts';
import { rowDeletion } from '../row-only.ts';
import type { CloudServices } from '../services.ts';
import { type StackResource, type StackRevision, stack, stackResource, stackRevision } from './stack.ts';

const removeRevision = saga<null, { readonly id: Id<'stackRevision'>; readonly sealed: readonly string[] }>('stackRevision.remove', 1)
  .write('deleted', {
    do: ({ params: { id, sealed } }) => [transition(stackRevision, id, { from: 'deleting', to: 'deleted' }), ...sealed.map(forgetSealed)],
    undo: FORWARD_ONLY,
  })
  .build();

/** It also goes with what it is about, which waits for no stack: looked at anew each time that it is tried. */
const removeEntry = saga<CloudServices, { readonly id: Id<'stackResource'> }>('stackResource.remove', 1)
  .effect('deleted', {
    do: async ({ ctx, params: { id } }) => {
      const row = await ctx.reader.find(stackResource, id);
      if (row === undefined || row.deletedAt !== undefined) return;
      const result = await ctx.kernel().observe([transition(stackResource, id, { from: 'available', to: 'deleted' })]);
      if (!result.ok) throw new CloudError('conflict', 'It was changed meanwhile.');
    },
    undo: FORWARD_ONLY,
  })
  .build();

/** All that a stack has goes with it, in the order of what needs what; what it is to keep stays. */
async function takenBy({ reader, kernel }: CloudServices, stackId: string): Promise<readonly Taken[]> {
  const { registry } = kernel();
  const entries: readonly StackResource[] = await reader.list(stackResource, equals('stackId', stackId));
  const ids = new Map(entries.map(({ logicalName, resourceId }) => [logicalName, resourceId]));
  const taken = await Promise.all(
    entries.map(async (entry): Promise<readonly Taken[]> => {
      const kind = registry.findKind(entry.resourceKind);
      const row: RowBase | undefined = kind === undefined || entry.keep ? undefined : await reader.find(kind, entry.resourceId);
      const before = entry.after.flatMap((name) => ids.get(name) ?? []);
      // First it is no longer the stack's, then it goes: the other way round it would take this row along.
      const noted = { kind: stackResource, row: entry, before: [entry.resourceId] };
      return row === undefined || row.deletedAt !== undefined || kind === undefined ? [noted] : [noted, { kind, row, before }];
    }),
  );
  return taken.flat();
}

export const stackDeletions = (services: CloudServices) => [
  // Forced, it also ends an apply that is stuck; what that has made by then stays, as nothing of the stack.
  { ...rowDeletion(stack, ['ready', 'updating']), takes: (row: RowBase) => takenBy(services, row.id) },
  defineDeletion({
    kind: stackRevision,
    from: [],
    remove: removeRevision,
    context: () => null,
    params: ({ id, secrets }: StackRevision) => ({ id, sealed: Object.values(secrets) }),
  }),
  defineDeletion({
    kind: stackResource,
    from: [],
    remove: removeEntry,
    context: () => services,
    params: ({ id }: StackResource) => ({ id }),
  }),
];
