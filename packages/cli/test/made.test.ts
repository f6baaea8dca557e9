import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../sdk/test/fixture/simulated-server.ts';
import { Pileus } from './pileus.ts';

interface Row {
  readonly id: string;
  readonly name: string;
}

describe('cli: what a verb makes beside its resource', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let pileus: Pileus;
  before(async () => {
    server = await startSimulatedServer();
    pileus = await Pileus.at(server);
  });
  after(async () => {
    await server.close();
    await pileus.remove();
  });

  it('is shown when the verb has ended: the volume that a backup is restored to', async () => {
    const { cloud } = server;
    const [host] = await cloud.hosts.list().toArray();
    const data = await cloud.volumes
      .create({ name: 'data', sizeBytes: 1024 ** 2, ...(host === undefined ? {} : { hostId: host.id }) })
      .wait();
    await cloud.backupStores.create({ name: 'shelf', driver: 'simulated' }).wait();
    await cloud.volumeBackups.create({ name: 'before', volumeId: data.id }).wait();
    const restored = await pileus.json<Row>('volume-backups', 'restore', 'before', '--name', 'again', '--wait');
    expect(restored).to.include({ name: 'again', state: 'available' });
    expect((await cloud.volumes.get('again')).id).to.equal(restored.id);
    expect(await pileus.ok('volume-backups', 'restore', 'before', '--name', 'thrice', '--wait')).to.match(
      /^NAME +STATE .*SIZE.*\nthrice +available /,
    );
  });

  it('is the group of snapshots of an instance, in place of the instance', async () => {
    const { cloud } = server;
    const [type] = await cloud.instanceTypes.list().toArray();
    const [image] = await cloud.images.list().toArray();
    if (type === undefined || image === undefined) return expect.fail('the server has nothing to make machines of');
    await cloud.instances.create({ name: 'web', instanceType: type.name, imageId: image.id }).wait();
    const group = await pileus.json<Row>('instances', 'snapshot', 'web', '--name', 'before-upgrade', '--wait');
    expect(group).to.include({ name: 'before-upgrade', state: 'available' });
    expect((await cloud.snapshotGroups.get('before-upgrade')).id).to.equal(group.id);
  });
});
