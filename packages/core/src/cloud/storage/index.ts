import { type DebtHandler, onContribution, onNotice, updateAction } from '../../kernel/index.ts';
import type { Module } from '../services.ts';
import { hostLook, hostLost, strayRemoval } from '../topology/contract.ts';
import { image } from './image.ts';
import { imageComplete } from './image-complete.ts';
import { imageContentEndpoints } from './image-content.ts';
import { type ImageContext, Uploads } from './image-context.ts';
import { imageCreate } from './image-create.ts';
import { imageDeletion } from './image-delete.ts';
import { sweepImages } from './image-sweep.ts';
import { pool } from './pool.ts';
import type { PoolContext } from './pool-context.ts';
import { poolCreate } from './pool-create.ts';
import { POOL_CLEAR, payPoolClearing, payPoolRelease, poolDeletion } from './pool-delete.ts';
import { poolDisable } from './pool-disable.ts';
import { poolEnable } from './pool-enable.ts';
import { PoolLook } from './pool-look.ts';
import { poolUpdate } from './pool-update.ts';
import { payRemoval, REMOVALS, type RemovalTask } from './removal.ts';
import { deleteSeeds } from './seeds.ts';
import { volume } from './volume.ts';
import { volumeCreate } from './volume-create.ts';
import { volumeDeletion } from './volume-delete.ts';
import { volumeResize } from './volume-resize.ts';

export { image } from './image.ts';
export { pool } from './pool.ts';
export { choosePool, rankPools } from './pool-choice.ts';
export { removeOrOwe, type StorageContext } from './removal.ts';
export { volume } from './volume.ts';
export { createVolume, imageFor, type VolumeContext } from './volume-create.ts';
export { volumeRows } from './volume-rows.ts';

/** Pools, the volumes in them, and the images that volumes are cloned from. */
export const storage: Module = (services) => {
  const { hosts, pools, reader, kernel, imageStore, settings, fetchUrl } = services;
  const context: PoolContext = { hosts, pools, reader, drivers: () => kernel().registry.strategyNames('storage') };
  const images: ImageContext = {
    ...context,
    imageStore,
    settings,
    uploads: new Uploads(),
    ...(fetchUrl === undefined ? {} : { fetchUrl }),
  };
  const look = new PoolLook(services);
  return {
    id: 'storage',
    version: '0.1.0',
    requires: ['topology'],
    kinds: [pool, volume, image],
    actions: [
      poolCreate(context),
      poolUpdate(context),
      poolEnable,
      poolDisable,
      imageCreate(images),
      imageComplete(images),
      updateAction(image, ['description']),
      volumeCreate(context),
      updateAction(volume, ['description']),
      volumeResize(context),
    ],
    deletions: [poolDeletion(context), imageDeletion(images), volumeDeletion(() => context)],
    debts: [
      ...(Object.keys(REMOVALS) as RemovalTask[]).map(
        (task): DebtHandler => ({
          task,
          pay: (target, _place, call) => payRemoval(context, task, String(target.poolId), String(target.id), call),
        }),
      ),
      { task: POOL_CLEAR, pay: (target, place, call) => payPoolClearing(context, String(target.poolId), place, call) },
      { task: 'pool.release', pay: (target, _place, call) => payPoolRelease(context, String(target.poolId), call) },
    ],
    hooks: [
      // After machines: a disk that is to go does not go under a machine that is to go, too.
      onContribution(
        hostLook,
        async ({ hostId, machineId, signal }) => {
          if (machineId === undefined) await look.lookThrough(hostId, signal);
        },
        { after: ['compute'] },
      ),
      onNotice(hostLost, ({ hostId }) => look.lost(hostId)),
      onContribution(strayRemoval, async ({ objectKind, objectId, hostId, place, call }) => {
        if (objectKind === 'machine') await deleteSeeds(context, objectId, hostId, call);
        if (objectKind !== 'volume' && objectKind !== 'seed' && objectKind !== 'image') return false;
        await REMOVALS[`${objectKind}.delete`](await pools.open(place), objectId, call);
        return true;
      }),
    ],
    endpoints: imageContentEndpoints({ ...images, kernel }),
    start: async () => {
      await sweepImages(images, services);
      return async () => undefined;
    },
  };
};
