import { inflateRawSync } from 'node:zlib';
import type { Call, ContentRef, DiskFormat, Extent, StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { noSnapshots, refuse } from './content-bounds.ts';
import { backingFormat, type Place, QCOW2_FIRST_BYTES, QCOW2_HEADER_BYTES, Qcow2Map, type Stretch } from './qcow2.ts';
import { isTold, MARK_AT, type Mark, markOf, untold } from './qcow2-mark.ts';

/** Files below one another: an image, and the volume on it. */
const LAYERS_MAX = 4;
const PATH_BYTES_MAX = 4096;

/** The files of a pool: `.raw` ones, and qcow2. */
export interface DiskFiles<File extends { readonly name: string }> {
  /** Undefined only when there is certainly none. */
  volume(id: string, deadline: Deadline): Promise<File | undefined>;
  /** The one that another one names as what shows through it. @throws DriverError not_found */
  below(name: string, deadline: Deadline): Promise<File>;
  /** Past the end of the file there are zeroes. */
  readPart(file: File, offsetBytes: number, lengthBytes: number, deadline: Deadline): Promise<Buffer>;
  writePart(file: File, offsetBytes: number, bytes: Uint8Array, deadline: Deadline): Promise<void>;
  fileBytes(file: File, deadline: Deadline): Promise<number>;
}

/**
 * The bytes of volumes, through nothing but parts of files: the tables of qcow2 are read here. A volume that is to be filled has its tables from the beginning, or
 * none, so that a write changes no table.
 */
export function contentVerbs<File extends { readonly name: string }>(
  pool: DiskFiles<File>,
): Required<NonNullable<StorageDriver['contents']>> {
  const disks = new Disks(pool);
  const open = async (of: ContentRef, call: Call, deadline: Deadline) => {
    const disk = await disks.open(of, call, deadline);
    if (disk.isEncrypted) throw new DriverError('unsupported', `volume ${of.volumeId} is encrypted, and is read by its key alone`);
    return disk;
  };
  return {
    async *changes(of, sinceId, call): AsyncGenerator<Extent, void, undefined> {
      if (sinceId !== undefined) throw noSnapshots();
      const deadline = new Deadline(call);
      disks.forget();
      yield* extentsOf(await open(of, call, deadline), deadline);
    },

    async *written(volumeId, within, call): AsyncGenerator<Extent, void, undefined> {
      const deadline = new Deadline(call);
      // An operation that begins anew has made another one under the same name.
      disks.forget();
      yield* writtenIn(await open({ volumeId }, call, deadline), within, deadline);
    },

    async read(of, offsetBytes, lengthBytes, call) {
      const deadline = new Deadline(call);
      return readFrom(await open(of, call, deadline), offsetBytes, lengthBytes, deadline);
    },

    async write(volumeId, offsetBytes, bytes, call) {
      const deadline = new Deadline(call);
      await writeTo(await open({ volumeId }, call, deadline), offsetBytes, bytes, deadline);
    },
  };
}

export async function* extentsOf<File extends { readonly name: string }>(
  disk: Disk<File>,
  deadline: Deadline,
): AsyncGenerator<Extent, void, undefined> {
  for (let at = 0; at < disk.sizeBytes; ) {
    const { lengthBytes, place } = await disk.stretch(at, disk.sizeBytes - at, deadline);
    yield { offsetBytes: at, lengthBytes, hasData: place.type !== 'zero' };
    at += lengthBytes;
  }
}

async function* writtenIn<File extends { readonly name: string }>(
  disk: Disk<File>,
  { offsetBytes, lengthBytes: withinBytes }: { readonly offsetBytes: number; readonly lengthBytes: number },
  deadline: Deadline,
): AsyncGenerator<Extent, void, undefined> {
  if (disk.files.length > 1) throw new DriverError('conflict', `${disk.file.name} was not made empty`);
  const endBytes = Math.min(offsetBytes + withinBytes, disk.sizeBytes);
  for (let at = offsetBytes; at < endBytes; ) {
    const { lengthBytes, place } = await disk.ownStretch(at, endBytes - at, deadline);
    if (place.type !== 'below') yield { offsetBytes: at, lengthBytes, hasData: place.type !== 'zero' };
    at += lengthBytes;
  }
}

/** Of what is encrypted, what lies at an offset of the file, in the clear or as it is stored. */
export interface DiskCipher {
  decrypt(fileOffsetBytes: number, stored: Uint8Array): Promise<Buffer>;
  encrypt(fileOffsetBytes: number, plain: Uint8Array): Promise<Buffer>;
}

export async function readFrom<File extends { readonly name: string }>(
  disk: Disk<File>,
  offsetBytes: number,
  lengthBytes: number,
  deadline: Deadline,
  cipher?: DiskCipher,
): Promise<Buffer> {
  refuse(disk, offsetBytes, lengthBytes);
  const bytes = Buffer.alloc(lengthBytes);
  for (let done = 0; done < lengthBytes; ) {
    const stretch = await disk.stretch(offsetBytes + done, lengthBytes - done, deadline);
    await disk.readInto(bytes.subarray(done, done + stretch.lengthBytes), offsetBytes + done, stretch, deadline, cipher);
    done += stretch.lengthBytes;
  }
  return bytes;
}

export async function writeTo<File extends { readonly name: string }>(
  disk: Disk<File>,
  offsetBytes: number,
  bytes: Uint8Array,
  deadline: Deadline,
  cipher?: DiskCipher,
): Promise<void> {
  refuse(disk, offsetBytes, bytes.length);
  await disk.unmark(deadline);
  for (let done = 0; done < bytes.length; ) {
    const { lengthBytes, place, depth } = await disk.stretch(offsetBytes + done, bytes.length - done, deadline);
    if (place.type !== 'plain' || depth > 0)
      throw new DriverError('conflict', `${disk.file.name} was not made to be filled, and is written to by its machine alone`);
    const part = bytes.subarray(done, done + lengthBytes);
    await disk.write(place.offsetBytes, cipher === undefined ? part : await cipher.encrypt(place.offsetBytes, part), deadline);
    done += lengthBytes;
  }
}

/** One file of a disk. */
interface Layer<File> {
  readonly file: File;
  readonly isEncrypted: boolean;
  readonly sizeBytes: number;
  readonly clusterBytes: number;
  readonly mark?: Mark | undefined;
  stretch(offsetBytes: number, lengthBytes: number, deadline: Deadline): Promise<Stretch>;
}

/** Where a stretch is, `depth` files below the volume's own. */
interface Found extends Stretch {
  readonly depth: number;
}

/** A volume with the files that show through it. */
export class Disk<File extends { readonly name: string }> {
  readonly #pool: DiskFiles<File>;
  readonly #layers: readonly [Layer<File>, ...Layer<File>[]];

  constructor(pool: DiskFiles<File>, layers: readonly [Layer<File>, ...Layer<File>[]]) {
    this.#pool = pool;
    this.#layers = layers;
  }

  get sizeBytes(): number {
    return this.#layers[0].sizeBytes;
  }

  get file(): File {
    return this.#layers[0].file;
  }

  /** What shows through it is not. */
  get isEncrypted(): boolean {
    return this.#layers[0].isEncrypted;
  }

  /** Its own, and those that show through. */
  get files(): readonly File[] {
    return this.#layers.map(({ file }) => file);
  }

  /** Before it is written to. */
  async unmark(deadline: Deadline): Promise<void> {
    const [{ file, mark }] = this.#layers;
    if (mark !== undefined && isTold(mark)) await this.#pool.writePart(file, MARK_AT, untold(mark), deadline);
  }

  write(fileOffsetBytes: number, bytes: Uint8Array, deadline: Deadline): Promise<void> {
    return this.#pool.writePart(this.file, fileOffsetBytes, bytes, deadline);
  }

  /** In the volume's own file. */
  ownStretch(offsetBytes: number, lengthBytes: number, deadline: Deadline): Promise<Stretch> {
    return this.#layers[0].stretch(offsetBytes, lengthBytes, deadline);
  }

  async stretch(offsetBytes: number, lengthBytes: number, deadline: Deadline): Promise<Found> {
    let wantedBytes = lengthBytes;
    for (const [depth, layer] of this.#layers.entries()) {
      // What is below may be smaller, and reads as zeroes beyond its end.
      if (offsetBytes >= layer.sizeBytes) return { depth, lengthBytes: wantedBytes, place: { type: 'zero' } };
      const found = await layer.stretch(offsetBytes, Math.min(wantedBytes, layer.sizeBytes - offsetBytes), deadline);
      if (found.place.type !== 'below') return { ...found, depth };
      wantedBytes = found.lengthBytes;
    }
    return { depth: this.#layers.length, lengthBytes: wantedBytes, place: { type: 'zero' } };
  }

  async readInto(into: Buffer, offsetBytes: number, { place, depth }: Found, deadline: Deadline, cipher?: DiskCipher): Promise<void> {
    const layer = this.#layers[depth];
    if (layer === undefined || place.type === 'zero' || place.type === 'below') return;
    if (layer.isEncrypted && (cipher === undefined || place.type === 'packed'))
      throw new DriverError('unsupported', `${layer.file.name} is encrypted as no volume of the pool is`);
    const stored = await this.#pool.readPart(layer.file, place.offsetBytes, lengthOf(place, into.length), deadline);
    if (layer.isEncrypted && cipher !== undefined) (await cipher.decrypt(place.offsetBytes, stored)).copy(into);
    else if (place.type === 'plain') stored.copy(into);
    else unpacked(stored, layer).copy(into, 0, offsetBytes % layer.clusterBytes);
  }
}

const lengthOf = (place: Extract<Place, { type: 'plain' | 'packed' }>, wantedBytes: number): number =>
  place.type === 'plain' ? wantedBytes : place.lengthBytes;

/** What is packed is one cluster, and may be followed by anything up to the end of a sector. */
const unpacked = (bytes: Buffer, { clusterBytes }: { readonly clusterBytes: number }): Buffer =>
  inflateRawSync(bytes, { maxOutputLength: clusterBytes });

/** Disks that were looked at, kept while one operation works with them: nobody else does meanwhile. */
export class Disks<File extends { readonly name: string }> {
  readonly #pool: DiskFiles<File>;
  #last: { readonly requestId: string; readonly volumeId: string; readonly header: Buffer; readonly disk: Disk<File> } | undefined;

  constructor(pool: DiskFiles<File>) {
    this.#pool = pool;
  }

  /** Who begins to read looks anew. */
  forget(): void {
    this.#last = undefined;
  }

  async open({ id, volumeId }: ContentRef, { requestId }: Call, deadline: Deadline): Promise<Disk<File>> {
    const volume = id === undefined ? await this.#pool.volume(volumeId, deadline) : undefined;
    if (id !== undefined) throw noSnapshots();
    if (volume === undefined) throw new DriverError('not_found', `the pool has no volume ${volumeId}`);
    const header = await this.#pool.readPart(volume, 0, QCOW2_HEADER_BYTES, deadline);
    const last = this.#last;
    if (last?.requestId === requestId && last.volumeId === volumeId && last.header.equals(header)) return last.disk;
    const disk = await openFile(this.#pool, volume, undefined, deadline);
    this.#last = { requestId, volumeId, header, disk };
    return disk;
  }
}

interface BelowIt {
  readonly path: string;
  /** As the file above says; what it does not say is told by the name. */
  readonly format: DiskFormat | undefined;
}

/** A file with those that show through it. */
export async function openFile<File extends { readonly name: string }>(
  pool: DiskFiles<File>,
  top: File,
  format: DiskFormat | undefined,
  deadline: Deadline,
): Promise<Disk<File>> {
  const layers = new Layers(pool);
  const below: Layer<File>[] = [];
  const { layer: first, under } = await layers.open(top, format, deadline);
  for (let next = under; next !== undefined; ) {
    if (below.length === LAYERS_MAX) throw new DriverError('unsupported', `${top.name} has more than ${LAYERS_MAX} files below`);
    const found = await layers.open(await pool.below(next.path, deadline), next.format, deadline);
    below.push(found.layer);
    next = found.under;
  }
  return new Disk(pool, [first, ...below]);
}

class Layers<File extends { readonly name: string }> {
  readonly #pool: DiskFiles<File>;

  constructor(pool: DiskFiles<File>) {
    this.#pool = pool;
  }

  async open(
    file: File,
    format: DiskFormat | undefined,
    deadline: Deadline,
  ): Promise<{ readonly layer: Layer<File>; readonly under?: BelowIt }> {
    if ((format ?? (file.name.endsWith('.raw') ? 'raw' : 'qcow2')) === 'raw') return { layer: await this.#rawLayer(file, deadline) };
    const reader = (within: Deadline) => (offsetBytes: number, lengthBytes: number) =>
      this.#pool.readPart(file, offsetBytes, lengthBytes, within);
    const read = reader(deadline);
    const head = await read(0, QCOW2_FIRST_BYTES);
    const map = new Qcow2Map(head.subarray(0, QCOW2_HEADER_BYTES));
    const stretch: Layer<File>['stretch'] = (offsetBytes, lengthBytes, within) => map.stretch(offsetBytes, lengthBytes, reader(within));
    const { sizeBytes, clusterBytes, isEncrypted } = map;
    const layer = { file, sizeBytes, clusterBytes, isEncrypted, mark: markOf(head), stretch };
    if (map.backing === undefined) return { layer };
    const { offsetBytes, lengthBytes } = map.backing;
    if (lengthBytes > PATH_BYTES_MAX) throw new DriverError('internal', `${file.name} names a file below in ${lengthBytes} bytes`);
    return { layer, under: { path: (await read(offsetBytes, lengthBytes)).toString(), format: backingFormat(head) } };
  }

  async #rawLayer(file: File, deadline: Deadline): Promise<Layer<File>> {
    const sizeBytes = await this.#pool.fileBytes(file, deadline);
    const stretch: Layer<File>['stretch'] = async (offsetBytes, lengthBytes) => ({ lengthBytes, place: { type: 'plain', offsetBytes } });
    return { file, sizeBytes, clusterBytes: sizeBytes, isEncrypted: false, stretch };
  }
}
