import type { CephCluster } from '../../../tools/system/ceph-cluster.ts';
import { until } from '../../lab/waiting.ts';
import { type CephCloud, POOL } from './ceph-cloud.ts';

/** What a killed writer leaves of a copy of an image or a seed, which is freed after ten idle minutes. */
const LEFT_PART = /^part-(image|seed)-/;

/** What killed writers have left of copies. */
export async function leftParts(ceph: CephCluster): Promise<readonly string[]> {
  return (JSON.parse(await ceph.rbd('ls', POOL, '--format=json')) as readonly string[]).filter((name) => LEFT_PART.test(name));
}

/** What the pool itself has but for left parts, asked of `rbd`. */
export interface Inventory {
  readonly images: readonly string[];
  readonly trash: readonly string[];
  /** `IMAGE@SNAPSHOT`, those in the trash of their image too. */
  readonly snapshots: readonly string[];
  /** Images that somebody has open. */
  readonly watched: readonly string[];
  readonly locked: readonly string[];
}

export async function poolInventory(ceph: CephCluster): Promise<Inventory> {
  const list = async <T>(...words: readonly string[]) => JSON.parse(await ceph.rbd(...words, '--format=json')) as readonly T[];
  const images = (await list<string>('ls', POOL)).filter((name) => !LEFT_PART.test(name)).sort();
  const trash = (await list<{ readonly name: string }>('trash', 'ls', '--all', POOL)).map(({ name }) => name);
  const [snapshots, watched, locked]: [string[], string[], string[]] = [[], [], []];
  for (const image of images) {
    const named = await list<{ readonly name: string }>('snap', 'ls', '--all', `${POOL}/${image}`);
    snapshots.push(...named.map(({ name }) => `${image}@${name}`));
    const status = JSON.parse(await ceph.rbd('status', '--format=json', `${POOL}/${image}`)) as { readonly watchers: readonly object[] };
    if (status.watchers.length > 0) watched.push(image);
    if ((await list('lock', 'ls', `${POOL}/${image}`)).length > 0) locked.push(image);
  }
  return { images, trash, snapshots, watched, locked };
}

/** What the cloud's own rows say that the pool has, while no machine of it runs. */
export async function expectedInventory({ cloud }: CephCloud): Promise<Inventory> {
  const volumes = await cloud.volumes.list().toArray();
  const images = await cloud.images.list().toArray();
  const named = [...volumes.map(({ id }) => `volume-${id}`), ...images.map(({ id }) => `image-${id}`)].sort();
  return { images: named, trash: [], snapshots: images.map(({ id }) => `image-${id}@base`), watched: [], locked: [] };
}

/** Waits until the pool has what the rows say, and nothing else: what is deleted is freed behind the answer. Answers what it has if that does not come. */
export async function settledInventory(lab: CephCloud): Promise<{ readonly seen: Inventory; readonly expected: Inventory }> {
  const look = async () => ({ seen: await poolInventory(lab.ceph), expected: await expectedInventory(lab) });
  const settled = async () => {
    const found = await look().catch(() => undefined);
    return found !== undefined && JSON.stringify(found.seen) === JSON.stringify(found.expected) ? found : undefined;
  };
  return until('the pool as the rows say', settled).catch(look);
}
