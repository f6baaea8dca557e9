import type { StorageDriver } from '@pileus/core/strategy';
import { type CephPool, SHUT_OUT_MS } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { unlessAbsent } from './faults.ts';
import { volumeName } from './names.ts';

const GONE_PAUSE_MS = 100;

export function fenceVerbs(pool: CephPool): NonNullable<StorageDriver['fence']> {
  return {
    async clients(volumeId, call) {
      return [...(await clientsOf(pool, volumeName(volumeId), pool.begin(call)))];
    },
    async exclude(volumeId, clients, call) {
      const deadline = pool.begin(call);
      const name = volumeName(volumeId);
      const addresses = new Set([...clients, ...(await clientsOf(pool, name, deadline))]);
      await shutOut(pool, name, addresses, deadline);
      return addresses.size;
    },
  };
}

/** When it answers none of them writes to the image, ever, and others can open it. @throws DriverError unavailable */
export async function shutOut(pool: CephPool, name: string, addresses: ReadonlySet<string>, deadline: Deadline): Promise<void> {
  for (const address of addresses) await pool.cluster.blocklist.add(address, SHUT_OUT_MS, deadline.left);
  await refuseShort(pool, addresses, deadline);
  await waitUntilGone(pool, name, addresses, deadline);
  await settle(pool, deadline);
}

/**
 * Who has it open, or holds its lock: whose watch has run out may hold the lock yet. Who was frozen for half a minute and never wrote has neither.
 * @throws DriverError not_found
 */
async function clientsOf(pool: CephPool, name: string, deadline: Deadline): Promise<ReadonlySet<string>> {
  const watchers = await pool.everyOther(name, deadline);
  const locks = await unlessAbsent(() => pool.images.image(name).locks(deadline.left));
  if (watchers === undefined || locks === undefined) throw new DriverError('not_found', `the pool has no ${name}`);
  const holders = locks.lockers.map(({ address }) => address).filter((address) => !pool.isOurs(address));
  return new Set([...watchers.map(({ address }) => address), ...holders]);
}

/**
 * The cluster lengthens no entry: one that was there before ends when it was to end, and librbd makes them for an hour when it breaks the lock of who does not answer.
 * @throws DriverError unavailable until it has ended and one of ours is in its place
 */
async function refuseShort(pool: CephPool, addresses: ReadonlySet<string>, deadline: Deadline): Promise<void> {
  const entries = new Map((await pool.cluster.blocklist.list(deadline.left)).map(({ address, until }) => [address, until]));
  for (const address of addresses) {
    const until = entries.get(address);
    if (until !== undefined && until.getTime() - Date.now() > SHUT_OUT_MS / 2) continue;
    const when = until === undefined ? 'is not shut out yet' : `is shut out until ${until.toISOString()} only, by somebody else`;
    throw new DriverError('unavailable', `${address} ${when}: ask again then`);
  }
}

/** The disks that have heard of the list drop the watches of those on it: when the watch is gone, others can open the volume. */
async function waitUntilGone(pool: CephPool, name: string, addresses: ReadonlySet<string>, deadline: Deadline): Promise<void> {
  for (;;) {
    const left = await pool.othersOn(name, deadline);
    if (left === undefined || !left.some(({ address }) => addresses.has(address))) return;
    await deadline.pause(GONE_PAUSE_MS, `for the clients of ${name} to be dropped`);
  }
}

/** Each disk hears of the list by itself: until all that may hold a piece of the volume have, a write of the past could still arrive. */
async function settle(pool: CephPool, deadline: Deadline): Promise<void> {
  await pool.images.settle(deadline.left);
  const { dataPool } = pool.settings;
  if (dataPool !== undefined) await pool.cluster.pool(dataPool).settle(deadline.left);
}
