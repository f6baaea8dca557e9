import { Type } from 'typebox';
import { CloudError, change, defineAction, FORWARD_ONLY, forgetSealed, type Id, NOTHING_TO_UNDO, saga } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { type Access, changedAccess, isStill, poolSecrets, triedWith } from '../storage/contract.ts';
import { backupStore } from './backup-store.ts';
import type { BackupContext } from './context.ts';
import { keys } from './keys.ts';

interface ChangeCredentialsParams {
  readonly storeId: Id<'backupStore'>;
  readonly from: Access;
  readonly to: Access;
}

/** As that of pools, `pool.changeCredentials`. */
const changeCredentials = saga<BackupContext, ChangeCredentialsParams>('backupStore.changeCredentials', 1)
  .effect('tried', {
    do: async ({ ctx, params: { storeId, from, to }, call }) => {
      const { name, ...row } = await ctx.reader.get(backupStore, storeId);
      if (!isStill(row, from)) throw new CloudError('conflict', `Backup store ${name} was changed meanwhile.`);
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
const tryOut = async ({ stores }: BackupContext, storeId: string, to: Access, call: Call): Promise<void> =>
  triedWith(await stores.beside(storeId, to), async (beside) => {
    await beside.ensure(call);
    const marker = await beside.get(keys.marker, call);
    if (marker === undefined || Buffer.from(marker).toString() !== storeId)
      throw new CloudError('conflict', 'With these credentials the place is another one.');
  });

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
      const { statements, ...access } = await changedAccess(context, context.stores.factory(row.driver), row, { input, seal });
      return { params: { storeId: id, ...access }, statements };
    },
    saga: changeCredentials,
    context: () => context,
    unwound: ({ to: { secrets } }) => (secrets === undefined ? [] : [forgetSealed(secrets)]),
  });
