import { type DebtHandler, type Endpoint, onContribution, onNotice, updateAction } from '../../kernel/index.ts';
import type { CloudServices, Module } from '../services.ts';
import { hostLook, hostLost, strayRemoval } from '../topology/contract.ts';
import { attachment, attachmentDeletion } from './attachment.ts';
import { image } from './image.ts';
import { imageCapture } from './image-capture.ts';
import { imageComplete } from './image-complete.ts';
import { imageContentEndpoints } from './image-content.ts';
import type { ImageContext } from './image-context.ts';
import { imageCreate } from './image-create.ts';
import { imageDeletion } from './image-delete.ts';
import { imageDeprecate, imageReinstate } from './image-deprecate.ts';
import { startPartExpiry, sweepImages } from './image-sweep.ts';
import { placeIso } from './iso.ts';
import * as points from './points.ts';
import { pool } from './pool.ts';
import { poolAdopt, unknownDisksEndpoint } from './pool-adopt.ts';
import { poolAvailability } from './pool-availability.ts';
import { poolChangeCredentials } from './pool-change-credentials.ts';
import { POOL_CLEAR, type PoolContext } from './pool-context.ts';
import { poolCreate } from './pool-create.ts';
import { type ClearingContext, payPoolClearing, payPoolRelease, poolDeletion } from './pool-delete.ts';
import { poolDisable } from './pool-disable.ts';
import { poolEnable } from './pool-enable.ts';
import { PoolLook } from './pool-look.ts';
import { PoolReach, poolHosts } from './pool-reach.ts';
import { poolUpdate } from './pool-update.ts';
import { payRemoval, REMOVALS, type RemovalTask } from './removal.ts';
import { imageBytesMax, imageDiskBytesMax, imagePartHours, poolNearlyFullShare, poolTarget, volumeReturnSeconds } from './settings.ts';
import { snapshotActions } from './snapshots/index.ts';
import { snapshot } from './snapshots/snapshot.ts';
import { dropSnapshot, snapshotDeletion } from './snapshots/snapshot-delete.ts';
import { snapshotGroup, snapshotGroupDeletion } from './snapshots/snapshot-group.ts';
import { payDrop, SNAPSHOT_DELETE } from './snapshots/snapshot-rows.ts';
import { storageClass } from './storage-class.ts';
import { classActions, classDeletion } from './storage-class-verbs.ts';
import { removeUnknown } from './stray-removal.ts';
import { Uploads } from './uploads.ts';
import { volume } from './volume.ts';
import { volumeAvailability } from './volume-availability.ts';
import { makeDisk, volumeCreate } from './volume-create.ts';
import { volumeDeletion } from './volume-delete.ts';
import { volumeMove } from './volume-move.ts';
import { volumeResize } from './volume-resize.ts';
import { volumeRotateKey } from './volume-rotate-key.ts';

export { attachment } from './attachment.ts';
export { image } from './image.ts';
export * from './points.ts';
export { pool } from './pool.ts';
export { choosePool, rankPools } from './pool-choice.ts';
export { removeOrOwe, type StorageContext } from './removal.ts';
export { volume } from './volume.ts';
export { createVolume, type VolumeContext } from './volume-create.ts';
export { volumeRows } from './volume-rows.ts';
export { imageFor } from './volume-source.ts';

/** Pools, the volumes in them, and the images that volumes are cloned from. */
export const storage: Module = (services) => {
  const { hosts, pools, seeds, reader, kernel, environment, imageStore, settings, config, fetchUrl, openFile, secrets } = services;
  const context: PoolContext = { hosts, pools, reader, settings, drivers: () => kernel().registry.strategyNames('storage') };
  const clearing: ClearingContext = { ...context, kernel, environment, slices: services.slices, store: services.store };
  const images: ImageContext = {
    ...context,
    imageStore,
    config,
    environment,
    uploads: new Uploads(environment),
    ...(fetchUrl === undefined ? {} : { fetchUrl }),
    ...(openFile === undefined ? {} : { openFile }),
  };
  const [look, reach] = [new PoolLook(services), new PoolReach(services)];
  return {
    id: 'storage',
    version: '0.1.0',
    requires: ['topology'],
    kinds: [storageClass, pool, volume, attachment, image, snapshot, snapshotGroup],
    sagas: [dropSnapshot, makeDisk, placeIso],
    settings: [imageBytesMax, imageDiskBytesMax, imagePartHours, volumeReturnSeconds, poolTarget, poolNearlyFullShare],
    actions: [
      ...classActions,
      poolCreate({ ...context, environment }),
      poolUpdate(context),
      poolChangeCredentials({ ...context, pools, secrets }),
      poolAdopt(context),
      poolEnable,
      poolDisable,
      imageCreate(images),
      imageCapture({ ...images, hosts, secrets }),
      imageComplete(images),
      imageDeprecate(environment.clock),
      imageReinstate,
      updateAction(image, ['description']),
      volumeCreate({ ...context, secrets, environment }, environment.clock),
      updateAction(volume, ['description']),
      volumeResize({ ...context, hosts, secrets }),
      volumeMove({ ...context, hosts, seeds, secrets, environment, settings }),
      volumeRotateKey({ ...context, hosts, secrets, environment }),
      ...snapshotActions(context),
    ],
    deletions: [
      classDeletion,
      poolDeletion(clearing),
      imageDeletion(images),
      volumeDeletion(() => context),
      attachmentDeletion,
      snapshotDeletion(() => context),
      snapshotGroupDeletion,
    ],
    debts: debtsOf(clearing),
    hooks: [
      // After machines: a disk that is to go does not go under a machine that is to go, too.
      onContribution(
        hostLook,
        async ({ hostId, machineId, signal }) => {
          if (machineId !== undefined) return;
          const reached = await look.lookThrough(hostId, signal);
          if (!signal.aborted) await reach.look(hostId, reached, signal);
        },
        { after: ['compute'] },
      ),
      onNotice(hostLost, ({ hostId }) => look.lost(hostId)),
      onContribution(strayRemoval, (unknown) => removeUnknown(context, unknown)),
    ],
    points: Object.values(points),
    endpoints: [...imageContentEndpoints({ ...images, kernel }), unknownDisksEndpoint(context), ...lookedUp(services, reach)],
    start: async () => {
      await sweepImages(images, services);
      return startPartExpiry(images, services);
    },
  };
};

const lookedUp = (services: CloudServices, reach: PoolReach): readonly Endpoint[] => [
  poolAvailability(services),
  volumeAvailability(services),
  poolHosts(services, reach),
];

const debtsOf = (context: ClearingContext): readonly DebtHandler[] => [
  ...(Object.keys(REMOVALS) as RemovalTask[]).map(
    (task): DebtHandler => ({
      task,
      pay: (target, _place, call) => payRemoval(context, task, String(target.poolId), String(target.id), call),
    }),
  ),
  { task: SNAPSHOT_DELETE, pay: (target, _place, call) => payDrop(context, target as never, call) },
  { task: POOL_CLEAR, pay: (target, place, call) => payPoolClearing(context, String(target.poolId), place, call) },
  { task: 'pool.release', pay: (target, _place, call) => payPoolRelease(context, String(target.poolId), call) },
];
