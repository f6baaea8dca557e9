import type { SimHost } from '@pileus/core/testing';
import { expect } from 'chai';
import { instance, stray, volume } from '../../../../src/cloud/index.ts';
import { debt, operation } from '../../../../src/kernel/index.ts';
import { GIB } from '../../little-cloud.ts';
import { LOOK_MS, LOST_MS, MachineStage } from '../machine-stage.ts';

/** Long enough for an undo that is not answered to be tried five times. */
const STUCK_MS = 15 * 60_000;
const COPY_MS = 5000;
/** Hosts that share a pool of class `shared` and a network; memory takes its time from one to the other. */
async function open(hosts = 2) {
  const stage = await MachineStage.with({ hosts, network: false }, { world: { transferMs: COPY_MS } });
  await stage.sim.done('pool.create', {
    ...{ name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' },
  });
  const networkId = await stage.sim.done('network.create', {
    name: 'wide',
    driver: 'simulated-shared',
    subnets: [{ cidr: '10.9.0.0/24' }],
  });
  const machine = (more: object = {}) =>
    stage.machine({ hostId: stage.hostIds[0], rootVolume: { storageClass: 'shared' }, nics: [{ networkId }], ...more });
  const ask = async (id: string, input: object = {}) => (await stage.sim.submit('instance.migrate', input, id)).operationId;
  const isAt = async (id: string, number: number) => {
    expect(await stage.instance(id)).to.include({ state: 'running', hostId: stage.hostIds[number - 1] });
    expect([stage.copies(id), stage.real(id, number).power, stage.sim.world.violations]).to.deep.equal([1, 'running', []]);
    for (const [index, hostId] of stage.hostIds.entries()) {
      const [vcpus, bytes] = await stage.taken(hostId);
      expect([vcpus ?? 0, bytes ?? 0]).to.deep.equal(index === number - 1 ? [1, GIB] : [0, 0]);
    }
    const disks = [...stage.sim.world.pools.values()].flatMap(({ things }) => [...things.values()]).filter(({ kind }) => kind === 'volume');
    for (const disk of disks) expect([disk.user, [...disk.attachedTo]]).to.deep.equal([`hv${number}/${id}`, [`hv${number}`]]);
  };
  return { stage, machine, ask, isAt };
}

/** In the middle of the transfer. */
const HALF_MS = COPY_MS / 2;

describe('a machine that is migrated', () => {
  it('goes on elsewhere on the same disks with its guest as it was, and nothing is left where it came from', async () => {
    const { stage, machine, isAt } = await open();
    const id = await machine();
    await stage.sim.run(LOST_MS);
    expect(stage.real(id).booted).to.equal(true);
    await stage.sim.done('instance.migrate', {}, id);
    await isAt(id, 2);
    expect(stage.real(id, 2).booted).to.equal(true);
    expect(await stage.rows(debt)).to.deep.equal([]);
    await stage.sim.done('instance.migrate', { hostId: stage.hostIds[0] }, id);
    await isAt(id, 1);
    await stage.sim.done('instance.delete', {}, id);
    expect([stage.copies(id), stage.sim.world.violations]).to.deep.equal([0, []]);
  });

  it('is announced, and its ports are bound to where it is', async () => {
    const { stage, machine } = await open();
    const id = await machine();
    const [nic] = await stage.nics(id);
    await stage.sim.done('instance.migrate', {}, id);
    expect(stage.sim.world.readiness(nic?.id ?? '')).to.deep.include({ host: 'hv2' });
  });

  it('has a plan before it goes, and everything that keeps it is named', async () => {
    const { stage, machine } = await open();
    const id = await machine();
    const { sim } = stage;
    const asked = { action: 'instance.migrate', input: {}, principal: sim.principal };
    const plan = await sim.environment.complete(sim.kernel.rehearse({ ...asked, resourceId: id }));
    expect(plan.notes?.plan).to.deep.include({ from: 'hv1', to: 'hv2', memoryBytes: GIB });
    const networkId = await stage.network();
    const bound = await stage.machine({ hostId: stage.hostIds[0], nics: [{ networkId }] });
    const [disk] = await stage.disks(bound);
    const dry = await sim.environment.complete(sim.kernel.rehearse({ ...asked, resourceId: bound }));
    expect([dry.accepted, dry.blockers.map(({ code }) => code)]).to.deep.equal([false, ['unsupported']]);
    const refused = await stage.refusal('instance.migrate', {}, bound);
    expect(refused.code).to.equal('unsupported');
    const { blockers } = refused.params as { readonly blockers: readonly { readonly id: string }[] };
    expect(blockers.map((each) => each.id)).to.deep.equal([disk?.id, networkId]);
    expect(refused.message).to.match(/cannot leave its host\. Volume \S+: It lies in pool .+ Network \S+: It is on the host alone: .+\.$/);
    expect(refused.publicMessage).to.contain(disk?.name);
  });

  it('is refused where it is off, there already, without another host, or on a lost one', async () => {
    const { stage, machine } = await open();
    const id = await machine();
    const there = await stage.refusal('instance.migrate', { hostId: stage.hostIds[0] }, id);
    expect([there.code, there.pointer]).to.deep.equal(['conflict', '/hostId']);
    expect((await stage.refusal('instance.migrate', { hostId: id }, id)).pointer).to.equal('/hostId');
    await stage.sim.done('host.disable', {}, stage.hostIds[1]);
    expect((await stage.refusal('instance.migrate', {}, id)).code).to.equal('no_capacity');
    await stage.sim.done('host.enable', {}, stage.hostIds[1]);
    await stage.sim.done('instance.stop', { force: true }, id);
    expect((await stage.refusal('instance.migrate', {}, id)).code).to.equal('conflict');
    const lost = await machine({ hostId: stage.hostIds[0] });
    await stage.lose(1);
    expect((await stage.refusal('instance.migrate', {}, lost)).publicMessage).to.contain('evacuated');
  });

  it('keeps the host that it goes to from being deleted, or taken out of use, until it is there', async () => {
    const { stage, machine, ask, isAt } = await open();
    const id = await machine();
    const [, to = ''] = stage.hostIds;
    await stage.sim.done('pool.delete', {}, stage.poolIds[1]);
    const operationId = await ask(id);
    expect((await stage.instance(id)).migratingToHostId).to.equal(to);
    for (const action of ['host.maintain', 'host.delete']) {
      const refused = await stage.refusal(action, {}, to);
      const { blockers } = refused.params as { readonly blockers: readonly { readonly id: string }[] };
      expect([refused.code, blockers.map((each) => each.id)], action).to.deep.equal(['in_use', [id]]);
    }
    expect((await stage.refusal('instance.migrate', {}, id)).publicMessage).to.contain('already');
    await stage.sim.environment.complete(stage.sim.kernel.operations.cancel(operationId));
    expect((await stage.sim.ended(operationId)).state).to.equal('cancelled');
    expect((await stage.instance(id)).migratingToHostId).to.equal(undefined);
    await stage.sim.done('instance.migrate', {}, id);
    expect((await stage.instance(id)).migratingToHostId).to.equal(undefined);
    await isAt(id, 2);
  });

  it('does not go to a host that is not enabled any more when its turn comes', async () => {
    const { stage, machine, ask, isAt } = await open();
    const id = await machine();
    stage.sim.world.faults.add({ command: 'limits.setCpuShares', effect: 'delay', delayMs: 5000 });
    await stage.sim.submit('instance.setCpuShares', { cpuShares: 2000 }, id);
    const operationId = await ask(id);
    await stage.sim.submit('host.disable', {}, stage.hostIds[1]);
    const ended = await stage.sim.ended(operationId);
    expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'conflict']);
    expect(ended.error?.message).to.contain('disabled');
    await isAt(id, 1);
  });

  it('is not migrated when its making, which that waited for, has failed', async () => {
    const { stage, machine } = await open();
    await machine();
    const { sim, hostIds } = stage;
    sim.world.faults.add({ command: 'machines.define', effect: 'fail' });
    const made = await sim.submit('instance.create', {
      ...{ imageId: stage.imageId, instanceType: 'small', hostId: hostIds[0], rootVolume: { storageClass: 'shared' } },
    });
    const { operationId } = await sim.submit('instance.migrate', {}, made.resourceId);
    expect((await sim.ended(made.operationId)).state).to.equal('failed');
    const { state, error } = await sim.ended(operationId);
    expect([state, error?.code]).to.deep.equal(['failed', 'not_found']);
    expect([await stage.taken(hostIds[0] ?? ''), await stage.taken(hostIds[1] ?? '')]).to.deep.equal([
      [1, GIB],
      [0, 0],
    ]);
  });

  it('leaves the place in its group to what is under way with it: nothing gives that back twice', async () => {
    const { stage, machine } = await open();
    await machine();
    const { sim, hostIds } = stage;
    const placementGroupId = await sim.done('placementGroup.create', { name: 'apart', policy: 'antiAffinity' });
    const heal = sim.world.faults.add({ command: 'machines.define', effect: 'fail' });
    const made = await sim.submit('instance.create', {
      ...{ imageId: stage.imageId, instanceType: 'small', hostId: hostIds[0], rootVolume: { storageClass: 'shared' }, placementGroupId },
    });
    const refused = await stage.refusal('instance.migrate', {}, made.resourceId);
    expect([refused.code, refused.params]).to.deep.equal(['conflict', { placementGroupId }]);
    expect((await sim.ended(made.operationId)).state).to.equal('failed');
    heal();
    const seats = sim.counters().filter(({ key, value }) => key.startsWith(`placement/group/${placementGroupId}/`) && value !== 0);
    expect(seats).to.deep.equal([]);
    const id = await machine({ placementGroupId });
    await sim.done('instance.migrate', {}, id);
    expect(await stage.instance(id)).to.include({ hostId: hostIds[1] });
  });

  it('stays where it was when it is cancelled on its way', async () => {
    const { stage, machine, ask, isAt } = await open();
    const id = await machine();
    const operationId = await ask(id);
    await stage.sim.run(HALF_MS);
    expect((await stage.row(operation, operationId)).percent).to.be.greaterThan(0);
    await stage.sim.environment.complete(stage.sim.kernel.operations.cancel(operationId));
    expect((await stage.sim.ended(operationId)).state).to.equal('cancelled');
    await isAt(id, 1);
  });

  it('stays where it was when it takes too long, and says so', async () => {
    const { stage, ask, isAt } = await open();
    stage.sim.world.slowTransfers(3600_000);
    const id = await stage.machine({ hostId: stage.hostIds[0], rootVolume: { storageClass: 'shared' } });
    const ended = await stage.sim.ended(await ask(id, { timeoutSeconds: 30 }));
    expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'timeout']);
    expect(ended.error?.message).to.contain('30 s');
    await isAt(id, 1);
  });

  for (const [trouble, cure] of [
    ['crash', 'boot'],
    ['partition', 'reconnect'],
    ['freeze', 'thaw'],
  ] as const)
    it(`stays where it was when the host that it goes to meets a ${trouble}`, async () => {
      const { stage, machine, ask, isAt } = await open();
      const id = await machine();
      const operationId = await ask(id);
      await stage.sim.run(HALF_MS);
      stage.sim.world[trouble]('hv2');
      await stage.sim.run(LOST_MS);
      stage.sim.world[cure]('hv2');
      const { state } = await stage.sim.ended(operationId);
      await stage.sim.run(LOST_MS);
      expect(await stage.rows(debt)).to.deep.equal([]);
      await isAt(id, state === 'succeeded' ? 2 : 1);
      expect(state).to.equal(trouble === 'freeze' ? 'succeeded' : 'failed');
    });

  it('is off, and in one place, when its host loses power on the way; that is waited for', async () => {
    const { stage, machine, ask } = await open();
    const id = await machine();
    const operationId = await ask(id);
    await stage.sim.run(HALF_MS);
    stage.sim.world.crash('hv1');
    await stage.sim.run(STUCK_MS);
    const waiting = await stage.row(operation, operationId);
    expect([waiting.state, waiting.attention?.step]).to.deep.equal(['needs_attention', 'send']);
    stage.sim.world.boot('hv1');
    expect((await stage.sim.ended(operationId)).state).to.equal('failed');
    await stage.sim.run(LOST_MS);
    expect(await stage.instance(id)).to.include({ state: 'stopped', hostId: stage.hostIds[0] });
    expect([stage.copies(id), stage.sim.world.violations]).to.deep.equal([1, []]);
  });

  it('has its row tell where it is when the control plane dies at whatever moment of the transfer', async () => {
    for (const afterMs of [1, HALF_MS, COPY_MS, COPY_MS + 20, COPY_MS + 60]) {
      const { stage, machine, ask, isAt } = await open();
      const id = await machine();
      const operationId = await ask(id);
      await stage.sim.run(afterMs);
      stage.sim.crash();
      await stage.sim.start();
      expect((await stage.sim.ended(operationId)).state, `killed after ${afterMs} ms`).to.equal('succeeded');
      await isAt(id, 2);
      stage.sim.dispose();
    }
  });

  it('is not given up while the host that may have it does not answer, when the control plane dies right after the switch', async () => {
    const { stage, machine, ask, isAt } = await open();
    const id = await machine();
    const operationId = await ask(id);
    while (stage.worldHost(1).machines.has(id)) await stage.sim.run(1);
    stage.sim.crash();
    stage.sim.world.partition('hv2');
    await stage.sim.start();
    await stage.sim.run(STUCK_MS);
    const waiting = await stage.row(operation, operationId);
    expect([waiting.state, waiting.attention?.step]).to.deep.equal(['needs_attention', 'send']);
    stage.sim.world.reconnect('hv2');
    expect((await stage.sim.ended(operationId)).state).to.equal('failed');
    await isAt(id, 1);
    expect([stage.real(id).booted, await stage.rows(debt)]).to.deep.equal([true, []]);
  });

  for (const [how, lose] of [
    ['before all of it is back', () => {}],
    // As a libvirtd leaves it that did not hear that all of it had come.
    [
      'when it heard no answer',
      (stage: MachineStage, id: string) => {
        stage.worldHost(2).sending.clear();
        stage.real(id).arrive(stage.real(id, 2));
      },
    ],
  ] as const)
    it(`is sent back once the host that it had gone to answers again, which was lost ${how}`, async () => {
      const { stage, machine, ask, isAt } = await open();
      const id = await machine();
      const operationId = await ask(id);
      while (stage.worldHost(1).machines.has(id)) await stage.sim.run(1);
      await stage.sim.environment.complete(stage.sim.kernel.operations.cancel(operationId));
      while (!stage.worldHost(2).sending.has(id)) await stage.sim.run(1);
      await stage.sim.run(HALF_MS);
      lose(stage, id);
      stage.sim.world.partition('hv2');
      await stage.sim.run(STUCK_MS);
      const waiting = await stage.row(operation, operationId);
      expect([waiting.state, waiting.attention?.step, stage.sim.world.violations]).to.deep.equal(['needs_attention', 'send', []]);
      stage.sim.world.reconnect('hv2');
      expect((await stage.sim.ended(operationId)).state).to.equal('cancelled');
      await isAt(id, 1);
      expect(stage.real(id).booted).to.equal(true);
    });

  for (const [what, trouble] of [
    ['is off', (stage: MachineStage, id: string) => stage.real(id, 2).stop()],
    ['is gone', (stage: MachineStage, id: string) => stage.worldHost(2).remove(id)],
  ] as const)
    it(`that ${what} before it is let go on is shown so by its new host`, async () => {
      const { stage, machine } = await open();
      const id = await machine();
      stage.sim.around = async (point, body) => {
        if (point.path === 'arrive') trouble(stage, id);
        return body();
      };
      await stage.sim.done('instance.migrate', {}, id);
      stage.sim.around = undefined;
      await stage.sim.run(LOST_MS);
      expect(await stage.instance(id)).to.include({ state: what === 'is off' ? 'stopped' : 'missing', hostId: stage.hostIds[1] });
      await stage.sim.done('instance.start', {}, id);
      expect([stage.real(id, 2).power, stage.copies(id), stage.sim.world.violations]).to.deep.equal(['running', 1, []]);
    });

  it('takes no disk to the host that it has left, when that was asked for before it was gone', async () => {
    const { stage, machine, ask } = await open();
    const id = await machine();
    const [disk] = (await stage.rows(volume)).filter(({ instanceId }) => instanceId === id);
    await ask(id);
    await stage.sim.submit('instance.stop', {}, id);
    const { operationId } = await stage.sim.submit('volume.move', { poolId: stage.poolIds[0] }, disk?.id);
    expect((await stage.sim.ended(operationId)).error).to.include({ code: 'conflict', pointer: '/poolId' });
    await stage.sim.done('instance.start', {}, id);
    expect(stage.real(id, 2).power).to.equal('running');
  });

  it('does not go where there is room for its old size, when it was resized before its turn came', async () => {
    const { stage, machine, ask } = await open();
    const id = await machine();
    const resized = await stage.sim.submit('instance.resize', { vcpus: 2 }, id);
    const ended = await stage.sim.ended(await ask(id));
    expect((await stage.sim.ended(resized.operationId)).state).to.equal('succeeded');
    expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'conflict']);
    expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([2, GIB]);
    expect(await stage.taken(stage.hostIds[1] ?? '')).to.deep.equal([0, 0]);
    await stage.sim.done('instance.migrate', {}, id);
    expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([0, 0]);
    expect(await stage.taken(stage.hostIds[1] ?? '')).to.deep.equal([2, GIB]);
  });

  it("that stands still there while its old host forgot to let go is its old host's again", async () => {
    const { stage, machine, ask, isAt } = await open();
    const id = await machine();
    const operationId = await ask(id);
    await stage.sim.run(HALF_MS);
    // As a libvirtd leaves it that is killed after the last page.
    stage.worldHost(1).sending.clear();
    stage.real(id, 2).arrive(stage.real(id));
    stage.real(id).suspend();
    expect((await stage.sim.ended(operationId)).state).to.equal('failed');
    await isAt(id, 1);
    expect((await stage.sim.environment.complete(stage.sim.kernel.reader.get(instance, id as never))).stateReason).to.equal(undefined);
  });

  it('is cleared of what was defined late where it came from, and goes back there', async () => {
    const { stage, machine, isAt } = await open();
    const id = await machine();
    const { spec } = stage.real(id);
    await stage.sim.done('instance.migrate', {}, id);
    stage.worldHost(1).define(spec);
    await stage.sim.run(LOOK_MS);
    expect(await stage.rows(stray)).to.deep.equal([]);
    await isAt(id, 2);
    await stage.sim.done('instance.migrate', { hostId: stage.hostIds[0] }, id);
    await stage.sim.run(LOOK_MS);
    await isAt(id, 1);
  });

  for (const [what, happens] of [
    ['is on there', (at: SimHost, id: string) => at.machine(id).start()],
    ['is all there is of it', (_at: SimHost, id: string, now: SimHost) => now.remove(id)],
  ] as const)
    it(`is not cleared of what ${what}, which is a stray`, async () => {
      const { stage, machine } = await open();
      const id = await machine();
      const { spec } = stage.real(id);
      await stage.sim.done('instance.migrate', {}, id);
      stage.worldHost(1).define({ ...spec, disks: [], nics: [] });
      happens(stage.worldHost(1), id, stage.worldHost(2));
      // The look at the one host may come before that at the other.
      await stage.sim.run(4 * LOOK_MS);
      expect(stage.worldHost(1).machines.has(id)).to.equal(true);
      expect((await stage.rows(stray)).map(({ objectId, hostId }) => [objectId, hostId])).to.deep.equal([[id, stage.hostIds[0]]]);
    });

  it('and is resized where it is, when that is asked for as it arrives', async () => {
    const { stage, machine, ask } = await open();
    const { sim } = stage;
    const id = await machine();
    let asked: Promise<{ readonly operationId: string }> | undefined;
    sim.around = (point, body) => {
      if (point.path === 'moved')
        asked ??= sim.kernel.submit({ action: 'instance.resize', resourceId: id, input: { vcpus: 2 }, principal: sim.principal });
      return body();
    };
    await sim.ended(await ask(id));
    const { operationId = '' } = (await asked) ?? {};
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect([await stage.taken(stage.hostIds[0] ?? ''), await stage.taken(stage.hostIds[1] ?? '')]).to.deep.equal([
      [0, 0],
      [2, GIB],
    ]);
  });
});
