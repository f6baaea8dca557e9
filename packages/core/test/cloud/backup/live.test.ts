import { expect } from 'chai';
import { backup, instance, volume } from '../../../src/cloud/index.ts';
import { operation } from '../../../src/kernel/index.ts';
import { LOOK_MS, MachineStage } from '../compute/machine-stage.ts';
import { CHUNK } from './backup-stage.ts';

const BLOCK = 65_536;

/** A machine that is on, with a data disk of something, in a pool that keeps no snapshots, and a backup store. */
class LiveStage {
  readonly cloud: MachineStage;
  readonly machineId: string;
  readonly volumeId: string;

  private constructor(cloud: MachineStage, machineId: string, volumeId: string) {
    this.cloud = cloud;
    this.machineId = machineId;
    this.volumeId = volumeId;
  }

  static async open(options: Parameters<typeof MachineStage.with>[1] = {}): Promise<LiveStage> {
    const cloud = await MachineStage.with({}, { without: ['snapshots'], ...options });
    await cloud.sim.done('backupStore.create', { name: 'store', driver: 'simulated' });
    const id = await cloud.machine({ name: 'db' });
    const volumeId = await cloud.volume(3 * CHUNK, { name: 'data' });
    await cloud.sim.done('instance.attachVolume', { volumeId }, id);
    const stage = new LiveStage(cloud, id, volumeId);
    stage.fill(0, CHUNK, 1);
    stage.fill(CHUNK + BLOCK, BLOCK, 2);
    return stage;
  }

  get sim() {
    return this.cloud.sim;
  }
  get pool() {
    return this.sim.world.pools.get(`hv1/${this.cloud.poolIds[0]}`) ?? expect.fail('no pool');
  }
  /** What the guest does. */
  fill(offsetBytes: number, lengthBytes: number, byte: number): void {
    this.pool.write(this.volumeId, offsetBytes, new Uint8Array(lengthBytes).fill(byte));
  }
  contentOf(id: string): string | undefined {
    return this.pool.find('volume', id)?.content.digest;
  }
  backUp(more: object = {}): Promise<string> {
    return this.sim.done('backup.create', { volumeId: this.volumeId, ...more });
  }
  row(id: string) {
    return this.cloud.row(backup, id);
  }
  async readBytes(more: object = {}): Promise<number | undefined> {
    return (await this.row(await this.backUp(more))).readBytes;
  }
  async restored(backupId: string): Promise<string | undefined> {
    const known = new Set((await this.cloud.rows(volume)).map(({ id }) => id));
    await this.sim.done('backup.restore', {}, backupId);
    const made = (await this.cloud.rows(volume)).find(({ id }) => !known.has(id)) ?? expect.fail('no new volume');
    const content = this.contentOf(made.id);
    await this.sim.done('volume.delete', {}, made.id);
    return content;
  }
  capabilities(volumeId = this.volumeId): Promise<unknown> {
    return this.cloud.ask('GET', '/volumes/{id}/capabilities', { params: { id: volumeId } });
  }
  /** Of what was laid aside nothing is in the pool. */
  expectNothingAside(): void {
    const known = [...this.pool.things.values()].filter(({ kind }) => kind === 'volume').map(({ id }) => id);
    expect(known).to.include(this.volumeId).and.to.have.length(2);
  }
  trails(): readonly string[] {
    return this.cloud.worldHost().diskBackups.names(this.cloud.real(this.machineId), this.volumeId);
  }
}

describe('backups of machines that are on, where the pool keeps no snapshots', function () {
  this.timeout(300_000);

  it('have what was in the volume at one instant, and read what was written since the one before alone', async () => {
    const stage = await LiveStage.open();
    const before = stage.contentOf(stage.volumeId);
    const first = await stage.backUp();
    expect(await stage.row(first)).to.include({ state: 'available', readBytes: 2 * CHUNK });
    expect(await stage.restored(first)).to.equal(before);
    stage.fill(CHUNK - BLOCK, 2 * BLOCK, 3);
    stage.fill(CHUNK + BLOCK, BLOCK, 0);
    stage.fill(2 * CHUNK + 512, 512, 4);
    const now = stage.contentOf(stage.volumeId);
    const { operationId, resourceId: second } = await stage.sim.submit('backup.create', { volumeId: stage.volumeId });
    let hasWritten = false;
    while (!hasWritten) {
      await stage.sim.run(1);
      hasWritten = stage.trails().includes(second);
    }
    // Behind the instant.
    stage.fill(0, BLOCK, 9);
    stage.fill(2 * CHUNK, BLOCK, 9);
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    const row = await stage.row(second);
    expect(row).to.include({ state: 'available', readBytes: 3 * BLOCK });
    expect((await stage.cloud.row(volume, stage.volumeId)).backedUpAt).to.equal(row.takenAt);
    expect(await stage.restored(second)).to.equal(now);
    expect(await stage.restored(first)).to.equal(before);
    expect(stage.trails()).to.deep.equal([second]);
    stage.expectNothingAside();
    expect(await stage.readBytes()).to.equal(2 * BLOCK);
    expect(await stage.readBytes()).to.equal(0);
    const last = await stage.backUp();
    await stage.sim.done('backup.verify', { restore: true }, last);
    expect((await stage.row(last)).condition).to.equal('sound');
  });

  it('go on from the last one of their own store, also over a stop and a backup while it is off', async () => {
    const stage = await LiveStage.open();
    const other = await stage.sim.done('backupStore.create', { name: 'other', driver: 'simulated', settings: { place: 'other' } });
    await stage.backUp();
    stage.fill(0, BLOCK, 3);
    expect(await stage.readBytes({ storeId: other })).to.equal(2 * CHUNK);
    expect(await stage.readBytes()).to.equal(BLOCK);
    stage.fill(BLOCK, BLOCK, 4);
    expect(await stage.readBytes({ storeId: other })).to.equal(BLOCK);
    expect(stage.trails()).to.have.length(2);
    await stage.sim.done('instance.stop', { force: true }, stage.machineId);
    expect(await stage.readBytes()).to.equal(2 * CHUNK);
    await stage.sim.done('instance.start', {}, stage.machineId);
    stage.fill(2 * BLOCK, BLOCK, 5);
    const [content, id] = [stage.contentOf(stage.volumeId), await stage.backUp()];
    expect((await stage.row(id)).readBytes).to.equal(2 * BLOCK);
    expect(await stage.restored(id)).to.equal(content);
  });

  it('read all again where the host knows nothing of what was written, or the one before is gone, damaged, or of another size', async () => {
    const stage = await LiveStage.open();
    const first = await stage.backUp();
    expect(await stage.readBytes()).to.equal(0);
    stage.cloud.worldHost().diskBackups.lose(stage.machineId);
    expect(await stage.readBytes()).to.equal(2 * CHUNK);
    for (const { id } of await stage.cloud.rows(backup)) await stage.sim.done('backup.delete', {}, id);
    expect((await stage.row(first)).state).to.equal('deleted');
    const last = await stage.backUp();
    expect((await stage.row(last)).readBytes).to.equal(2 * CHUNK);
    await stage.sim.done('volume.resize', { sizeBytes: 4 * CHUNK }, stage.volumeId);
    expect(await stage.readBytes()).to.equal(2 * CHUNK);
    // It is found while the next one is laid over it.
    const objects = stage.sim.world.backups.get('backups') ?? expect.fail('no place');
    for (const key of objects.keys()) if (key.includes('/chunks/')) objects.set(key, new Uint8Array(64));
    stage.fill(0, BLOCK, 7);
    const content = stage.contentOf(stage.volumeId);
    const mended = await stage.backUp();
    expect(await stage.row(mended)).to.include({ readBytes: 2 * CHUNK, newBytes: 2 * CHUNK });
    expect(await stage.restored(mended)).to.equal(content);
    stage.expectNothingAside();
  });

  it('fail when the machine goes off or is moved meanwhile, or are cancelled, and leave nothing; then they go on', async () => {
    const stage = await LiveStage.open();
    await stage.backUp();
    const [kept] = stage.trails();
    const ways: readonly (readonly [string, (operationId: string) => Promise<unknown>])[] = [
      ['failed', () => stage.sim.done('instance.stop', { force: true }, stage.machineId)],
      ['cancelled', (id) => stage.sim.environment.complete(stage.sim.kernel.operations.cancel(id))],
    ];
    for (const [state, end] of ways) {
      const slow = stage.sim.world.faults.add({ command: 'diskBackup.finish', effect: 'delay', delayMs: 5000 });
      const { operationId, resourceId } = await stage.sim.submit('backup.create', { volumeId: stage.volumeId });
      await stage.sim.run(2000);
      await end(operationId);
      slow();
      expect((await stage.sim.ended(operationId)).state).to.equal(state);
      expect((await stage.row(resourceId)).state).to.equal('deleted');
      if ((await stage.cloud.row(instance, stage.machineId)).state === 'stopped')
        await stage.sim.done('instance.start', {}, stage.machineId);
      stage.expectNothingAside();
      // That of a machine which went off stays until the next backup.
      expect(stage.trails()).to.include(kept).and.to.have.length(2);
    }
    const last = await stage.backUp();
    expect((await stage.row(last)).readBytes).to.equal(0);
    expect(stage.trails()).to.deep.equal([last]);
  });

  it('of one machine are made one after another; its disks stay with it meanwhile, while it may be stopped', async () => {
    const stage = await LiveStage.open();
    const slow = stage.sim.world.faults.add({ command: 'backups.put', effect: 'delay', delayMs: 5000 });
    const [root] = await stage.cloud.disks(stage.machineId);
    const first = await stage.sim.submit('backup.create', { volumeId: stage.volumeId });
    const second = await stage.sim.submit('backup.create', { volumeId: root?.id });
    const detached = await stage.sim.submit('instance.detachVolume', { volumeId: stage.volumeId }, stage.machineId);
    await stage.sim.run(1000);
    const stateOf = async (id: string) => (await stage.cloud.row(operation, id)).state;
    expect([await stateOf(second.operationId), await stateOf(detached.operationId)]).to.deep.equal(['queued', 'queued']);
    slow();
    for (const { operationId } of [first, second, detached]) expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
  });

  it('are refused where the volume is encrypted, or of several machines, or where host or pool cannot, which the volume tells before', async () => {
    const stage = await LiveStage.open();
    const canBackUp = { possible: true, whileOn: true };
    expect(await stage.capabilities()).to.deep.equal({ snapshots: false, backups: canBackUp });
    const free = await stage.cloud.volume(CHUNK, {});
    expect(await stage.capabilities(free), 'one that no machine has').to.deep.equal({ snapshots: false, backups: canBackUp });
    const refused = async (on: LiveStage, volumeId: string, reason: string) => {
      expect(await on.capabilities(volumeId)).to.deep.equal({ snapshots: false, backups: { possible: true, whileOn: false, reason } });
      const { code, params, publicMessage } = await on.cloud.refusal('backup.create', { volumeId });
      expect([code, params?.reason]).to.deep.equal(['in_use', reason]);
      if (reason === 'encrypted') expect(publicMessage).to.match(/is in use by instance db, and is encrypted; stop the instance first\.$/);
    };
    const sealed = await stage.cloud.volume(CHUNK, { encrypted: true });
    await stage.sim.done('instance.attachVolume', { volumeId: sealed }, stage.machineId);
    await refused(stage, sealed, 'encrypted');
    const shared = await stage.cloud.volume(CHUNK, { shareable: true });
    await stage.sim.done('instance.attachVolume', { volumeId: shared }, stage.machineId);
    await refused(stage, shared, 'shareable');
    for (const [lack, reason] of [
      ['diskBackup', 'hypervisor'],
      ['written', 'pool'],
    ] as const) {
      const other = await LiveStage.open({ without: ['snapshots', lack] });
      await refused(other, other.volumeId, reason);
    }
    const snapshots = await LiveStage.open({ without: ['written'] });
    expect(await snapshots.capabilities()).to.deep.equal({ snapshots: true, backups: canBackUp });
    const unread = await LiveStage.open({ without: ['contents'] });
    expect(await unread.capabilities()).to.deep.equal({ snapshots: true, backups: { possible: false, whileOn: false } });
    expect(await unread.cloud.refusal('backup.create', { volumeId: unread.volumeId })).to.include({ code: 'unsupported' });
  });

  it('fail where there is no room for what is laid aside, before anything is', async () => {
    const stage = await LiveStage.open();
    const { freeBytes } = stage.pool.capacity;
    // Room for a part of it; and for no more than that, where machines would stand still.
    for (const roomBytes of [BLOCK, CHUNK + BLOCK]) {
      stage.pool.othersBytes = freeBytes - 3 * CHUNK - roomBytes;
      const { state, error } = await stage.cloud.outcome('backup.create', { volumeId: stage.volumeId });
      expect([state, error?.code]).to.deep.equal(['failed', 'no_capacity']);
    }
    stage.expectNothingAside();
    expect(stage.trails()).to.deep.equal([]);
    stage.pool.othersBytes = 0;
    expect(await stage.readBytes()).to.equal(2 * CHUNK);
  });

  it('of several machines never take the same room of their pool: who has too little on account of others waits', async () => {
    const stage = await LiveStage.open();
    const other = await stage.cloud.volume(3 * CHUNK, { name: 'other' });
    await stage.sim.done('instance.attachVolume', { volumeId: other }, await stage.cloud.machine({ name: 'second' }));
    stage.pool.write(other, 0, new Uint8Array(CHUNK).fill(5));
    // For either, and not for both.
    const roomBytes = 1.5 * CHUNK;
    stage.pool.othersBytes = stage.pool.capacity.freeBytes - 6 * CHUNK - roomBytes;
    const begun: Awaited<ReturnType<typeof stage.sim.submit>>[] = [];
    for (const volumeId of [stage.volumeId, other]) begun.push(await stage.sim.submit('backup.create', { volumeId }));
    const underWay = () => begun.filter(({ resourceId }) => stage.pool.find('volume', resourceId)?.user !== undefined).length;
    let most = 0;
    const isFinished = async () =>
      (await Promise.all(begun.map(({ resourceId }) => stage.row(resourceId)))).every(({ state }) => state === 'available');
    while (!(await isFinished())) {
      await stage.sim.run(1);
      most = Math.max(most, underWay());
    }
    expect(most, 'copied at a time').to.equal(1);
    const rows = await Promise.all(begun.map(({ resourceId }) => stage.row(resourceId)));
    expect(rows.map(({ readBytes }) => readBytes)).to.deep.equal([2 * CHUNK, CHUNK]);
    // And is not kept waiting by one that is cancelled while it waits.
    stage.fill(0, CHUNK, 6);
    stage.pool.write(other, 0, new Uint8Array(CHUNK).fill(7));
    const again: typeof begun = [];
    for (const volumeId of [stage.volumeId, other]) again.push(await stage.sim.submit('backup.create', { volumeId }));
    await stage.sim.run(1);
    await stage.sim.environment.complete(stage.sim.kernel.operations.cancel(again[1]?.operationId ?? ''));
    expect((await stage.sim.ended(again[1]?.operationId ?? '')).state).to.equal('cancelled');
    expect((await stage.sim.ended(again[0]?.operationId ?? '')).state).to.equal('succeeded');
  });

  it('hold the writes of a guest with an agent back for that instant alone', async () => {
    const stage = await LiveStage.open();
    await stage.sim.run(LOOK_MS);
    const real = stage.cloud.real(stage.machineId);
    let wasFrozen = false;
    const undo = stage.sim.world.faults.add({ command: 'diskBackup.begin', effect: 'delay', delayMs: 500 });
    const { operationId } = await stage.sim.submit('backup.create', { volumeId: stage.volumeId });
    for (let waited = 0; waited < 5000 && !wasFrozen; waited += 50) {
      await stage.sim.run(50);
      wasFrozen = real.frozen;
    }
    undo();
    expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect([wasFrozen, real.frozen]).to.deep.equal([true, false]);
  });
});
