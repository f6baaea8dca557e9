import { CloudError } from '../../kernel/index.ts';
import { DIGEST_BYTES } from './vault.ts';

/** What a volume is cut into. Restores read and write as much at once. */
export const CHUNK_BYTES = 4 * 2 ** 20;

/** A byte tells it. */
export const LAST_VARIANT = 255;

/** Which object a chunk is kept in: chunks of equal content may be kept more than once, as variants (see `Collector`). */
export interface ChunkRef {
  readonly digest: Uint8Array;
  readonly variant: number;
}

interface Head {
  readonly format: 1;
  readonly chunkBytes: number;
  readonly sizeBytes: number;
  readonly volumeId: string;
  readonly volumeName: string;
  readonly takenAt: string;
}

const ENTRY_BYTES = DIGEST_BYTES + 1;
const NOTHING = Buffer.alloc(ENTRY_BYTES);

/**
 * A backup: what its volume was, and for each chunk of it where that is kept, or that it is all zeroes. As bytes: the length of the head, the head
 * as JSON, and an entry of digest and variant for each chunk, zeroes where nothing is kept.
 */
export class Manifest {
  readonly head: Head;
  readonly #entries: Buffer;

  private constructor(head: Head, entries: Buffer) {
    this.head = head;
    this.#entries = entries;
  }

  /** Of zeroes alone; or, with an earlier one, of what that has, as far as the volume reaches. */
  static begin(facts: Omit<Head, 'format' | 'chunkBytes'>, earlier?: Manifest): Manifest {
    const entries = Buffer.alloc(Math.ceil(facts.sizeBytes / CHUNK_BYTES) * ENTRY_BYTES);
    if (earlier !== undefined) earlier.#entries.copy(entries);
    return new Manifest({ ...facts, format: 1, chunkBytes: CHUNK_BYTES }, entries);
  }

  /** @throws CloudError internal for another format */
  static parse(bytes: Uint8Array): Manifest {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headBytes = buffer.readUInt32BE(0);
    const head = JSON.parse(buffer.subarray(4, 4 + headBytes).toString()) as Head;
    if (head.format !== 1 || head.chunkBytes !== CHUNK_BYTES)
      throw new CloudError('internal', 'The backup was written by another release, which this one cannot read.');
    return new Manifest(head, buffer.subarray(4 + headBytes));
  }

  toBytes(): Uint8Array {
    const head = Buffer.from(JSON.stringify(this.head));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    return Buffer.concat([length, head, this.#entries]);
  }

  get chunkCount(): number {
    return this.#entries.length / ENTRY_BYTES;
  }

  /** Undefined: it is all zeroes. */
  chunk(index: number): ChunkRef | undefined {
    const entry = this.#entries.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    return entry.equals(NOTHING) ? undefined : { digest: entry.subarray(0, DIGEST_BYTES), variant: entry[DIGEST_BYTES] ?? 0 };
  }

  set(index: number, chunk: ChunkRef | undefined): void {
    const entry = chunk === undefined ? NOTHING : Buffer.concat([chunk.digest, Buffer.of(chunk.variant)]);
    entry.copy(this.#entries, index * ENTRY_BYTES);
  }

  /** Where a chunk is in the volume; the last one may be shorter. */
  place(index: number): { readonly offsetBytes: number; readonly lengthBytes: number } {
    const offsetBytes = index * CHUNK_BYTES;
    return { offsetBytes, lengthBytes: Math.min(CHUNK_BYTES, this.head.sizeBytes - offsetBytes) };
  }

  /** Those that are kept, by their place among all. */
  *kept(): Generator<readonly [number, ChunkRef]> {
    for (let index = 0; index < this.chunkCount; index += 1) {
      const chunk = this.chunk(index);
      if (chunk !== undefined) yield [index, chunk];
    }
  }
}
