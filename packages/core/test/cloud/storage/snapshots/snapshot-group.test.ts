import { expect } from 'chai';
import { instance, snapshot, snapshotGroup, volume } from '../../../../src/cloud/index.ts';
import { type MachineStage, refusal } from '../../compute/machine-stage.ts';
import { GIB, HEARTBEAT_MS } from '../../little-cloud.ts';
import { open } from './snapshot-stage.ts';

describe('snapshots of a machine', () => {
  const twoDisks = async (options: Parameters<typeof MachineStage.with>[1] = {}) => {
    const stage = await open(options);
    const { cloud, sim } = stage;
    const instanceId = await cloud.machine({ name: 'vm', volumes: [{ name: 'data', sizeBytes: GIB }] });
    await sim.run(5000);
    const disks = [...(await cloud.rows(volume))].sort((a, b) => (a.slot ?? 0) - (b.slot ?? 0)).map(({ id }) => String(id));
    const machine = () => sim.world.host('hv1').machine(instanceId);
    const take = async () => {
      const ended = await cloud.outcome('instance.snapshot', { name: 'before' }, instanceId);
      expect(ended.state, JSON.stringify(ended.error)).to.equal('succeeded');
      return String(ended.notes?.snapshotGroupId);
    };
    return { ...stage, instanceId, disks, machine, take };
  };

  it('are of one instant, and a revert takes all disks back', async () => {
    const { cloud, sim, instanceId, disks, machine, take, write, read } = await twoDisks();
    for (const id of disks) write(id, 'good');
    const groupId = await take();
    expect(await cloud.row(snapshotGroup, groupId)).to.include({
      state: 'available',
      name: 'before',
      consistency: 'filesystem',
      instanceId,
    });
    expect((await cloud.rows(snapshot)).map(({ name }) => name).sort()).to.deep.equal(['before-0', 'before-1']);
    expect([machine().frozen, machine().observe().power]).to.deep.equal([false, 'running']);
    for (const id of disks) write(id, 'bad');
    expect(await refusal(sim.submit('snapshotGroup.revert', {}, groupId))).to.match(/^in_use .* stop it first\.$/);
    await sim.done('instance.stop', {}, instanceId);
    await sim.done('snapshotGroup.revert', {}, groupId);
    expect(disks.map((id) => read(id))).to.deep.equal(['good', 'good']);
    const [member] = await cloud.rows(snapshot);
    expect(await refusal(sim.submit('snapshot.delete', {}, member?.id))).to.match(
      /^in_use Snapshot before-\d is a part of snapshotGroup before; delete that\.$/,
    );
    await sim.done('snapshotGroup.delete', {}, groupId);
    expect(await cloud.rows(snapshot)).to.deep.equal([]);
  });

  for (const [what, options] of [
    ['its guest has no agent', { world: { guests: () => ({ hasAgent: false }) } }],
    ['its host asks no agents', { without: ['quiesce'] }],
  ] as const)
    it(`pause it where ${what}, and say so`, async () => {
      const { cloud, sim, instanceId, machine, take } = await twoDisks(options);
      const seen: string[] = [];
      sim.around = async ({ path, phase }, body) => {
        if (path.startsWith('images') && phase === 'do') seen.push(machine().observe().power);
        return body();
      };
      const groupId = await take();
      expect(seen).to.deep.equal(['paused', 'paused']);
      expect((await cloud.row(snapshotGroup, groupId)).consistency).to.equal('crash');
      expect(machine().observe().power).to.equal('running');
      expect((await cloud.row(instance, instanceId)).state).to.equal('running');
    });

  it('leave one asleep that its user has suspended', async () => {
    const { cloud, sim, instanceId, machine, take } = await twoDisks();
    await sim.done('instance.suspend', {}, instanceId);
    expect((await cloud.row(snapshotGroup, await take())).consistency).to.equal('crash');
    expect(machine().observe().power).to.equal('paused');
  });

  it('promise no more of a machine that is off than a loss of power leaves: it may have been stopped by force', async () => {
    const { cloud, instanceId, take } = await twoDisks();
    await cloud.into('stopped', instanceId);
    expect((await cloud.row(snapshotGroup, await take())).consistency).to.equal('crash');
  });

  it('are given up when a pool does not answer, and the machine goes on at once', async () => {
    const { cloud, sim, instanceId, machine } = await twoDisks();
    sim.world.faults.add({ command: 'snapshots.create', times: 1, effect: 'hang' });
    const accepted = await sim.submit('instance.snapshot', {}, instanceId);
    await sim.run(10_000);
    expect(machine().frozen).to.equal(true);
    await sim.run(25_000);
    expect(machine().frozen).to.equal(false);
    expect((await sim.ended(accepted.operationId)).state).to.equal('failed');
    expect([...(await cloud.rows(snapshot)), ...(await cloud.rows(snapshotGroup))]).to.deep.equal([]);
  });

  it('never leave a machine frozen whose host was out of reach: it goes on when that is back', async () => {
    const { sim, instanceId, machine } = await twoDisks();
    let isCut = false;
    sim.around = async ({ path }, body) => {
      if (path.startsWith('images') && !isCut) {
        isCut = true;
        sim.world.partition('hv1');
      }
      return body();
    };
    const accepted = await sim.submit('instance.snapshot', {}, instanceId);
    await sim.run(120_000);
    expect(machine().frozen).to.equal(true);
    sim.world.reconnect('hv1');
    await sim.run(60_000);
    expect(machine().frozen).to.equal(false);
    expect((await sim.ended(accepted.operationId)).state).to.equal('failed');
  });

  it('keep nobody from a machine whose guest hangs in holding its writes back, and let it go on when that answers', async () => {
    const { cloud, sim, instanceId, machine } = await twoDisks();
    sim.world.faults.add({ command: 'snapshots.create', times: 1, effect: 'fail' });
    const hung = sim.world.faults.add({ command: 'quiesce.thaw', effect: 'hang' });
    const accepted = await sim.submit('instance.snapshot', {}, instanceId);
    expect((await sim.ended(accepted.operationId)).state).to.equal('failed');
    expect(machine().frozen).to.equal(true);
    expect((await cloud.outcome('instance.reset', {}, instanceId)).state).to.equal('succeeded');
    hung();
    await sim.run(20 * HEARTBEAT_MS);
    expect(machine().frozen).to.equal(false);
    expect(sim.rows('debt')).to.deep.equal([]);
  });

  it('never leave a guest frozen by a call that was given up and landed late', async () => {
    const { sim, instanceId, machine } = await twoDisks();
    sim.world.faults.add({ command: 'quiesce.freeze', times: 1, effect: 'late', delayMs: 20_000 });
    const accepted = await sim.submit('instance.snapshot', {}, instanceId);
    expect((await sim.ended(accepted.operationId)).state).to.equal('failed');
    const seen = new Set<boolean>();
    for (let seconds = 0; seconds < 120; seconds += 1) {
      seen.add(machine().frozen);
      await sim.run(1_000);
    }
    expect([...seen], 'it landed').to.include(true);
    expect(machine().frozen).to.equal(false);
  });

  it('never leave a machine paused that a look found so before it could be let go on', async () => {
    const { cloud, sim, instanceId, machine } = await twoDisks({ world: { guests: () => ({ hasAgent: false }) } });
    let isCut = false;
    sim.around = async ({ path }, body) => {
      if (path.startsWith('images') && !isCut) {
        isCut = true;
        sim.world.partition('hv1');
      }
      return body();
    };
    const accepted = await sim.submit('instance.snapshot', {}, instanceId);
    expect((await sim.ended(accepted.operationId)).state).to.equal('failed');
    sim.world.faults.add({ command: 'power.resume', times: 5, effect: 'fail' });
    sim.world.reconnect('hv1');
    const reasons = new Set<string | undefined>();
    for (let looks = 0; looks < 60; looks += 1) {
      await sim.run(HEARTBEAT_MS);
      reasons.add((await cloud.row(instance, instanceId)).stateReason?.code);
    }
    expect([...reasons], 'a look came first').to.include('found_paused');
    expect(machine().observe().power).to.equal('running');
    expect((await cloud.row(instance, instanceId)).state).to.equal('running');
  });

  it('are refused as torn when the machine went on in between', async () => {
    const { cloud, sim, instanceId, machine } = await twoDisks();
    sim.around = async ({ path }, body) => {
      if (path === 'images[1]') machine().thaw();
      return body();
    };
    const ended = await cloud.outcome('instance.snapshot', {}, instanceId);
    expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'conflict']);
    expect(await cloud.rows(snapshot)).to.deep.equal([]);
  });
});
