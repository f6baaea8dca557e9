import { expect } from 'chai';
import { host, pool } from '../../../src/cloud/index.ts';
import { hostLook } from '../../../src/cloud/topology/index.ts';
import { HEARTBEATS_PER_LOOK } from '../../../src/cloud/topology/points.ts';
import { debt, onContribution, type Plugin } from '../../../src/kernel/index.ts';
import { GIB, HEARTBEAT_MS, LittleCloud } from '../little-cloud.ts';

/** Counts the looks that modules are asked for. */
function witness() {
  const looks: { readonly hostId: string; readonly machineId?: string }[] = [];
  const plugin: Plugin = {
    id: 'witness',
    version: '1',
    hooks: [
      onContribution(hostLook, ({ hostId, machineId }) => {
        looks.push({ hostId, ...(machineId === undefined ? {} : { machineId }) });
      }),
    ],
  };
  return { looks, plugin };
}

/** Nearly as long as it takes to be given up. */
const LONG_ENOUGH_MS = 10 * HEARTBEAT_MS;

describe('the watch over hosts', () => {
  it('writes nothing while nothing changes, and looks inside now and then', async () => {
    const { looks, plugin } = witness();
    const cloud = await LittleCloud.open({ plugins: [plugin] });
    await cloud.pool(await cloud.host('hv1'));
    await cloud.sim.run(LONG_ENOUGH_MS);
    const revision = await cloud.revision();
    looks.length = 0;
    await cloud.sim.run(4 * HEARTBEATS_PER_LOOK * HEARTBEAT_MS);
    expect(await cloud.revision()).to.equal(revision);
    expect(looks.length).to.be.within(3, 5);
  });

  it('reads the pools of the host it looks at, however many others there are', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.host('hv1');
    await cloud.pool(id);
    await cloud.pool(await cloud.host('hv2'));
    const { reader } = cloud.sim.kernel;
    const list = reader.list.bind(reader);
    const asked: unknown[] = [];
    reader.list = (kind, where, options) => {
      if ((kind as unknown) === pool) asked.push(where);
      return list(kind, where, options);
    };
    await cloud.sim.run(2 * HEARTBEATS_PER_LOOK * HEARTBEAT_MS);
    expect(asked).to.deep.include({ field: 'hostId', op: '=', value: id });
    expect(asked).not.to.include(undefined);
  });

  it('infers nothing from one or two failed looks', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.host('hv1');
    await cloud.sim.run(LONG_ENOUGH_MS);
    const { generation } = await cloud.row(host, id);
    cloud.sim.world.faults.add({ host: 'hv1', command: 'inventory', times: 2, effect: 'fail', fault: 'unavailable' });
    await cloud.sim.run(LONG_ENOUGH_MS);
    expect(await cloud.row(host, id)).to.include({ status: 'connected', generation });
  });

  it('shows a host that misses three looks as disconnected with its pools, and as connected when it is back', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.host('hv1');
    const poolId = await cloud.pool(id);
    // Between two looks: one that is under way ends with its calls.
    await cloud.sim.run(2 * HEARTBEAT_MS);
    cloud.sim.world.partition('hv1');
    await cloud.sim.run(LONG_ENOUGH_MS);
    const lost = await cloud.row(host, id);
    expect(lost).to.include({ status: 'disconnected', state: 'enabled', statusReason: 'It missed 3 looks in a row.' });
    expect((await cloud.row(pool, poolId)).status).to.equal('disconnected');
    cloud.sim.world.reconnect('hv1');
    await cloud.sim.run(LONG_ENOUGH_MS);
    expect((await cloud.row(host, id)).status).to.equal('connected');
    expect(await cloud.row(host, id)).not.to.have.property('statusReason');
    expect((await cloud.row(pool, poolId)).status).to.equal('connected');
  });

  it('pays what is owed to a host that is back', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.host('hv1');
    const poolId = await cloud.pool(id);
    const volumeId = await cloud.volume(GIB);
    cloud.sim.world.crash('hv1');
    await cloud.sim.run(LONG_ENOUGH_MS);
    await cloud.sim.done('volume.delete', { force: true }, volumeId);
    const [owed] = await cloud.rows(debt);
    expect(owed).to.include({ task: 'volume.delete', place: id, state: 'owed' });
    const refusal = await cloud.outcome('host.delete', {}, id).then(
      (row) => row.error?.code,
      (error: { code: string }) => error.code,
    );
    expect(refusal).to.equal('in_use');
    cloud.sim.world.boot('hv1');
    await cloud.sim.run(LONG_ENOUGH_MS);
    expect(await cloud.rows(debt)).to.deep.equal([]);
    expect(cloud.sim.world.pools.get(`hv1/${poolId}`)?.list()).to.deep.equal([]);
  });

  it('shows of each debt why it is not paid, once for each reason, and tries for ever without holding up the others', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.host('hv1');
    await cloud.pool(id);
    const volumes = [await cloud.volume(GIB), await cloud.volume(GIB), await cloud.volume(GIB)];
    cloud.sim.world.crash('hv1');
    await cloud.sim.run(LONG_ENOUGH_MS);
    for (const volumeId of volumes) await cloud.sim.done('volume.delete', { force: true }, volumeId);
    const heal = cloud.sim.world.faults.add({ command: 'volumes.delete', effect: 'fail', fault: 'unavailable' });
    cloud.sim.world.boot('hv1');
    await cloud.sim.run(10 * LONG_ENOUGH_MS);
    const owed = await cloud.rows(debt);
    expect(owed.map(({ place, stateReason, generation }) => [place, stateReason?.code, generation])).to.deep.equal(
      volumes.map(() => [id, 'unavailable', 2]),
    );
    heal();
    await cloud.sim.run(LONG_ENOUGH_MS);
    expect(await cloud.rows(debt)).to.deep.equal([]);
  });

  it('is not held up by a host that never answers', async () => {
    const cloud = await LittleCloud.open();
    for (let number = 1; number <= 20; number += 1) await cloud.host(`hv${number}`);
    for (let number = 2; number <= 20; number += 1) cloud.sim.world.freeze(`hv${number}`);
    const quick = cloud.sim.world.host('hv1');
    Object.assign(quick, { inventory: { ...quick.inventory, cpus: 96 } });
    await cloud.sim.run(2 * HEARTBEAT_MS);
    expect((await cloud.rows(host)).find(({ name }) => name === 'hv1')?.cpus).to.equal(96);
  });

  it('takes over what changed on a host, and promises accordingly', async () => {
    const cloud = await LittleCloud.open({}, { vcpuOvercommit: 2 });
    const id = await cloud.host('hv1', { cpus: 8, memoryBytes: 64 * GIB });
    const world = cloud.sim.world.host('hv1');
    Object.assign(world, { inventory: { ...world.inventory, cpus: 16, memoryBytes: 32 * GIB } });
    await cloud.sim.run(2 * HEARTBEAT_MS);
    expect(await cloud.row(host, id)).to.include({ cpus: 16, memoryBytes: 32 * GIB });
    expect((await cloud.counter(`capacity/host/${id}/vcpus`))?.limit).to.equal(32);
    expect((await cloud.counter(`capacity/host/${id}/memoryBytes`))?.limit).to.equal(32 * GIB);
  });

  it('does not take another machine at the same address for the host', async () => {
    const cloud = await LittleCloud.open();
    const id = await cloud.host('hv1');
    const stranger = cloud.sim.world.addHost('stranger');
    cloud.sim.world.hosts.set('hv1', stranger);
    await cloud.sim.run(LONG_ENOUGH_MS);
    expect((await cloud.row(host, id)).status).to.equal('disconnected');
  });

  it('makes one look of a burst of hints, and forgets none', async () => {
    const { looks, plugin } = witness();
    const cloud = await LittleCloud.open({ plugins: [plugin] });
    const hostId = await cloud.host('hv1');
    await cloud.sim.run(LONG_ENOUGH_MS);
    const world = cloud.sim.world.host('hv1');
    looks.length = 0;
    for (let times = 0; times < 10; times += 1) {
      world.hint('machine-a');
      world.hint('machine-b');
    }
    await cloud.sim.run(200);
    expect(looks.filter(({ machineId }) => machineId !== undefined)).to.have.deep.members([
      { hostId, machineId: 'machine-a' },
      { hostId, machineId: 'machine-b' },
    ]);
    looks.length = 0;
    for (let number = 0; number < 40; number += 1) world.hint(`machine-${number}`);
    await cloud.sim.run(200);
    expect(looks).to.deep.equal([{ hostId }]);
  });

  it('goes on watching after a restart, and stops with the host', async () => {
    const { looks, plugin } = witness();
    const cloud = await LittleCloud.open({ plugins: [plugin] });
    const id = await cloud.host('hv1');
    cloud.sim.crash();
    await cloud.sim.start();
    cloud.sim.world.disconnect('hv1');
    await cloud.sim.run(LONG_ENOUGH_MS);
    expect((await cloud.row(host, id)).status).to.equal('disconnected');
    cloud.sim.world.reconnect('hv1');
    await cloud.sim.run(LONG_ENOUGH_MS);
    await cloud.sim.done('host.delete', {}, id);
    looks.length = 0;
    await cloud.sim.run(20 * HEARTBEAT_MS);
    expect(looks).to.deep.equal([]);
  });

  it('changes nothing when the control plane was away for an hour', async () => {
    const cloud = await LittleCloud.open();
    await cloud.pool(await cloud.host('hv1'));
    await cloud.sim.run(LONG_ENOUGH_MS);
    const revision = await cloud.revision();
    cloud.sim.crash();
    await cloud.sim.run(3600_000);
    await cloud.sim.start();
    await cloud.sim.run(LONG_ENOUGH_MS);
    expect(await cloud.revision()).to.equal(revision);
  });
});
