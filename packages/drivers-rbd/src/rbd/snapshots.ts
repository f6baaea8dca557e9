import type { SnapshotRef, StorageDriver } from '@pileus/core/strategy';
import type { CephPool } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { except, unlessAbsent } from './faults.ts';
import type { Listing } from './listing.ts';
import { volumeName } from './names.ts';
import { MAKING_LOOKS, MAKING_PAUSE_MS } from './volumes.ts';

/** A snapshot whose clones are still there when it is deleted is kept, out of sight, until the last of them is gone or flattened. */
export function snapshotVerbs(pool: CephPool, listing: Listing): NonNullable<StorageDriver['snapshots']> {
  const snapshotsOf = (volumeId: string) => pool.images.image(volumeName(volumeId)).snapshots;
  return {
    async create({ id, volumeId }, call) {
      const deadline = pool.begin(call);
      await pool.shutOutGone(volumeName(volumeId), deadline);
      // A machine that has the volume open makes it itself, after all that it has written.
      const make = () => snapshotsOf(volumeId).create(id, deadline.left);
      await except(['EEXIST'], make, async () => {
        if (await isReadable(pool, { id, volumeId }, deadline)) return;
        await unlessAbsent(() => snapshotsOf(volumeId).remove(id, deadline.left));
        await make();
      });
    },

    async delete({ id, volumeId }, call) {
      const deadline = pool.begin(call);
      await pool.shutOutGone(volumeName(volumeId), deadline);
      await unlessAbsent(() => snapshotsOf(volumeId).remove(id, deadline.left));
    },

    async revert({ id, volumeId }, call) {
      const deadline = pool.begin(call);
      const name = volumeName(volumeId);
      await pool.refuseInUse(name, deadline);
      await snapshotsOf(volumeId).rollback(id, withProgress(deadline.left, call));
      listing.forget(name);
    },

    async flatten(volumeId, call) {
      const deadline = pool.begin(call);
      const name = volumeName(volumeId);
      const { parent, features, flags } = await pool.need(name, deadline);
      const isMapped = !features.includes('exclusive-lock') || (features.includes('object-map') && !flags.includes('object-map-invalid'));
      if (parent === undefined && isMapped) return;
      await pool.shutOutGone(name, deadline);
      await pool.images.image(name).flatten(withProgress(deadline.left, call));
    },

    async list(volumeId, call) {
      const deadline = pool.begin(call);
      const snapshots = (await unlessAbsent(() => snapshotsOf(volumeId).list(deadline.left))) ?? [];
      const ours = snapshots.filter(({ kind }) => kind === 'user');
      if (ours.length === 0) return [];
      const headerBytes = (await pool.volume(volumeName(volumeId), deadline))?.headerBytes ?? 0;
      return ours.map(({ name, sizeBytes }) => ({ id: name, sizeBytes: Number(sizeBytes) - headerBytes }));
    },
  };
}

/**
 * librbd makes a snapshot known first, and its object map after that: one whose creation was killed in between is listed and cannot be opened, ever. Another call may be
 * making it at this moment.
 */
async function isReadable(pool: CephPool, { id, volumeId }: SnapshotRef, deadline: Deadline): Promise<boolean> {
  for (let look = 0; look < MAKING_LOOKS; look += 1) {
    if (look > 0) await deadline.pause(MAKING_PAUSE_MS, `for snapshot ${id} to be made`);
    const stat = await unlessAbsent(() => pool.images.image(volumeName(volumeId)).stat({ ...deadline.left, snapshot: id }));
    if (stat !== undefined) return true;
  }
  return false;
}

const withProgress = <B extends object>(bounds: B, { onProgress }: { readonly onProgress?: (fraction: number) => void }) => ({
  ...bounds,
  ...(onProgress === undefined ? {} : { onProgress }),
});
