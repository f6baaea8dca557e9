import { expect } from 'chai';
import { backup, instance, volume } from '../../../src/cloud/index.ts';
import { operation } from '../../../src/kernel/index.ts';
import { LOOK_MS, MachineStage } from '../compute/machine-stage.ts';
import { BackupStage, CHUNK } from './backup-stage.ts';

const WITHOUT = { without: ['snapshots'] } as const;

/** A machine with a data disk of something, in a pool that keeps no snapshots, and a backup store. */
async function withMachine() {
  const stage = await MachineStage.with({}, { without: ['snapshots', 'diskBackup'] });
  const { sim } = stage;
  await sim.done('backupStore.create', { name: 'store', driver: 'simulated' });
  const id = await stage.machine({ name: 'db' });
  const volumeId = await stage.volume(4 * CHUNK, { name: 'data' });
  await sim.done('instance.attachVolume', { volumeId }, id);
  sim.world.write(volumeId, 'rows', CHUNK);
  return { stage, sim, id, volumeId };
}

describe('backups where the pool keeps no snapshots', function () {
  this.timeout(300_000);

  it('bring back what was in a volume that nobody has, and are restored into such a pool', async () => {
    const stage = await BackupStage.open(WITHOUT);
    const id = await stage.cloud.volume(4 * CHUNK + 512, { name: 'data' });
    stage.fill(id, 1, 1);
    stage.write(id, 4 * CHUNK, new Uint8Array(512).fill(9));
    const before = stage.contentOf(id);
    const backupId = await stage.backUp(id);
    const row = await stage.row(backupId);
    expect(row)
      .to.include({ state: 'available', readBytes: CHUNK + 512, newBytes: CHUNK + 512 })
      .and.not.to.have.property('snapshotId');
    expect((await stage.cloud.row(volume, id)).backedUpAt).to.equal(row.takenAt);
    stage.fill(id, 1, 2);
    const restored = await stage.restore(backupId, { name: 'data-again' });
    expect(await stage.cloud.row(volume, restored)).to.include({ state: 'available', sizeBytes: 4 * CHUNK + 512 });
    expect(stage.contentOf(restored)).to.equal(before);
  });

  it('read nothing again of what nobody has opened to write since, in whichever store that is', async () => {
    const stage = await BackupStage.open(WITHOUT);
    const other = await stage.sim.done('backupStore.create', { name: 'other', driver: 'simulated', settings: { place: 'other' } });
    const id = await stage.cloud.volume(3 * CHUNK);
    stage.fill(id, 1, 1);
    const [before, first] = [stage.contentOf(id), await stage.backUp(id)];
    for (const [storeId, readBytes] of [
      [stage.storeId, 0],
      [other, CHUNK],
      [other, 0],
      [stage.storeId, 0],
    ] as const)
      expect(await stage.row(await stage.backUp(id, { storeId }))).to.include({ readBytes, newBytes: readBytes });
    const last = await stage.backUp(id);
    await stage.sim.done('backup.delete', {}, first);
    await stage.tidy();
    await stage.sim.done('backup.verify', {}, last);
    expect((await stage.row(last)).condition).to.equal('sound');
    expect(stage.contentOf(await stage.restore(last))).to.equal(before);
    // Whatever its mark says, of one that is damaged nothing is taken.
    for (const key of stage.chunks()) stage.objects.set(key, new Uint8Array(64));
    await stage.sim.done('backup.verify', {}, last);
    expect(await stage.row(await stage.backUp(id))).to.include({ readBytes: CHUNK, newBytes: CHUNK });
  });

  it('read all again of what a machine has had, of what has grown, and of what has moved', async () => {
    const { stage, sim, id, volumeId } = await withMachine();
    await sim.done('instance.stop', { force: true }, id);
    const readBytes = async () => (await stage.row(backup, await sim.done('backup.create', { volumeId }))).readBytes;
    expect([await readBytes(), await readBytes()]).to.deep.equal([CHUNK, 0]);
    await sim.done('instance.start', {}, id);
    await sim.done('instance.stop', { force: true }, id);
    expect([await readBytes(), await readBytes()]).to.deep.equal([CHUNK, 0]);
    await sim.done('volume.resize', { sizeBytes: 5 * CHUNK }, volumeId);
    expect([await readBytes(), await readBytes()]).to.deep.equal([CHUNK, 0]);
  });

  it('trust no mark that came late: it is there with anything', async () => {
    const stage = await BackupStage.open(WITHOUT);
    const id = await stage.cloud.volume(2 * CHUNK);
    stage.fill(id, 0, 1);
    const undo = stage.sim.world.faults.add({ command: 'marks.set', effect: 'late', delayMs: 600_000 });
    await stage.backUp(id);
    undo();
    stage.fill(id, 0, 2);
    await stage.sim.run(900_000);
    const content = stage.contentOf(id);
    const backupId = await stage.backUp(id);
    expect(await stage.row(backupId)).to.include({ readBytes: CHUNK, newBytes: CHUNK });
    expect(stage.contentOf(await stage.restore(backupId))).to.equal(content);
  });

  it('are not made where somebody opens what was taken for unchanged, behind our back', async () => {
    let opens = false;
    const landing = <T>(_site: string, command: string, apply: () => T): T => {
      if (opens && command === 'backups.get') stage.fill(id, 0, 7);
      return apply();
    };
    const stage = await BackupStage.open({ ...WITHOUT, world: { landing } });
    const id = await stage.cloud.volume(2 * CHUNK);
    stage.fill(id, 0, 1);
    await stage.backUp(id);
    opens = true;
    const { state, error } = await stage.cloud.outcome('backup.create', { volumeId: id });
    expect([state, error?.code]).to.deep.equal(['failed', 'conflict']);
    opens = false;
    expect((await stage.row(await stage.backUp(id))).readBytes).to.equal(CHUNK);
  });

  it('read all again each time where the pool keeps no marks either', async () => {
    const stage = await BackupStage.open({ without: ['snapshots', 'marks'] });
    const id = await stage.cloud.volume(2 * CHUNK);
    stage.fill(id, 0, 1);
    for (const newBytes of [CHUNK, 0]) expect(await stage.row(await stage.backUp(id))).to.include({ readBytes: CHUNK, newBytes });
  });

  it('read all again of what was written to, and keep what is new', async () => {
    const stage = await BackupStage.open(WITHOUT);
    const id = await stage.cloud.volume(2 * CHUNK);
    for (const chunk of [0, 1]) stage.fill(id, chunk, chunk + 1);
    await stage.backUp(id);
    stage.fill(id, 1, 99);
    expect(await stage.row(await stage.backUp(id))).to.include({ readBytes: 2 * CHUNK, newBytes: CHUNK });
  });

  it('are restored for a test, which leaves nothing, and shows what the pool gives back otherwise', async () => {
    let breaks = false;
    const landing = <T>(_site: string, command: string, apply: () => T): T => {
      const answer = apply();
      if (breaks && command === 'contents.read' && answer instanceof Uint8Array) answer[0] = (answer[0] ?? 0) ^ 1;
      return answer;
    };
    const stage = await BackupStage.open({ ...WITHOUT, world: { landing } });
    const id = await stage.cloud.volume(2 * CHUNK);
    stage.fill(id, 0, 1);
    const backupId = await stage.backUp(id);
    await stage.sim.done('backup.verify', { restore: true }, backupId);
    expect(await stage.row(backupId)).to.include({ condition: 'sound', restoreSeconds: 1 });
    breaks = true;
    await stage.sim.done('backup.verify', { restore: true }, backupId);
    expect(await stage.row(backupId)).to.include({ condition: 'damaged', damage: 'What was restored is not what was backed up.' });
    expect(await stage.cloud.rows(volume)).to.have.length(1);
  });

  it('are refused while a machine is on with the volume, which is named; one that is off stays off meanwhile', async () => {
    const { stage, sim, id, volumeId } = await withMachine();
    expect(await stage.refusal('backup.create', { volumeId })).to.deep.include({
      code: 'in_use',
      params: { blockers: [{ kind: 'instance', id, name: 'db' }], reason: 'hypervisor' },
    });
    await sim.done('instance.stop', { force: true }, id);
    const slow = sim.world.faults.add({ command: 'backups.put', effect: 'delay', delayMs: 20_000 });
    const made = await sim.submit('backup.create', { volumeId });
    await sim.run(1000);
    const started = await sim.submit('instance.start', {}, id);
    await sim.run(1000);
    expect((await stage.row(operation, started.operationId)).state).to.equal('queued');
    slow();
    for (const each of [made, started]) expect((await sim.ended(each.operationId)).state).to.equal('succeeded');
    expect((await stage.row(instance, id)).state).to.equal('running');
  });

  it('fail when its machine is switched on behind our back, and leave nothing', async () => {
    const { stage, sim, id, volumeId } = await withMachine();
    await sim.done('instance.stop', { force: true }, id);
    const slow = sim.world.faults.add({ command: 'backups.put', effect: 'delay', delayMs: 5000 });
    const { operationId, resourceId } = await sim.submit('backup.create', { volumeId });
    await sim.run(1000);
    stage.real(id).start();
    slow();
    expect((await sim.ended(operationId)).error).to.include({ code: 'in_use' });
    expect((await stage.row(backup, resourceId)).state).to.equal('deleted');
    await sim.run(LOOK_MS + 30_000);
    expect([...(sim.world.backups.get('backups')?.keys() ?? [])]).to.deep.equal(['pileus/store']);
  });

  it('fail behind an attachment: the machine that got the volume may start meanwhile', async () => {
    const { stage, sim, id } = await withMachine();
    await sim.done('instance.stop', { force: true }, id);
    const volumeId = await stage.volume(CHUNK);
    const attached = await sim.submit('instance.attachVolume', { volumeId }, id);
    const made = await sim.submit('backup.create', { volumeId });
    expect((await sim.ended(attached.operationId)).state).to.equal('succeeded');
    expect((await sim.ended(made.operationId)).error).to.include({ code: 'conflict' });
  });

  it('are refused where what is in volumes cannot be read at all', async () => {
    const stage = await MachineStage.with({}, { without: ['contents'] });
    await stage.sim.done('backupStore.create', { name: 'store', driver: 'simulated' });
    const volumeId = await stage.volume(CHUNK);
    expect(await stage.refusal('backup.create', { volumeId })).to.include({ code: 'unsupported' });
  });
});
