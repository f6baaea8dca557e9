import { Type } from 'typebox';
import {
  CloudError,
  change,
  defineAction,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  saga,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { changedSettings, poolSecrets, readSecrets } from '../storage/contract.ts';
import { backupStore } from './backup-store.ts';
import type { BackupContext } from './context.ts';
import { keys } from './keys.ts';
import type { StoreAccess } from './stores.ts';

interface ChangeCredentialsParams {
  readonly storeId: Id<'backupStore'>;
  readonly from: StoreAccess;
  readonly to: StoreAccess;
}

/** As that of pools, `pool.changeCredentials`. */
const changeCredentials = saga<BackupContext, ChangeCredentialsParams>('backupStore.changeCredentials', 1)
  .effect('tried', {
    do: async ({ ctx, params: { storeId, from, to }, call }) => {
      const { name, settings, secrets } = await ctx.reader.get(backupStore, storeId);
      if (secrets !== from.secrets || JSON.stringify(settings) !== JSON.stringify(from.settings))
        throw new CloudError('conflict', `Backup store ${name} was changed meanwhile.`);
      await tryOut(ctx, storeId, to, call);
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('set', {
    do: ({ params: { storeId, to } }) => [change(backupStore, storeId, to)],
    undo: ({ params: { storeId, from } }) => [change(backupStore, storeId, { ...from, secrets: from.secrets ?? null })],
  })
  .effect('exchanged', {
    do: ({ ctx, params: { storeId, to } }) => ctx.stores.exchange(storeId, to),
    undo: ({ ctx, params: { storeId, from } }) => ctx.stores.exchange(storeId, from),
  })
  .write('changed', {
    do: ({ params: { from } }) => (from.secrets === undefined ? [] : [forgetSealed(from.secrets)]),
    undo: FORWARD_ONLY,
  })
  .build();

/** Who comes with them may write, and is in the same place. @throws CloudError pointing at what does not do */
async function tryOut({ stores }: BackupContext, storeId: string, to: StoreAccess, call: Call): Promise<void> {
  const beside = await stores.beside(storeId, to);
  try {
    await beside.ensure(call);
    const marker = await beside.get(keys.marker, call);
    if (marker === undefined || Buffer.from(marker).toString() !== storeId)
      throw new CloudError('conflict', 'With these credentials the place is another one.');
  } catch (error) {
    if (!isCloudError(error) || error.code !== 'conflict') throw error;
    throw new CloudError('conflict', error.publicMessage, { pointer: '/secrets', cause: error });
  } finally {
    await beside.close();
  }
}

const { properties } = backupStore.schema;

export const storeChangeCredentials = (context: BackupContext) =>
  defineAction({
    kind: backupStore,
    verb: 'changeCredentials',
    description:
      'Gives the store other secrets, and other settings that say who asks. They are tried first; what is under way goes on with those of before.',
    target: 'resource',
    input: Type.Object({
      settings: Type.Optional(properties.settings),
      secrets: Type.Optional(poolSecrets()),
    }),
    from: ['available', 'disabled'],
    accept: async ({ id, row, input, seal }) => {
      const opened = row.secrets === undefined ? undefined : await context.secrets.open(row.secrets);
      const now = { settings: row.settings, secrets: readSecrets(opened) };
      const { settings, secrets } = changedSettings(context.stores.factory(row.driver), now, input);
      const sealed = secrets === undefined ? undefined : await seal(secrets);
      const from = { settings: row.settings, ...given({ secrets: row.secrets }) };
      return {
        params: { storeId: id, from, to: { settings, ...given({ secrets: sealed?.reference }) } },
        statements: sealed === undefined ? [] : [sealed.statement],
      };
    },
    saga: changeCredentials,
    context: () => context,
    unwound: ({ to: { secrets } }) => (secrets === undefined ? [] : [forgetSealed(secrets)]),
  });
