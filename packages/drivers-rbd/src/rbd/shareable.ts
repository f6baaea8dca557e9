import type { StorageDriver } from '@pileus/core/strategy';
import type { CephPool } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { unlessAbsent } from './faults.ts';
import { shutOut } from './fence.ts';
import { volumeName } from './names.ts';
import type { Purge } from './purge.ts';
import { createVolume } from './volumes.ts';

type Shareable = NonNullable<StorageDriver['shareable']>;

/** Kept with the volume, by machine: the addresses of the clients that are known to be its. */
const CLIENTS_PREFIX = 'pileus.clients.';

/** The watch of who was killed lives for half a minute. */
const ONE_HOST_MS_MAX = 40_000;
const ONE_HOST_PAUSE_MS = 500;

/** Images that nobody locks: whoever has one open writes to it at any time. */
export const shareableVerbs = (pool: CephPool, purge: Purge): Shareable => ({
  create: (request, call) => createVolume(pool, purge, { ...request, isEncrypted: false, isShareable: true }, pool.begin(call)),
  fence: machineFence(pool),
});

/**
 * A client is known by its address, which says nothing of the machine. Its watch tells when it has just opened the image; half a minute after it was frozen that is gone, it has no lock that would tell it then, and
 * it writes when it thaws. So who is whose is written down at once, with the image.
 */
function machineFence(pool: CephPool): NonNullable<Shareable['fence']> {
  const metadata = (volumeId: string) => pool.images.image(volumeName(volumeId)).metadata;
  return {
    async learn(volumeId, machineId, call) {
      const deadline = pool.begin(call);
      const found = await ofOneHost(pool, volumeId, machineId, deadline);
      const key = CLIENTS_PREFIX + machineId;
      if (found.length === 0) await metadata(volumeId).remove(key, deadline.left);
      else await metadata(volumeId).set(key, found.join(' '), deadline.left);
      return found.length;
    },

    async clients(volumeId, machineId, call) {
      return addressesIn(await metadata(volumeId).get(CLIENTS_PREFIX + machineId, pool.begin(call).left));
    },

    async exclude(volumeId, machineId, call) {
      const deadline = pool.begin(call);
      const name = volumeName(volumeId);
      const known = await knownOn(pool, volumeId, deadline);
      const theirs = new Set(known.get(machineId));
      if (theirs.size === 0) throw new DriverError('conflict', `nobody is known to have ${name} open for machine ${machineId}`);
      const strangers = await strangersOn(pool, volumeId, [...known.values()].flat(), deadline);
      if (strangers.length > 0)
        throw new DriverError('unavailable', `${name} is open at ${strangers.join(', ')}, and it is not known for which machine`);
      await shutOut(pool, name, theirs, deadline);
      return theirs.size;
    },

    async forget(volumeId, machineId, call) {
      const { left } = pool.begin(call);
      await unlessAbsent(() => metadata(volumeId).remove(CLIENTS_PREFIX + machineId, left));
    },
  };
}

/** A machine is on one host. Who it comes from may count as there for a while yet; where that does not pass two machines may have opened it at once, and nobody knows which is which. */
async function ofOneHost(pool: CephPool, volumeId: string, machineId: string, deadline: Deadline): Promise<readonly string[]> {
  const givenUpAtMs = performance.now() + Math.min(ONE_HOST_MS_MAX, deadline.leftMs / 2);
  for (;;) {
    const known = await knownOn(pool, volumeId, deadline);
    known.delete(machineId);
    const found = await strangersOn(pool, volumeId, [...known.values()].flat(), deadline);
    if (new Set(found.map(hostOf)).size <= 1) return found;
    if (performance.now() >= givenUpAtMs) return [];
    await deadline.pause(ONE_HOST_PAUSE_MS, `for who has ${volumeName(volumeId)} open`);
  }
}

/** Who has it open and is not among those. @throws DriverError not_found */
async function strangersOn(pool: CephPool, volumeId: string, known: readonly string[], deadline: Deadline): Promise<readonly string[]> {
  const name = volumeName(volumeId);
  const watchers = await pool.othersOn(name, deadline);
  if (watchers === undefined) throw new DriverError('not_found', `the pool has no ${name}`);
  return [...new Set(watchers.map(({ address }) => address))].filter((address) => !known.includes(address));
}

async function knownOn(pool: CephPool, volumeId: string, deadline: Deadline): Promise<Map<string, readonly string[]>> {
  const words = await pool.images.image(volumeName(volumeId)).metadata.list(deadline.left);
  const known = [...words].filter(([key]) => key.startsWith(CLIENTS_PREFIX));
  return new Map(known.map(([key, value]) => [key.slice(CLIENTS_PREFIX.length), addressesIn(value)]));
}

const addressesIn = (words = ''): readonly string[] => words.split(' ').filter((word) => word !== '');

/** Of `10.0.0.7:0/3401295713`. */
const hostOf = (address: string): string => address.slice(0, address.lastIndexOf(':'));
