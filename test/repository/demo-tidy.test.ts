import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCloud } from '@pileus/core';
import { nodeEnvironment } from '@pileus/core/node';
import { openSqlite } from '@pileus/core/sqlite';
import { SimWorld, simulated } from '@pileus/core/testing';
import { connect, embeddedTransport } from '@pileus/sdk';
import { expect } from 'chai';
import { leftIn } from '../../tools/demo/simulated-drivers.ts';
import { deleteEverything } from '../../tools/demo/tidy.ts';

describe('the end of the demo', function () {
  this.timeout(60_000);
  let dataDir: string;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'pileus-tidy-'));
  });
  after(() => rm(dataDir, { recursive: true }));

  it('deletes what is in the projects of tenants, and in stacks, too', async () => {
    const environment = nodeEnvironment();
    const world = new SimWorld(environment, {});
    world.addHost('hv1');
    const store = await openSqlite({ path: join(dataDir, 'cloud.db') });
    await using embedded = await createCloud({ plugins: [simulated({ world, environment })], store, dataDir });
    const inProject = (project?: string) =>
      connect({ transport: embeddedTransport(embedded), ...(project === undefined ? {} : { project }) });
    const cloud = inProject();
    const zone = await cloud.zones.create({ name: 'here' }).wait();
    const cluster = await cloud.clusters.create({ name: 'servers', zoneId: zone.id, hypervisor: 'simulated' }).wait();
    const host = await cloud.hosts.create({ name: 'hv1', clusterId: cluster.id, uri: 'sim://hv1' }).wait();
    const pool = await cloud.pools.create({ name: 'disks', driver: 'simulated', hostId: host.id, settings: {} }).wait();
    const account = await cloud.accounts.create({ name: 'acme' }).wait();
    const [project] = await cloud.projects.list({ where: { accountId: account.id }, allProjects: true }).toArray();
    const disk = { sizeBytes: 2 ** 20, poolId: pool.id };
    await inProject(project?.id)
      .volumes.create({ name: 'of-acme', ...disk })
      .wait();
    const resources = { disk: { kind: 'volume', properties: { name: 'of-stack', ...disk } } };
    const backups = await cloud.backupStores.create({ name: 'backups', driver: 'simulated', settings: {} }).wait();
    await cloud.backupPlans.create({ tag: 'kept', storeId: backups.id, schedule: '0 3 * * *' }).wait();
    await cloud.instanceTypes.create({ name: 'small', vcpus: 1, memoryBytes: 2 ** 27 }).wait();
    const image = await cloud.images.create({ name: 'disk' }).wait();
    await cloud.images.upload(image.id, new Uint8Array(4096));
    const machine = await cloud.instances.create({ name: 'web', instanceType: 'small', imageId: image.id }).wait();
    await cloud.instances.snapshot(machine.id, { name: 'whole' }).wait();
    const [root] = await cloud.volumes.list({ where: { instanceId: machine.id } }).toArray();
    if (root === undefined) throw new Error('a machine without a disk');
    await cloud.snapshots.create({ name: 'alone', volumeId: root.id }).wait();
    await cloud.volumeBackups.create({ name: 'kept', volumeId: root.id }).wait();
    await cloud.stacks.create({ name: 'stack', template: { resources } }).wait();

    const sorts = () => new Set(leftIn(world).map((line) => line.split(' ')[0]));
    expect([...sorts()]).to.include.members(['machine', 'volume', 'image', 'backup']);

    await deleteEverything(cloud, inProject);

    expect(leftIn(world)).to.deep.equal([]);
    expect(await cloud.volumes.list({ allProjects: true }).toArray()).to.deep.equal([]);
    for (const kind of [
      cloud.stacks,
      cloud.instances,
      cloud.snapshots,
      cloud.volumeBackups,
      cloud.backupPlans,
      cloud.backupStores,
      cloud.pools,
      cloud.hosts,
      cloud.clusters,
      cloud.zones,
    ])
      expect(await kind.list().toArray()).to.deep.equal([]);
  });
});
