import { fileURLToPath } from 'node:url';
import type { CephCluster } from '../../../tools/system/ceph-cluster.ts';
import { run } from '../../../tools/system/command.ts';
import { until } from '../../lab/waiting.ts';
import { type CephCloud, POOL } from './ceph-cloud.ts';

/** What a killed writer leaves of a copy of an image, a seed, or a volume that is encrypted as it is copied: it is freed after ten idle minutes. */
const LEFT_PART = /^part-(image|seed|luks)-/;

const LOOK_TIMEOUT_MS = 120_000;
/** Debian's, for which its packages have Ceph's client. */
const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('inventory.py', import.meta.url));

/** What killed writers have left of copies. */
export async function leftParts(ceph: CephCluster): Promise<readonly string[]> {
  return (JSON.parse(await ceph.rbd('ls', POOL, '--format=json')) as readonly string[]).filter((name) => LEFT_PART.test(name));
}

/** What the pool itself has but for left parts, asked of Ceph's own client. */
export interface Inventory {
  readonly images: readonly string[];
  readonly trash: readonly string[];
  /** `IMAGE@SNAPSHOT`, those in the trash of their image too. */
  readonly snapshots: readonly string[];
  /** Images that somebody has open. */
  readonly watched: readonly string[];
  readonly locked: readonly string[];
}

interface Told {
  readonly images: readonly {
    readonly image: string;
    readonly sizeBytes: number;
    readonly parent: { readonly id: string; readonly image: string; readonly snapshot: string } | null;
    readonly snapshots: readonly { readonly name: string; readonly type: string }[];
    readonly isWatched: boolean;
    readonly isLocked: boolean;
  }[];
  readonly trash: readonly { readonly id: string; readonly name: string }[];
}

/** But for what the cluster keeps of what is deleted until the last of its clones is gone: it goes by itself then. */
export async function poolInventory(ceph: CephCluster): Promise<Inventory> {
  return (await sizedInventory(ceph)).inventory;
}

/** With the sizes of images, in bytes, by their names. */
export async function sizedInventory(
  ceph: CephCluster,
): Promise<{ readonly inventory: Inventory; readonly sizes: ReadonlyMap<string, number> }> {
  const told = JSON.parse(await run([PYTHON, SCRIPT, ceph.configPath, POOL], { timeoutMs: LOOK_TIMEOUT_MS })) as Told;
  const found = told.images.filter(({ image }) => !LEFT_PART.test(image));
  const cloned = new Set(found.flatMap(({ parent }) => (parent === null ? [] : [parent.id, `${parent.image}@${parent.snapshot}`])));
  const snapshots = found.flatMap(({ image, snapshots: its }) => its.map(({ name, type }) => ({ at: `${image}@${name}`, type })));
  const inventory = {
    images: found.map(({ image }) => image),
    trash: told.trash.filter(({ id }) => !cloned.has(id)).map(({ name }) => name),
    snapshots: snapshots.filter(({ at, type }) => type !== 'trash' || !cloned.has(at)).map(({ at }) => at),
    watched: found.filter(({ isWatched }) => isWatched).map(({ image }) => image),
    locked: found.filter(({ isLocked }) => isLocked).map(({ image }) => image),
  };
  return { inventory, sizes: new Map(found.map(({ image, sizeBytes }) => [image, sizeBytes])) };
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
