import { CloudError } from '../../kernel/index.ts';
import { DIGEST_BYTES, damage } from './vault.ts';

/** What a volume is cut into. Restores read and write as much at once. */
export const CHUNK_BYTES = 4 * 2 ** 20;

/** Chunks of a page: 64 GiB of a volume, told in half a MiB. */
export const PAGE_CHUNKS = 16_384;

/** A byte tells it. */
export const LAST_VARIANT = 255;

/** Which object a chunk is kept in: chunks of equal content may be kept more than once, as variants (see `Collector`). */
export interface ChunkRef {
  readonly digest: Uint8Array;
  readonly variant: number;
}

interface Head {
  /** 1: where its chunks are is in it. 2: where its pages are is. */
  readonly format: 1 | 2;
  readonly chunkBytes: number;
  /** Of format 2. */
  readonly pageChunks?: number;
  readonly sizeBytes: number;
  readonly volumeId: string;
  readonly volumeName: string;
  readonly takenAt: string;
  /** What was with the volume all the while it was read: where it still is, nothing has changed since. */
  readonly mark?: string;
}

const ENTRY_BYTES = DIGEST_BYTES + 1;
const NOTHING = Buffer.alloc(ENTRY_BYTES);

/** Where each of so many things is kept, or that it is all zeroes. As bytes: digest and variant of each, zeroes where nothing is kept. */
export class Entries {
  readonly bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  static nothing(count: number): Entries {
    return new Entries(Buffer.alloc(count * ENTRY_BYTES));
  }

  get count(): number {
    return this.bytes.length / ENTRY_BYTES;
  }

  /** Undefined: it is all zeroes. */
  at(index: number): ChunkRef | undefined {
    const entry = this.bytes.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    return entry.equals(NOTHING) ? undefined : { digest: entry.subarray(0, DIGEST_BYTES), variant: entry[DIGEST_BYTES] ?? 0 };
  }

  set(index: number, ref: ChunkRef | undefined): void {
    const entry = ref === undefined ? NOTHING : Buffer.concat([ref.digest, Buffer.of(ref.variant)]);
    entry.copy(this.bytes, index * ENTRY_BYTES);
  }

  /** Those that are kept, by their place among all. */
  *kept(): Generator<readonly [number, ChunkRef]> {
    for (let index = 0; index < this.count; index += 1) {
      const ref = this.at(index);
      if (ref !== undefined) yield [index, ref];
    }
  }

  slice(first: number, count: number): Entries {
    return new Entries(this.bytes.subarray(first * ENTRY_BYTES, (first + count) * ENTRY_BYTES));
  }

  /** So many of them that may be changed by themselves: what is more begins as zeroes. */
  copied(count: number): Entries {
    const copy = Entries.nothing(count);
    this.bytes.copy(copy.bytes);
    return copy;
  }
}

/** A part of a manifest, as far as a page reaches. */
export interface Page {
  readonly index: number;
  /** Its first chunk among all of the volume. */
  readonly first: number;
  readonly count: number;
}

/**
 * A backup: what its volume was, and for each chunk of it where that is kept, or that it is all zeroes. As bytes: the length of the head, the head as JSON, and
 * entries. Of a volume of one page, and of all that were made before there were pages, these are of its chunks. Else they are of its pages, each of which has the
 * entries of its chunks and is kept as a chunk is: so what has not changed since the backup before is neither read nor put again, and of a volume of many TiB
 * no more than a page need be in memory.
 */
export class Manifest {
  readonly head: Head;
  readonly #entries: Entries;

  private constructor(head: Head, entries: Entries) {
    this.head = head;
    this.#entries = entries;
  }

  /** Of zeroes alone. */
  static begin(facts: Omit<Head, 'format' | 'chunkBytes' | 'pageChunks'>): Manifest {
    const chunks = Math.ceil(facts.sizeBytes / CHUNK_BYTES);
    if (chunks <= PAGE_CHUNKS) return new Manifest({ ...facts, format: 1, chunkBytes: CHUNK_BYTES }, Entries.nothing(chunks));
    const head: Head = { ...facts, format: 2, chunkBytes: CHUNK_BYTES, pageChunks: PAGE_CHUNKS };
    return new Manifest(head, Entries.nothing(Math.ceil(chunks / PAGE_CHUNKS)));
  }

  /** @throws CloudError internal for another format */
  static parse(bytes: Uint8Array): Manifest {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headBytes = buffer.readUInt32BE(0);
    const head = JSON.parse(buffer.subarray(4, 4 + headBytes).toString()) as Head;
    const isKnown = head.format === 1 || (head.format === 2 && head.pageChunks === PAGE_CHUNKS);
    if (!isKnown || head.chunkBytes !== CHUNK_BYTES)
      throw new CloudError('internal', 'The backup was written by another release, which this one cannot read.');
    return new Manifest(head, new Entries(buffer.subarray(4 + headBytes)));
  }

  toBytes(): Uint8Array {
    const head = Buffer.from(JSON.stringify(this.head));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    return Buffer.concat([length, head, this.#entries.bytes]);
  }

  withMark(mark: string): Manifest {
    return new Manifest({ ...this.head, mark }, this.#entries);
  }

  get chunkCount(): number {
    return Math.ceil(this.head.sizeBytes / CHUNK_BYTES);
  }

  *pages(): Generator<Page> {
    for (let first = 0; first < this.chunkCount; first += PAGE_CHUNKS)
      yield { index: first / PAGE_CHUNKS, first, count: Math.min(PAGE_CHUNKS, this.chunkCount - first) };
  }

  /** How far the page reaches of this number: another one's may reach as far, less far, or not be there. */
  countOf(index: number): number {
    return Math.max(0, Math.min(PAGE_CHUNKS, this.chunkCount - index * PAGE_CHUNKS));
  }

  /** Where the page is kept, if it is by itself, and not of zeroes alone. */
  refOf({ index }: Pick<Page, 'index'>): ChunkRef | undefined {
    return this.head.format === 1 ? undefined : this.#entries.at(index);
  }

  /** What the page has, by `open`, which answers what is kept there. @throws CloudError internal where that is damaged */
  async page({ index }: Pick<Page, 'index'>, open: (ref: ChunkRef) => Promise<Uint8Array>): Promise<Entries> {
    const count = this.countOf(index);
    if (this.head.format === 1) return this.#entries.slice(index * PAGE_CHUNKS, count);
    const ref = count === 0 ? undefined : this.#entries.at(index);
    if (ref === undefined) return Entries.nothing(count);
    const entries = new Entries(await open(ref));
    if (entries.count !== count) throw damage('A part of the backup is of another one.');
    return entries;
  }

  /** By `keep`, where a page is to be kept by itself. */
  async setPage({ index, first }: Page, entries: Entries, keep: (bytes: Uint8Array) => Promise<ChunkRef>): Promise<void> {
    if (this.head.format === 1) entries.bytes.copy(this.#entries.bytes, first * ENTRY_BYTES);
    else this.#entries.set(index, entries.kept().next().done === true ? undefined : await keep(entries.bytes));
  }

  /** Takes a page that nothing has changed in from an earlier one, unread. Answers whether that has it by itself, and as far as it reaches now. */
  takePage({ index, count }: Page, earlier: Manifest): boolean {
    if (this.head.format === 1 || earlier.head.format === 1 || earlier.countOf(index) !== count) return false;
    this.#entries.set(index, earlier.#entries.at(index));
    return true;
  }

  /** Where a chunk is in the volume; the last one may be shorter. */
  place(index: number): { readonly offsetBytes: number; readonly lengthBytes: number } {
    const offsetBytes = index * CHUNK_BYTES;
    return { offsetBytes, lengthBytes: Math.min(CHUNK_BYTES, this.head.sizeBytes - offsetBytes) };
  }
}
