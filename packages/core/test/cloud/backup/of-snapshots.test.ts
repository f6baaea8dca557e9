import { expect } from 'chai';
import { backup, snapshot, volume } from '../../../src/cloud/index.ts';
import { operation } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { BackupStage, CHUNK } from './backup-stage.ts';

const snap = (stage: BackupStage, volumeId: string, name: string) => stage.sim.done('snapshot.create', { volumeId, name });

async function refusal(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('backups of snapshots', function () {
  this.timeout(300_000);

  it('have what the snapshot has, whatever was written since, and outlive it', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(2 * CHUNK, { name: 'data' });
    stage.fill(id, 0, 1);
    const then = stage.contentOf(id);
    const snapshotId = await snap(stage, id, 'then');
    await stage.sim.run(60_000);
    stage.fill(id, 1, 2);
    await stage.sim.done('volume.resize', { sizeBytes: 3 * CHUNK }, id);
    const backupId = await stage.sim.done('backup.create', { snapshotId });
    const row = await stage.row(backupId);
    const { createdAt } = await stage.cloud.row(snapshot, snapshotId);
    expect(row).to.include({ volumeId: id, volumeName: 'data', sizeBytes: 2 * CHUNK, takenAt: createdAt, readBytes: CHUNK });
    expect(row).not.to.have.property('snapshotId');
    expect((await stage.cloud.row(volume, id)).backedUpAt).to.equal(createdAt);
    expect(stage.snapshotsOf(id)).to.deep.equal([snapshotId]);
    await stage.sim.done('snapshot.delete', {}, snapshotId);
    const restored = await stage.restore(backupId);
    expect(stage.contentOf(restored)).to.equal(then);
  });

  it('stand beside those of the volume: they neither end its chain nor make it newer than it is', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(2 * CHUNK);
    for (const chunk of [0, 1]) stage.fill(id, chunk, chunk + 1);
    const snapshotId = await snap(stage, id, 'then');
    await stage.sim.run(60_000);
    const first = await stage.backUp(id);
    const { takenAt, snapshotId: kept } = await stage.row(first);
    await stage.sim.done('backup.create', { snapshotId });
    expect((await stage.cloud.row(volume, id)).backedUpAt).to.equal(takenAt);
    expect((await stage.row(first)).snapshotId).to.equal(kept);
    stage.fill(id, 1, 9);
    expect(await stage.row(await stage.backUp(id))).to.include({ readBytes: CHUNK, newBytes: CHUNK });
    expect(stage.snapshotsOf(id)).to.have.length(2).and.include(snapshotId);
  });

  it('of all disks of a machine have one instant', async () => {
    const stage = await MachineStage.with({});
    const { sim } = stage;
    await sim.done('backupStore.create', { name: 'store', driver: 'simulated' });
    const id = await stage.machine({ name: 'db' });
    const volumeId = await stage.volume(CHUNK, { name: 'data' });
    await sim.done('instance.attachVolume', { volumeId }, id);
    await sim.done('instance.snapshot', { name: 'now' }, id);
    const taken = await sim.rows('snapshot');
    expect(taken).to.have.length(2);
    const made = await Promise.all(taken.map((row) => sim.done('backup.create', { snapshotId: row.id })));
    const rows = await Promise.all(made.map((each) => stage.row(backup, each)));
    expect(new Set(rows.map(({ takenAt }) => takenAt))).to.have.property('size', 1);
  });

  it('keep their snapshot until they are made', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(CHUNK);
    stage.fill(id, 0, 1);
    const snapshotId = await snap(stage, id, 'then');
    const slow = stage.sim.world.faults.add({ command: 'backups.put', effect: 'delay', delayMs: 20_000 });
    const made = await stage.sim.submit('backup.create', { snapshotId });
    await stage.sim.run(1000);
    const deleted = await stage.sim.submit('snapshot.delete', {}, snapshotId);
    await stage.sim.run(1000);
    expect((await stage.cloud.row(operation, deleted.operationId)).state).to.equal('queued');
    slow();
    for (const each of [made, deleted]) expect((await stage.sim.ended(each.operationId)).state).to.equal('succeeded');
  });

  it('are refused before anything changes: of none, of one that is gone, with a volume beside', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(CHUNK);
    const snapshotId = await snap(stage, id, 'then');
    const ask = (input: object) => refusal(stage.sim.submit('backup.create', input));
    expect(await ask({})).to.deep.include({ code: 'invalid_input', pointer: '/volumeId' });
    expect(await ask({ volumeId: id, snapshotId })).to.deep.include({ code: 'invalid_input', pointer: '/snapshotId' });
    expect(await ask({ snapshotId: id })).to.deep.include({ code: 'not_found', pointer: '/snapshotId' });
    await stage.sim.done('snapshot.delete', {}, snapshotId);
    expect(await ask({ snapshotId })).to.deep.include({ code: 'not_found', pointer: '/snapshotId' });
    expect(await stage.cloud.rows(backup)).to.deep.equal([]);
  });

  it('fail where the pool has lost the snapshot, and leave nothing', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(CHUNK);
    const snapshotId = await snap(stage, id, 'then');
    stage.sim.world.pools.get(`hv1/${stage.poolId}`)?.deleteSnapshot({ id: snapshotId, volumeId: id });
    const { operationId, resourceId } = await stage.sim.submit('backup.create', { snapshotId });
    expect((await stage.sim.ended(operationId)).error).to.include({ code: 'conflict' });
    expect((await stage.row(resourceId)).state).to.equal('deleted');
  });
});
