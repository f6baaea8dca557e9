import { expect } from 'chai';
import { backup, backupPlan, backupSet, instance, snapshotGroup, volume } from '../../../src/cloud/index.ts';
import { type CloudError, operation } from '../../../src/kernel/index.ts';
import { withMachine } from './set-stage.ts';

const MINUTE_MS = 60_000;
const PERIOD_MS = 5 * MINUTE_MS;
const YEARLY = '0 0 1 1 *';

const NOTHING = { backups: [], groups: 0, snapshots: 0, real: 0 };

describe('backups of a machine at one instant', function () {
  this.timeout(300_000);

  it('have a backup of each disk, of one instant, leave no snapshot, and are restored by one call', async () => {
    const { stage, sim, id, disks, fill, contents, outcome, left } = await withMachine();
    fill(1);
    const then = contents(disks);
    const setId = await sim.done('backupSet.create', { name: 'tonight', instanceId: id });
    fill(2);
    const set = await stage.row(backupSet, setId);
    expect(set).to.include({ state: 'available', instanceId: id, instanceName: 'db', consistency: 'filesystem' });
    const made = (await stage.rows(backup)).toSorted((a, b) => (a.slot ?? 0) - (b.slot ?? 0));
    expect(made.map(({ name, volumeId, slot, setId: of, takenAt }) => [name, volumeId, slot, of, takenAt])).to.deep.equal([
      ['tonight-0', disks[0], 0, setId, set.takenAt],
      ['tonight-1', disks[1], 1, setId, set.takenAt],
    ]);
    expect(await left()).to.deep.equal({ ...NOTHING, backups: ['available', 'available'] });
    expect((await stage.row(instance, id)).backedUpAt).to.equal(set.takenAt);
    const { notes } = await outcome('backupSet.restore', { name: 'again' }, setId);
    const restored = notes?.volumeIds as string[];
    expect(contents(restored)).to.deep.equal(then);
    const rows = await Promise.all(restored.map((each) => stage.row(volume, each)));
    expect(rows.map(({ name, state }) => [name, state])).to.deep.equal([
      ['again-0', 'available'],
      ['again-1', 'available'],
    ]);
  });

  it('hold the machine for the snapshots, not for as long as they are copied', async () => {
    const { sim, id, stage } = await withMachine();
    const slow = sim.world.faults.add({ command: 'backups.put', effect: 'delay', delayMs: 50_000 });
    const { operationId } = await sim.submit('backupSet.create', { instanceId: id });
    await sim.run(5000);
    await sim.done('instance.stop', { force: true }, id);
    expect((await stage.row(operation, operationId)).state).to.equal('running');
    slow();
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
  });

  it('go as a whole, and no part of them alone', async () => {
    const { stage, sim, id, left } = await withMachine();
    const setId = await sim.done('backupSet.create', { instanceId: id });
    const [one] = await stage.rows(backup);
    const refused = (await sim.submit('backup.delete', {}, one?.id).catch((error: unknown) => error)) as CloudError;
    expect(refused.code).to.equal('in_use');
    expect(refused.params?.blockers).to.have.nested.property('[0].id', setId);
    await sim.done('backupSet.delete', {}, setId);
    expect(await left()).to.deep.equal(NOTHING);
  });

  it('outlive their machine', async () => {
    const { stage, sim, id, sets } = await withMachine();
    await sim.done('backupSet.create', { instanceId: id });
    await sim.done('instance.delete', {}, id);
    const [set] = await sets();
    expect(set).to.include({ instanceName: 'db' }).and.not.have.property('instanceId');
    await sim.done('backupSet.restore', {}, set?.id);
    expect((await stage.rows(volume)).map(({ state }) => state)).to.include('available');
  });

  it('leave nothing where one of the disks cannot be copied, or it is cancelled', async () => {
    const { stage, sim, id, outcome, left, sets } = await withMachine();
    // Both copies fail as often as they are tried.
    sim.world.faults.add({ command: 'backups.put', effect: 'fail', fault: 'exhausted', times: 40 });
    expect((await outcome('backupSet.create', { instanceId: id })).state).to.equal('failed');
    expect(await left()).to.deep.equal(NOTHING);
    sim.world.faults.clear();
    sim.world.faults.add({ command: 'backups.put', effect: 'delay', delayMs: 50_000 });
    const { operationId } = await sim.submit('backupSet.create', { instanceId: id });
    await sim.run(5000);
    await sim.environment.complete(sim.kernel.operations.cancel(operationId, 'test'));
    expect((await sim.ended(operationId)).state).not.to.equal('succeeded');
    expect([await left(), await sets()]).to.deep.equal([NOTHING, []]);
    expect((await stage.row(instance, id)).state).to.equal('running');
  });

  it('are made, though somebody else deletes their snapshots behind the copies', async () => {
    const { stage, sim, id, left } = await withMachine();
    sim.world.faults.add({ command: 'backups.put', effect: 'delay', delayMs: 5000 });
    const made = await sim.submit('backupSet.create', { instanceId: id });
    await sim.run(2000);
    const [group] = await stage.rows(snapshotGroup);
    const gone = await sim.submit('snapshotGroup.delete', {}, group?.id);
    const ends = [await sim.ended(made.operationId), await sim.ended(gone.operationId)];
    expect(ends.map(({ state }) => state)).to.deep.equal(['succeeded', 'succeeded']);
    expect(await left()).to.deep.equal({ ...NOTHING, backups: ['available', 'available'] });
  });

  it('are refused before anything changes: of pools without snapshots, of what is not there, of a machine that is not made', async () => {
    const { stage } = await withMachine({ without: ['snapshots'] });
    const [row] = await stage.rows(instance);
    expect(await stage.refusal('backupSet.create', { instanceId: row?.id })).to.include({ code: 'unsupported' });
    expect(await stage.refusal('backupSet.create', { instanceId: stage.imageId })).to.include({
      code: 'not_found',
      pointer: '/instanceId',
    });
    const other = await withMachine();
    await other.stage.into('missing', other.id);
    expect(await other.stage.refusal('backupSet.create', { instanceId: other.id })).to.include({
      code: 'conflict',
      pointer: '/instanceId',
    });
  });
});

describe('plans that back up machines at one instant', function () {
  this.timeout(300_000);

  it('make a set each time, keep as many sets as they are told, and show what can be recovered', async () => {
    const { stage, sim, id, sets, left } = await withMachine();
    const planId = await sim.done('backupPlan.create', {
      instanceId: id,
      atOneInstant: true,
      schedule: '*/5 * * * *',
      keepCount: 2,
      verify: true,
    });
    await sim.run(4 * PERIOD_MS + 2 * MINUTE_MS);
    const kept = await sets();
    expect(kept.map((row) => row.planId)).to.deep.equal([planId, planId]);
    expect(await left()).to.deep.equal({ ...NOTHING, backups: Array.from({ length: 4 }, () => 'available') });
    const newest = kept
      .map(({ takenAt }) => takenAt)
      .toSorted()
      .at(-1);
    expect((await stage.rows(backup)).filter(({ takenAt }) => takenAt === newest).map(({ condition }) => condition)).to.deep.equal([
      'sound',
      'sound',
    ]);
    expect((await stage.row(backupPlan, planId)).recoveryPointAt).to.equal(newest);
    expect((await stage.row(instance, id)).backedUpAt).to.equal(newest);
  });

  it('take all machines with a tag, and no volumes with it', async () => {
    const { stage, sim, sets } = await withMachine();
    const tagged = await stage.machine({ name: 'gold', tags: { tier: 'gold' } });
    await stage.volume(8192, { name: 'apart', tags: { tier: 'gold' } });
    const planId = await sim.done('backupPlan.create', { tag: 'tier=gold', atOneInstant: true, schedule: YEARLY });
    await sim.done('backupPlan.run', {}, planId);
    await sim.run(2 * MINUTE_MS);
    expect((await sets()).map(({ instanceId }) => instanceId)).to.deep.equal([tagged]);
    expect((await stage.rows(backup)).map(({ setId }) => setId)).not.to.include(undefined);
  });

  it('make each set once, though the server dies while they run', async () => {
    const { stage, sim, id, sets, left } = await withMachine();
    const planId = await sim.done('backupPlan.create', { instanceId: id, atOneInstant: true, schedule: YEARLY });
    const deaths = ['images[0]', 'instant', 'apart'];
    sim.around = (point, body, at) => {
      if (point.path === deaths[0]) {
        deaths.shift();
        at.crash();
        return new Promise<never>(() => undefined);
      }
      return body();
    };
    await sim.done('backupPlan.run', {}, planId);
    for (let round = 0; round < 20; round += 1) {
      await sim.run(30_000);
      if (!sim.alive) await sim.start();
    }
    expect(deaths).to.deep.equal([]);
    const made = (await stage.rows(operation)).filter(({ action }) => action === 'backupSet.create');
    expect(made).to.have.length(1);
    expect(await sets()).to.have.length(1);
    expect(await left()).to.deep.equal({ ...NOTHING, backups: ['available', 'available'] });
  });

  it('do not go with one volume', async () => {
    const { stage, disks } = await withMachine();
    const asked = { volumeId: disks[1], atOneInstant: true, schedule: YEARLY };
    expect(await stage.refusal('backupPlan.create', asked)).to.include({ code: 'invalid_input', pointer: '/atOneInstant' });
  });
});
