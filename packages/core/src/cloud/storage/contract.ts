/** What other modules may know of storage. */
export { image } from './image.ts';
export { pool, scopes } from './pool.ts';
export { choosePool, hostPlace, type RankedPool, rankPools, reaches } from './pool-choice.ts';
export type { ImageFacts, Pools, StoragePool } from './pools.ts';
export { REMOVALS, removeOrOwe, type StorageContext } from './removal.ts';
export { diskBytes, diskLimits, volume } from './volume.ts';
export { type CreateVolumeParams, createVolume, imageFor, type VolumeContext } from './volume-create.ts';
export { type NewVolume, type VolumeReservation, volumeRows } from './volume-rows.ts';
