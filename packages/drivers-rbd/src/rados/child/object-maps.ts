import { check } from './failures.ts';
import { type Pointer, rbd, tellingProgress } from './native.ts';

const INVALID = 1n;

/** Of the image, or of the snapshot that it is set to. */
async function mapAnewHere(image: Pointer, name: string): Promise<void> {
  const flags = Buffer.alloc(8);
  check(await rbd.rbd_get_flags.later(image, flags), name);
  if ((flags.readBigUInt64LE() & INVALID) === 0n) return;
  check(await tellingProgress(undefined, (tell) => rbd.rbd_rebuild_object_map.later(image, tell, null)), `object map of ${name}`);
}

/**
 * Builds object maps that are not to be relied on: of the image, and of these snapshots, by their ids. A rollback takes the snapshot's map as it is, whatever its flag
 * says (librbd), so that objects which it does not know read as zeroes from then on.
 */
export async function mapAnew(image: Pointer, name: string, snapshotIds: readonly bigint[]): Promise<void> {
  await mapAnewHere(image, name);
  for (const id of snapshotIds) {
    check(await rbd.rbd_snap_set_by_id.later(image, id), name);
    try {
      await mapAnewHere(image, name);
    } finally {
      check(await rbd.rbd_snap_set.later(image, null), name);
    }
  }
}
