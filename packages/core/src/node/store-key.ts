import { type Environment, earlySetting, type Store, StoreError, timestamp } from '../kernel/index.ts';
import { cloudIdOf, keysOf } from './seal-key.ts';

const SETTING = 'sealKey';

interface Known {
  /** Our mark on everything real: the name that the first key gave, whatever keys there are now. */
  readonly cloudId: string;
  /** The key that seals, by the name that it would give a cloud, which tells nothing of it. */
  readonly newest: string;
}

export interface StoreKey {
  readonly sealKey: Uint8Array;
  /** Where it was read, for who has to put another there. */
  readonly path: string;
  /** Another key is taken for the store's from now on: somebody has asked for that. */
  readonly replaced?: boolean | undefined;
}

/** The name of the cloud that a store is of; of a new one that which the key gives it. So what is on hosts stays its own when the key is lost, and when the store is. */
export async function identityOf(store: Store, sealKey: Uint8Array): Promise<string> {
  const text = await earlySetting(store, SETTING);
  return text === undefined ? cloudIdOf(sealKey) : (JSON.parse(text) as Known).cloudId;
}

/**
 * A store remembers which key seals it. Without that nothing could be opened: a data directory that was lost or mixed up, or a copy of the key of before it was
 * replaced, would show only when it is too late. For between the tables and any work.
 * @throws StoreError naming the file when the store is another key's
 */
export async function refuseOtherKey(store: Store, { sealKey, path, replaced = false }: StoreKey, { clock }: Environment): Promise<void> {
  const names = await Promise.all(keysOf(sealKey).map(cloudIdOf));
  const text = await store.read('setting', SETTING);
  const known = text === undefined ? undefined : (JSON.parse(text) as Known);
  const now: Known = { cloudId: known?.cloudId ?? names[0] ?? '', newest: names.at(-1) ?? '' };
  const fits = known === undefined || names.includes(known.newest);
  if (known !== undefined && fits && known.newest === now.newest) return;
  if (!fits && !replaced)
    throw new StoreError(
      `${path} is not the key that the store is sealed with: put that one in its place. Where it is lost for good, start pileus-server once with --replace-seal-key: what is sealed is lost with it, and what is on hosts stays this cloud's`,
    );
  const result = await store.commit({
    ...{ node: 'start', epoch: store.epoch, at: timestamp(clock) },
    statements: [
      { op: 'remove', table: 'setting', key: SETTING },
      { op: 'insert', table: 'setting', row: { name: SETTING, ...now } },
    ],
  });
  if (!result.ok) throw new StoreError(`the store cannot keep which key it is sealed with: ${result.reason}`);
}
