import { Type } from 'typebox';
import {
  defineAction,
  defineDeletion,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  isCloudError,
  type RowOf,
  saga,
  transition,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { rowMove } from '../row-only.ts';
import { backupStore } from './backup-store.ts';
import type { BackupContext } from './context.ts';
import { release } from './store-create.ts';

const move = (verb: 'enable' | 'disable', description: string, from: 'available' | 'disabled', to: 'available' | 'disabled') =>
  defineAction({
    kind: backupStore,
    verb,
    description,
    target: 'resource',
    input: Type.Object({}),
    from: [from, to],
    satisfied: ({ state }) => state === to,
    accept: ({ id }) => ({ params: { kind: backupStore.name, id, from: [from], to }, statements: [] }),
    saga: rowMove,
    context: () => null,
  });

export const storeEnable = move('enable', 'Lets new backups into the store again.', 'disabled', 'available');
export const storeDisable = move('disable', 'Lets no new backups into the store. What is there can be restored.', 'available', 'disabled');

interface RemoveStoreParams {
  readonly storeId: Id<'backupStore'>;
  readonly key?: string;
  readonly secrets?: string;
  readonly force: boolean;
}

/** Without its key nothing that may be left in the place can be read any more. */
const removeStore = saga<BackupContext, RemoveStoreParams>('backupStore.remove', 1)
  .effect('release', {
    do: async ({ ctx, params, call }) => {
      try {
        await release(ctx, params.storeId, call);
      } catch (error) {
        if (!params.force || !isCloudError(error)) throw error;
        await ctx.stores.forget(params.storeId);
      }
    },
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params: { storeId, key, secrets } }) => [
      transition(backupStore, storeId, { from: 'deleting', to: 'deleted' }),
      ...[key, secrets].flatMap((reference) => (reference === undefined ? [] : [forgetSealed(reference)])),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** Its backups hold it. */
export const storeDeletion = (context: BackupContext) =>
  defineDeletion({
    kind: backupStore,
    from: ['available', 'disabled'],
    remove: removeStore,
    context: () => context,
    params: ({ id, key, secrets }: RowOf<typeof backupStore>, { force }) => ({ storeId: id, force, ...given({ key, secrets }) }),
  });
