import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { MIB, POOL } from '../ceph-cloud.ts';
import {
  backUp,
  backupSet,
  CONTENT_BYTES,
  empty,
  filled,
  fresh,
  group,
  independent,
  machine,
  off,
  otherPool,
  play,
  poolInput,
  snapshotOf,
  strayed,
  trashed,
  type Wave,
} from './ground.ts';
import { RUNNING } from './running.ts';

export const WAVES: readonly Wave[] = [
  ...RUNNING,
  {
    title: 'volumes made and deleted',
    plays: [
      play('volume.create', async (g) => () => g.cloud.volumes.create({ name: g.name('volume'), sizeBytes: MIB, poolId: g.lab.poolId })),
      play('volume.create, encrypted', async (g) => {
        const how = { name: g.name('volume'), sizeBytes: MIB, poolId: g.lab.poolId, encrypted: true };
        return () => g.cloud.volumes.create(how);
      }),
      play('volume.create, of several machines', async (g) => {
        const how = { name: g.name('volume'), sizeBytes: MIB, poolId: g.lab.poolId, shareable: true };
        return () => g.cloud.volumes.create(how);
      }),
      play(
        'volume.create, of an image',
        async (g) => () => g.cloud.volumes.create({ name: g.name('volume'), imageId: g.imageId, poolId: g.lab.poolId }),
      ),
      play('volume.create, of a snapshot', async (g) => {
        const snapshotId = await snapshotOf(g, (await filled(g)).id);
        return () => g.cloud.volumes.create({ name: g.name('volume'), snapshotId });
      }),
      play('volume.create, of a volume', async (g) => {
        const { id: volumeId } = await filled(g);
        return () => g.cloud.volumes.create({ name: g.name('volume'), volumeId });
      }),
      play('volume.delete', async (g) => {
        const { id } = await empty(g);
        return () => g.cloud.volumes.delete(id, { permanent: true });
      }),
      play('volume.delete, of a clone', async (g) => {
        const { id } = await filled(g);
        return () => g.cloud.volumes.delete(id, { permanent: true });
      }),
      play('volume.delete, with a snapshot that was cloned', async (g) => {
        const { id } = await filled(g);
        await g.cloud.volumes.create({ name: g.name('volume'), snapshotId: await snapshotOf(g, id) }).wait();
        return () => g.cloud.volumes.delete(id, { permanent: true, recursive: true });
      }),
    ],
  },
  {
    title: 'volumes changed',
    plays: [
      play('volume.resize', async (g) => {
        const { id } = await empty(g);
        return () => g.cloud.volumes.resize(id, { sizeBytes: 64 * MIB });
      }),
      play('volume.resize, encrypted', async (g) => {
        const { id } = await empty(g, { encrypted: true });
        return () => g.cloud.volumes.resize(id, { sizeBytes: 64 * MIB });
      }),
      play('volume.flatten', async (g) => {
        const { id } = await filled(g);
        return () => g.cloud.volumes.flatten(id);
      }),
      play('volume.rotateKey', async (g) => {
        const { id } = await empty(g, { encrypted: true });
        return () => g.cloud.volumes.rotateKey(id);
      }),
      play('volume.setLimits', async (g) => {
        const { id } = await empty(g);
        return () => g.cloud.volumes.setLimits(id, { limits: { iopsPerSecond: 100 } });
      }),
      play('snapshot.create', async (g) => {
        const { id: volumeId } = await filled(g);
        return () => g.cloud.snapshots.create({ name: g.name('snapshot'), volumeId });
      }),
      play('snapshot.delete', async (g) => {
        const id = await snapshotOf(g, (await filled(g)).id);
        return () => g.cloud.snapshots.delete(id);
      }),
      play('snapshot.delete, that was cloned', async (g) => {
        const snapshotId = await snapshotOf(g, (await filled(g)).id);
        await g.cloud.volumes.create({ name: g.name('volume'), snapshotId }).wait();
        return () => g.cloud.snapshots.delete(snapshotId);
      }),
      play('snapshot.revert', async (g) => {
        const { id } = await filled(g);
        const snapshotId = await snapshotOf(g, id);
        await g.cloud.volumes.resize(id, { sizeBytes: 32 * MIB }).wait();
        return () => g.cloud.snapshots.revert(snapshotId);
      }),
    ],
  },
  {
    title: 'machines that are off',
    plays: [
      play('instance.create', async (g) => () => machine(g)),
      play('instance.create, with an encrypted disk and one that is there', async (g) => {
        const { id } = await empty(g);
        const more = {
          attachVolumeIds: [id],
          volumes: [{ sizeBytes: MIB, storageClass: g.storageClass, encrypted: true, deleteWithInstance: true }],
        };
        return () => machine(g, more);
      }),
      play('instance.delete', async (g) => {
        const id = await off(g);
        return () => g.cloud.instances.delete(id, { permanent: true });
      }),
      play('instance.attachVolume', async (g) => {
        const [id, { id: volumeId }] = [await off(g), await empty(g)];
        return () => g.cloud.instances.attachVolume(id, { volumeId });
      }),
      play('instance.attachVolume, of several machines', async (g) => {
        const [id, { id: volumeId }] = [await off(g), await empty(g, { shareable: true })];
        return () => g.cloud.instances.attachVolume(id, { volumeId });
      }),
      play('instance.detachVolume', async (g) => {
        const { id: volumeId } = await empty(g);
        const id = await off(g, { attachVolumeIds: [volumeId] });
        return () => g.cloud.instances.detachVolume(id, { volumeId });
      }),
      play('instance.snapshot', async (g) => {
        const id = await off(g);
        return () => g.cloud.instances.snapshot(id, { name: g.name('group') });
      }),
      play('snapshotGroup.revert', async (g) => {
        const id = await group(g);
        return () => g.cloud.snapshotGroups.revert(id);
      }),
      play('snapshotGroup.delete', async (g) => {
        const id = await group(g);
        return () => g.cloud.snapshotGroups.delete(id);
      }),
    ],
  },
  {
    title: 'images',
    plays: [
      play('image.create, from a file', async (g) => {
        const path = join(g.files, g.name('file'));
        await writeFile(path, randomBytes(CONTENT_BYTES));
        return () => g.cloud.images.create({ name: g.name('image'), sourceUrl: `file://${path}` });
      }),
      play('image.complete, by an upload', async (g) => {
        const { id } = await g.cloud.images.create({ name: g.name('image') }).wait();
        const content = randomBytes(CONTENT_BYTES);
        return async () => {
          const beganMs = Date.now();
          await g.cloud.images.upload(id, content);
          const completed = await g.cloud.operations.list({ where: { resourceId: id, action: 'image.complete' } }).toArray();
          return { operationId: (completed[0] ?? expect.fail('the upload has no operation')).id, beganMs };
        };
      }),
      play('image.capture, of a volume', async (g) => {
        const { id: volumeId } = await filled(g);
        return () => g.cloud.images.capture({ name: g.name('image'), volumeId });
      }),
      play('image.capture, of a snapshot', async (g) => {
        const snapshotId = await snapshotOf(g, (await filled(g)).id);
        return () => g.cloud.images.capture({ name: g.name('image'), snapshotId });
      }),
      play('volume.create, of an image that the pool has not', async (g) => {
        const imageId = await fresh(g);
        return () => g.cloud.volumes.create({ name: g.name('volume'), imageId, poolId: g.lab.poolId });
      }),
      play('volume.create, encrypted, of an image', async (g) => {
        const how = { name: g.name('volume'), imageId: g.imageId, poolId: g.lab.poolId, encrypted: true };
        return () => g.cloud.volumes.create(how);
      }),
      play('image.delete', async (g) => {
        const id = await fresh(g);
        const { id: volumeId } = await g.cloud.volumes.create({ name: g.name('volume'), imageId: id, poolId: g.lab.poolId }).wait();
        await g.cloud.volumes.delete(volumeId, { permanent: true }).wait();
        return () => g.cloud.images.delete(id, { permanent: true });
      }),
    ],
  },
  {
    title: 'backups',
    plays: [
      play('backup.create', async (g) => {
        const { id } = await filled(g);
        return () => backUp(g, id);
      }),
      play('backup.create, the second', async (g) => {
        const { id } = await filled(g);
        await backUp(g, id).wait();
        return () => backUp(g, id);
      }),
      play('backup.create, of an encrypted volume', async (g) => {
        const { id } = await empty(g, { encrypted: true });
        return () => backUp(g, id);
      }),
      play('backup.create, of a snapshot', async (g) => {
        const snapshotId = await snapshotOf(g, (await filled(g)).id);
        return () => g.cloud.volumeBackups.create({ name: g.name('backup'), snapshotId, storeId: g.storeId });
      }),
      play('backup.delete', async (g) => {
        const { id } = await backUp(g, (await filled(g)).id).wait();
        return () => g.cloud.volumeBackups.delete(id);
      }),
      play('backup.restore, by a clone', async (g) => {
        const { id } = await backUp(g, (await filled(g)).id).wait();
        return () => g.cloud.volumeBackups.restore(id, { name: g.name('volume') });
      }),
      play('backup.restore, by a copy', async (g) => {
        const { id: volumeId } = await independent(g);
        const { id } = await backUp(g, volumeId).wait();
        await backUp(g, volumeId).wait();
        return () => g.cloud.volumeBackups.restore(id, { name: g.name('volume'), poolId: g.lab.poolId });
      }),
      play('backup.verify, with a restore', async (g) => {
        const { id } = await backUp(g, (await filled(g)).id).wait();
        return () => g.cloud.volumeBackups.verify(id, { restore: true });
      }),
    ],
  },
  {
    title: 'backups in a bucket',
    plays: [
      play('backup.create', async (g) => {
        const { id } = await filled(g);
        return () => backUp(g, id, g.bucketId);
      }),
      play('backup.delete', async (g) => {
        const { id } = await backUp(g, (await filled(g)).id, g.bucketId).wait();
        return () => g.cloud.volumeBackups.delete(id);
      }),
      play('backup.restore, by a copy', async (g) => {
        const { id } = await backUp(g, (await independent(g)).id, g.bucketId).wait();
        return () => g.cloud.volumeBackups.restore(id, { name: g.name('volume'), poolId: g.localId });
      }),
      play('backup.verify', async (g) => {
        const { id } = await backUp(g, (await filled(g)).id, g.bucketId).wait();
        return () => g.cloud.volumeBackups.verify(id);
      }),
    ],
  },
  {
    title: 'sets of backups',
    plays: [
      play('backupSet.create', async (g) => {
        const instanceId = await off(g);
        return () => g.cloud.backupSets.create({ name: g.name('set'), instanceId, storeId: g.storeId });
      }),
      play('backupSet.restore', async (g) => {
        const id = await backupSet(g);
        return () => g.cloud.backupSets.restore(id, { name: g.name('again'), poolId: g.lab.poolId });
      }),
      play('backupSet.delete', async (g) => {
        const id = await backupSet(g);
        return () => g.cloud.backupSets.delete(id);
      }),
    ],
  },
  {
    title: 'moves',
    plays: [
      play('volume.move, to a host', async (g) => {
        const { id } = await filled(g);
        return () => g.cloud.volumes.move(id, { poolId: g.localId });
      }),
      play('volume.move, from a host, compared', async (g) => {
        const { id } = await filled(g, { poolId: g.localId });
        return () => g.cloud.volumes.move(id, { poolId: g.lab.poolId, verify: true });
      }),
      play('volume.move, encrypted', async (g) => {
        const { id } = await empty(g, { encrypted: true });
        return () => g.cloud.volumes.move(id, { poolId: g.localId });
      }),
    ],
  },
  {
    title: 'the trash',
    plays: [
      play('volume.delete, into the trash', async (g) => {
        const { id } = await filled(g);
        return () => g.cloud.volumes.delete(id);
      }),
      play('volume.recover', async (g) => {
        const id = await trashed(g);
        return () => g.cloud.volumes.recover(id);
      }),
      play('volume.expunge', async (g) => {
        const id = await trashed(g);
        return () => g.cloud.volumes.expunge(id);
      }),
      play('instance.delete, into the trash', async (g) => {
        const id = await off(g);
        return () => g.cloud.instances.delete(id);
      }),
      play('instance.recover', async (g) => {
        const id = await off(g);
        await g.cloud.instances.delete(id).wait();
        return () => g.cloud.instances.recover(id);
      }),
      play('image.recover', async (g) => {
        const id = await fresh(g);
        await g.cloud.images.delete(id).wait();
        return () => g.cloud.images.recover(id);
      }),
    ],
  },
  {
    title: 'pools, and what is found in them',
    plays: [
      play('pool.adopt', async (g) => {
        const disk = g.name('disk');
        await g.lab.ceph.rbd('create', `${POOL}/${disk}`, '--size=16M');
        return () => g.cloud.pools.adopt(g.lab.poolId, { disk, sizeBytes: 16 * MIB, name: g.name('volume') });
      }),
      play('stray.adopt', async (g) => {
        const id = await strayed(g);
        return () => g.cloud.strays.adopt(id, { name: g.name('volume') });
      }),
      play('stray.remove', async (g) => {
        const id = await strayed(g);
        return () => g.cloud.strays.remove(id);
      }),
      play('pool.changeCredentials', async (g) => {
        const secrets = { key: g.lab.ceph.user.key };
        return () => g.cloud.pools.changeCredentials(g.lab.poolId, { secrets });
      }),
      play('pool.delete', async (g) => {
        const id = await otherPool(g);
        return () => g.cloud.pools.delete(id);
      }),
      play('backupStore.delete', async (g) => {
        const path = join(g.files, g.name('store'));
        const { id } = await g.cloud.backupStores.create({ name: g.name('store'), driver: 'directory', settings: { path } }).wait();
        return () => g.cloud.backupStores.delete(id);
      }),
      play('backupStore.create', async (g) => {
        const path = join(g.files, g.name('store'));
        return () => g.cloud.backupStores.create({ name: g.name('store'), driver: 'directory', settings: { path } });
      }),
    ],
  },
  {
    title: 'pools that are made',
    plays: [
      play('pool.create', async (g) => {
        const { zoneId } = await g.cloud.pools.get(g.lab.poolId);
        return () => g.cloud.pools.create(poolInput(g, zoneId as Id<'zone'>));
      }),
    ],
  },
];
