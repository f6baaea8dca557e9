/** What other modules may know of storage. */

export { refuseUnknownPlace } from './asked-place.ts';
export { attachment, MACHINES_MAX } from './attachment.ts';
export { type DemandingClasses, demandingClasses, encryptedOnly, misfitOf, type Protection, protectionIn } from './class-encryption.ts';
export { ClassLimits } from './class-limits.ts';
export { type Access, changedAccess, isStill, triedWith } from './credentials.ts';
export { deprecationOf, image, refuseIso, refuseObsolete } from './image.ts';
export { copyIso, ISO_COPY_TIMEOUT_MS, type Iso, isoFor, isoSpec, placeIso } from './iso.ts';
export { storedOwner } from './points.ts';
export { pool, scopes } from './pool.ts';
export { choosePool, hostPlace, isWithin, type RankedPool, rankPools, reaches } from './pool-choice.ts';
export { notTaking } from './pool-health.ts';
export { checkedSettings, openedSettings, poolSecrets } from './pool-settings.ts';
export type { Pools } from './pools.ts';
export { REMOVALS, removeOrOwe, type StorageContext } from './removal.ts';
export { snapshot } from './snapshots/snapshot.ts';
export { takeSnapshot } from './snapshots/snapshot-create.ts';
export { dropSnapshot } from './snapshots/snapshot-delete.ts';
export { consistencies, snapshotGroup } from './snapshots/snapshot-group.ts';
export { contentKey, dropOrOwe, refuseUnkept, snapshotRows, take, type WantedSnapshot } from './snapshots/snapshot-rows.ts';
export { limitsInForce, storageClass } from './storage-class.ts';
export type { ContentAt, ImageFacts, StoragePool } from './storage-pool.ts';
export { diskBytes, diskLimits, volume } from './volume.ts';
export { type CreateVolumeParams, makeDisk, type VolumeContext } from './volume-create.ts';
export { type NewKey, needContents, newKey, openedKey, refuseUnencrypted, sameKey } from './volume-key.ts';
export { giveSecret, type ReachContext, reachVolume } from './volume-reach.ts';
export { type NewVolume, type VolumeReservation, volumeRows } from './volume-rows.ts';
export { imageFor } from './volume-source.ts';
export {
  attachmentsOf,
  disksOf,
  type MachineDisk,
  machinesOf,
  refuseOtherUser,
  refuseUsed,
  refuseUsers,
  type UsedVolumeContext,
  usersOf,
} from './volume-user.ts';
