import { type Environment, type Store, StoreError, timestamp } from '../kernel/index.ts';
import { cloudIdOf } from './seal-key.ts';

const SETTING = 'sealKey';

export interface StoreKey {
  readonly sealKey: Uint8Array;
  /** Where it was read, for who has to put another there. */
  readonly path: string;
  /** Another key is taken for the store's from now on: somebody has asked for that. */
  readonly replaced?: boolean | undefined;
}

/**
 * A store remembers which key its values are sealed with, by the name that the key gives the cloud. With another nothing could be opened, and what is on hosts
 * would bear the mark of another cloud: a data directory that was lost or mixed up would show only when it is too late. For between the tables and any work.
 * @throws StoreError naming the file when the store is another key's
 */
export async function refuseOtherKey(store: Store, { sealKey, path, replaced = false }: StoreKey, { clock }: Environment): Promise<void> {
  const cloudId = await cloudIdOf(sealKey);
  const text = await store.read('setting', SETTING);
  const known = text === undefined ? undefined : (JSON.parse(text) as { readonly cloudId: string }).cloudId;
  if (known === cloudId) return;
  if (known !== undefined && !replaced)
    throw new StoreError(
      `${path} is not the key that the store is sealed with: put that one in its place. Where it is lost for good, start pileus-server once with --replace-seal-key: what is sealed is lost with it`,
    );
  const result = await store.commit({
    ...{ node: 'start', epoch: store.epoch, at: timestamp(clock) },
    statements: [
      { op: 'remove', table: 'setting', key: SETTING },
      { op: 'insert', table: 'setting', row: { name: SETTING, cloudId } },
    ],
  });
  if (!result.ok) throw new StoreError(`the store cannot keep which key it is sealed with: ${result.reason}`);
}
