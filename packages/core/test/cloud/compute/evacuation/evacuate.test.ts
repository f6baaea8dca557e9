import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { host, instance, stray, volume } from '../../../../src/cloud/index.ts';
import { debt, operation } from '../../../../src/kernel/index.ts';
import { GIB } from '../../little-cloud.ts';
import { LOST_MS, MachineStage } from '../machine-stage.ts';

/** Long enough for a start that is not answered to be tried five times. */
const STUCK_MS = 15 * 60_000;

/** Hosts that share a pool of class `shared`. */
async function open(hosts = 2) {
  const stage = await MachineStage.with({ hosts, network: false });
  const poolId = await stage.sim.done('pool.create', {
    ...{ name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' },
  });
  const machine = (more: object = {}) =>
    stage.machine({
      hostId: stage.hostIds[0],
      rootVolume: { storageClass: 'shared' },
      volumes: [{ sizeBytes: 8192, storageClass: 'shared' }],
      ...more,
    });
  const stored = () => [...(stage.sim.world.pools.get(poolId)?.things.values() ?? [])].filter(({ kind }) => kind === 'volume');
  return { stage, poolId, machine, stored };
}

const partition = async (stage: MachineStage, hostname = 'hv1') => {
  stage.sim.world.partition(hostname);
  await stage.sim.run(LOST_MS);
};

describe('a machine that is evacuated', () => {
  it('starts elsewhere on the same disks, and nothing is left of it on the host that was cut off and comes back', async () => {
    const { stage, machine, stored } = await open();
    const id = await machine();
    const disks = (await stage.disks(id)).map((disk) => disk.id);
    await partition(stage);
    const old = stage.real(id);
    await stage.sim.done('instance.evacuate', {}, id);
    const row = await stage.instance(id);
    expect(row).to.include({ state: 'running', hostId: stage.hostIds[1], desiredPower: 'running' });
    expect(row.formerHostIds).to.deep.equal([stage.hostIds[0]]);
    expect((await stage.disks(id)).map((disk) => disk.id)).to.deep.equal(disks);
    expect([await stage.taken(stage.hostIds[0] ?? ''), await stage.taken(stage.hostIds[1] ?? '')]).to.deep.equal([
      [0, 0],
      [1, GIB],
    ]);
    // The guest on the other side of the partition goes on, and can do no harm.
    expect(old.live).to.equal(true);
    for (const disk of stored()) expect([disk.user, [...disk.shutOut]]).to.deep.equal([`hv2/${id}`, [`hv1/${id}`]]);
    expect(await stage.rows(debt)).not.to.have.length(0);
    stage.sim.world.reconnect('hv1');
    await stage.sim.run(LOST_MS);
    expect([stage.copies(id), await stage.rows(debt), stage.sim.world.violations]).to.deep.equal([1, [], []]);
    expect(stage.real(id, 2).live).to.equal(true);
    for (const disk of stored()) expect([...disk.attachedTo]).to.deep.equal(['hv2']);
    await stage.sim.done('instance.delete', {}, id);
    expect([stored().length, stage.sim.world.violations]).to.deep.equal([1, []]);
  });

  it('goes back to where it came from when that host is well and the other is lost', async () => {
    const { stage, machine } = await open();
    const id = await machine();
    for (const [from, to] of [
      ['hv1', 1],
      ['hv2', 0],
      ['hv1', 1],
    ] as const) {
      await partition(stage, from);
      await stage.sim.done('instance.evacuate', {}, id);
      expect(await stage.instance(id)).to.include({ state: 'running', hostId: stage.hostIds[to] });
      stage.sim.world.reconnect(from);
      await stage.sim.run(LOST_MS);
      expect([stage.copies(id), stage.sim.world.violations]).to.deep.equal([1, []]);
      expect((await stage.instance(id)).formerHostIds).not.to.include(stage.hostIds[to]);
    }
  });

  it('does not come up on a host that is taken into maintenance meanwhile', async () => {
    const { stage, machine } = await open();
    const [id, [, to = '']] = [await machine(), stage.hostIds];
    await partition(stage);
    await stage.sim.submit('instance.reboot', {}, id);
    const { operationId: early } = await stage.sim.submit('instance.evacuate', {}, id);
    await stage.sim.done('host.maintain', {}, to);
    expect((await stage.sim.ended(early)).error?.message).to.equal('Host hv2 is maintenance by now.');
    expect(await stage.instance(id)).to.include({ hostId: stage.hostIds[0] });
    await stage.sim.done('host.enable', {}, to);
    const { operationId } = await stage.sim.submit('instance.evacuate', {}, id);
    await stage.sim.done('host.maintain', {}, to);
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    const row = await stage.instance(id);
    expect(row).to.include({ hostId: to, state: 'stopped' });
    expect(row.stateReason?.message).to.match(/is off: The host of instance vm-1 is in maintenance/);
    await stage.sim.done('host.enable', {}, to);
    await stage.sim.done('instance.start', {}, id);
    expect(stage.sim.world.violations).to.deep.equal([]);
  });

  it('that was off stays off, and is not sent to a host where a removal is still owed', async () => {
    const { stage, machine } = await open(3);
    const id = await machine({ start: false });
    await stage.lose(1);
    await stage.sim.done('instance.evacuate', {}, id);
    const row = await stage.instance(id);
    expect(row).to.include({ state: 'stopped' });
    expect(row.stateReason?.code).to.equal('evacuated');
    const second = stage.hostIds.indexOf(row.hostId ?? '') + 1;
    // The first host is back but for what is owed: as if it were still at it.
    await stage.lose(second);
    await stage.sim.done('instance.evacuate', {}, id);
    expect((await stage.instance(id)).hostId).to.equal(stage.hostIds[4 - second]);
    await stage.sim.done('instance.start', {}, id);
    expect(stage.sim.world.violations).to.deep.equal([]);
  });

  it('is refused while its host answers, from disks of the host, and where nobody can be shut out', async () => {
    const { stage, machine } = await open();
    const [shared, local] = [await machine(), await stage.machine({ hostId: stage.hostIds[0] })];
    expect((await stage.refusal('instance.evacuate', {}, shared)).code).to.equal('conflict');
    await partition(stage);
    const [disk] = await stage.disks(local);
    const refused = await stage.refusal('instance.evacuate', {}, local);
    expect([refused.code, refused.params?.volumeId]).to.deep.equal(['unsupported', disk?.id]);
    expect(refused.publicMessage).to.contain(disk?.name);
    expect(await stage.instance(local)).to.include({ hostId: stage.hostIds[0], state: 'running' });
  });

  it('is refused while a look may yet plug a disk into it on the lost host, unless that is off', async () => {
    const { stage, machine } = await open();
    const id = await machine();
    const [, data] = await stage.disks(id);
    const unanswered = async () => {
      const repair = stage.sim.world.faults.add({ command: 'hotplug.attachDisk', effect: 'timeout_before' });
      stage.worldHost().tear(id, data?.id ?? '');
      for (let look = 0; look < 10 && (await stage.instance(id)).pluggingSince === undefined; look += 1) await stage.sim.run(LOST_MS / 2);
      expect(await stage.instance(id)).to.have.property('pluggingSince');
      return repair;
    };
    const repair = await unanswered();
    await partition(stage);
    const refused = await stage.refusal('instance.evacuate', {}, id);
    expect(refused).to.include({ code: 'conflict' });
    expect(refused.params).to.have.property('pluggingSince');
    // The host is back, and takes the disk: there is nothing to come any more.
    stage.sim.world.reconnect('hv1');
    repair();
    await stage.sim.run(LOST_MS);
    expect(await stage.instance(id)).not.to.have.property('pluggingSince');
    await unanswered();
    await partition(stage);
    await stage.sim.done('instance.evacuate', { hostIsOff: true }, id);
    const row = await stage.instance(id);
    expect(row).to.include({ state: 'running', hostId: stage.hostIds[1] });
    expect(row).not.to.have.property('pluggingSince');
  });

  it('is refused with the reason of each host where there is no room, and nothing is shut out', async () => {
    const { stage, machine, stored } = await open();
    const id = await machine();
    await stage.sim.done('host.disable', {}, stage.hostIds[1]);
    await partition(stage);
    const refused = await stage.refusal('instance.evacuate', {}, id);
    expect([refused.code, refused.params?.reasons]).to.deep.equal(['no_capacity', { hv1: 'excluded', hv2: 'is disabled' }]);
    for (const disk of stored()) expect(disk.shutOut.size).to.equal(0);
  });

  it('whose host comes back before anything is shut out stays there', async () => {
    const { stage, machine, stored } = await open();
    const id = await machine();
    await partition(stage);
    stage.sim.around = async (point, body) => {
      if (point.path === 'ready' && point.phase === 'do') {
        stage.sim.world.reconnect('hv1');
        await stage.sim.environment.complete(Promise.resolve());
        const { kernel } = stage.sim;
        const row = await kernel.reader.get(host, stage.hostIds[0] ?? '');
        await kernel.observe([{ op: 'update', table: 'host', key: row.id, set: { status: 'connected' }, expect: {} } as never]);
      }
      return body();
    };
    const ended = await stage.outcome('instance.evacuate', {}, id);
    expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'conflict']);
    expect(await stage.instance(id)).to.include({ hostId: stage.hostIds[0], state: 'running' });
    expect(await stage.taken(stage.hostIds[1] ?? '')).to.deep.equal([0, 0]);
    for (const disk of stored()) expect(disk.shutOut.size).to.equal(0);
  });

  for (const state of ['running', 'suspended'] as const)
    it(`that was ${state}, with a disk that nobody is seen to have open, does not begin beside a host that may thaw, unless that is off by word`, async () => {
      const { stage, machine, stored } = await open();
      const id = await stage.into(state, await machine());
      const [, unwritten] = await stage.disks(id);
      stage.sim.world.freeze('hv1');
      await stage.sim.run(LOST_MS);
      for (const disk of stored()) disk.isUserHidden = disk.id === unwritten?.id;
      const { error } = await stage.outcome('instance.evacuate', {}, id);
      expect(error?.code).to.equal('conflict');
      expect(error?.params).to.include({ volumeId: unwritten?.id });
      expect(error?.message).to.contain(`volume ${unwritten?.name} `);
      expect(await stage.instance(id)).to.include({ hostId: stage.hostIds[0], state });
      expect(await stage.taken(stage.hostIds[1] ?? '')).to.deep.equal([0, 0]);
      for (const disk of stored()) expect(disk.shutOut.size).to.equal(0);
      stage.sim.world.crash('hv1');
      await stage.sim.done('instance.evacuate', { hostIsOff: true }, id);
      expect((await stage.instance(id)).hostId).to.equal(stage.hostIds[1]);
      expect(stage.sim.world.violations).to.deep.equal([]);
      const asked = stage.sim.rows('audit').filter(({ action }) => action === 'instance.evacuate');
      expect(asked.map(({ request }) => request)).to.deep.include.members([{ hostIsOff: true }]);
    });

  it('whose client goes out of sight once it was seen is shut out all the same', async () => {
    const { stage, machine, stored } = await open();
    const id = await machine();
    stage.sim.world.freeze('hv1');
    await stage.sim.run(LOST_MS);
    stage.sim.around = async (point, body) => {
      if (point.path.startsWith('fence')) for (const disk of stored()) disk.isUserHidden = disk.user === `hv1/${id}`;
      return body();
    };
    await stage.sim.done('instance.evacuate', {}, id);
    expect(stage.sim.world.violations).to.deep.equal([]);
    for (const disk of stored()) expect([...disk.shutOut]).to.deep.equal([`hv1/${id}`]);
  });

  it('whose new host dies, too, is there and off, and is evacuated once more', async () => {
    const { stage, machine } = await open(3);
    const id = await machine();
    await partition(stage);
    let target = '';
    stage.sim.around = async (point, body) => {
      if (point.path === 'define' && point.phase === 'do' && target === '') {
        target = (await stage.sim.kernel.reader.get(instance, id as never)).hostId ?? '';
        stage.sim.world.crash(`hv${stage.hostIds.indexOf(target) + 1}`);
      }
      return body();
    };
    const ended = await stage.outcome('instance.evacuate', {}, id);
    stage.sim.around = undefined;
    expect(ended.state, JSON.stringify(ended.error)).to.equal('succeeded');
    const row = await stage.instance(id);
    expect([row.state, row.hostId, row.stateReason?.code]).to.deep.equal(['stopped', target, 'not_started']);
    await stage.sim.done('instance.evacuate', {}, id);
    await stage.sim.done('instance.start', {}, id);
    expect((await stage.instance(id)).hostId).not.to.be.oneOf([target, stage.hostIds[0]]);
    stage.sim.world.reconnect('hv1');
    stage.sim.world.boot(`hv${stage.hostIds.indexOf(target) + 1}`);
    await stage.sim.run(LOST_MS);
    expect([stage.copies(id), stage.sim.world.violations, await stage.rows(debt)]).to.deep.equal([1, [], []]);
  });

  it('whose new host freezes while it starts there, and is cut off, waits for that host, which may start it yet', async () => {
    const { stage, machine } = await open(3);
    const id = await machine();
    await partition(stage);
    let target = '';
    stage.sim.around = async (point, body) => {
      if (point.path === 'start' && point.phase === 'do') {
        if (target === '') {
          const { hostId = '' } = await stage.sim.kernel.reader.get(instance, id as never);
          target = `hv${stage.hostIds.indexOf(hostId) + 1}`;
          stage.sim.world.freeze(target);
        } else stage.sim.world.disconnect(target);
      }
      return body();
    };
    const { operationId } = await stage.sim.submit('instance.evacuate', {}, id);
    await stage.sim.run(STUCK_MS);
    stage.sim.around = undefined;
    const waiting = await stage.row(operation, operationId);
    expect([waiting.state, waiting.attention?.step]).to.deep.equal(['needs_attention', 'start']);
    stage.sim.world.reconnect(target);
    stage.sim.world.thaw(target);
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    await stage.sim.run(LOST_MS);
    expect(await stage.instance(id)).to.include({ state: 'running', hostId: stage.hostIds[Number(target.slice(2)) - 1] });
    expect(stage.sim.world.violations).to.deep.equal([]);
  });

  it('whose new host dies while it starts there is given up by whoever knows that, and is evacuated once more', async () => {
    const { stage, machine } = await open(3);
    const id = await machine();
    await partition(stage);
    let target = '';
    stage.sim.around = async (point, body) => {
      if (point.path === 'start' && point.phase === 'do' && target === '') {
        target = (await stage.sim.kernel.reader.get(instance, id as never)).hostId ?? '';
        stage.sim.world.crash(`hv${stage.hostIds.indexOf(target) + 1}`);
      }
      return body();
    };
    const { operationId } = await stage.sim.submit('instance.evacuate', {}, id);
    await stage.sim.run(STUCK_MS);
    stage.sim.around = undefined;
    await stage.sim.environment.complete(stage.sim.kernel.operations.steer(operationId, 'skip'));
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect((await stage.instance(id)).stateReason?.code).to.equal('not_started');
    await stage.sim.done('instance.evacuate', {}, id);
    await stage.sim.done('instance.start', {}, id);
    stage.sim.world.reconnect('hv1');
    stage.sim.world.boot(`hv${stage.hostIds.indexOf(target) + 1}`);
    await stage.sim.run(LOST_MS);
    expect([stage.copies(id), stage.sim.world.violations, await stage.rows(debt)]).to.deep.equal([1, [], []]);
  });

  it('stays off there where an operator passes over its making, and is evacuated or started when it can be', async () => {
    const { stage, machine } = await open(3);
    const id = await machine();
    await partition(stage);
    stage.sim.around = (point, body) => (point.path === 'define' ? Promise.reject(new Error('struck')) : body());
    const { operationId } = await stage.sim.submit('instance.evacuate', {}, id);
    await stage.sim.run(STUCK_MS);
    expect((await stage.row(operation, operationId)).attention?.step).to.equal('define');
    stage.sim.around = undefined;
    await stage.sim.environment.complete(stage.sim.kernel.operations.steer(operationId, 'skip'));
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect(await stage.instance(id)).to.deep.include({ state: 'stopped' });
    expect((await stage.instance(id)).stateReason?.code).to.equal('not_started');
    await stage.sim.done('instance.start', {}, id);
    stage.sim.world.reconnect('hv1');
    await stage.sim.run(LOST_MS);
    expect([(await stage.instance(id)).state, stage.copies(id), stage.sim.world.violations]).to.deep.equal(['running', 1, []]);
  });

  it('does not go where there is room for its old size, when it was resized before its turn came', async () => {
    const { stage, machine } = await open();
    const id = await machine();
    let answer = () => {};
    stage.sim.around = async (point, body) => {
      const done = await body();
      if (point.path !== 'apply' || point.phase !== 'do') return done;
      stage.sim.world.partition('hv1');
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return done;
    };
    const resized = await stage.sim.submit('instance.resize', { vcpus: 2 }, id);
    await stage.sim.run(LOST_MS);
    const evacuated = await stage.sim.submit('instance.evacuate', {}, id);
    answer();
    expect((await stage.sim.ended(resized.operationId)).state).to.equal('succeeded');
    const ended = await stage.sim.ended(evacuated.operationId);
    stage.sim.around = undefined;
    expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'conflict']);
    await stage.sim.done('instance.evacuate', {}, id);
    expect([await stage.taken(stage.hostIds[0] ?? ''), await stage.taken(stage.hostIds[1] ?? '')]).to.deep.equal([
      [0, 0],
      [2, GIB],
    ]);
  });

  it('keeps the rules of its group', async () => {
    const { stage, machine } = await open(3);
    const group = await stage.sim.done('placementGroup.create', { name: 'apart', policy: 'antiAffinity', over: 'host' });
    const id = await machine({ placementGroupId: group });
    await stage.machine({ hostId: stage.hostIds[1], placementGroupId: group });
    await partition(stage);
    await stage.sim.done('instance.evacuate', {}, id);
    expect(await stage.instance(id)).to.include({ hostId: stage.hostIds[2], placementDomain: stage.hostIds[2] });
    expect((await stage.counter(`placement/group/${group}/${stage.hostIds[0]}`))?.value ?? 0).to.equal(0);
    const [disk] = await stage.rows(volume);
    expect(disk?.state).to.equal('attached');
  });

  it('is not started beside itself by a store that was restored from before', async () => {
    const { stage, machine } = await open();
    const id = await machine();
    const dir = await mkdtemp(join(tmpdir(), 'pileus-evacuation-'));
    const file = join(dir, 'backup.db');
    try {
      await stage.sim.backup(file);
      await partition(stage);
      await stage.sim.done('instance.evacuate', {}, id);
      stage.sim.world.reconnect('hv1');
      await stage.sim.run(LOST_MS);
      await stage.sim.restore(file);
      await stage.sim.run(LOST_MS);
      await stage.sim.environment.complete(stage.sim.kernel.confirmRecovery());
      expect(await stage.instance(id)).to.include({ state: 'missing', hostId: stage.hostIds[0] });
      const ended = await stage.outcome('instance.start', {}, id);
      expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'conflict']);
      expect([stage.copies(id), stage.sim.world.violations]).to.deep.equal([1, []]);
      const [found] = await stage.rows(stray);
      await stage.sim.done('stray.remove', {}, found?.id);
      await stage.sim.done('instance.start', {}, id);
      expect([stage.real(id).live, stage.copies(id), stage.sim.world.violations]).to.deep.equal([true, 1, []]);
    } finally {
      stage.sim.dispose();
      await rm(dir, { recursive: true });
    }
  });
});
