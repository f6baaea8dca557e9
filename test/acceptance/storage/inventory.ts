import type { CephCluster } from '../../../tools/system/ceph-cluster.ts';
import { until } from '../../lab/waiting.ts';
import { type CephCloud, POOL } from './ceph-cloud.ts';

/** What a killed writer leaves of a copy of an image, a seed, or a volume that is encrypted as it is copied: it is freed after ten idle minutes. */
const LEFT_PART = /^part-(image|seed|luks)-/;

/** Images that are looked at at a time: each look is a few programs. */
const LOOKS = 4;

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

/** But for what the cluster keeps of what is deleted until the last of its clones is gone: it goes by itself then. */
export async function poolInventory(ceph: CephCluster): Promise<Inventory> {
  const list = async <T>(...words: readonly string[]) => JSON.parse(await ceph.rbd(...words, '--format=json')) as readonly T[];
  const images = (await list<string>('ls', POOL)).filter((name) => !LEFT_PART.test(name)).sort();
  const inTrash = await list<{ readonly id: string; readonly name: string }>('trash', 'ls', '--all', POOL);
  const found: Awaited<ReturnType<typeof lookAt>>[] = [];
  for (let at = 0; at < images.length; at += LOOKS)
    found.push(...(await Promise.all(images.slice(at, at + LOOKS).map((image) => lookAt(ceph, image)))));
  const all = found.flatMap(({ image, snapshots }) => snapshots.map((snapshot) => ({ ...snapshot, at: `${image}@${snapshot.name}` })));
  const isDeleted = ({ namespace }: ListedSnapshot) => namespace.type === 'trash';
  const cloned = inTrash.length === 0 && !all.some(isDeleted) ? new Set() : await parentsOf(ceph, images);
  return {
    images,
    trash: inTrash.filter(({ id }) => !cloned.has(id)).map(({ name }) => name),
    snapshots: all.filter((snapshot) => !isDeleted(snapshot) || !cloned.has(snapshot.at)).map(({ at }) => at),
    watched: found.filter(({ watchers }) => watchers > 0).map(({ image }) => image),
    locked: found.filter(({ locks }) => locks > 0).map(({ image }) => image),
  };
}

interface ListedSnapshot {
  readonly name: string;
  readonly namespace: { readonly type: string };
}

async function lookAt(ceph: CephCluster, image: string) {
  const json = async (...words: readonly string[]) => JSON.parse(await ceph.rbd(...words, '--format=json', `${POOL}/${image}`));
  return {
    image,
    snapshots: (await json('snap', 'ls', '--all')) as readonly ListedSnapshot[],
    watchers: ((await json('status')) as { readonly watchers: readonly object[] }).watchers.length,
    locks: ((await json('lock', 'ls')) as readonly object[]).length,
  };
}

/** What the images are cloned from: the ids of what lies in the trash, and `IMAGE@SNAPSHOT` of what does not. */
async function parentsOf(ceph: CephCluster, images: readonly string[]): Promise<ReadonlySet<string>> {
  const parents = new Set<string>();
  for (const image of images) {
    const { parent } = JSON.parse(await ceph.rbd('info', '--format=json', `${POOL}/${image}`)) as {
      readonly parent?: { readonly id: string; readonly image: string; readonly snapshot: string };
    };
    if (parent !== undefined) parents.add(parent.id).add(`${parent.image}@${parent.snapshot}`);
  }
  return parents;
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
