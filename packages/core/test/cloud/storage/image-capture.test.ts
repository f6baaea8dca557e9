import { expect } from 'chai';
import { image, snapshot, volume } from '../../../src/cloud/index.ts';
import { CLUSTER_BYTES, ClusterMap, qcow2Stream } from '../../../src/cloud/storage/qcow2-stream.ts';
import { LOOK_MS, MachineStage } from '../compute/machine-stage.ts';

const MIB = 2 ** 20;

/** The disk in a qcow2 file, by its tables. */
function diskOf(file: Buffer): Buffer {
  const [sizeBytes, entries, first] = [Number(file.readBigUInt64BE(24)), file.readUInt32BE(36), Number(file.readBigUInt64BE(40))];
  const disk = Buffer.alloc(sizeBytes);
  const offsetAt = (at: number) => Number(file.readBigUInt64BE(at) & 0x00ff_ffff_ffff_fe00n);
  for (let index = 0; index * CLUSTER_BYTES < sizeBytes; index += 1) {
    const entry = Math.floor(index / (CLUSTER_BYTES / 8));
    expect(entry).to.be.lessThan(entries);
    const table = offsetAt(first + entry * 8);
    const offset = table === 0 ? 0 : offsetAt(table + (index % (CLUSTER_BYTES / 8)) * 8);
    if (offset !== 0) file.copy(disk, index * CLUSTER_BYTES, offset, offset + Math.min(CLUSTER_BYTES, sizeBytes - index * CLUSTER_BYTES));
  }
  return disk;
}

async function whole(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

const refusalOf = (stage: MachineStage, input: object) => stage.refusal('image.capture', input);

describe('images captured from what there is', () => {
  it('are qcow2 files with the clusters that have data, each counted once', async () => {
    const disk = Buffer.alloc(600 * MIB + 512);
    const map = new ClusterMap(disk.length);
    for (const [offset, length] of [
      [0, 10],
      [CLUSTER_BYTES * 3 - 1, 2],
      [520 * MIB, 5 * MIB],
      [disk.length - 512, 512],
    ] as const) {
      disk.fill(offset % 251 || 1, offset, offset + length);
      map.mark(offset, length);
    }
    const file = await whole(qcow2Stream(map, async (offset, length) => disk.subarray(offset, offset + length)));
    expect(diskOf(file).equals(disk)).to.equal(true);
    expect(file.length % CLUSTER_BYTES).to.equal(0);
    // Header, two of counts, the first table, two tables, and 1 + 2 + 80 + 1 clusters.
    expect(file.length / CLUSTER_BYTES).to.equal(1 + 2 + 1 + 2 + 84);
    const counts = Number(file.readBigUInt64BE(CLUSTER_BYTES));
    const counted = Array.from({ length: CLUSTER_BYTES / 2 }, (_, at) => file.readUInt16BE(counts + at * 2));
    expect(counted.every((count, at) => count === (at < file.length / CLUSTER_BYTES ? 1 : 0))).to.equal(true);
  });

  it('have what a machine that runs has at that time, and its traits; nothing is left beside it', async () => {
    const stage = await MachineStage.with();
    const { sim } = stage;
    const id = await stage.machine({ name: 'web', rootVolume: { sizeBytes: 8 * MIB } });
    const [root] = await stage.disks(id);
    sim.world.write(root?.id ?? '', 'as it is', 3 * MIB);
    const imageId = await sim.done('image.capture', { name: 'captured', instanceId: id });
    const row = await stage.row(image, imageId);
    expect(row).to.include({ state: 'available', format: 'qcow2', virtualSizeBytes: 8 * MIB, guestOs: 'linux', capturedFrom: root?.id });
    const disk = diskOf(await whole((await sim.imageStore.open(imageId)).open()));
    expect(disk.subarray(3 * MIB, 3 * MIB + 8).toString()).to.equal('as it is');
    expect(await stage.rows(snapshot)).to.deep.equal([]);
    await sim.run(2 * LOOK_MS);
    expect([...sim.world.pools.values()].map((pool) => pool.find('volume', root?.id ?? '')?.snapshots)).to.deep.equal([[]]);
    const made = await sim.done('volume.create', { imageId });
    expect(await stage.row(volume, made)).to.include({ sizeBytes: 8 * MIB, imageId });
  });

  it('of an encrypted disk are in the clear, and are made only where somebody says so', async () => {
    const without: 'lockedContents'[] = [];
    const stage = await MachineStage.with({}, { without });
    const { sim } = stage;
    const id = await stage.machine({ name: 'web', rootVolume: { sizeBytes: 8 * MIB, encrypted: true } });
    const root = (await stage.disks(id))[0]?.id ?? '';
    sim.world.write(root, 'then', 3 * MIB);
    const snapshotId = await sim.done('snapshot.create', { volumeId: root });
    sim.world.write(root, 'now!', 3 * MIB);
    for (const source of [{ instanceId: id }, { volumeId: root }, { snapshotId }]) {
      const told = await refusalOf(stage, source);
      expect(told).to.include({ code: 'invalid_input', pointer: '/encrypted' });
      expect(told.message).to.match(/^Volume \S+ is encrypted, and images are not: /);
      expect(await refusalOf(stage, { ...source, encrypted: true })).to.include({ code: 'unsupported', pointer: '/encrypted' });
      const ended = await stage.outcome('image.capture', { ...source, encrypted: false });
      expect([ended.error, ended.notes]).to.deep.equal([undefined, { decrypted: true }]);
      const row = (await stage.rows(image)).find((each) => each.capturedFrom === root && each.deletedAt === undefined);
      const disk = diskOf(await whole((await sim.imageStore.open(String(row?.id))).open()));
      expect(disk.toString('utf8', 3 * MIB, 3 * MIB + 4)).to.equal('snapshotId' in source ? 'then' : 'now!');
      await sim.done('image.delete', { permanent: true }, String(row?.id));
    }
    expect(await refusalOf(stage, { volumeId: await stage.volume(MIB), encrypted: true })).to.include({ code: 'unsupported' });
    without.push('lockedContents');
    const other = await stage.pool(stage.hostIds[0] ?? '', { settings: { path: 'other' } });
    const volumeId = await stage.volume(MIB, { poolId: other, encrypted: true });
    expect(await refusalOf(stage, { volumeId, encrypted: false })).to.include({ code: 'unsupported', pointer: '/volumeId' });
  });

  it('are there soon where a pool does not answer to one question: that is asked again', async () => {
    const stage = await MachineStage.with();
    const { sim } = stage;
    const volumeId = await stage.volume(MIB);
    const snapshotId = await sim.done('snapshot.create', { volumeId });
    for (const [command, input] of [
      ['snapshots.list', { snapshotId }],
      ['inspect', { volumeId }],
    ] as const) {
      sim.world.faults.add({ command, effect: 'timeout_after', times: 1 });
      const { operationId } = await sim.submit('image.capture', input);
      expect(await sim.ended(operationId, 5 * 60_000)).to.include({ state: 'succeeded' });
    }
  });

  it('of a snapshot have what that has', async () => {
    const stage = await MachineStage.with();
    const { sim } = stage;
    const volumeId = await stage.volume(MIB);
    sim.world.write(volumeId, 'then');
    const snapshotId = await sim.done('snapshot.create', { volumeId });
    sim.world.write(volumeId, 'now');
    const of = async (input: object) =>
      diskOf(await whole((await sim.imageStore.open(await sim.done('image.capture', input))).open())).toString('utf8', 0, 4);
    expect([await of({ snapshotId }), await of({ volumeId })]).to.deep.equal(['then', 'now\0']);
  });

  it('are refused for what is unclear, and where there are no snapshots for what is used', async () => {
    const stage = await MachineStage.with({}, { without: ['snapshots'] });
    const id = await stage.machine({ name: 'web' });
    const [root] = await stage.disks(id);
    expect(await refusalOf(stage, {})).to.include({ code: 'invalid_input', pointer: '/instanceId' });
    expect(await refusalOf(stage, { volumeId: root?.id, snapshotId: id })).to.include({ code: 'invalid_input', pointer: '/snapshotId' });
    expect(await refusalOf(stage, { volumeId: id })).to.include({ code: 'not_found', pointer: '/volumeId' });
    expect(await refusalOf(stage, { instanceId: id })).to.deep.include({
      code: 'in_use',
      params: { blockers: [{ kind: 'instance', id, name: 'web' }] },
    });
    await stage.sim.done('instance.stop', { force: true }, id);
    const imageId = await stage.sim.done('image.capture', { instanceId: id });
    expect(await stage.row(image, imageId)).to.include({ state: 'available', virtualSizeBytes: root?.sizeBytes });
    const refused = await stage.upload(imageId, new Uint8Array(4096)).catch((error: unknown) => error);
    expect(refused).to.include({ code: 'conflict' });
  });

  it('fail behind an attachment where there are no snapshots: the machine that got the volume may start meanwhile', async () => {
    const stage = await MachineStage.with({}, { without: ['snapshots'] });
    const { sim } = stage;
    const id = await stage.machine();
    await sim.done('instance.stop', { force: true }, id);
    const volumeId = await stage.volume(MIB);
    const attached = await sim.submit('instance.attachVolume', { volumeId }, id);
    const captured = await sim.submit('image.capture', { volumeId });
    expect((await sim.ended(attached.operationId)).state).to.equal('succeeded');
    expect((await sim.ended(captured.operationId)).error).to.include({ code: 'conflict' });
    expect(await sim.environment.complete(sim.imageStore.list())).to.deep.equal([stage.imageId]);
  });

  it('are of no larger disk than images may be, and leave nothing then', async () => {
    const stage = await MachineStage.with({}, { presets: { 'images.diskBytesMax': MIB } });
    const volumeId = await stage.volume(2 * MIB);
    const { state, error, resourceId } = await stage.outcome('image.capture', { volumeId });
    expect([state, error?.code]).to.deep.equal(['failed', 'too_large']);
    expect((await stage.row(image, resourceId ?? '')).state).to.equal('deleted');
    expect([await stage.sim.environment.complete(stage.sim.imageStore.list()), await stage.rows(snapshot)]).to.deep.equal([
      [stage.imageId],
      [],
    ]);
  });

  it('are refused where what is in volumes cannot be read', async () => {
    const stage = await MachineStage.with({}, { without: ['contents'] });
    const volumeId = await stage.volume(MIB);
    expect(await refusalOf(stage, { volumeId })).to.include({ code: 'unsupported' });
    expect(await stage.rows(image)).to.have.length(1);
  });
});
