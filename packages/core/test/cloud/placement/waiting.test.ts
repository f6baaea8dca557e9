import { expect } from 'chai';
import { instance, volume } from '../../../src/cloud/index.ts';
import { operation, type Principal } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { GIB } from '../little-cloud.ts';

/** One host with two processors, and sizes of one (`small`) and of two (`large`). */
async function tight() {
  const stage = await MachineStage.with({ cpus: 2, network: false, cluster: { vcpuOvercommit: 1 } });
  await stage.sim.done('instanceType.create', { name: 'large', vcpus: 2, memoryBytes: GIB });
  const wait = (more: object = {}) => stage.sim.submit('instance.create', stage.input({ whenFull: 'wait', ...more }));
  const state = async (operationId: string) => (await stage.row(operation, operationId)).state;
  /** Until nothing more comes of it. */
  const settle = () => stage.sim.run(5000);
  return { stage, wait, state, settle };
}

describe('machines that wait for room', () => {
  it('wait in their operations, with their rows, and are made when there is room', async () => {
    const { stage, wait, settle } = await tight();
    const first = await stage.machine({ instanceType: 'large' });
    const { operationId, resourceId } = await wait({ volumes: [{ sizeBytes: 4096 }] });
    await settle();
    const waiting = await stage.row(operation, operationId);
    expect(waiting).to.include({ state: 'queued', waitsFor: 'capacity' });
    expect(waiting.notes?.placement).to.deep.equal({
      waiting: 'No host can take it.',
      reasons: { hv1: 'has 0 of 1 virtual processors free' },
    });
    expect(await stage.instance(resourceId))
      .to.include({ state: 'creating', waitsFor: 'capacity' })
      .and.not.have.property('hostId');
    expect(await stage.rows(volume)).to.have.length(1);
    await stage.sim.done('instance.delete', {}, first);
    const ended = await stage.sim.ended(operationId, 5000);
    expect(ended).to.include({ state: 'succeeded' }).and.not.have.property('waitsFor');
    expect(await stage.instance(resourceId))
      .to.include({ state: 'running', hostId: stage.hostIds[0] })
      .and.not.have.property('waitsFor');
    expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([1, GIB]);
    await stage.sim.done('instance.delete', {}, resourceId);
    expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([0, 0]);
  });

  it('do not wait where there is room, nor unless that was asked for', async () => {
    const { stage, wait } = await tight();
    expect((await stage.sim.ended((await wait()).operationId)).state).to.equal('succeeded');
    await stage.machine();
    expect((await stage.refusal('instance.create', stage.input())).code).to.equal('no_capacity');
  });

  it('keep no smaller one waiting', async () => {
    const { stage, wait, state, settle } = await tight();
    const ones = [await stage.machine(), await stage.machine()];
    const large = await wait({ instanceType: 'large' });
    const small = await wait();
    await stage.sim.done('instance.delete', {}, ones[0]);
    expect((await stage.sim.ended(small.operationId, 5000)).state).to.equal('succeeded');
    await settle();
    expect(await state(large.operationId)).to.equal('queued');
    await stage.sim.done('instance.delete', {}, ones[1]);
    await stage.sim.done('instance.delete', {}, small.resourceId);
    expect((await stage.sim.ended(large.operationId, 5000)).state).to.equal('succeeded');
  });

  it('of several accounts are made in turn, those of each in the order of their coming', async () => {
    const { stage, wait, state, settle } = await tight();
    const ones = [await stage.machine(), await stage.machine()];
    const many = [await wait(), await wait(), await wait()];
    const other = { ...stage.sim.principal, accountId: '01890000-0000-7000-8000-0000000000ff' as Principal['accountId'] };
    const late = await stage.sim.environment.complete(
      stage.sim.kernel.submit({ action: 'instance.create', input: stage.input({ whenFull: 'wait' }), principal: other }),
    );
    const states = () => Promise.all([...many, late].map(({ operationId }) => state(operationId)));
    await stage.sim.done('instance.delete', {}, ones[0]);
    await settle();
    expect(await states()).to.deep.equal(['succeeded', 'queued', 'queued', 'queued']);
    await stage.sim.done('instance.delete', {}, ones[1]);
    await settle();
    expect(await states()).to.deep.equal(['succeeded', 'queued', 'queued', 'succeeded']);
    await stage.sim.done('instance.delete', {}, many[0]?.resourceId);
    await settle();
    expect(await states()).to.deep.equal(['succeeded', 'succeeded', 'queued', 'succeeded']);
  });

  it('take no place among the operations at work, however many they are', async () => {
    const { stage, wait, settle } = await tight();
    const ones = [await stage.machine(), await stage.machine({ start: false })];
    const asked = [];
    for (let count = 0; count < 300; count += 1) asked.push(await wait());
    await stage.sim.done('instance.start', {}, ones[1]);
    await stage.sim.done('instance.delete', {}, ones[0]);
    await settle();
    const states = (await stage.rows(instance)).map((row) => row.state);
    expect(states.filter((each) => each === 'running')).to.have.length(2);
    expect(states.filter((each) => each === 'creating')).to.have.length(299);
    expect((await stage.instance(asked[0]?.resourceId ?? '')).state).to.equal('running');
  });

  it('are made when a host or a larger promise comes', async () => {
    const { stage, wait } = await tight();
    await stage.machine({ instanceType: 'large' });
    const first = await wait();
    await stage.sim.done('cluster.update', { vcpuOvercommit: 1.5 }, stage.clusterId);
    expect((await stage.sim.ended(first.operationId, 5000)).state).to.equal('succeeded');
    const second = await wait();
    await stage.pool(await stage.host('hv2'));
    expect((await stage.sim.ended(second.operationId, 5000)).state).to.equal('succeeded');
  });

  for (const how of ['cancel', 'delete', 'force'] as const)
    it(`leave nothing behind when they are given up (${how})`, async () => {
      const { stage, wait } = await tight();
      await stage.machine({ instanceType: 'large' });
      const before = await stage.sim.residue();
      const { operationId, resourceId } = await wait({ userData: '#cloud-config' });
      if (how === 'cancel') await stage.sim.environment.complete(stage.sim.kernel.operations.cancel(operationId));
      else await stage.sim.done('instance.delete', how === 'force' ? { force: true } : {}, resourceId);
      expect(await stage.sim.ended(operationId, 5000))
        .to.include({ state: 'cancelled' })
        .and.not.have.property('waitsFor');
      expect(await stage.instance(resourceId))
        .to.include({ state: 'deleted' })
        .and.not.have.property('waitsFor');
      expect(await stage.sim.residue()).to.equal(before);
    });

  it('refuse what needs a host', async () => {
    const { stage, wait } = await tight();
    await stage.machine({ instanceType: 'large' });
    const { resourceId } = await wait();
    const { code, publicMessage } = await stage.refusal('instance.resize', { vcpus: 2 }, resourceId);
    expect(code).to.equal('conflict');
    expect(publicMessage).to.match(/waits for room/);
  });

  it('fail when what they asked for is gone', async () => {
    const { stage, wait } = await tight();
    const first = await stage.machine({ instanceType: 'large' });
    const networkId = await stage.network();
    const { operationId, resourceId } = await wait({ nics: [{ networkId }] });
    await stage.sim.done('network.delete', {}, networkId);
    await stage.sim.done('instance.delete', {}, first);
    const { state, error, waitsFor } = await stage.sim.ended(operationId, 5000);
    expect([state, error?.code, waitsFor]).to.deep.equal(['failed', 'not_found', undefined]);
    expect((await stage.instance(resourceId)).state).to.equal('deleted');
  });

  it('are made once, whenever the control plane is killed', async function () {
    this.timeout(300_000);
    const { stage, wait } = await tight();
    for (let pauseMs = 0; pauseMs < 400; pauseMs += 10) {
      const first = await stage.machine({ instanceType: 'large' });
      const { operationId, resourceId } = await wait({ volumes: [{ sizeBytes: 4096 }] });
      stage.sim.crash();
      await stage.sim.start();
      const { operationId: removal } = await stage.sim.submit('instance.delete', {}, first);
      await stage.sim.run(pauseMs);
      stage.sim.crash();
      expect((await stage.sim.ended(removal)).state).to.equal('succeeded');
      expect((await stage.sim.ended(operationId)).state, `after ${pauseMs} ms`).to.equal('succeeded');
      expect(stage.copies(resourceId)).to.equal(1);
      expect(await stage.disks(resourceId)).to.have.length(2);
      for (const row of await stage.disks(resourceId))
        if (row.slot === 1) await stage.sim.done('instance.detachVolume', { volumeId: row.id }, resourceId);
      expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([1, GIB]);
      await stage.sim.done('instance.delete', {}, resourceId);
    }
    expect(stage.sim.world.violations).to.deep.equal([]);
  });
});
