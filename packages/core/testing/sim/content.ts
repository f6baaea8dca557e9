import type { Extent } from '../../src/strategy/index.ts';

const BLOCK_BYTES = 65_536;
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

/** What is in a volume, sparse. It never changes: a write gives another one, which shares the blocks that were not written to. So snapshots cost nothing. */
export class SimContent {
  static readonly EMPTY = new SimContent(new Map());
  readonly #blocks: ReadonlyMap<number, Uint8Array>;

  private constructor(blocks: ReadonlyMap<number, Uint8Array>) {
    this.#blocks = blocks;
  }

  read(offsetBytes: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    for (const { index, from, to } of pieces(offsetBytes, lengthBytes)) {
      const block = this.#blocks.get(index);
      if (block !== undefined) bytes.set(block.subarray(from, to), index * BLOCK_BYTES + from - offsetBytes);
    }
    return bytes;
  }

  written(offsetBytes: number, bytes: Uint8Array): SimContent {
    const blocks = new Map(this.#blocks);
    for (const { index, from, to } of pieces(offsetBytes, bytes.byteLength)) {
      const block = new Uint8Array(blocks.get(index) ?? new Uint8Array(BLOCK_BYTES));
      const at = index * BLOCK_BYTES + from - offsetBytes;
      block.set(bytes.subarray(at, at + to - from), from);
      if (isZero(block)) blocks.delete(index);
      else blocks.set(index, block);
    }
    return new SimContent(blocks);
  }

  /** Where it differs from an earlier one, within a size. */
  changesSince(earlier: SimContent, sizeBytes: number): Extent[] {
    const indices = [...new Set([...this.#blocks.keys(), ...earlier.#blocks.keys()])].sort((a, b) => a - b);
    return indices.flatMap((index) => {
      const block = this.#blocks.get(index);
      const offsetBytes = index * BLOCK_BYTES;
      if (block === earlier.#blocks.get(index) || offsetBytes >= sizeBytes) return [];
      return [{ offsetBytes, lengthBytes: Math.min(BLOCK_BYTES, sizeBytes - offsetBytes), hasData: block !== undefined }];
    });
  }

  /** Contents are equal if these are. */
  get digest(): string {
    let hash = 0x811c9dc5;
    const mix = (byte: number) => {
      hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
    };
    for (const [index, block] of [...this.#blocks].sort(([a], [b]) => a - b)) {
      for (const byte of new TextEncoder().encode(String(index))) mix(byte);
      for (const byte of block) mix(byte);
    }
    return this.#blocks.size === 0 ? 'empty' : hash.toString(16).padStart(8, '0');
  }
}

function* pieces(offsetBytes: number, lengthBytes: number) {
  const end = offsetBytes + lengthBytes;
  for (let index = Math.floor(offsetBytes / BLOCK_BYTES); index * BLOCK_BYTES < end; index += 1) {
    const begin = index * BLOCK_BYTES;
    yield { index, from: Math.max(0, offsetBytes - begin), to: Math.min(BLOCK_BYTES, end - begin) };
  }
}
