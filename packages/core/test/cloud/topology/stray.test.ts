import { expect } from 'chai';
import { pool, stray, volume } from '../../../src/cloud/index.ts';
import { GIB, HEARTBEAT_MS, LittleCloud } from '../little-cloud.ts';

const A_LOOK_MS = 10 * HEARTBEAT_MS;

async function withPool() {
  const cloud = await LittleCloud.open();
  const hostId = await cloud.host('hv1');
  const poolId = await cloud.pool(hostId);
  const things = cloud.sim.world.pools.get(`hv1/${poolId}`);
  if (things === undefined) throw new Error('no pool in the world');
  /** What a store that was restored from yesterday does not know. */
  const plant = () => {
    const id = cloud.sim.kernel.services.ids.mint('volume');
    things.createVolume(id, GIB, undefined);
    return id;
  };
  return { cloud, hostId, poolId, things, plant };
}

describe('things that nothing explains', () => {
  it('are quarantined once, and never removed by themselves', async () => {
    const { cloud, hostId, poolId, things, plant } = await withPool();
    const objectId = plant();
    await cloud.sim.run(20 * A_LOOK_MS);
    const [row, ...others] = await cloud.rows(stray);
    expect(others).to.deep.equal([]);
    expect(row).to.include({ state: 'quarantined', objectKind: 'volume', objectId, place: poolId, hostId, generation: 1 });
    expect(things.find('volume', objectId)).not.to.equal(undefined);
  });

  it('are destroyed when an operator says so', async () => {
    const { cloud, things, plant } = await withPool();
    const objectId = plant();
    await cloud.sim.run(A_LOOK_MS);
    const [row] = await cloud.rows(stray);
    await cloud.sim.done('stray.remove', {}, row?.id);
    expect(things.find('volume', objectId)).to.equal(undefined);
    expect(await cloud.rows(stray)).to.deep.equal([]);
  });

  it('stay when only their record is deleted, and are found again', async () => {
    const { cloud, plant } = await withPool();
    const objectId = plant();
    await cloud.sim.run(A_LOOK_MS);
    const [first] = await cloud.rows(stray);
    await cloud.sim.done('stray.delete', {}, first?.id);
    await cloud.sim.run(A_LOOK_MS);
    const [second] = await cloud.rows(stray);
    expect(second).to.include({ objectId, state: 'quarantined' });
    expect(second?.id).not.to.equal(first?.id);
  });

  it('are dropped when they are gone', async () => {
    const { cloud, things, plant } = await withPool();
    const objectId = plant();
    await cloud.sim.run(A_LOOK_MS);
    things.delete('volume', objectId);
    await cloud.sim.run(A_LOOK_MS);
    expect(await cloud.rows(stray)).to.deep.equal([]);
  });

  it('are not removed from a host out of reach', async () => {
    const { cloud, things, plant } = await withPool();
    const objectId = plant();
    await cloud.sim.run(A_LOOK_MS);
    const [row] = await cloud.rows(stray);
    cloud.sim.world.disconnect('hv1');
    await cloud.sim.run(A_LOOK_MS);
    expect((await cloud.outcome('stray.remove', {}, row?.id)).error?.code).to.equal('unavailable');
    expect((await cloud.rows(stray))[0]).to.include({ state: 'quarantined' });
    expect(things.find('volume', objectId)).not.to.equal(undefined);
  });

  it('go with their host, whose things they no longer are', async () => {
    const { cloud, hostId, poolId, plant } = await withPool();
    plant();
    await cloud.sim.run(A_LOOK_MS);
    await cloud.sim.done('pool.delete', {}, poolId);
    await cloud.sim.done('host.delete', {}, hostId);
    expect(await cloud.rows(stray)).to.deep.equal([]);
  });

  it('are not recorded by a look that ends after the deletion of its host', async () => {
    const cloud = await LittleCloud.open();
    const hostId = await cloud.host('hv1');
    const { faults } = cloud.sim.world;
    const id = cloud.sim.kernel.services.ids.mint('network');
    cloud.sim.world.host('hv1').ensureNetwork({ id, name: 'unknown', owner: 'simulated-cloud', mode: 'nat', subnets: [] });
    faults.add({ command: 'listNetworks', times: 1, effect: 'aged', delayMs: 5000 });
    while (faults.struck.get('aged') === undefined) await cloud.sim.run(HEARTBEAT_MS);
    expect(await cloud.rows(stray), 'the look is under way').to.deep.equal([]);
    await cloud.sim.done('host.delete', {}, hostId);
    await cloud.sim.run(A_LOOK_MS);
    expect(await cloud.rows(stray)).to.deep.equal([]);
  });
});

/** A seed of no machine, a copy of no image, a port of no NIC, on a network that is known. */
async function withOthers(options: Parameters<typeof LittleCloud.open>[0] = {}) {
  const cloud = await LittleCloud.open(options);
  const hostId = await cloud.host('hv1');
  const poolId = await cloud.pool(hostId);
  const networkId = await cloud.sim.done('network.create', {
    name: 'net',
    driver: 'simulated',
    hostId,
    subnets: [{ cidr: '10.0.0.0/24' }],
  });
  const mint = (kind: string) => cloud.sim.kernel.services.ids.mint(kind);
  const [seed, image, nic] = [mint('instance'), mint('image'), mint('nic')];
  const things = cloud.sim.world.pools.get(`hv1/${poolId}`);
  things?.putSeed(seed, 512);
  things?.putImage(image, 4096, 4096);
  const ports = cloud.sim.world.host('hv1').networks.get(networkId)?.ports;
  ports?.set(nic, { nicId: nic, networkId, mac: '52:54:00:00:00:01', addresses: ['10.0.0.9'], hostname: 'unknown' } as never);
  await cloud.sim.run(A_LOOK_MS);
  const left = () => [...(things?.list() ?? []).map(({ kind }) => kind as string), ...(ports?.has(nic) === true ? ['port'] : [])].sort();
  const found = async () => (await cloud.rows(stray)).map(({ objectKind, objectId }) => ({ objectKind, objectId }));
  return { cloud, seed, image, nic, networkId, left, found };
}

describe('seeds, copies of images and ports that nothing explains', () => {
  it('are quarantined, and destroyed when an operator says so', async () => {
    const { cloud, seed, image, nic, networkId, left, found } = await withOthers();
    expect(await found()).to.have.deep.members([
      { objectKind: 'seed', objectId: seed },
      { objectKind: 'image', objectId: image },
      { objectKind: 'port', objectId: nic },
    ]);
    const rows = await cloud.rows(stray);
    expect(rows.find(({ objectKind }) => objectKind === 'port')?.details).to.deep.equal({ networkId, networkName: 'net' });
    expect(left()).to.deep.equal(['image', 'port', 'seed']);
    for (const row of rows) {
      const error = await cloud.outcome('stray.adopt', {}, row.id).catch((thrown: { code: string }) => thrown);
      expect(error).to.include({ code: 'unsupported' });
      await cloud.sim.done('stray.remove', {}, row.id);
    }
    expect(left()).to.deep.equal([]);
    await cloud.sim.run(A_LOOK_MS);
    expect(await found()).to.deep.equal([]);
  });
});

describe('a policy for what nothing explains', () => {
  const policy = { 'strays.volumes': 'adopt', 'strays.ports': 'remove', 'strays.seeds': 'remove' };

  it('adopts or removes it when its time is over, and keeps the rest', async () => {
    const { cloud, left, found } = await withOthers({ presets: { 'strays.afterSeconds': 600, ...policy } });
    const [poolId] = (await cloud.rows(pool)).map(({ id }) => id);
    const volumeId = cloud.sim.kernel.services.ids.mint('volume');
    cloud.sim.world.pools.get(`hv1/${poolId}`)?.createVolume(volumeId, GIB, undefined);
    await cloud.sim.run(300_000);
    expect(left()).to.deep.equal(['image', 'port', 'seed', 'volume']);
    await cloud.sim.run(600_000);
    expect(left()).to.deep.equal(['image', 'volume']);
    expect((await found()).map(({ objectKind }) => objectKind)).to.deep.equal(['image']);
    expect(await cloud.row(volume, volumeId)).to.include({ state: 'available', sizeBytes: GIB });
  });

  it('waits until a restore is confirmed', async () => {
    const { cloud, left } = await withOthers({ presets: { 'strays.afterSeconds': 10, ...policy } });
    await cloud.sim.environment.complete(
      cloud.sim.kernel.observe([{ op: 'update', table: 'setting', key: 'incarnation.confirmed', set: { value: 'yesterday' } }]),
    );
    cloud.sim.crash();
    await cloud.sim.start();
    await cloud.sim.run(600_000);
    expect(left()).to.deep.equal(['image', 'port', 'seed']);
    await cloud.ask('POST', '/recovery/confirm');
    await cloud.sim.run(60_000);
    expect(left()).to.deep.equal(['image']);
  });
});

describe('late arrivals of what was deleted', () => {
  it('are removed', async () => {
    const { cloud, things } = await withPool();
    const id = await cloud.volume(GIB);
    await cloud.sim.done('volume.delete', {}, id);
    things.createVolume(id, GIB, undefined);
    await cloud.sim.run(A_LOOK_MS);
    expect(things.find('volume', id)).to.equal(undefined);
    expect(await cloud.rows(stray)).to.deep.equal([]);
  });

  it('of a creation that was unwound are removed, too', async () => {
    const { cloud, things } = await withPool();
    cloud.sim.world.faults.add({ command: 'volumes.create', times: 3, effect: 'late', delayMs: 30_000 });
    const row = await cloud.outcome('volume.create', { sizeBytes: GIB });
    expect(row.error?.code).to.equal('timeout');
    await cloud.sim.run(120_000);
    expect(things.list()).to.deep.equal([]);
    expect(await cloud.rows(volume)).to.deep.equal([]);
  });
});

describe('after a restore', () => {
  it('removes nothing by itself until an operator confirms', async () => {
    const { cloud, things } = await withPool();
    const id = await cloud.volume(GIB);
    await cloud.sim.done('volume.delete', {}, id);
    // The store of another incarnation.
    await cloud.sim.environment.complete(
      cloud.sim.kernel.observe([{ op: 'update', table: 'setting', key: 'incarnation.confirmed', set: { value: 'yesterday' } }]),
    );
    cloud.sim.crash();
    await cloud.sim.start();
    expect(await cloud.ask('GET', '/recovery')).to.deep.equal({ confirmed: false, incarnation: 'simulated' });
    things.createVolume(id, GIB, undefined);
    await cloud.sim.run(5 * A_LOOK_MS);
    expect(things.find('volume', id)).not.to.equal(undefined);
    expect(await cloud.ask('POST', '/recovery/confirm')).to.deep.equal({ confirmed: true, incarnation: 'simulated' });
    await cloud.sim.run(A_LOOK_MS);
    expect(things.find('volume', id)).to.equal(undefined);
  });
});
