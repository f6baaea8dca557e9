import { SimError } from '@pileus/core/testing';
import { expect } from 'chai';
import { pool, volume } from '../../../src/cloud/index.ts';
import { debt, isSealed, operation } from '../../../src/kernel/index.ts';
import { codeOf, GIB, HEARTBEAT_MS, LittleCloud } from '../little-cloud.ts';

const POOL_BYTES = 100 * GIB;
const A_LOOK_MS = 10 * HEARTBEAT_MS;
/** `volumes.returnSeconds`. */
const RETURN_MS = 600_000;

async function open() {
  const cloud = await LittleCloud.open({ world: { poolBytes: POOL_BYTES } });
  const hostId = await cloud.host('hv1');
  const limit = async (id: string) => (await cloud.counter(`capacity/pool/${id}/bytes`))?.limit;
  return { cloud, hostId, limit };
}

describe('pools', () => {
  it('are opened, measured and promised', async () => {
    const { cloud, hostId, limit } = await open();
    const id = await cloud.pool(hostId, { overcommit: 1.5 });
    expect(await cloud.row(pool, id)).to.include({
      ...{
        state: 'available',
        status: 'connected',
        scope: 'host',
        storageClass: 'standard',
        totalBytes: POOL_BYTES,
        freeBytes: POOL_BYTES,
      },
    });
    expect(await limit(id)).to.equal(1.5 * POOL_BYTES);
    await cloud.sim.done('pool.update', { overcommit: 2 }, id);
    expect(await limit(id)).to.equal(2 * POOL_BYTES);
  });

  for (const [what, input, pointer] of [
    ['a driver that is not installed', { driver: 'tape' }, '/driver'],
    ['a setting that the driver has not', { driver: 'simulated', settings: { colour: 'red' } }, '/settings/colour'],
    ['a secret among what is shown', { driver: 'simulated-shared', settings: { key: 'k' } }, '/settings/key'],
    ['a secret that the driver has not', { driver: 'simulated', secrets: { colour: 'red' } }, '/secrets/colour'],
    ['a setting among the secrets', { driver: 'simulated-shared', secrets: { user: 'vm' } }, '/secrets/user'],
    ['a setting that the driver cannot use', { driver: 'simulated-shared', settings: { user: 'v m' } }, '/settings/user'],
    ['a secret that the driver cannot use', { driver: 'simulated-shared', secrets: { key: 'k\n1' } }, '/secrets/key'],
    ['no host for a driver of hosts', { driver: 'simulated' }, '/hostId'],
    ['a host for a driver of clusters', { driver: 'simulated-shared', hostId: '00000000-0000-7000-8000-00000000dead' }, '/hostId'],
    ['a host that is not there', { driver: 'simulated', hostId: '00000000-0000-7000-8000-00000000dead' }, '/hostId'],
  ] as const)
    it(`are refused with ${what}`, async () => {
      const { cloud } = await open();
      const error = await cloud.sim.submit('pool.create', input).then(
        () => undefined,
        (cause: { readonly pointer: string }) => cause,
      );
      expect(error?.pointer).to.equal(pointer);
      expect(await cloud.rows(pool)).to.deep.equal([]);
    });

  it('are on hosts that are for storage, too', async () => {
    const { cloud, hostId } = await open();
    await cloud.sim.done('host.update', { roles: ['compute'] }, hostId);
    const refused = await cloud.sim.submit('pool.create', { driver: 'simulated', hostId }).catch((error: unknown) => error);
    expect(refused).to.include({ code: 'conflict', pointer: '/hostId' });
    await cloud.sim.done('host.update', { roles: ['storage'] }, hostId);
    const id = await cloud.pool(hostId, { overcommit: 1 });
    await cloud.sim.done('host.update', { roles: ['compute'] }, hostId);
    expect(await cloud.row(pool, id)).to.include({ state: 'available', status: 'connected' });
  });

  it('are of the first driver installed whose pools belong where they are to be', async () => {
    const { cloud } = await open();
    const driverOf = async (at: object) => (await cloud.row(pool, await cloud.sim.done('pool.create', at))).driver;
    expect(await driverOf({ clusterId: cloud.clusterId })).to.equal('simulated-shared');
    expect(await driverOf({ hostId: await cloud.host('hv2') })).to.equal('simulated');
  });

  it('seal what the driver marks as secret, give it to the driver alone, and forget it with the pool', async () => {
    const { cloud } = await open();
    const { sim, clusterId } = cloud;
    const input = {
      driver: 'simulated-shared',
      clusterId,
      settings: { path: 'there', user: 'vm' },
      secrets: { key: 'a key that nobody sees' },
    };
    const id = await sim.done('pool.create', input);
    const row = await cloud.row(pool, id);
    expect(isSealed(row.secrets ?? '')).to.equal(true);
    expect(row.settings).to.deep.equal({ path: 'there', user: 'vm' });
    expect(sim.world.pools.get('there')?.key).to.equal('a key that nobody sees');
    // Neither the key nor its user tell pools apart: this is the same place.
    expect(await codeOf(sim.submit('pool.create', { ...input, secrets: { key: 'another' } }))).to.equal('name_taken');
    expect(await codeOf(sim.submit('pool.create', { ...input, settings: { path: 'there', user: 'other' } }))).to.equal('name_taken');
    expect(sim.rows('sealed')).to.have.length(1);
    await sim.done('pool.delete', {}, id);
    expect(sim.rows('sealed')).to.deep.equal([]);
  });

  it('of a whole cluster are looked at through any of its hosts', async () => {
    const { cloud } = await open();
    await cloud.host('hv2');
    const id = await cloud.sim.done('pool.create', { driver: 'simulated-shared', clusterId: cloud.clusterId });
    const volumeId = await cloud.volume(GIB);
    expect((await cloud.row(volume, volumeId)).poolId).to.equal(id);
    cloud.sim.world.crash('hv1');
    await cloud.sim.run(A_LOOK_MS);
    expect((await cloud.row(pool, id)).status).to.equal('connected');
    cloud.sim.world.pools.get(id)?.delete('volume', volumeId);
    await cloud.sim.run(2 * A_LOOK_MS);
    expect((await cloud.row(volume, volumeId)).status).to.equal('missing');
  });

  it('take over capacity that changed, and not every byte of it', async () => {
    const { cloud, hostId, limit } = await open();
    const id = await cloud.pool(hostId);
    const things = cloud.sim.world.pools.get(`hv1/${id}`);
    await cloud.sim.run(A_LOOK_MS);
    const { generation } = await cloud.row(pool, id);
    Object.assign(things ?? {}, { totalBytes: POOL_BYTES + POOL_BYTES / 2048 });
    await cloud.sim.run(A_LOOK_MS);
    expect((await cloud.row(pool, id)).generation).to.equal(generation);
    Object.assign(things ?? {}, { totalBytes: 2 * POOL_BYTES });
    await cloud.sim.run(A_LOOK_MS);
    expect(await cloud.row(pool, id)).to.include({ totalBytes: 2 * POOL_BYTES });
    expect(await limit(id)).to.equal(2 * POOL_BYTES);
  });

  it('that fail while their host answers are shown as disconnected and get no volumes', async () => {
    const { cloud, hostId } = await open();
    const id = await cloud.pool(hostId);
    const heal = cloud.sim.world.faults.add({ command: 'capacity', effect: 'fail', fault: 'unavailable' });
    await cloud.sim.run(4 * A_LOOK_MS);
    const { status, statusReason, generation } = await cloud.row(pool, id);
    expect(status).to.equal('disconnected');
    expect(statusReason).to.include('cannot be reached (storage capacity)');
    expect(await codeOf(cloud.sim.submit('volume.create', { sizeBytes: GIB }))).to.equal('no_capacity');
    await cloud.sim.run(A_LOOK_MS);
    expect((await cloud.row(pool, id)).generation, 'the same again is not written').to.equal(generation);
    heal();
    const other = cloud.sim.world.faults.add({ command: 'ensurePool', effect: 'fail', fault: 'invalid' });
    await cloud.sim.run(A_LOOK_MS);
    expect((await cloud.row(pool, id)).statusReason).to.include('refused the values given');
    other();
    await cloud.sim.run(A_LOOK_MS);
    expect(await cloud.row(pool, id))
      .to.include({ status: 'connected' })
      .and.not.to.have.property('statusReason');
  });

  it('that fail in the same way each time are not written anew for the numbers in what their driver tells', async () => {
    let [waitedMs, code] = [0, 5];
    const landing = <T>(_site: string, command: string, apply: () => T): T => {
      if (command !== 'capacity' || waitedMs === 0) return apply();
      waitedMs += 1;
      throw Object.assign(new SimError('unavailable', 'away'), { told: `error ${code} after ${waitedMs} ms` });
    };
    const cloud = await LittleCloud.open({ world: { landing } });
    const id = await cloud.pool(await cloud.host('hv1'));
    waitedMs = 30_000;
    await cloud.sim.run(4 * A_LOOK_MS);
    const { statusReason, generation } = await cloud.row(pool, id);
    expect(statusReason).to.match(/ error 5 after 300\d\d ms$/);
    await cloud.sim.run(4 * A_LOOK_MS);
    expect((await cloud.row(pool, id)).generation).to.equal(generation);
    code = 13;
    await cloud.sim.run(A_LOOK_MS);
    expect((await cloud.row(pool, id)).statusReason).to.include(' error 13 after ');
  });

  it('that are disabled keep their volumes and get no more', async () => {
    const { cloud, hostId } = await open();
    const id = await cloud.pool(hostId);
    const volumeId = await cloud.volume(GIB);
    await cloud.sim.done('pool.disable', {}, id);
    expect(await codeOf(cloud.sim.submit('volume.create', { sizeBytes: GIB }))).to.equal('no_capacity');
    await cloud.sim.done('volume.resize', { sizeBytes: 2 * GIB }, volumeId);
    await cloud.sim.done('pool.enable', {}, id);
    await cloud.volume(GIB);
  });

  it('are deleted with the copies of images in them, but not under volumes', async () => {
    const { cloud, hostId, limit } = await open();
    const id = await cloud.pool(hostId);
    const imageId = await cloud.image(65_536);
    const volumeId = await cloud.volume(GIB, { imageId });
    expect(await codeOf(cloud.sim.submit('pool.delete', {}, id))).to.equal('in_use');
    await cloud.sim.done('volume.delete', {}, volumeId);
    await cloud.sim.done('pool.delete', {}, id);
    expect(cloud.sim.world.pools.get(`hv1/${id}`)?.list()).to.deep.equal([]);
    expect(await limit(id)).to.equal(null);
  });

  it('are deleted, and their secrets with them, where an operator passes over copies that cannot be removed', async () => {
    const { cloud } = await open();
    const { sim, clusterId } = cloud;
    const id = await sim.done('pool.create', {
      driver: 'simulated-shared',
      clusterId,
      settings: { path: 'there' },
      secrets: { key: 'a key' },
    });
    sim.around = (point, body) => (point.path.endsWith('/clear') ? Promise.reject(new Error('struck')) : body());
    const { operationId } = await sim.submit('pool.delete', {}, id);
    await sim.run(A_LOOK_MS);
    expect((await cloud.row(operation, operationId)).state).to.equal('needs_attention');
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect([await cloud.rows(pool), sim.rows('sealed'), await cloud.rows(debt)]).to.deep.equal([[], [], []]);
  });

  it('are deleted with what was deleted before and made by a call that came late, and with nothing unknown', async () => {
    const { cloud, hostId } = await open();
    const id = await cloud.pool(hostId);
    const imageId = await cloud.image(65_536);
    const volumeId = await cloud.volume(GIB, { imageId });
    await cloud.sim.done('volume.delete', {}, volumeId);
    const things = cloud.sim.world.pools.get(`hv1/${id}`);
    const unknown = '00000000-0000-7000-8000-00000000e15e';
    things?.createVolume(volumeId, GIB, imageId);
    things?.createSnapshot({ id: '00000000-0000-7000-8000-00000000e15f', volumeId });
    things?.createVolume(unknown, GIB);
    await cloud.sim.done('pool.delete', {}, id);
    expect(things?.list().map((object) => object.id)).to.deep.equal([unknown]);
  });

  it('are deleted without the images of another cloud that keeps its own at the same place', async () => {
    const { cloud, hostId } = await open();
    const id = await cloud.pool(hostId);
    await cloud.sim.done('volume.delete', {}, await cloud.volume(GIB, { imageId: await cloud.image(65_536) }));
    const things = cloud.sim.world.pools.get(`hv1/${id}`);
    const elses = '00000000-0000-7000-8000-00000000e15e';
    things?.putImage(elses, 65_536, 65_536);
    await cloud.sim.done('pool.delete', {}, id);
    expect(things?.list().map((object) => object.id)).to.deep.equal([elses]);
  });

  it('of a host out of reach are deleted by force, and cleared when it is back', async () => {
    const { cloud, hostId } = await open();
    const id = await cloud.pool(hostId);
    const imageId = await cloud.image(65_536);
    await cloud.sim.done('volume.delete', {}, await cloud.volume(GIB, { imageId }));
    cloud.sim.world.crash('hv1');
    await cloud.sim.run(A_LOOK_MS);
    expect((await cloud.outcome('pool.delete', {}, id)).error?.code).to.equal('unavailable');
    await cloud.sim.done('pool.delete', { force: true }, id);
    expect((await cloud.rows(debt)).map(({ task }) => task)).to.deep.equal(['pool.clear']);
    cloud.sim.world.boot('hv1');
    await cloud.sim.run(A_LOOK_MS);
    expect(cloud.sim.world.pools.get(`hv1/${id}`)?.list()).to.deep.equal([]);
    expect(await cloud.rows(debt)).to.deep.equal([]);
  });

  it('owed a clearing leave the copies to a pool that was registered at their place since', async () => {
    const { cloud, hostId } = await open();
    const id = await cloud.pool(hostId, { settings: { path: 'shelf' } });
    const imageId = await cloud.image(65_536);
    await cloud.sim.done('volume.delete', {}, await cloud.volume(GIB, { imageId }));
    cloud.sim.world.crash('hv1');
    await cloud.sim.run(A_LOOK_MS);
    await cloud.sim.done('pool.delete', { force: true }, id);
    // What is owed is not paid as soon as the host is back.
    const heal = cloud.sim.world.faults.add({ command: 'list', effect: 'fail', fault: 'unavailable' });
    cloud.sim.world.boot('hv1');
    // What was asked before the host went down may come late: until then no pool is registered there.
    await cloud.sim.run(RETURN_MS);
    await cloud.pool(hostId, { settings: { path: 'shelf' } });
    heal();
    await cloud.sim.run(A_LOOK_MS);
    expect(await cloud.rows(debt)).to.deep.equal([]);
    expect(
      cloud.sim.world.pools
        .get('hv1/shelf')
        ?.list()
        .map((object) => object.id),
    ).to.deep.equal([imageId]);
  });

  it('owed a clearing are cleared after the volumes in them that are to go', async () => {
    const { cloud, hostId } = await open();
    const id = await cloud.pool(hostId);
    const volumeId = await cloud.volume(GIB);
    cloud.sim.world.crash('hv1');
    await cloud.sim.run(A_LOOK_MS);
    await cloud.sim.done('volume.delete', { force: true }, volumeId);
    await cloud.sim.done('pool.delete', { force: true }, id);
    const heal = cloud.sim.world.faults.add({ command: 'volumes.delete', effect: 'fail', fault: 'unavailable' });
    cloud.sim.world.boot('hv1');
    await cloud.sim.run(A_LOOK_MS);
    expect((await cloud.rows(debt)).map(({ task }) => task)).to.deep.equal(['volume.delete', 'pool.clear']);
    heal();
    await cloud.sim.run(A_LOOK_MS);
    expect(await cloud.rows(debt)).to.deep.equal([]);
    expect(cloud.sim.world.pools.get(`hv1/${id}`)?.list()).to.deep.equal([]);
  });

  it('that were never made, for their host was lost, are released when it is back', async () => {
    const { cloud, hostId } = await open();
    cloud.sim.around = async (point, body) => {
      if (point.path === 'ensure' && point.phase === 'do') cloud.sim.world.crash('hv1');
      if (point.path === 'ensure' && point.phase === 'undo')
        await new Promise<void>((resolve) => cloud.sim.environment.timers.after(A_LOOK_MS, resolve));
      return body();
    };
    expect((await cloud.outcome('pool.create', { driver: 'simulated', hostId })).state).to.equal('failed');
    expect((await cloud.rows(debt)).map(({ task }) => task)).to.deep.equal(['pool.release']);
    cloud.sim.world.boot('hv1');
    await cloud.sim.run(A_LOOK_MS);
    expect(await cloud.rows(debt)).to.deep.equal([]);
  });
});
