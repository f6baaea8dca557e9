import type { DiskFormat } from '@pileus/core/strategy';
import { DriverError } from '../driver-error.ts';

/** Reads from a file; past its end there are zeroes. */
export type ReadAt = (offsetBytes: number, lengthBytes: number) => Promise<Buffer>;

/** Where the content of a stretch of a disk is: in the file, packed in the file, nowhere since it is zeroes, or in the file below. */
export type Place =
  | { readonly type: 'plain'; readonly offsetBytes: number }
  | { readonly type: 'packed'; readonly offsetBytes: number; readonly lengthBytes: number }
  | { readonly type: 'zero' }
  | { readonly type: 'below' };

export interface Stretch {
  readonly lengthBytes: number;
  readonly place: Place;
}

export const QCOW2_HEADER_BYTES = 112;
const MAGIC = 0x514649fb;
/** Of encryption. */
const LUKS_METHOD = 2;
/** Refcounts that are behind, which readers need not, and the kind of packing, which is checked. */
const FEATURES_READ = 0b1001n;
const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;
const ENTRY_BYTES = 8;
const SECTOR_BYTES = 512;
/** Tables kept in memory, each as large as a cluster: with those of 64 KiB enough for 16 GiB of the disk. */
const TABLES_MAX = 32;

/** The tables of a qcow2 file that nobody writes to: which part of the disk is where. */
export class Qcow2Map {
  readonly sizeBytes: number;
  readonly clusterBytes: number;
  /** What has a place in the file is encrypted with LUKS, by sectors that are counted from the beginning of the file. */
  readonly isEncrypted: boolean;
  /** Offset and length of the name of the file below. */
  readonly backing: { readonly offsetBytes: number; readonly lengthBytes: number } | undefined;
  readonly #clusterBits: number;
  readonly #first: { readonly offsetBytes: number; readonly entries: number };
  #firstTable: Promise<Buffer> | undefined;
  readonly #tables = new Map<number, Promise<Buffer>>();

  /** @throws DriverError `unsupported` for what this cannot read, `internal` for what is no qcow2 file */
  constructor(header: Buffer) {
    if (header.length < QCOW2_HEADER_BYTES || header.readUInt32BE(0) !== MAGIC) throw new DriverError('internal', 'this is no qcow2 file');
    const version = header.readUInt32BE(4);
    const features = version < 3 ? 0n : header.readBigUInt64BE(72);
    const packing = version < 3 || header.readUInt32BE(100) <= 104 ? 0 : header.readUInt8(104);
    const encryption = header.readUInt32BE(32);
    if (
      version < 2 ||
      version > 3 ||
      (features & ~FEATURES_READ) !== 0n ||
      packing !== 0 ||
      (encryption !== 0 && encryption !== LUKS_METHOD)
    )
      throw new DriverError(
        'unsupported',
        `a qcow2 file of version ${version} with features ${features}, packing ${packing} and encryption ${encryption} cannot be read`,
      );
    this.isEncrypted = encryption === LUKS_METHOD;
    this.#clusterBits = header.readUInt32BE(20);
    this.clusterBytes = 2 ** this.#clusterBits;
    this.sizeBytes = Number(header.readBigUInt64BE(24));
    const nameBytes = header.readUInt32BE(16);
    const nameOffset = Number(header.readBigUInt64BE(8));
    this.backing = nameOffset === 0 || nameBytes === 0 ? undefined : { offsetBytes: nameOffset, lengthBytes: nameBytes };
    this.#first = { entries: header.readUInt32BE(36), offsetBytes: Number(header.readBigUInt64BE(40)) };
  }

  /** The stretch at an offset, as long as it is of one kind and in one piece, at most `lengthBytes`. Packed ones are one cluster. */
  async stretch(offsetBytes: number, lengthBytes: number, read: ReadAt): Promise<Stretch> {
    const perTable = this.clusterBytes / ENTRY_BYTES;
    const cluster = Math.floor(offsetBytes / this.clusterBytes);
    const within = offsetBytes - cluster * this.clusterBytes;
    const table = await this.#table(Math.floor(cluster / perTable), read);
    const from = cluster % perTable;
    const place = placed(this.#placeOf(table, from), within);
    if (place.type === 'packed') return { place, lengthBytes: Math.min(lengthBytes, this.clusterBytes - within) };
    let reachBytes = this.clusterBytes - within;
    for (let at = from + 1; at < perTable && reachBytes < lengthBytes; at += 1) {
      if (!follows(this.#placeOf(table, at), place, reachBytes)) break;
      reachBytes += this.clusterBytes;
    }
    return { place, lengthBytes: Math.min(lengthBytes, reachBytes) };
  }

  /** Undefined where no cluster of the table has a place. */
  async #table(index: number, read: ReadAt): Promise<Buffer | undefined> {
    if (index >= this.#first.entries) return undefined;
    const offsetBytes = Number((await this.#entries(read)).readBigUInt64BE(index * ENTRY_BYTES) & OFFSET_MASK);
    if (offsetBytes === 0) return undefined;
    const known = this.#tables.get(index);
    if (known !== undefined) return known;
    const [oldest] = this.#tables.keys();
    if (oldest !== undefined && this.#tables.size >= TABLES_MAX) this.#tables.delete(oldest);
    const reading = read(offsetBytes, this.clusterBytes);
    this.#tables.set(index, reading);
    reading.catch(() => this.#tables.delete(index));
    return reading;
  }

  /** Offsets of the tables. One that could not be read is read again. */
  #entries(read: ReadAt): Promise<Buffer> {
    if (this.#firstTable !== undefined) return this.#firstTable;
    const reading = read(this.#first.offsetBytes, this.#first.entries * ENTRY_BYTES);
    this.#firstTable = reading;
    reading.catch(() => {
      this.#firstTable = undefined;
    });
    return reading;
  }

  #placeOf(table: Buffer | undefined, at: number): Place {
    const entry = table?.readBigUInt64BE(at * ENTRY_BYTES) ?? 0n;
    if ((entry & (1n << 62n)) !== 0n) return this.#packed(entry);
    if ((entry & 1n) !== 0n) return { type: 'zero' };
    const offsetBytes = Number(entry & OFFSET_MASK);
    return offsetBytes === 0 ? { type: 'below' } : { type: 'plain', offsetBytes };
  }

  #packed(entry: bigint): Place {
    const offsetBits = BigInt(62 - (this.#clusterBits - 8));
    const offsetBytes = Number(entry & ((1n << offsetBits) - 1n));
    const sectors = Number((entry & ((1n << 62n) - 1n)) >> offsetBits) + 1;
    return { type: 'packed', offsetBytes, lengthBytes: sectors * SECTOR_BYTES - (offsetBytes % SECTOR_BYTES) };
  }
}

/** All that the file says of itself before its first table. */
export const QCOW2_FIRST_BYTES = 4096;
/** The header of version 2, which does not say how long it is. */
const SECOND_HEADER_BYTES = 72;
const LUKS_EXTENSION = 0x0537be77;
const BACKING_FORMAT_EXTENSION = 0xe2792aca;

/** Where in a qcow2 file the LUKS header of its encrypted content is; undefined where it is not encrypted so. */
export function luksPlace(first: Buffer): { readonly offsetBytes: number; readonly lengthBytes: number } | undefined {
  if (first.readUInt32BE(0) !== MAGIC || first.readUInt32BE(32) !== LUKS_METHOD) return undefined;
  const place = extensionOf(first, LUKS_EXTENSION);
  return place && { offsetBytes: Number(place.readBigUInt64BE(0)), lengthBytes: Number(place.readBigUInt64BE(8)) };
}

/** What the file below is, as this one says; undefined where it does not say, or says what is not known. */
export function backingFormat(first: Buffer): DiskFormat | undefined {
  const format = extensionOf(first, BACKING_FORMAT_EXTENSION)?.toString();
  return format === 'raw' || format === 'qcow2' ? format : undefined;
}

/** What an extension of the header has in it. */
function extensionOf(first: Buffer, wanted: number): Buffer | undefined {
  const headerBytes = first.readUInt32BE(4) < 3 ? SECOND_HEADER_BYTES : first.readUInt32BE(100);
  for (let at = headerBytes; at + 8 <= first.length; ) {
    const [type, lengthBytes] = [first.readUInt32BE(at), first.readUInt32BE(at + 4)];
    if (type === wanted && at + 8 + lengthBytes <= first.length) return first.subarray(at + 8, at + 8 + lengthBytes);
    if (type === 0) return undefined;
    at += 8 + Math.ceil(lengthBytes / 8) * 8;
  }
  return undefined;
}

const placed = (place: Place, within: number): Place =>
  place.type === 'plain' ? { type: 'plain', offsetBytes: place.offsetBytes + within } : place;

/** Whether the cluster goes on what begins at a place, `reachBytes` after that. */
const follows = (next: Place, begin: Place, reachBytes: number): boolean =>
  next.type === 'plain' && begin.type === 'plain'
    ? next.offsetBytes === begin.offsetBytes + reachBytes
    : next.type === begin.type && next.type !== 'packed';
