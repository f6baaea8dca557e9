import type { PoolCapacity, StorageDriver, StoredKind, StoredObject } from '@pileus/core/strategy';
import type { RadosError } from '../rados/index.ts';
import { CephPool, type Log } from './ceph-pool.ts';
import type { ClusterLink } from './cluster-links.ts';
import { contentVerbs } from './contents.ts';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { encryptionVerbs } from './encryption.ts';
import { factsOf, poolDetails } from './facts.ts';
import { classify, except, isCode } from './faults.ts';
import { fenceVerbs } from './fence.ts';
import { imageVerbs } from './images.ts';
import { Listing } from './listing.ts';
import { nameOf } from './names.ts';
import { othersVerbs } from './others.ts';
import { Purge } from './purge.ts';
import { seedVerbs } from './seeds.ts';
import { endpointsOf, type PoolSettings } from './settings.ts';
import { shareableVerbs } from './shareable.ts';
import { snapshotVerbs } from './snapshots.ts';
import { volumeVerbs } from './volumes.ts';

/** The watch of a client that was killed lives for half a minute. */
const DRAIN_MS_MAX = 40_000;
/** Two rounds of a manager's counting. */
const COUNTED_WITHIN_MS = 10_000;
const COUNT_PAUSE_MS = 500;

/** What is the same for all pools. */
interface Ways {
  readonly log: Log;
  readonly partLeftMs: number;
}

/** Volumes as images of a pool of Ceph. Takes over the link, and lets go of it with `close`. */
export function rbdStorage(link: ClusterLink, settings: PoolSettings, { log, partLeftMs }: Ways): StorageDriver {
  const pool = new CephPool(settings, link, log);
  const purge = new Purge(pool, partLeftMs);
  const listing = new Listing(pool);
  let isPrepared = false;
  return {
    async ensurePool(call) {
      const deadline = pool.begin(call);
      if (isPrepared) await pool.connect(deadline);
      else await prepare(pool, deadline);
      isPrepared = true;
      await pool.images.page({ limit: 1, ...deadline.left });
      purge.resume();
    },

    /** Of a pool that never was usable there is nothing to end. What is left in its trash keeps nobody. */
    async releasePool(call) {
      const deadline = pool.begin(call);
      if (isPrepared) await purge.drain(Math.min(DRAIN_MS_MAX, deadline.leftMs / 2));
    },

    capacity: async (call) => capacity(pool, pool.begin(call)),
    volumes: volumeVerbs(pool, purge, listing),
    encryption: encryptionVerbs(pool, purge, listing),
    snapshots: snapshotVerbs(pool, listing),
    contents: contentVerbs(pool),
    others: othersVerbs(pool),
    facts: (call) => factsOf(pool, call),
    fence: fenceVerbs(pool),
    shareable: shareableVerbs(pool, purge),

    async secret(ref, call) {
      pool.begin(call);
      if (ref !== pool.secretRef) throw new DriverError('not_found', `the pool refers to no secret ${ref}`);
      return settings.key;
    },

    secretRefs: [pool.secretRef],
    endpoints: endpointsOf(settings.monitors),
    images: imageVerbs(pool, purge),
    seeds: seedVerbs(pool, purge),
    inspect: async (kind, id, call) => inspect(pool, kind, id, pool.begin(call)),
    list: async (call) => listing.all(pool.begin(call)),
    classify,

    async close() {
      await pool.close();
      await purge.idle();
    },
  };
}

/** The pool is there and one of images; its namespace is made. */
async function prepare(pool: CephPool, deadline: Deadline): Promise<void> {
  const { namespace, user } = pool.settings;
  await except(
    ['EACCES', 'EINVAL', 'EADDRNOTAVAIL'],
    () => pool.connect(deadline),
    (error) => {
      throw new DriverError('invalid', unusable(error, user), { cause: error });
    },
  );
  await poolDetails(pool, deadline);
  // Who may use a pool need not be allowed to make it one of images: then that has been done.
  await except(
    ['EPERM', 'EACCES'],
    () => pool.images.init(deadline.left),
    () => undefined,
  );
  if (namespace !== '')
    await except(
      ['EEXIST'],
      () => pool.images.namespaces.create(namespace, deadline.left),
      () => undefined,
    );
}

function unusable(error: RadosError, user: string): string {
  if (isCode(error, 'EADDRNOTAVAIL')) return `the monitors cannot be found: ${error.message}`;
  if (isCode(error, 'EINVAL')) return 'the key cannot be read: it is base64, as in the keyring';
  return `the cluster does not know user ${user} with this key`;
}

/**
 * Without copies. What the pool can take yet is what its fullest disk can. Managers count, every five seconds: until the first of them has counted a new pool, the
 * cluster tells nothing of it, or that it has no size at all.
 */
async function capacity(pool: CephPool, deadline: Deadline): Promise<PoolCapacity> {
  const { cluster, settings } = pool;
  const name = settings.dataPool ?? settings.pool;
  const givenUpAtMs = performance.now() + Math.min(COUNTED_WITHIN_MS, deadline.leftMs / 2);
  for (;;) {
    const found = (await cluster.df(deadline.left)).pools.find((each) => each.name === name);
    const { storedBytes: stored, availableBytes: free } = found ?? { storedBytes: 0n, availableBytes: 0n };
    if (stored + free > 0n) return { totalBytes: stored + free, freeBytes: free };
    await poolDetails(pool, deadline);
    if (performance.now() >= givenUpAtMs)
      throw new DriverError('unavailable', `the cluster has not counted the space of pool ${name}: is a manager running?`);
    await deadline.pause(COUNT_PAUSE_MS, `the size of pool ${name}`);
  }
}

async function inspect(pool: CephPool, kind: StoredKind, id: string, deadline: Deadline): Promise<StoredObject | undefined> {
  // Nothing else than a volume has a header.
  const stat = await pool.volume(nameOf(kind, id), deadline);
  return stat && { kind, id, sizeBytes: stat.sizeBytes };
}
