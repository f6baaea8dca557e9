import { create, expectState, type Id, type RowOf, type Statement, transition } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { poolCapacity } from '../placement/contract.ts';
import { image } from './image.ts';
import { pool } from './pool.ts';
import { snapshot } from './snapshots/snapshot.ts';
import { volume } from './volume.ts';
import { forgetKey } from './volume-key.ts';

type VolumeRow = RowOf<typeof volume>;

/** A volume that is accepted: everything its row says, before the disk exists. */
export type NewVolume = Pick<
  VolumeRow,
  | 'id'
  | 'name'
  | 'poolId'
  | 'sizeBytes'
  | 'deleteWithInstance'
  | 'imageId'
  | 'snapshotId'
  | 'instanceId'
  | 'slot'
  | 'description'
  | 'limits'
  | 'shareable'
  | 'encrypted'
  | 'encryptionKey'
> & { readonly projectId: Id<'project'> };

/** What is remembered of a volume to take its acceptance back. */
export type VolumeReservation = Pick<VolumeRow, 'id' | 'poolId' | 'sizeBytes' | 'encryptionKey'>;

/** Row changes that a volume's life begins and ends with, for every saga that makes or removes volumes. */
export const volumeRows = {
  /** The row in `creating`; guards that the pool takes volumes and that what it is cloned from is there. Placement reserves the pool's bytes itself. */
  insert: (wanted: NewVolume): readonly Statement[] => [
    expectState(pool, wanted.poolId, ['available']),
    ...(wanted.imageId === undefined ? [] : [expectState(image, wanted.imageId, ['available'])]),
    ...(wanted.snapshotId === undefined ? [] : [expectState(snapshot, wanted.snapshotId, ['available'])]),
    create(volume, { ...wanted, status: 'present' }),
  ],
  /** The same with its bytes of the pool. */
  reserve: (wanted: NewVolume): readonly Statement[] => [poolCapacity(wanted.poolId, wanted.sizeBytes, 1), ...volumeRows.insert(wanted)],
  /** Takes `reserve` back: the row of a volume that never came to be ends as a tombstone, which lets reconcilers remove a late arrival. */
  takeBack: ({ id, poolId, sizeBytes, encryptionKey }: VolumeReservation): readonly Statement[] => [
    transition(volume, id, { from: 'creating', to: 'deleted' }),
    poolCapacity(poolId, sizeBytes, -1),
    ...forgetKey(given({ encryptionKey })),
  ],
};
