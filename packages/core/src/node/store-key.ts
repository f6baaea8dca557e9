import { type Environment, type Store, StoreError, timestamp } from '../kernel/index.ts';
import { cloudIdOf, keysOf } from './seal-key.ts';

const SETTING = 'sealKey';

/** Keys by the names that they would give a cloud, which tell nothing of them. */
interface Known {
  /** That of the first key. */
  readonly cloudId: string;
  /** That of the key which seals. */
  readonly newest: string;
}

export interface StoreKey {
  readonly sealKey: Uint8Array;
  /** Where it was read, for who has to put another there. */
  readonly path: string;
  /** Another key is taken for the store's from now on: somebody has asked for that. */
  readonly replaced?: boolean | undefined;
}

/**
 * A store remembers which key names its cloud and which one seals. Without the one, what is on hosts would bear the mark of another cloud, and without the other
 * nothing could be opened: a data directory that was lost or mixed up, or a copy of the key of before it was replaced, would show only when it is too late. For
 * between the tables and any work.
 * @throws StoreError naming the file when the store is another key's
 */
export async function refuseOtherKey(store: Store, { sealKey, path, replaced = false }: StoreKey, { clock }: Environment): Promise<void> {
  const names = await Promise.all(keysOf(sealKey).map(cloudIdOf));
  const now: Known = { cloudId: names[0] ?? '', newest: names.at(-1) ?? '' };
  const text = await store.read('setting', SETTING);
  const known = text === undefined ? undefined : (JSON.parse(text) as Known);
  const fits = known === undefined || (known.cloudId === now.cloudId && names.includes(known.newest));
  if (known !== undefined && fits && known.newest === now.newest) return;
  if (!fits && !replaced)
    throw new StoreError(
      `${path} is not the key that the store is sealed with: put that one in its place. Where it is lost for good, start pileus-server once with --replace-seal-key: what is sealed is lost with it`,
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
