import { expect } from 'chai';
import { LOOK_MS, MachineStage } from './machine-stage.ts';

const SECOND_MS = 1000;
/** A call of a step is given up after that. */
const GIVEN_UP_MS = 60 * SECOND_MS;
/** `hosts.lateSeconds`. */
const LATE_MS = 60 * SECOND_MS;

/** Two hosts with a pool and a network that both reach; `machine` makes one on the first. */
async function open(more: ConstructorParameters<typeof MachineStage>[0] = {}) {
  const stage = await MachineStage.with({ hosts: 2, network: false }, more);
  const poolId = await stage.sim.done('pool.create', {
    ...{ name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' },
  });
  const machine = () => stage.machine({ hostId: stage.hostIds[0], rootVolume: { storageClass: 'shared' } });
  /** Such calls are carried out so long after they were given up. */
  const late = (command: string, delayMs: number, times: number) => stage.sim.world.faults.add({ command, times, effect: 'late', delayMs });
  const disks = (id: string) => stage.real(id).spec.disks.map(({ volumeId }) => volumeId);
  const ask = (verb: string, input: object, id: string) => stage.outcome(`instance.${verb}`, input, id);
  return { stage, poolId, machine, late, disks, ask };
}

describe('what a host does late', () => {
  it('plugs in no disk that another machine has by then', async () => {
    const { stage, poolId, machine, late, disks, ask } = await open();
    const [id, other] = [await machine(), await machine()];
    const volumeId = await stage.volume(8192, { poolId });
    late('hotplug.attachDisk', 5 * SECOND_MS, 3);
    expect((await ask('attachVolume', { volumeId }, id)).error?.code).to.equal('timeout');
    expect((await ask('attachVolume', { volumeId }, other)).state).to.equal('succeeded');
    await stage.sim.run(2 * GIVEN_UP_MS);
    expect([disks(id).includes(volumeId), disks(other).includes(volumeId), stage.sim.world.violations]).to.deep.equal([false, true, []]);
  });

  it('plugs in no disk again that was taken out, where it was asked twice', async () => {
    const { stage, poolId, machine, late, disks, ask } = await open();
    const [id, other] = [await machine(), await machine()];
    const volumeId = await stage.volume(8192, { poolId });
    late('hotplug.attachDisk', 20 * SECOND_MS, 1);
    for (const [verb, of] of [
      ['attachVolume', id],
      ['detachVolume', id],
      ['attachVolume', other],
    ] as const)
      expect((await ask(verb, { volumeId }, of)).state, verb).to.equal('succeeded');
    await stage.sim.run(2 * GIVEN_UP_MS);
    expect([disks(id).includes(volumeId), disks(other).includes(volumeId), stage.sim.world.violations]).to.deep.equal([false, true, []]);
  });

  it('takes out no disk that was plugged in again', async () => {
    const { stage, poolId, machine, late, disks, ask } = await open();
    const id = await machine();
    const volumeId = await stage.volume(8192, { poolId });
    await ask('attachVolume', { volumeId }, id);
    late('hotplug.detachDisk', 20 * SECOND_MS, 1);
    for (const verb of ['detachVolume', 'attachVolume']) expect((await ask(verb, { volumeId }, id)).state, verb).to.equal('succeeded');
    let isOut = false;
    for (let second = 0; second < 60; second += 1) {
      await stage.sim.run(SECOND_MS);
      isOut ||= !disks(id).includes(volumeId);
    }
    expect([isOut, stage.sim.world.violations]).to.deep.equal([false, []]);
  });

  it('puts no ISO into a drive that was to stay empty', async () => {
    const { stage, machine, late, ask } = await open();
    const id = await machine();
    const imageId = await stage.iso('drivers');
    late('drive.insert', 5 * SECOND_MS, 3);
    expect((await ask('attachIso', { imageId }, id)).error?.code).to.equal('timeout');
    let isIn = false;
    for (let second = 0; second < 60; second += 1) {
      await stage.sim.run(SECOND_MS);
      isIn ||= stage.real(id).spec.iso !== undefined;
    }
    expect(isIn).to.equal(false);
  });

  it('takes out no NIC that was to stay, because its detachment failed', async () => {
    const { stage, machine, late, ask } = await open();
    const id = await machine();
    await ask('attachNic', { networkId: await stage.network() }, id);
    const [nic] = await stage.nics(id);
    late('hotplug.detachNic', 5 * SECOND_MS, 3);
    expect((await ask('detachNic', { nicId: nic?.id }, id)).error?.code).to.equal('timeout');
    let isOut = false;
    for (let second = 0; second < 60; second += 1) {
      await stage.sim.run(SECOND_MS);
      isOut ||= stage.real(id).spec.nics.length === 0;
    }
    expect([isOut, (await stage.nics(id)).map(({ state }) => state)]).to.deep.equal([false, ['attached']]);
  });

  it('is waited for no longer than it takes where every call was answered', async () => {
    const { stage, poolId, machine, ask } = await open();
    const id = await machine();
    const volumeId = await stage.volume(8192, { poolId });
    stage.sim.world.faults.add({ command: 'hotplug.attachDisk', times: 1, effect: 'fail', fault: 'conflict' });
    const beganMs = stage.sim.environment.clock.monotonicMs();
    expect((await ask('attachVolume', { volumeId }, id)).error?.code).to.equal('conflict');
    expect(stage.sim.environment.clock.monotonicMs() - beganMs).to.be.below(SECOND_MS);
  });
});

describe('a removal that a host carries out late', () => {
  it('ends no machine that has come back: it may not, until the host has answered for a while', async () => {
    const { stage, machine, late, ask } = await open();
    const id = await machine();
    await stage.sim.run(LOOK_MS);
    late('machines.remove', 30 * SECOND_MS, 1);
    expect((await ask('migrate', {}, id)).state).to.equal('succeeded');
    const [hostId] = stage.hostIds;
    const refused = await stage.refusal('instance.migrate', { hostId }, id);
    expect([refused.code, refused.pointer, refused.params]).to.deep.equal(['conflict', '/hostId', { hostId }]);
    expect((await stage.refusal('instance.migrate', {}, id)).code).to.equal('no_capacity');
    await stage.sim.run(LATE_MS + LOOK_MS);
    expect((await ask('migrate', { hostId }, id)).state).to.equal('succeeded');
    await stage.sim.run(LATE_MS);
    expect([(await stage.instance(id)).state, stage.real(id).power, stage.copies(id)]).to.deep.equal(['running', 'running', 1]);
  });

  it('is told of by who goes on with a migration after a crash', async () => {
    const { stage, machine, late } = await open();
    const id = await machine();
    await stage.sim.run(LOOK_MS);
    late('machines.remove', 30 * SECOND_MS, 1);
    const { operationId } = await stage.sim.submit('instance.migrate', {}, id);
    await stage.sim.run(GIVEN_UP_MS / 2);
    await stage.sim.crash();
    await stage.sim.start();
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect((await stage.refusal('instance.migrate', { hostId: stage.hostIds[0] }, id)).code).to.equal('conflict');
  });

  it('ends no machine that was taken out of the trash', async () => {
    const { stage, machine, late, ask } = await open({ presets: { 'trash.retentionSeconds': 3600 } });
    const id = await machine();
    late('machines.remove', 30 * SECOND_MS, 1);
    expect((await ask('delete', {}, id)).state).to.equal('succeeded');
    for (const verb of ['recover', 'start']) expect((await ask(verb, {}, id)).state, verb).to.equal('succeeded');
    await stage.sim.run(LATE_MS);
    expect([(await stage.instance(id)).state, stage.real(id).power]).to.deep.equal(['running', 'running']);
  });

  it('leaves no machine that was deleted on a host that is deleted next', async () => {
    const { stage, machine } = await open();
    const id = await machine();
    const { spec } = stage.real(id);
    await stage.into('deleted', id);
    stage.worldHost().define(spec);
    await stage.sim.done('host.delete', { recursive: true }, String(stage.hostIds[0]));
    expect(stage.copies(id)).to.equal(0);
  });
});
