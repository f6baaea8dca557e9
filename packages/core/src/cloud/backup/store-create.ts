import { Type } from 'typebox';
import { CloudError, create, defineAction, forgetSealed, type Id, resourceName, revert, saga, transition } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given, nameOr } from '../naming.ts';
import { checkedSettings, poolSecrets } from '../storage/contract.ts';
import { backupStore } from './backup-store.ts';
import type { BackupContext } from './context.ts';
import { keys } from './keys.ts';

interface CreateStoreParams {
  readonly storeId: Id<'backupStore'>;
  readonly key: string;
  readonly secrets?: string;
}

/** Two clouds in one place would remove what the other keeps: each would find chunks that none of its backups names. */
async function claim(context: BackupContext, storeId: string, call: Call): Promise<void> {
  const store = await context.stores.open(storeId);
  const marker = await store.get(keys.marker, call);
  if (marker === undefined) return store.put(keys.marker, Buffer.from(storeId), call);
  if (Buffer.from(marker).toString() !== storeId)
    throw new CloudError('conflict', 'The place is the backup store of somebody else, or was one of this cloud once.', {
      pointer: '/settings',
    });
}

/** Ends what `claim` did. What is kept there stays. */
export async function release({ stores }: BackupContext, storeId: string, call: Call): Promise<void> {
  const store = await stores.open(storeId);
  const marker = await store.get(keys.marker, call);
  if (marker !== undefined && Buffer.from(marker).toString() === storeId) await store.delete(keys.marker, call);
  await stores.forget(storeId);
}

const createStore = saga<BackupContext, CreateStoreParams>('backupStore.create', 1)
  // What cannot be reached or written to ends here, with nothing to take back from it.
  .effect('ensure', {
    do: async ({ ctx, params, call }) => (await ctx.stores.open(params.storeId)).ensure(call),
    undo: ({ ctx, params }) => ctx.stores.forget(params.storeId),
  })
  .effect('claim', {
    do: ({ ctx, params, call }) => claim(ctx, params.storeId, call),
    undo: ({ ctx, params, call }) => release(ctx, params.storeId, call),
  })
  .write('available', {
    do: ({ params }) => [transition(backupStore, params.storeId, { from: 'creating', to: 'available' })],
    undo: ({ params }) => [revert(backupStore, params.storeId, { from: 'available', to: 'creating' })],
  })
  .build();

const { properties } = backupStore.schema;

export const storeCreate = (context: BackupContext) =>
  defineAction({
    kind: backupStore,
    verb: 'create',
    description: 'Registers a place that keeps backups. The driver says which settings it needs.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: properties.description,
      driver: Type.Optional(Type.String({ description: 'Name of the strategy. Default: the first one installed.' })),
      settings: Type.Optional(properties.settings),
      secrets: Type.Optional(poolSecrets()),
    }),
    accept: async ({ id, input, seal }) => {
      const driver = input.driver ?? context.stores.drivers()[0] ?? '';
      const { settings, secrets } = checkedSettings(context.stores.factory(driver), input);
      const key = await seal(Buffer.from(context.environment.random.bytes(32)).toString('base64'));
      const sealed = secrets === undefined ? undefined : await seal(secrets);
      const references = { key: key.reference, ...given({ secrets: sealed?.reference }) };
      const row = {
        ...given({ description: input.description }),
        ...references,
        id,
        driver,
        settings,
        name: nameOr(input.name, backupStore, id),
      };
      return {
        params: { storeId: id, ...references },
        statements: [key.statement, ...(sealed === undefined ? [] : [sealed.statement]), create(backupStore, row)],
      };
    },
    saga: createStore,
    context: () => context,
    unwound: ({ storeId, key, secrets }) => [
      transition(backupStore, storeId, { from: 'creating', to: 'deleted' }),
      forgetSealed(key),
      ...(secrets === undefined ? [] : [forgetSealed(secrets)]),
    ],
  });
