import { assert, expect } from 'chai';
import { host, instance, volume } from '../../../src/cloud/index.ts';
import { create, debt, type Operation, operation } from '../../../src/kernel/index.ts';
import { GIB } from '../little-cloud.ts';
import { LOST_MS, MachineStage } from './machine-stage.ts';

/** Takes the power of the host that the saga works on, each time it comes to the step; of one that makes a disk, which tells where it is, once it is there. */
function losesHostAt(stage: MachineStage, path: string, times: number): string[] {
  const lost: string[] = [];
  stage.sim.around = async (point, body) => {
    const isAt = point.path === path && point.phase === 'do';
    const work = isAt && path.endsWith('/disk') ? body() : undefined;
    await work;
    if (isAt && lost.length < times) {
      const busy = [...stage.sim.world.hosts.values()].find((each) => each.site.up && each.machines.size > 0) ?? inUse(stage);
      if (busy !== undefined && !lost.includes(busy.hostname)) {
        stage.sim.world.crash(busy.hostname);
        lost.push(busy.hostname);
      }
    }
    return work ?? body();
  };
  return lost;
}

/** Before the machine is defined its disks tell where it will be. */
const inUse = (stage: MachineStage) =>
  [...stage.sim.world.pools.values()]
    .filter((pool) => pool.list().some(({ kind }) => kind === 'volume'))
    .map((pool) => stage.sim.world.host(pool.hostname ?? ''))
    .find((each) => each.site.up);

async function running(stage: MachineStage): Promise<number> {
  return [...stage.sim.world.hosts.values()].flatMap((each) => [...each.machines.values()]).filter((each) => each.live).length;
}

describe('a host that dies while a machine is made on it', () => {
  for (const path of ['volumes[0.0]/disk', 'define', 'start', 'ready'])
    it(`at ${path}: the machine is made elsewhere, once, and the rest is owed and paid`, async () => {
      const stage = await MachineStage.with({ hosts: 2, network: false });
      const lost = losesHostAt(stage, path, 1);
      const { operationId, resourceId } = await stage.sim.submit('instance.create', stage.input({ volumes: [{ sizeBytes: 8192 }] }));
      const ended = await stage.sim.ended(operationId);
      expect([ended.state, lost.length], JSON.stringify(ended.error)).to.deep.equal(['succeeded', 1]);
      const row = await stage.instance(resourceId);
      // Lost after all of it was done there, it is simply on a lost host.
      if (path === 'ready') {
        expect(ended.attempt).to.equal(0);
        return;
      }
      const dead = stage.hostIds[lost[0] === 'hv1' ? 0 : 1] ?? '';
      expect(ended.attempt).to.equal(1);
      expect(ended.notes).to.include({ lostHost: dead });
      expect(row.hostId).not.to.equal(dead);
      expect(await stage.taken(dead)).to.deep.equal([0, 0]);
      expect(await stage.taken(row.hostId ?? '')).to.deep.equal([1, GIB]);
      expect(await stage.rows(debt)).not.to.have.length(0);
      assert.equal(
        (await stage.rows(debt)).every((entry) => entry.place === dead),
        true,
      );
      stage.sim.world.boot(lost[0] ?? '');
      await stage.sim.run(LOST_MS);
      expect(await stage.rows(debt)).to.deep.equal([]);
      expect([stage.copies(resourceId), await running(stage)]).to.deep.equal([1, 1]);
      const rows = await stage.rows(volume);
      const stored = [...stage.sim.world.pools.values()].flatMap((pool) => pool.list()).filter(({ kind }) => kind === 'volume');
      expect(stored.map(({ id }) => id)).to.have.members(rows.map(({ id }) => id));
      expect(rows).to.have.length(2);
      await stage.sim.done('instance.delete', {}, resourceId);
      expect(stage.sim.world.violations).to.deep.equal([]);
    });

  it('takes with it what waits behind the creation: each is done where the machine is then, or refused', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const lost = losesHostAt(stage, 'start', 1);
    const made = await stage.sim.submit('instance.create', stage.input());
    const id = made.resourceId;
    const [first] = (await stage.rows(instance)).map((row) => row.hostId);
    const at = stage.hostIds.indexOf(first ?? '');
    const left = await stage.volume(4096, { poolId: stage.poolIds[at] });
    const taken = await stage.volume(4096, { poolId: stage.poolIds[1 - at] });
    const waiting = [
      ['setCpuShares', { cpuShares: 77 }, undefined],
      ['stop', { force: true }, undefined],
      ['start', {}, undefined],
      ['attachVolume', { volumeId: left }, 'conflict'],
      // Its size is reserved on the host that was lost.
      ['resize', { vcpus: 2 }, 'conflict'],
      ['suspend', {}, undefined],
    ] as const;
    const asked: string[] = [];
    for (const [verb, input] of waiting) asked.push((await stage.sim.submit(`instance.${verb}`, input, id)).operationId);
    expect([(await stage.sim.ended(made.operationId)).attempt, lost.length]).to.deep.equal([1, 1]);
    for (const [index, [verb, , code]] of waiting.entries())
      expect((await stage.sim.ended(asked[index] ?? '')).error?.code, verb).to.equal(code);
    const now = 1 - at;
    expect(await stage.instance(id)).to.include({ hostId: stage.hostIds[now], state: 'suspended', cpuShares: 77 });
    expect(stage.real(id, now + 1).power).to.equal('paused');
    await stage.sim.done('instance.attachVolume', { volumeId: taken }, id);
    for (const [index, vcpus] of [
      [at, 0],
      [now, 1],
    ] as const)
      expect((await stage.taken(stage.hostIds[index] ?? ''))[0]).to.equal(vcpus);
    stage.sim.world.boot(lost[0] ?? '');
    await stage.sim.run(LOST_MS);
    expect([stage.copies(id), stage.sim.world.violations]).to.deep.equal([1, []]);
  });

  it('ends a creation whose deletion waits already', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const lost = losesHostAt(stage, 'start', 1);
    const made = await stage.sim.submit('instance.create', stage.input());
    const deletion = await stage.sim.submit('instance.delete', {}, made.resourceId);
    const ended = await stage.sim.ended(made.operationId);
    expect([ended.state, ended.attempt, lost.length]).to.deep.equal(['failed', 0, 1]);
    expect((await stage.sim.ended(deletion.operationId)).state).to.equal('succeeded');
    stage.sim.world.boot(lost[0] ?? '');
    await stage.sim.run(LOST_MS);
    expect([stage.copies(made.resourceId), await stage.rows(volume), await stage.rows(debt)]).to.deep.equal([0, [], []]);
  });

  it('and then another, and another: after three places it fails, and nothing is left', async () => {
    const stage = await MachineStage.with({ hosts: 4, network: false });
    const before = await stage.sim.residue();
    const lost = losesHostAt(stage, 'start', 4);
    const { operationId } = await stage.sim.submit('instance.create', stage.input());
    const ended = await stage.sim.ended(operationId);
    expect([ended.state, ended.error?.code, ended.attempt, lost.length]).to.deep.equal(['failed', 'unavailable', 2, 3]);
    expect(await stage.rows(instance)).to.deep.equal([]);
    expect(await stage.rows(volume)).to.deep.equal([]);
    for (const hostId of stage.hostIds) expect(await stage.taken(hostId)).to.deep.equal([0, 0]);
    for (const hostname of lost) stage.sim.world.boot(hostname);
    await stage.sim.run(2 * LOST_MS);
    expect(await stage.rows(debt)).to.deep.equal([]);
    expect(await stage.sim.residue()).to.equal(before);
  });

  it('and is back when the second dies: the machine is not placed there again, where its removal is owed', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const { world } = stage.sim;
    const before = await stage.sim.residue();
    const lost: string[] = [];
    stage.sim.around = async (point, body) => {
      const busy = inUse(stage)?.hostname;
      if (point.path === 'start' && point.phase === 'do' && busy !== undefined && lost.length < 2) {
        const [first] = lost;
        if (first !== undefined) {
          // What it is owed is not paid as soon as it is back.
          for (const command of ['machines.remove', 'seeds.delete']) world.faults.add({ host: first, command, times: 2, effect: 'fail' });
          world.boot(first);
        }
        world.crash(busy);
        lost.push(busy);
      }
      return body();
    };
    const { operationId, resourceId } = await stage.sim.submit('instance.create', stage.input());
    const ended = await stage.sim.ended(operationId);
    expect([ended.state, ended.error?.code, ended.attempt, lost.length]).to.deep.equal(['failed', 'unavailable', 1, 2]);
    world.boot(lost[1] ?? '');
    await stage.sim.run(2 * LOST_MS);
    expect([stage.copies(resourceId), await stage.rows(debt), await stage.sim.residue()]).to.deep.equal([0, [], before]);
  });

  it('is the end of it where the machine may run there only', async () => {
    const stage = await MachineStage.with({ hosts: 2 });
    losesHostAt(stage, 'start', 1);
    const { operationId } = await stage.sim.submit('instance.create', stage.input({ nics: [{ networkId: stage.networkId }] }));
    const ended = await stage.sim.ended(operationId);
    expect([ended.state, ended.error?.code, ended.attempt]).to.deep.equal(['failed', 'unavailable', 0]);
    stage.sim.world.boot('hv1');
    await stage.sim.run(LOST_MS);
    expect(await stage.rows(debt)).to.deep.equal([]);
    expect(stage.worldHost().machines.size).to.equal(0);
    expect(stage.worldHost().networks.get(stage.networkId)?.ports.size).to.equal(0);
  });

  it('holds the disks of the second place against everybody else', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    losesHostAt(stage, 'define', 1);
    const { operationId } = await stage.sim.submit('instance.create', stage.input());
    const { around } = stage.sim;
    let tried: Operation | undefined;
    stage.sim.around = async (point, body, sim) => {
      const { kernel, principal } = sim;
      const { attempt } = await kernel.reader.get(operation, operationId);
      if (point.operationId === operationId && point.path === 'define' && attempt === 1 && tried === undefined) {
        const [row] = await kernel.reader.list(volume);
        const asked = await kernel.submit({ action: 'volume.delete', input: {}, principal, resourceId: row?.id ?? '' });
        tried = await kernel.operations.wait(asked.operationId, 5000);
      }
      return around === undefined ? body() : around(point, body, sim);
    };
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect(tried?.state).to.equal('queued');
    expect((await stage.sim.ended(tried?.id ?? '')).error?.code).to.equal('conflict');
  });
});

describe('what is owed', () => {
  it('does not take what is there by right by now', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
    const free = await stage.volume(512);
    const [hostId = '', poolId = ''] = [stage.hostIds[0], stage.poolIds[0]];
    const [nicId] = (await stage.nics(id)).map((row) => row.id);
    const { kernel } = stage.sim;
    const { ids } = kernel.services;
    const owed = [
      { task: 'machine.remove', target: { instanceId: id } },
      { task: 'volume.release', target: { volumeId: (await stage.disks(id))[0]?.id, instanceId: id } },
      { task: 'seed.delete', target: { poolId, id } },
      { task: 'volume.delete', target: { poolId, id: free } },
      { task: 'image.delete', target: { poolId, id: stage.imageId } },
      { task: 'port.delete', target: { nicId, networkId: stage.networkId } },
      { task: 'network.delete', target: { networkId: stage.networkId, driver: 'simulated' } },
      { task: 'pool.clear', target: { poolId } },
      { task: 'pool.release', target: { poolId } },
    ].map((entry) => {
      const debtId = ids.mint('debt');
      return create(debt, { id: debtId, name: debtId, place: hostId, operationId: ids.mint('operation'), ...entry });
    });
    const before = await stage.sim.residue();
    expect((await stage.sim.environment.complete(kernel.observe(owed))).ok).to.equal(true);
    await stage.sim.run(LOST_MS);
    expect(await stage.rows(debt)).to.deep.equal([]);
    expect(await stage.sim.residue()).to.equal(before);
    expect([stage.copies(id), await running(stage)]).to.deep.equal([1, 1]);
  });
});

describe('a machine on a host that is gone', () => {
  it('is deleted by force, and the rest is a visible debt until the host is back', async () => {
    const stage = await MachineStage.with();
    const before = await stage.sim.residue();
    const id = await stage.machine({ nics: [{ networkId: stage.networkId }], volumes: [{ sizeBytes: 512, deleteWithInstance: true }] });
    await stage.lose(1);
    await stage.sim.done('instance.delete', { force: true }, id);
    expect(await stage.taken(stage.hostIds[0] ?? '')).to.deep.equal([0, 0]);
    const debts = await stage.rows(debt);
    expect(debts.map((row) => row.task).sort()).to.deep.equal([
      'machine.remove',
      'port.delete',
      'seed.delete',
      'volume.delete',
      'volume.delete',
    ]);
    expect(new Set(debts.map((row) => row.place))).to.deep.equal(new Set(stage.hostIds));
    stage.sim.world.boot('hv1');
    await stage.sim.run(LOST_MS);
    expect(await stage.rows(debt)).to.deep.equal([]);
    expect(await stage.sim.residue()).to.equal(before);
  });

  it('lets go of the disks that other hosts reach when the host is back, also where they have another machine by then', async () => {
    const stage = await MachineStage.with({ hosts: 2 });
    const shared = { driver: 'simulated-shared', clusterId: stage.clusterId, settings: {}, storageClass: 'shared' };
    await stage.sim.done('pool.create', shared);
    const volumeId = await stage.volume(512, { storageClass: 'shared' });
    const [first = '', second = ''] = stage.hostIds;
    const id = await stage.machine({ hostId: first, attachVolumeIds: [volumeId] });
    const other = await stage.machine({ hostId: second });
    await stage.lose(1);
    await stage.sim.done('instance.delete', { force: true }, id);
    expect((await stage.rows(debt)).map((row) => row.task).sort()).to.include('volume.release');
    await stage.sim.done('instance.attachVolume', { volumeId }, other);
    stage.sim.world.boot('hv1');
    await stage.sim.run(3 * LOST_MS);
    expect(await stage.rows(debt)).to.deep.equal([]);
    const stored = [...stage.sim.world.pools.values()].flatMap((pool) => pool.find('volume', volumeId) ?? []);
    expect(stored.map(({ attachedTo, user }) => [[...attachedTo], user])).to.deep.equal([[['hv2'], `hv2/${other}`]]);
    expect(stage.sim.world.violations).to.deep.equal([]);
  });

  it('is not deleted otherwise: nothing of it changes', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
    await stage.lose(1);
    const before = await stage.sim.residue();
    expect((await stage.outcome('instance.delete', {}, id)).error?.code).to.equal('unavailable');
    expect(await stage.sim.residue()).to.equal(before);
    expect((await stage.instance(id)).state).to.equal('running');
    stage.sim.world.boot('hv1');
    await stage.sim.run(LOST_MS);
    expect((await stage.instance(id)).state, 'power was lost, and that is seen').to.equal('stopped');
    await stage.sim.done('instance.delete', {}, id);
  });

  it('is deleted by force from a creation that is stuck, although something waits behind that', async () => {
    const stage = await MachineStage.with();
    const before = await stage.sim.residue();
    stage.sim.world.faults.add({ command: 'power.start', effect: 'fail', fault: 'conflict' });
    const stuck = stage.sim.world.faults.add({ command: 'power.powerOff', effect: 'fail', fault: 'unavailable' });
    const made = await stage.sim.submit('instance.create', stage.input({ nics: [{ networkId: stage.networkId }] }));
    // Both before anybody knows that the creation gets stuck.
    const deletion = await stage.sim.submit('instance.delete', { force: true }, made.resourceId);
    const behind = await stage.sim.submit('instance.attachNic', { networkId: stage.networkId }, made.resourceId);
    const [first] = await stage.nics(made.resourceId);
    await stage.sim.submit('instance.detachNic', { nicId: first?.id }, made.resourceId);
    await stage.sim.submit('instance.delete', {}, made.resourceId);
    expect((await stage.sim.ended(made.operationId)).state).to.equal('failed');
    expect((await stage.sim.ended(deletion.operationId)).error).to.equal(undefined);
    expect((await stage.sim.ended(behind.operationId)).error?.code).to.equal('not_found');
    stuck();
    await stage.sim.run(LOST_MS);
    expect(await stage.sim.residue()).to.equal(before);
  });

  it('is freed by force from a deletion that is stuck', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine();
    stage.sim.world.partition('hv1');
    const stuck = await stage.sim.submit('instance.delete', {}, id);
    await stage.sim.run(600_000);
    expect((await stage.row(operation, stuck.operationId)).state).to.equal('needs_attention');
    await stage.sim.done('instance.delete', { force: true }, id);
    expect((await stage.row(operation, stuck.operationId)).state).to.equal('failed');
    stage.sim.world.reconnect('hv1');
    await stage.sim.run(LOST_MS);
    expect([stage.copies(id), (await stage.rows(debt)).length, (await stage.rows(instance)).length]).to.deep.equal([0, 0, 0]);
    expect((await stage.row(host, stage.hostIds[0] ?? '')).status).to.equal('connected');
    expect(stage.sim.world.violations).to.deep.equal([]);
  });
});
