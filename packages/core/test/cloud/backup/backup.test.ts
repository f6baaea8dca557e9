import { expect } from 'chai';
import { backupStore, volume } from '../../../src/cloud/index.ts';
import { type CloudError, operation } from '../../../src/kernel/index.ts';
import { BackupStage, CHUNK } from './backup-stage.ts';

const refusal = (work: Promise<unknown>): Promise<CloudError | 'accepted'> =>
  work.then(
    () => 'accepted' as const,
    (error: CloudError) => error,
  );

describe('backups', function () {
  this.timeout(300_000);

  it('bring back what was in a volume when they were made, into a new one', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(10 * CHUNK + 512, { name: 'data' });
    for (const chunk of [0, 3, 4]) stage.fill(id, chunk, chunk + 1);
    stage.write(id, 10 * CHUNK, new Uint8Array(512).fill(9));
    const before = stage.contentOf(id);
    const backupId = await stage.backUp(id, { name: 'nightly' });
    expect(await stage.row(backupId)).to.deep.include({
      ...{ state: 'available', name: 'nightly', volumeId: id, volumeName: 'data', storeId: stage.storeId },
      ...{ sizeBytes: 10 * CHUNK + 512, readBytes: 3 * CHUNK + 512, newBytes: 3 * CHUNK + 512 },
    });
    stage.fill(id, 3, 77);
    const restored = await stage.restore(backupId, { name: 'data-again' });
    expect(await stage.cloud.row(volume, restored)).to.include({ state: 'available', name: 'data-again', sizeBytes: 10 * CHUNK + 512 });
    expect(stage.contentOf(restored)).to.equal(before);
    expect(stage.contentOf(id)).not.to.equal(before);
  });

  it('are there soon where a pool does not answer to one question: that is asked again', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(CHUNK);
    stage.fill(id, 0, 1);
    const { sim } = stage;
    const snapshotId = await sim.done('snapshot.create', { volumeId: id });
    for (const [command, input] of [
      ['snapshots.list', { snapshotId }],
      ['snapshots.list', { volumeId: id }],
    ] as const) {
      sim.world.faults.add({ command, effect: 'timeout_after', times: 1 });
      const { operationId } = await sim.submit('backup.create', input);
      expect(await sim.ended(operationId, 10 * 60_000)).to.include({ state: 'succeeded' });
    }
  });

  it('keep each chunk once in a project, and nothing of zeroes', async () => {
    const stage = await BackupStage.open();
    const [a, b] = [await stage.cloud.volume(8 * CHUNK), await stage.cloud.volume(8 * CHUNK)];
    for (const [at, byte] of [1, 2, 1, 2].entries()) stage.fill(a, at, byte);
    stage.write(a, 7 * CHUNK, new Uint8Array(CHUNK));
    stage.fill(b, 5, 2);
    const first = await stage.row(await stage.backUp(a));
    expect(first).to.include({ readBytes: 4 * CHUNK, newBytes: 2 * CHUNK });
    expect(await stage.row(await stage.backUp(b))).to.include({ readBytes: CHUNK, newBytes: 0 });
    expect(stage.chunks()).to.have.length(2);
  });

  it('of two projects share nothing, so that none learns what the other has', async () => {
    const stage = await BackupStage.open();
    const mine = await stage.cloud.volume(CHUNK);
    stage.fill(mine, 0, 1);
    await stage.backUp(mine);
    const account = await stage.sim.done('account.create', { name: 'other' });
    const projectId = await stage.sim.done('project.create', { name: 'theirs', accountId: account });
    const principal = { ...stage.sim.principal, projectId, accountId: account } as typeof stage.sim.principal;
    const ask = async (action: string, input: object, resourceId?: string) => {
      const { kernel, environment } = stage.sim;
      const request = { action, input, principal, ...(resourceId === undefined ? {} : { resourceId }) };
      const accepted = await environment.complete(kernel.submit(request));
      expect((await stage.sim.ended(accepted.operationId)).state).to.equal('succeeded');
      return accepted.resourceId;
    };
    const theirs = await ask('volume.create', { sizeBytes: CHUNK });
    stage.fill(theirs, 0, 1);
    expect(await stage.row(await ask('backup.create', { volumeId: theirs }))).to.include({ newBytes: CHUNK });
    expect(stage.chunks()).to.have.length(2);
    expect(
      await refusal(
        stage.sim.environment.complete(stage.sim.kernel.submit({ action: 'backup.create', input: { volumeId: mine }, principal })),
      ),
    ).to.deep.include({
      code: 'not_found',
      pointer: '/volumeId',
    });
  });

  it('tell who keeps them nothing of what is in them', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(2 * CHUNK, { name: 'secret-plans' });
    stage.write(id, 0, Buffer.from('the secret plans'.repeat(1000)));
    await stage.backUp(id);
    for (const bytes of stage.objects.values())
      for (const text of ['secret', 'volumeName', id]) expect(Buffer.from(bytes).includes(text), text).to.equal(false);
  });

  it('read only what has changed since the one before, and each is whole all the same', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(16 * CHUNK);
    const contents: (string | undefined)[] = [];
    const made: string[] = [];
    const round = async (read: number) => {
      contents.push(stage.contentOf(id));
      made.push(await stage.backUp(id));
      expect((await stage.row(made.at(-1) ?? '')).readBytes, `round ${made.length}`).to.equal(read * CHUNK);
      expect(stage.snapshotsOf(id)).to.have.length(1);
    };
    for (let chunk = 0; chunk < 8; chunk += 1) stage.fill(id, chunk, chunk + 1);
    await round(8);
    await round(0);
    stage.fill(id, 2, 99);
    stage.fill(id, 3, 0);
    await round(2);
    await stage.sim.done('volume.resize', { sizeBytes: 20 * CHUNK }, id);
    stage.fill(id, 19, 5);
    await round(1);
    // In the middle, and not the last: each is whole.
    await stage.sim.done('backup.delete', {}, made[1]);
    await stage.sim.done('backup.delete', {}, made[0]);
    await stage.tidy();
    for (const at of [2, 3]) {
      expect(stage.contentOf(await stage.restore(made[at] ?? '', { name: `again-${at}` }))).to.equal(contents[at]);
      await stage.sim.done('backup.verify', {}, made[at]);
      expect((await stage.row(made[at] ?? '')).condition).to.equal('sound');
    }
    expect((await stage.cloud.row(volume, id)).backedUpAt).to.equal((await stage.row(made[3] ?? '')).takenAt);
  });

  it('read everything again where the one before, or its snapshot, is gone', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(4 * CHUNK);
    for (let chunk = 0; chunk < 4; chunk += 1) stage.fill(id, chunk, chunk + 1);
    const first = await stage.backUp(id);
    await stage.sim.done('backup.delete', {}, first);
    expect(stage.snapshotsOf(id)).to.deep.equal([]);
    const second = await stage.backUp(id);
    expect((await stage.row(second)).readBytes).to.equal(4 * CHUNK);
    for (const key of stage.objects.keys()) if (key.includes('/backups/')) stage.objects.delete(key);
    expect((await stage.row(await stage.backUp(id))).readBytes).to.equal(4 * CHUNK);
  });

  it('are restored at once by a clone while they are the last, and by a copy into another pool', async () => {
    const stage = await BackupStage.open();
    const other = await stage.cloud.pool(stage.hostId, { name: 'other', settings: { path: 'other' } });
    const id = await stage.cloud.volume(4 * CHUNK);
    stage.fill(id, 1, 1);
    const content = stage.contentOf(id);
    const backupId = await stage.backUp(id);
    stage.sim.world.faults.add({ command: 'backups.get', effect: 'fail', fault: 'unavailable' });
    const cloned = await stage.restore(backupId);
    expect(stage.contentOf(cloned)).to.equal(content);
    expect(await stage.cloud.row(volume, cloned)).to.include({ poolId: stage.poolId, snapshotId: (await stage.row(backupId)).snapshotId });
    stage.sim.world.faults.clear();
    const copied = await stage.restore(backupId, { poolId: other });
    expect(await stage.cloud.row(volume, copied))
      .to.include({ poolId: other })
      .and.not.to.have.property('snapshotId');
    expect(stage.sim.world.pools.get('hv1/other')?.find('volume', copied)?.content.digest).to.equal(content);
    // The clone lives on when the backup, with what it was cloned from, goes.
    await stage.sim.done('backup.delete', {}, backupId);
    await stage.sim.done('volume.delete', {}, id);
    expect(stage.contentOf(cloned)).to.equal(content);
  });

  it('outlive their volume, and go with what they alone have', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(4 * CHUNK);
    stage.fill(id, 0, 1);
    stage.fill(id, 1, 2);
    const first = await stage.backUp(id);
    stage.fill(id, 1, 3);
    const content = stage.contentOf(id);
    const second = await stage.backUp(id);
    await stage.sim.done('volume.delete', {}, id);
    expect(await stage.row(second)).not.to.have.property('volumeId');
    await stage.sim.done('backup.delete', {}, first);
    await stage.tidy();
    expect(stage.chunks()).to.have.length(2);
    expect(stage.contentOf(await stage.restore(second))).to.equal(content);
    await stage.sim.done('backup.delete', {}, second);
    await stage.tidy();
    expect([...stage.objects.keys()]).to.deep.equal(['pileus/store']);
  });

  it('are refused before anything changes: without a store, of a pool that cannot, of a volume that is none', async () => {
    const stage = await BackupStage.open({ without: ['contents'] });
    const id = await stage.cloud.volume(CHUNK);
    const ask = (input: object) => refusal(stage.sim.submit('backup.create', input));
    expect(await ask({ volumeId: id })).to.deep.include({ code: 'unsupported' });
    expect(await ask({ volumeId: stage.storeId })).to.deep.include({ code: 'not_found', pointer: '/volumeId' });
    const other = await BackupStage.open();
    const volumeId = await other.cloud.volume(CHUNK);
    expect(await refusal(other.sim.submit('backup.create', { volumeId, storeId: volumeId }))).to.deep.include({
      code: 'not_found',
      pointer: '/storeId',
    });
  });

  it('are refused where no store takes any, and a store is not deleted while it has some', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(CHUNK);
    const backupId = await stage.backUp(id);
    expect(await refusal(stage.sim.submit('backupStore.delete', {}, stage.storeId))).to.deep.include({ code: 'in_use' });
    await stage.sim.done('backupStore.disable', {}, stage.storeId);
    expect(await refusal(stage.sim.submit('backup.create', { volumeId: id }))).to.deep.include({ code: 'conflict', pointer: '/storeId' });
    expect(await refusal(stage.sim.submit('backup.create', { volumeId: id, storeId: stage.storeId }))).to.deep.include({
      code: 'conflict',
      pointer: '/storeId',
    });
    await stage.sim.done('backup.delete', {}, backupId);
    await stage.sim.done('backupStore.delete', {}, stage.storeId);
    expect((await stage.cloud.row(backupStore, stage.storeId)).state).to.equal('deleted');
    expect(stage.objects.size).to.equal(0);
  });

  it('are not made in a place that is another cloud’s, or was one of this cloud', async () => {
    const stage = await BackupStage.open();
    const ended = await stage.cloud.outcome('backupStore.create', { name: 'twin', driver: 'simulated' });
    expect(ended).to.deep.include({ state: 'failed' });
    expect(ended.error).to.include({ code: 'conflict' });
    expect(Buffer.from(stage.objects.get('pileus/store') ?? []).toString()).to.equal(stage.storeId);
  });

  it('that are damaged in their store are not restored, and nothing is left of the try', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(2 * CHUNK);
    stage.fill(id, 0, 1);
    const backupId = await stage.backUp(id);
    const [key = ''] = stage.chunks();
    const bytes = stage.objects.get(key) ?? new Uint8Array();
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    const volumes = (await stage.cloud.rows(volume)).length;
    const poolId = await stage.cloud.pool(stage.hostId, { name: 'other', settings: { path: 'other' } });
    const ended = await stage.cloud.outcome('backup.restore', { poolId }, backupId);
    expect(ended.error).to.include({ code: 'internal' });
    expect(await stage.cloud.rows(volume)).to.have.length(volumes);
    // Known to be damaged, the next one puts all of it again, which mends this one, too.
    await stage.sim.done('backup.verify', {}, backupId);
    expect((await stage.row(backupId)).condition).to.equal('damaged');
    expect(await stage.row(await stage.backUp(id))).to.include({ readBytes: CHUNK, newBytes: CHUNK });
    await stage.sim.done('backup.verify', {}, backupId);
    expect((await stage.row(backupId)).condition).to.equal('sound');
  });

  it('are read back, and restored for a test, on demand; the test leaves nothing', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(3 * CHUNK);
    stage.fill(id, 0, 1);
    stage.fill(id, 2, 2);
    const backupId = await stage.backUp(id);
    await stage.sim.done('backup.verify', {}, backupId);
    expect(await stage.row(backupId))
      .to.include({ condition: 'sound' })
      .and.to.have.property('checkedAt');
    await stage.sim.done('backup.verify', { restore: true }, backupId);
    expect(await stage.row(backupId)).to.include({ condition: 'sound', restoreSeconds: 1 });
    expect(await stage.cloud.rows(volume)).to.have.length(1);
    const [first = '', second = ''] = stage.chunks();
    stage.objects.delete(first);
    await stage.sim.done('backup.verify', { restore: true }, backupId);
    expect(await stage.row(backupId)).to.include({ condition: 'damaged', damage: 'Something kept in the backup store is missing.' });
    (stage.objects.get(second) ?? new Uint8Array()).fill(0, 100, 101);
    stage.objects.set(first, stage.objects.get(second) ?? new Uint8Array());
    await stage.sim.done('backup.verify', {}, backupId);
    expect(await stage.row(backupId)).to.include({ condition: 'damaged', damage: 'Something kept in the backup store is damaged.' });
    expect(await stage.cloud.rows(volume)).to.have.length(1);
  });

  it('are not damaged because a driver fails while they are read', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(CHUNK);
    stage.fill(id, 0, 1);
    const backupId = await stage.backUp(id);
    const repair = stage.sim.world.faults.add({ command: 'backups.get', effect: 'fail', fault: 'internal' });
    const ended = await stage.cloud.outcome('backup.verify', {}, backupId);
    expect(ended.error).to.include({ code: 'internal' });
    expect(await stage.row(backupId)).not.to.have.any.keys('condition', 'damage', 'checkedAt');
    repair();
    await stage.sim.done('backup.verify', {}, backupId);
    expect((await stage.row(backupId)).condition).to.equal('sound');
  });

  it('that a pool does not give back as they were put in show as damaged', async () => {
    const landing = <T>(_site: string, command: string, apply: () => T): T => {
      const answer = apply();
      if (command === 'contents.read' && answer instanceof Uint8Array && breaks) answer[0] = (answer[0] ?? 0) ^ 1;
      return answer;
    };
    let breaks = false;
    const stage = await BackupStage.open({ world: { landing } });
    const id = await stage.cloud.volume(CHUNK);
    stage.fill(id, 0, 1);
    const backupId = await stage.backUp(id);
    breaks = true;
    await stage.sim.done('backup.verify', { restore: true }, backupId);
    expect(await stage.row(backupId)).to.include({ condition: 'damaged', damage: 'What was restored is not what was backed up.' });
  });

  it('are made one after another, so that one snapshot alone stays beside the volume', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(4 * CHUNK);
    for (let chunk = 0; chunk < 4; chunk += 1) stage.fill(id, chunk, chunk + 1);
    const asked = [];
    for (let at = 0; at < 3; at += 1) asked.push(await stage.sim.submit('backup.create', { volumeId: id }));
    for (const { operationId } of asked) expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    const rows = await Promise.all(asked.map(({ resourceId }) => stage.row(resourceId)));
    expect(rows.map(({ readBytes }) => readBytes)).to.have.members([4 * CHUNK, 0, 0]);
    expect(stage.snapshotsOf(id)).to.deep.equal(rows.flatMap(({ snapshotId }) => snapshotId ?? []));
    expect(stage.snapshotsOf(id)).to.have.length(1);
  });

  it('are not made while the content of the volume is replaced', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(CHUNK);
    stage.fill(id, 0, 1);
    const snapshotId = await stage.sim.done('snapshot.create', { volumeId: id });
    const old = stage.contentOf(id);
    stage.fill(id, 0, 2);
    const hurry = stage.sim.world.faults.add({ command: 'snapshots.revert', effect: 'delay', delayMs: 20_000 });
    const reverted = await stage.sim.submit('snapshot.revert', {}, snapshotId);
    await stage.sim.run(1_000);
    const { operationId, resourceId } = await stage.sim.submit('backup.create', { volumeId: id });
    await stage.sim.run(5_000);
    expect((await stage.cloud.row(operation, operationId)).state).to.equal('queued');
    hurry();
    for (const each of [reverted.operationId, operationId]) expect((await stage.sim.ended(each)).state).to.equal('succeeded');
    expect(stage.contentOf(await stage.restore(resourceId))).to.equal(old);
    // Nor the other way round.
    stage.sim.world.faults.add({ command: 'backups.put', effect: 'delay', delayMs: 20_000 });
    stage.fill(id, 0, 3);
    const second = await stage.sim.submit('backup.create', { volumeId: id });
    await stage.sim.run(1_000);
    const again = await stage.sim.submit('snapshot.revert', {}, snapshotId);
    await stage.sim.run(1_000);
    expect((await stage.cloud.row(operation, again.operationId)).state).to.equal('queued');
    for (const each of [second, again]) expect((await stage.sim.ended(each.operationId)).state).to.equal('succeeded');
  });

  it('that are deleted while the store is tidied up go with what they have, too', async () => {
    const stage = await BackupStage.open();
    const volumes = [await stage.cloud.volume(CHUNK), await stage.cloud.volume(CHUNK)];
    const backupIds: string[] = [];
    for (const [at, id] of volumes.entries()) {
      stage.fill(id, 0, at + 1);
      backupIds.push(await stage.backUp(id));
    }
    await stage.sim.done('backup.delete', {}, backupIds[0]);
    while (![...stage.objects.keys()].some((key) => key.endsWith('/condemned'))) await stage.sim.run(100);
    await stage.sim.done('backup.delete', {}, backupIds[1]);
    await stage.tidy();
    expect([...stage.objects.keys()]).to.deep.equal(['pileus/store']);
  });

  it('end at once when they are cancelled, and leave nothing', async () => {
    const stage = await BackupStage.open();
    const id = await stage.cloud.volume(64 * CHUNK);
    for (let chunk = 0; chunk < 64; chunk += 1) stage.fill(id, chunk, chunk + 1);
    stage.sim.world.faults.add({ command: 'backups.put', effect: 'delay', delayMs: 5_000 });
    const { operationId } = await stage.sim.submit('backup.create', { volumeId: id });
    await stage.sim.run(20_000);
    expect((await stage.cloud.row(operation, operationId)).percent).to.be.greaterThan(25);
    await stage.sim.environment.complete(stage.sim.kernel.operations.cancel(operationId));
    expect((await stage.sim.ended(operationId)).state).to.equal('cancelled');
    stage.sim.world.faults.clear();
    await stage.tidy();
    expect([...stage.objects.keys()]).to.deep.equal(['pileus/store']);
    expect(stage.snapshotsOf(id)).to.deep.equal([]);
  });
});
