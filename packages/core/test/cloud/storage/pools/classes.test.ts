import { expect } from 'chai';
import fc from 'fast-check';
import { pool, storageClass } from '../../../../src/cloud/index.ts';
import { limitsInForce } from '../../../../src/cloud/storage/contract.ts';
import type { CloudError } from '../../../../src/kernel/index.ts';
import { LOOK_MS, MachineStage } from '../../compute/machine-stage.ts';
import { GIB } from '../../little-cloud.ts';

const FAST = { name: 'fast', replicas: 3, deviceClass: 'ssd', iopsPerSecond: { base: 100, perGib: 50, max: 1000 } };

async function open() {
  const stage = await MachineStage.with({ network: false });
  const shared = (more: object = {}) =>
    stage.sim.done('pool.create', { name: 'ceph', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'fast', ...more });
  const become = async (id: string, facts: object) => {
    const there = stage.sim.world.pools.get(id);
    if (there !== undefined) there.facts = { ...there.facts, ...facts };
    await stage.sim.run(LOOK_MS);
  };
  const failure = async (action: string, input: object, id?: string) => {
    const ended = await stage.outcome(action, input, id).catch((error: CloudError) => ({ error }));
    return ended.error && [ended.error.code, ended.error.pointer];
  };
  return { stage, shared, become, failure };
}

describe('storage classes', () => {
  it('are kept by the pools that carry their name', async () => {
    const { stage, shared } = await open();
    const id = await stage.sim.done('storageClass.create', FAST);
    expect(await stage.row(pool, await shared())).to.include({ storageClass: 'fast', classId: id });
  });

  it('refuse a pool that keeps fewer copies, or is made of something else, and nothing is left of it', async () => {
    const { stage, failure } = await open();
    await stage.sim.done('storageClass.create', FAST);
    const pools = (await stage.rows(pool)).length;
    expect(await failure('pool.create', { driver: 'simulated', hostId: stage.hostIds[0], storageClass: 'fast' })).to.deep.equal([
      'conflict',
      '/storageClass',
    ]);
    expect(await failure('pool.update', { storageClass: 'fast' }, stage.poolIds[0])).to.deep.equal(['conflict', '/storageClass']);
    await stage.sim.done('storageClass.create', { name: 'slow', deviceClass: 'hdd' });
    const driver = { driver: 'simulated-shared', clusterId: stage.clusterId };
    expect(await failure('pool.create', { ...driver, storageClass: 'slow' })).to.deep.equal(['conflict', '/storageClass']);
    expect(await stage.rows(pool)).to.have.length(pools);
  });

  it('made for pools that are there ask the same of them', async () => {
    const { stage, shared, failure } = await open();
    const id = await shared();
    expect(await failure('storageClass.create', { ...FAST, replicas: 4 })).to.deep.equal(['conflict', '/replicas']);
    expect(await stage.rows(storageClass)).to.deep.equal([]);
    const made = await stage.sim.done('storageClass.create', FAST);
    expect((await stage.row(pool, id)).classId).to.equal(made);
    expect(await failure('storageClass.update', { replicas: 4 }, made)).to.deep.equal(['conflict', '/replicas']);
    expect(await failure('storageClass.update', { name: 'faster' }, made)).to.deep.equal(['invalid_input', '/name']);
    expect(await failure('storageClass.update', { iopsPerSecond: { base: 9, perGib: 0, max: 8 } }, made)).to.deep.equal([
      'invalid_input',
      '/iopsPerSecond/max',
    ]);
  });

  it('promise of writes and of what copies are apart by, too, and name the promise that a pool does not keep', async () => {
    const { stage, shared, become, failure } = await open();
    const id = await shared();
    const fails = (input: object, at?: string) => failure(at === undefined ? 'storageClass.create' : 'storageClass.update', input, at);
    expect(await fails({ name: 'fast', replicasMin: 3 })).to.deep.equal(['conflict', '/replicasMin']);
    expect(await fails({ name: 'fast', failureDomains: ['rack', 'room'] })).to.deep.equal(['conflict', '/failureDomains']);
    expect(await fails({ name: 'fast', deviceClass: 'hdd' })).to.deep.equal(['conflict', '/deviceClass']);
    expect(await fails({ name: 'fast', replicas: 2, replicasMin: 3 })).to.deep.equal(['invalid_input', '/replicasMin']);
    const promises = { replicas: 3, replicasMin: 2, failureDomains: ['host', 'rack'] };
    const classId = await stage.sim.done('storageClass.create', { name: 'fast', ...promises });
    expect(await fails({ replicas: 1 }, classId)).to.deep.equal(['invalid_input', '/replicasMin']);
    expect(await fails({ failureDomains: ['rack'] }, classId)).to.deep.equal(['conflict', '/failureDomains']);
    const shortfall = async (facts: object) => {
      await become(id, facts);
      return (await stage.row(pool, id)).shortfall;
    };
    expect(await shortfall({ replicasMin: 1 })).to.equal('takes writes with 1 copy; its class fast promises 2 copies');
    expect(await shortfall({ replicasMin: 2, failureDomain: 'osd' })).to.equal(
      'keeps copies apart by osd; its class fast promises host or rack',
    );
    expect(await shortfall({ failureDomain: 'rack' })).to.equal(undefined);
    // Nothing is told of a directory of a host: it is one copy, apart from nothing.
    await stage.sim.done('storageClass.create', { name: 'apart', failureDomains: ['host'] });
    expect(await failure('pool.update', { storageClass: 'apart' }, stage.poolIds[0])).to.deep.equal(['conflict', '/storageClass']);
    await stage.sim.done('storageClass.update', { replicasMin: null, failureDomains: null }, classId);
    expect(await shortfall({ replicasMin: 1, failureDomain: 'osd' })).to.equal(undefined);
  });

  it('with pools are not deleted; without, they are', async () => {
    const { stage, shared, failure } = await open();
    const id = await stage.sim.done('storageClass.create', FAST);
    const poolId = await shared();
    expect((await failure('storageClass.delete', {}, id))?.[0]).to.equal('in_use');
    await stage.sim.done('pool.update', { storageClass: 'plain' }, poolId);
    expect((await stage.row(pool, poolId)).classId).to.equal(undefined);
    await stage.sim.done('storageClass.delete', {}, id);
    expect(await stage.rows(storageClass)).to.deep.equal([]);
  });

  it('stop a pool that sinks below what they promise from taking volumes, until it keeps it again', async () => {
    const { stage, shared, become } = await open();
    await stage.sim.done('storageClass.create', FAST);
    const id = await shared();
    const wanted = { sizeBytes: GIB, storageClass: 'fast' };
    await stage.volume(GIB, { storageClass: 'fast' });
    await become(id, { replicas: 2 });
    const shortfall = 'keeps 2 copies; its class fast promises 3 copies';
    expect(await stage.row(pool, id)).to.include({ health: 'healthy', shortfall });
    expect((await stage.refusal('volume.create', wanted)).params).to.deep.equal({ reasons: { ceph: shortfall } });
    await become(id, { replicas: 3 });
    expect((await stage.row(pool, id)).shortfall).to.equal(undefined);
    await stage.sim.done('volume.create', wanted);
  });

  it('limit disks by their size: of machines that are started, live when the class changes, and beside tighter ones of their own', async () => {
    const { stage, shared } = await open();
    const classId = await stage.sim.done('storageClass.create', FAST);
    await shared();
    const fast = { storageClass: 'fast', sizeBytes: 4 * GIB };
    const id = await stage.machine({ rootVolume: fast, volumes: [{ ...fast, sizeBytes: 2 * GIB, limits: { iopsPerSecond: 150 } }] });
    const [root, data] = await stage.disks(id);
    const inForce = (diskId = '') => stage.real(id).observe().limits?.disks?.[diskId];
    expect([inForce(root?.id), inForce(data?.id)]).to.deep.equal([{ iopsPerSecond: 300 }, { iopsPerSecond: 150 }]);
    await stage.sim.done(
      'storageClass.update',
      { iopsPerSecond: { base: 10, perGib: 10 }, bytesPerSecond: { base: 0, perGib: 1e6 } },
      classId,
    );
    await stage.sim.run(LOOK_MS);
    expect([inForce(root?.id), inForce(data?.id)]).to.deep.equal([
      { iopsPerSecond: 50, bytesPerSecond: 4e6 },
      { iopsPerSecond: 30, bytesPerSecond: 2e6 },
    ]);
    await stage.sim.done('volume.setLimits', { limits: { iopsPerSecond: 5 } }, data?.id);
    expect(inForce(data?.id)).to.deep.equal({ iopsPerSecond: 5, bytesPerSecond: 2e6 });
    await stage.sim.done('volume.setLimits', { limits: { iopsPerSecond: 0 } }, data?.id);
    expect(inForce(data?.id)).to.deep.equal({ iopsPerSecond: 30, bytesPerSecond: 2e6 });
    await stage.sim.done('storageClass.update', { iopsPerSecond: null, bytesPerSecond: null }, classId);
    await stage.sim.run(LOOK_MS);
    expect([inForce(root?.id), inForce(data?.id)]).to.deep.equal([undefined, undefined]);
    const { generation } = await stage.instance(id);
    await stage.sim.run(2 * LOOK_MS);
    expect((await stage.instance(id)).generation).to.equal(generation);
  });

  it('never allow less to a larger volume, nor more than the maximum or the own limit', () => {
    const rule = fc.record({ base: fc.nat(1e6), perGib: fc.float({ min: 0, max: 1e6, noNaN: true }), more: fc.nat(1e9) });
    const gib = fc.nat(1 << 20);
    fc.assert(
      fc.property(rule, gib, gib, fc.option(fc.nat(1e6), { nil: undefined }), ({ base, perGib, more }, some, further, own) => {
        const max = Math.max(1, base + more);
        const of = { iopsPerSecond: { base, perGib, max } };
        const at = (sizeBytes: number) =>
          limitsInForce(of, { sizeBytes, ...(own === undefined ? {} : { limits: { iopsPerSecond: own } }) })?.iopsPerSecond ?? 0;
        const [small, large] = [at(some * GIB), at((some + further) * GIB)];
        expect(small).to.be.at.least(1).and.at.most(large);
        expect(large).to.be.at.most(max);
        if (own !== undefined && own > 0) expect(large).to.be.at.most(own);
      }),
    );
  });
});
