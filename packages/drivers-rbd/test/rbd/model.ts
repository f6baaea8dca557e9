import { createHash } from 'node:crypto';
import type { Call, Extent, SnapshotRef, StorageDriver } from '@pileus/core/strategy';
import { assert } from 'chai';

export const MIB = 2 ** 20;
/** What is written at a time; and where: so that some objects of an image have several, and some none. */
const CELL_BYTES = 4096;
const CELL_EVERY_BYTES = 2 * MIB;
const READ_BYTES = 8 * MIB;

/** What a disk should read as: its size, and the cells that are not zero. */
interface Disk {
  sizeBytes: number;
  cells: ReadonlyMap<number, number>;
}

interface ModelVolume extends Disk {
  readonly id: string;
  readonly snapshots: { readonly id: string; readonly disk: Disk }[];
}

interface ModelImage {
  readonly id: string;
  readonly disk: Disk;
}

/** One thing to do; the numbers choose among what is there then. */
export interface Step {
  readonly act: Act;
  readonly which: number;
  readonly other: number;
  readonly value: number;
}
export const ACTS = ['create', 'write', 'snapshot', 'clone', 'revert', 'flatten', 'grow', 'forget', 'delete', 'compare', 'image'] as const;
export type Act = (typeof ACTS)[number];

const call = (): Call => ({ requestId: 'model', signal: new AbortController().signal, timeoutMs: 120_000 });

const bytesOf = ({ sizeBytes, cells }: Disk): Uint8Array => {
  const bytes = new Uint8Array(sizeBytes);
  for (const [cell, value] of cells) bytes.fill(value, cell * CELL_EVERY_BYTES, cell * CELL_EVERY_BYTES + CELL_BYTES);
  return bytes;
};
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const within = ({ cells }: Disk, sizeBytes: number): Disk => ({
  sizeBytes,
  cells: new Map([...cells].filter(([cell]) => cell * CELL_EVERY_BYTES < sizeBytes)),
});
const copyOf = ({ sizeBytes, cells }: Disk): Disk => ({ sizeBytes, cells });

/** A pool and what it should hold, side by side. */
export class PoolModel {
  readonly #driver: StorageDriver;
  readonly #volumes: ModelVolume[] = [];
  readonly #images: ModelImage[] = [];
  readonly #newId: () => string;

  constructor(driver: StorageDriver, newId: () => string) {
    this.#driver = driver;
    this.#newId = newId;
  }

  get #snapshots(): NonNullable<StorageDriver['snapshots']> {
    return this.#driver.snapshots ?? assert.fail('no snapshots');
  }

  get #contents(): NonNullable<StorageDriver['contents']> {
    return this.#driver.contents ?? assert.fail('no contents');
  }

  async take(step: Step): Promise<void> {
    await this[step.act](step);
  }

  async create({ other }: Step): Promise<void> {
    await this.#add({ sizeBytes: (1 + (other % 3)) * 4 * MIB, cells: new Map() }, {});
  }

  async image({ other, value }: Step): Promise<void> {
    const old = this.#images.length > 2 ? this.#images.shift() : undefined;
    // Clones of it go on.
    if (old !== undefined) await this.#driver.images.delete(old.id, call());
    const disk = { sizeBytes: 8 * MIB, cells: new Map([[other % 4, 1 + (value % 255)]]) };
    const id = this.#newId();
    const content = {
      sizeBytes: disk.sizeBytes,
      async *open() {
        yield bytesOf(disk);
      },
    };
    await this.#driver.images.put({ id, format: 'raw', virtualSizeBytes: disk.sizeBytes, content }, call());
    this.#images.push({ id, disk });
  }

  async write({ which, other, value }: Step): Promise<void> {
    const volume = this.#pick(which);
    if (volume === undefined) return;
    const cell = other % (volume.sizeBytes / CELL_EVERY_BYTES);
    const byte = value % 256;
    await this.#contents.write(volume.id, cell * CELL_EVERY_BYTES, new Uint8Array(CELL_BYTES).fill(byte), call());
    volume.cells = new Map([...volume.cells, [cell, byte]]);
  }

  async snapshot({ which }: Step): Promise<void> {
    const volume = this.#pick(which);
    if (volume === undefined) return;
    const id = this.#newId();
    await this.#snapshots.create({ id, volumeId: volume.id }, call());
    volume.snapshots.push({ id, disk: copyOf(volume) });
  }

  async clone({ which, other, value }: Step): Promise<void> {
    const volume = this.#pick(which);
    const snapshot = volume?.snapshots[other % Math.max(1, volume.snapshots.length)];
    const image = this.#images[other % Math.max(1, this.#images.length)];
    const growth = (value % 3) * 2 * MIB;
    if (volume !== undefined && snapshot !== undefined)
      await this.#add(
        { ...snapshot.disk, sizeBytes: snapshot.disk.sizeBytes + growth },
        { snapshot: { id: snapshot.id, volumeId: volume.id } },
      );
    else if (image !== undefined) await this.#add({ ...image.disk, sizeBytes: image.disk.sizeBytes + growth }, { imageId: image.id });
  }

  async revert({ which, other }: Step): Promise<void> {
    const volume = this.#pick(which);
    const snapshot = volume?.snapshots[other % Math.max(1, volume.snapshots.length)];
    if (volume === undefined || snapshot === undefined) return;
    await this.#snapshots.revert({ id: snapshot.id, volumeId: volume.id }, call());
    Object.assign(volume, copyOf(snapshot.disk));
  }

  async flatten({ which }: Step): Promise<void> {
    const volume = this.#pick(which);
    if (volume !== undefined) await this.#snapshots.flatten(volume.id, call());
  }

  async grow({ which, other }: Step): Promise<void> {
    const volume = this.#pick(which);
    if (volume === undefined || volume.sizeBytes >= 24 * MIB) return;
    const sizeBytes = volume.sizeBytes + (1 + (other % 2)) * 2 * MIB;
    await this.#driver.volumes.resize?.(volume.id, sizeBytes, call());
    volume.sizeBytes = sizeBytes;
  }

  /** Deletes a snapshot, whatever depends on it. */
  async forget({ which, other }: Step): Promise<void> {
    const volume = this.#pick(which);
    const [snapshot] = volume?.snapshots.splice(other % Math.max(1, volume.snapshots.length), 1) ?? [];
    if (volume !== undefined && snapshot !== undefined) await this.#snapshots.delete({ id: snapshot.id, volumeId: volume.id }, call());
  }

  async delete({ which }: Step): Promise<void> {
    const volume = this.#pick(which);
    if (volume === undefined) return;
    if (volume.snapshots.length > 0) {
      const fault = await this.#driver.volumes.delete(volume.id, call()).then(
        () => 'deleted',
        (error: unknown) => this.#driver.classify(error),
      );
      assert.equal(fault, 'conflict');
      return;
    }
    await this.#driver.volumes.delete(volume.id, call());
    this.#volumes.splice(this.#volumes.indexOf(volume), 1);
  }

  /** An earlier snapshot with what is told to have changed since is the later one. */
  async compare({ which, other, value }: Step): Promise<void> {
    const volume = this.#pick(which);
    if (volume === undefined || volume.snapshots.length === 0) return;
    const at = other % volume.snapshots.length;
    const later = volume.snapshots[at];
    const earlier = volume.snapshots[value % (at + 1)];
    if (later === undefined || earlier === undefined) return;
    const since = earlier === later ? undefined : earlier;
    const ground = within(since?.disk ?? { sizeBytes: 0, cells: new Map() }, later.disk.sizeBytes);
    const ref = { id: later.id, volumeId: volume.id };
    const extents: Extent[] = [];
    for await (const extent of this.#contents.changes(ref, since?.id, call())) extents.push(extent);
    const bytes = bytesOf(ground);
    for (const extent of extents) bytes.set(await this.#read(ref, extent), extent.offsetBytes);
    assert.equal(digest(bytes), digest(bytesOf(later.disk)), `changes of ${later.id} since ${since?.id}: ${JSON.stringify(extents)}`);
  }

  /** All that is there reads as it should; looked up through this driver, if another is better for that. */
  async check(driver: StorageDriver = this.#driver): Promise<void> {
    const listed = (await driver.list(call())).map(({ kind, id, sizeBytes }) => `${kind} ${id} ${sizeBytes}`);
    const expected = [
      ...this.#volumes.map(({ id, sizeBytes }) => `volume ${id} ${sizeBytes}`),
      ...this.#images.map(({ id, disk }) => `image ${id} ${disk.sizeBytes}`),
    ];
    assert.sameMembers(listed, expected);
    for (const volume of this.#volumes) {
      const now = { id: this.#newId(), volumeId: volume.id };
      await driver.snapshots?.create(now, call());
      await this.#checkOne(now, volume);
      await driver.snapshots?.delete(now, call());
      for (const { id, disk } of volume.snapshots) await this.#checkOne({ id, volumeId: volume.id }, disk);
    }
  }

  /** Deletes all, those first that were made first. */
  async clear(): Promise<void> {
    for (const { id } of this.#images.splice(0)) await this.#driver.images.delete(id, call());
    for (const { id, snapshots } of this.#volumes.splice(0)) {
      for (const snapshot of snapshots) await this.#snapshots.delete({ id: snapshot.id, volumeId: id }, call());
      await this.#driver.volumes.delete(id, call());
    }
    assert.deepEqual(await this.#driver.list(call()), []);
  }

  async #checkOne(ref: SnapshotRef, disk: Disk): Promise<void> {
    const hash = createHash('sha256');
    for (let offsetBytes = 0; offsetBytes < disk.sizeBytes; offsetBytes += READ_BYTES)
      hash.update(await this.#read(ref, { offsetBytes, lengthBytes: Math.min(READ_BYTES, disk.sizeBytes - offsetBytes), hasData: true }));
    assert.equal(hash.digest('hex'), digest(bytesOf(disk)), `content of ${ref.volumeId} at ${ref.id}`);
  }

  async #read(ref: SnapshotRef, { offsetBytes, lengthBytes, hasData }: Extent): Promise<Uint8Array> {
    const bytes = new Uint8Array(lengthBytes);
    if (hasData)
      for (let at = 0; at < lengthBytes; at += READ_BYTES) {
        const pieceBytes = Math.min(READ_BYTES, lengthBytes - at);
        bytes.set(await this.#contents.read(ref, offsetBytes + at, pieceBytes, call()), at);
      }
    return bytes;
  }

  async #add(disk: Disk, from: { readonly imageId?: string; readonly snapshot?: SnapshotRef }): Promise<void> {
    if (this.#volumes.length >= 6) return;
    const id = this.#newId();
    await this.#driver.volumes.create({ id, sizeBytes: disk.sizeBytes, ...from }, call());
    this.#volumes.push({ id, ...copyOf(disk), snapshots: [] });
  }

  #pick(which: number): ModelVolume | undefined {
    return this.#volumes[which % Math.max(1, this.#volumes.length)];
  }
}
