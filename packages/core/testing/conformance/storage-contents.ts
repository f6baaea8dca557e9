import { expect } from 'chai';
import type { ContentRef, Extent, SnapshotRef } from '../../src/strategy/index.ts';
import type { StorageStage } from './storage-stage.ts';
import { content, MIB } from './storage-stage.ts';

const PIECE_BYTES = 4096;
const piece = (value: number) => new Uint8Array(PIECE_BYTES).fill(value);

/** What the contract says of the bytes of volumes that nobody has open: what moves between pools need. */
export function volumeContentTests(stage: StorageStage): void {
  const toFill = async (sizeBytes: number) => {
    const id = stage.made('volume');
    await stage.driver.volumes.create({ id, sizeBytes, toFill: true }, stage.call());
    return id;
  };
  const write = (volumeId: string, offsetBytes: number, bytes: Uint8Array) =>
    stage.contents.write(volumeId, offsetBytes, bytes, stage.call());
  const all = (volumeId: string, sizeBytes: number) => stage.contents.read({ volumeId }, 0, sizeBytes, stage.call());

  it('one to fill reads as zeroes, has what was written, and is as any other then', async () => {
    const sizeBytes = 3 * MIB + 4096;
    const volumeId = await toFill(sizeBytes);
    await stage.driver.volumes.create({ id: volumeId, sizeBytes, toFill: true }, stage.call());
    const expected = new Uint8Array(sizeBytes);
    expect(Buffer.from(expected).equals(await all(volumeId, sizeBytes))).to.equal(true);
    for (const { offsetBytes, value } of [
      { offsetBytes: 0, value: 1 },
      { offsetBytes: 65_536 - 512, value: 2 },
      { offsetBytes: sizeBytes - PIECE_BYTES, value: 3 },
    ]) {
      await write(volumeId, offsetBytes, piece(value));
      expected.set(piece(value), offsetBytes);
    }
    expect(Buffer.from(expected).equals(await all(volumeId, sizeBytes))).to.equal(true);
    expect(Buffer.from(expected).equals(await applied(stage, new Uint8Array(sizeBytes), { volumeId }))).to.equal(true);
    await stage.driver.volumes.attach(volumeId, stage.harness.host, stage.call());
    await stage.driver.volumes.release(volumeId, stage.harness.host, stage.call());
    if (stage.canGrow) {
      await stage.grow(volumeId, 4 * MIB);
      expect(Buffer.from(expected).equals((await all(volumeId, 4 * MIB)).subarray(0, sizeBytes))).to.equal(true);
    }
    await stage.driver.volumes.delete(volumeId, stage.call());
    await stage.expectAbsent('volume', volumeId);
  });

  it('pieces that are written at the same time all arrive', async () => {
    const volumeId = await toFill(8 * MIB);
    const whole = new Uint8Array(8 * MIB);
    for (let at = 0; at < whole.length; at += PIECE_BYTES) whole.fill(1 + ((at / PIECE_BYTES) % 251), at, at + PIECE_BYTES);
    await Promise.all([0, 1, 2, 3].map((at) => write(volumeId, at * 2 * MIB, whole.subarray(at * 2 * MIB, (at + 1) * 2 * MIB))));
    expect(Buffer.from(whole).equals(await all(volumeId, 8 * MIB))).to.equal(true);
  });

  it('a clone of an image has its bytes, and zeroes beyond', async () => {
    const imageId = await stage.image();
    const id = stage.made('volume');
    await stage.driver.volumes.create({ id, sizeBytes: 2 * MIB, imageId }, stage.call());
    const expected = new Uint8Array(2 * MIB);
    expected.set(await bytesOf(content(MIB)));
    expect(Buffer.from(expected).equals(await all(id, 2 * MIB))).to.equal(true);
    expect(Buffer.from(expected).equals(await applied(stage, new Uint8Array(2 * MIB), { volumeId: id }))).to.equal(true);
  });

  it('of an empty volume no change has data', async () => {
    const volumeId = await stage.volume();
    for await (const extent of stage.contents.changes({ volumeId }, undefined, stage.call())) expect(extent.hasData).to.equal(false);
  });

  it('what is absent is not_found; what is beyond the end, or more than 8 MiB, is invalid', async () => {
    const volumeId = await toFill(MIB);
    const readOf = (id: string, offset: number, length: number) =>
      stage.fault(stage.contents.read({ volumeId: id }, offset, length, stage.call()));
    expect(await readOf(stage.newId(), 0, 4096)).to.equal('not_found');
    expect(await stage.fault(write(stage.newId(), 0, piece(1)))).to.equal('not_found');
    expect(await readOf(volumeId, MIB - 512, 1024)).to.equal('invalid');
    expect(await readOf(volumeId, 0, 8 * MIB + 4096)).to.equal('invalid');
    expect(await stage.fault(write(volumeId, MIB, piece(1)))).to.equal('invalid');
  });
}

/** Who writes to what the pool makes empty are hypervisors, whose suites compare bytes. */
export function writtenTests(stage: StorageStage): void {
  it('of an empty volume there is nothing, and of one that is absent it is not_found', async () => {
    const written = async (volumeId: string) => {
      const { contents } = stage.driver;
      const found: Extent[] = [];
      for await (const each of contents?.written?.(volumeId, { offsetBytes: 0, lengthBytes: MIB }, stage.call()) ??
        expect.fail('the driver does not tell'))
        found.push(each);
      return found;
    };
    expect(await written(await stage.volume())).to.deep.equal([]);
    expect(await stage.fault(written(stage.newId()))).to.equal('not_found');
  });
}

/** What the contract says of the bytes in snapshots and clones. */
export function contentTests(stage: StorageStage): void {
  const write = (volumeId: string, offsetBytes: number, value: number) =>
    stage.contents.write(volumeId, offsetBytes, piece(value), stage.call());
  const read = async (snapshot: SnapshotRef, offsetBytes: number) => {
    const bytes = await stage.contents.read(snapshot, offsetBytes, PIECE_BYTES, stage.call());
    expect(bytes.byteLength).to.equal(PIECE_BYTES);
    expect(new Set(bytes).size, 'the piece is of one value').to.equal(1);
    return bytes[0];
  };
  /** What a volume has now, by a snapshot that goes at once. */
  const now = async (volumeId: string, offsetBytes = 0) => {
    const snapshot = await stage.snapshot(volumeId);
    const value = await read(snapshot, offsetBytes);
    await stage.snapshots.delete(snapshot, stage.call());
    return value;
  };

  describe('of snapshots', () => snapshotContents(stage, { write, read, now }));
  describe('of clones', () => cloneContents(stage, { write, read, now }));
  describe('changes', () => changeTests(stage, write));
}

interface Hands {
  write(volumeId: string, offsetBytes: number, value: number): Promise<void>;
  read(snapshot: SnapshotRef, offsetBytes: number): Promise<number | undefined>;
  now(volumeId: string, offsetBytes?: number): Promise<number | undefined>;
}

function snapshotContents(stage: StorageStage, { write, read, now }: Hands): void {
  it('a new volume reads as zeroes, and what was written is read', async () => {
    const volumeId = await stage.volume();
    await write(volumeId, MIB - PIECE_BYTES, 7);
    expect(await now(volumeId)).to.equal(0);
    expect(await now(volumeId, MIB - PIECE_BYTES)).to.equal(7);
  });

  it('a snapshot has what was written before it and nothing of what came after, however often it is made', async () => {
    const volumeId = await stage.volume();
    await write(volumeId, 0, 1);
    const first = await stage.snapshot(volumeId);
    await write(volumeId, 0, 2);
    const second = await stage.snapshot(volumeId);
    await write(volumeId, 0, 3);
    await stage.snapshots.create(first, stage.call());
    expect([await read(first, 0), await read(second, 0), await now(volumeId)]).to.deep.equal([1, 2, 3]);
    await stage.snapshots.delete(first, stage.call());
    expect([await read(second, 0), await now(volumeId)]).to.deep.equal([2, 3]);
  });

  it('revert gives the content back, to and fro', async () => {
    const volumeId = await stage.volume();
    await write(volumeId, 0, 1);
    const first = await stage.snapshot(volumeId);
    await stage.grow(volumeId, 2 * MIB);
    await write(volumeId, 0, 2);
    await write(volumeId, MIB, 2);
    const second = await stage.snapshot(volumeId);
    await stage.snapshots.revert(first, stage.call());
    expect(await now(volumeId)).to.equal(1);
    await stage.snapshots.revert(second, stage.call());
    expect([await now(volumeId), await now(volumeId, MIB)]).to.deep.equal([2, 2]);
    // What came back with the size is zeroes, not what was there before.
    await stage.snapshots.revert(first, stage.call());
    await stage.grow(volumeId, 2 * MIB);
    expect(await now(volumeId, MIB)).to.equal(0);
    expect([await read(first, 0), await read(second, 0), await read(second, MIB)]).to.deep.equal([1, 2, 2]);
  });

  it('a read of what is absent is not_found; one beyond the end, or of more than 8 MiB, is invalid', async () => {
    const volumeId = await stage.volume(16 * MIB);
    const snapshot = await stage.snapshot(volumeId);
    const readOf = (ref: SnapshotRef, offset: number, length: number) =>
      stage.fault(stage.contents.read(ref, offset, length, stage.call()));
    expect(await readOf({ ...snapshot, id: stage.newId() }, 0, 4096)).to.equal('not_found');
    expect(await readOf({ id: stage.newId(), volumeId: stage.newId() }, 0, 4096)).to.equal('not_found');
    expect(await readOf(snapshot, 16 * MIB - 4096, 8192)).to.equal('invalid');
    expect(await readOf(snapshot, 0, 8 * MIB + 4096)).to.equal('invalid');
    expect((await stage.contents.read(snapshot, 8 * MIB, 8 * MIB, stage.call())).byteLength).to.equal(8 * MIB);
  });

  it('a volume that a machine has open is not written to: conflict; beyond its end: invalid; an absent one: not_found', async () => {
    const volumeId = await stage.volume();
    await stage.whileHeld(volumeId, async () => {
      expect(await stage.fault(write(volumeId, 0, 9))).to.equal('conflict');
    });
    expect(await stage.fault(write(volumeId, MIB, 9))).to.equal('invalid');
    expect(await stage.fault(write(stage.newId(), 0, 9))).to.equal('not_found');
    expect(await now(volumeId)).to.equal(0);
  });
}

function cloneContents(stage: StorageStage, { write, read, now }: Hands): void {
  it('a clone has the content of its snapshot, and each goes its own way', async () => {
    const volumeId = await stage.volume();
    await write(volumeId, 0, 1);
    const snapshot = await stage.snapshot(volumeId);
    await write(volumeId, 0, 2);
    const clone = await stage.clone(snapshot, 2 * MIB);
    expect([await now(clone), await now(clone, MIB)]).to.deep.equal([1, 0]);
    await write(clone, 0, 3);
    expect([await now(clone), await read(snapshot, 0), await now(volumeId)]).to.deep.equal([3, 1, 2]);
  });

  it('a clone of an image has its bytes', async () => {
    const imageId = await stage.image();
    const id = stage.made('volume');
    await stage.driver.volumes.create({ id, sizeBytes: MIB, imageId }, stage.call());
    const snapshot = await stage.snapshot(id);
    const bytes = await stage.contents.read(snapshot, 65_536, PIECE_BYTES, stage.call());
    expect([...bytes]).to.deep.equal(Array.from({ length: PIECE_BYTES }, (_, index) => (65_536 + index * 7) & 0xff));
    expect(await applied(stage, new Uint8Array(MIB), snapshot)).to.deep.equal(await whole(stage, snapshot, MIB));
  });

  it('a clone, its snapshots and its clones keep their content when they are flattened and all before them is gone', async () => {
    const volumeId = await stage.volume();
    await write(volumeId, 0, 1);
    const snapshot = await stage.snapshot(volumeId);
    const clone = await stage.clone(snapshot);
    await write(clone, 65_536, 2);
    const ofClone = await stage.snapshot(clone);
    const second = await stage.clone(ofClone);
    for (const id of [clone, second]) await stage.snapshots.flatten(id, stage.call());
    await stage.snapshots.delete(snapshot, stage.call());
    await stage.driver.volumes.delete(volumeId, stage.call());
    expect([await now(clone), await now(clone, 65_536)]).to.deep.equal([1, 2]);
    expect([await read(ofClone, 0), await read(ofClone, 65_536)]).to.deep.equal([1, 2]);
    await stage.snapshots.delete(ofClone, stage.call());
    await stage.driver.volumes.delete(clone, stage.call());
    expect([await now(second), await now(second, 65_536)]).to.deep.equal([1, 2]);
  });
}

/** All of a snapshot, read piece by piece. */
async function whole(stage: StorageStage, snapshot: SnapshotRef, sizeBytes: number): Promise<Uint8Array> {
  return stage.contents.read(snapshot, 0, sizeBytes, stage.call());
}

/** An earlier content with what is told to have changed laid over it. */
async function applied(stage: StorageStage, earlier: Uint8Array, of: ContentRef, sinceId?: string): Promise<Uint8Array> {
  const bytes = earlier.slice();
  let endBytes = 0;
  for await (const extent of stage.contents.changes(of, sinceId, stage.call())) {
    expectNext(extent, endBytes, bytes.byteLength);
    endBytes = extent.offsetBytes + extent.lengthBytes;
    const part = extent.hasData ? await stage.contents.read(of, extent.offsetBytes, extent.lengthBytes, stage.call()) : undefined;
    bytes.fill(0, extent.offsetBytes, endBytes);
    if (part !== undefined) bytes.set(part, extent.offsetBytes);
  }
  return bytes;
}

function expectNext({ offsetBytes, lengthBytes }: Extent, afterBytes: number, sizeBytes: number): void {
  expect(offsetBytes, 'ascending, never overlapping').to.be.at.least(afterBytes);
  expect(lengthBytes).to.be.greaterThan(0);
  expect(offsetBytes + lengthBytes, 'within the size').to.be.at.most(sizeBytes);
}

function changeTests(stage: StorageStage, write: Hands['write']): void {
  it('of an empty volume there are none that have data', async () => {
    const snapshot = await stage.snapshot(await stage.volume());
    for await (const extent of stage.contents.changes(snapshot, undefined, stage.call())) expect(extent.hasData).to.equal(false);
  });

  it('laid over zeroes, or over the earlier snapshot, they give the later one: writes, growth, reverts', async () => {
    const volumeId = await stage.volume();
    const made: { readonly snapshot: SnapshotRef; readonly bytes: Uint8Array }[] = [];
    const keep = async (sizeBytes: number) => {
      const snapshot = await stage.snapshot(volumeId);
      made.push({ snapshot, bytes: await whole(stage, snapshot, sizeBytes) });
      return snapshot;
    };
    await write(volumeId, 0, 1);
    await write(volumeId, 8 * PIECE_BYTES, 1);
    const first = await keep(MIB);
    await write(volumeId, 8 * PIECE_BYTES, 0);
    await write(volumeId, 5 * PIECE_BYTES, 2);
    await keep(MIB);
    await stage.grow(volumeId, 4 * MIB);
    await write(volumeId, 3 * MIB, 3);
    await keep(4 * MIB);
    await stage.snapshots.revert(first, stage.call());
    await write(volumeId, 2 * PIECE_BYTES, 4);
    await keep(MIB);
    for (const [at, later] of made.entries()) {
      expect(await applied(stage, new Uint8Array(later.bytes.byteLength), later.snapshot)).to.deep.equal(later.bytes);
      for (const earlier of made.slice(0, at)) {
        const ground = new Uint8Array(later.bytes.byteLength);
        ground.set(earlier.bytes.subarray(0, ground.byteLength));
        expect(await applied(stage, ground, later.snapshot, earlier.snapshot.id), `since ${at}`).to.deep.equal(later.bytes);
      }
    }
  });

  it('of a clone they tell what it has of its snapshot, too', async () => {
    const volumeId = await stage.volume();
    await stage.contents.write(volumeId, 0, await bytesOf(content(MIB)), stage.call());
    const clone = await stage.clone(await stage.snapshot(volumeId));
    await write(clone, 4 * PIECE_BYTES, 9);
    const snapshot = await stage.snapshot(clone);
    expect(await applied(stage, new Uint8Array(MIB), snapshot)).to.deep.equal(await whole(stage, snapshot, MIB));
  });

  it('since, or of, one that is absent is not_found', async () => {
    const volumeId = await stage.volume();
    const snapshot = await stage.snapshot(volumeId);
    const all = async (ref: SnapshotRef, sinceId?: string) => {
      for await (const _ of stage.contents.changes(ref, sinceId, stage.call()));
    };
    expect(await stage.fault(all(snapshot, stage.newId()))).to.equal('not_found');
    expect(await stage.fault(all({ ...snapshot, id: stage.newId() }))).to.equal('not_found');
  });
}

async function bytesOf(from: ReturnType<typeof content>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of from.open()) parts.push(part);
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
