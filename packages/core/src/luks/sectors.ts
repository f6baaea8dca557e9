import { createCipheriv, createDecipheriv } from 'node:crypto';

/** What a disk is encrypted in: each by itself, bound to its number. */
export const LUKS_SECTOR_BYTES = 512;

const BLOCK_BYTES = 16;
const WORDS_A_BLOCK = BLOCK_BYTES / 4;
const BLOCKS_A_SECTOR = LUKS_SECTOR_BYTES / BLOCK_BYTES;
/** What stands for x^128 in the field of XTS. */
const REDUCED = 0x87;

/**
 * What is in a disk whose header was opened: AES in XTS, by sectors of 512 bytes. Who has one can read the disk for ever, whatever becomes of its passphrases: it is kept
 * for as long as a call takes.
 *
 * A cipher of XTS is for one sector, and to make one for each takes longer than all that it does. So what the sectors are masked with is reckoned here, and the cipher
 * itself runs over all of them at once: 4 MiB take some 15 ms in the turn of who asks. Machines that run this have their least byte first.
 */
export class LuksSectors {
  readonly #dataKey: Buffer;
  readonly #maskKey: Buffer;

  /** @param key the disk's own: two keys of AES in one */
  constructor(key: Uint8Array) {
    const half = key.length / 2;
    this.#dataKey = Buffer.from(key.subarray(0, half));
    this.#maskKey = Buffer.from(key.subarray(half));
  }

  /** @param number of the first sector, counted as the disk's format counts them @param plain whole sectors */
  encrypt(number: number, plain: Uint8Array): Buffer {
    return this.#through(createCipheriv, number, plain);
  }

  /** @param number of the first sector, counted as the disk's format counts them @param encrypted whole sectors */
  decrypt(number: number, encrypted: Uint8Array): Buffer {
    return this.#through(createDecipheriv, number, encrypted);
  }

  #through(make: typeof createCipheriv | typeof createDecipheriv, number: number, bytes: Uint8Array): Buffer {
    if (bytes.length % LUKS_SECTOR_BYTES !== 0) throw new RangeError(`${bytes.length} bytes are no whole sectors`);
    if (bytes.length === 0) return Buffer.alloc(0);
    const masks = this.#masks(number, bytes.length / LUKS_SECTOR_BYTES);
    const masked = wordsOf(bytes);
    xorInto(masked, masks);
    const through = wordsOf(inBlocks(make, this.#dataKey, bytesOf(masked)));
    xorInto(through, masks);
    return bytesOf(through);
  }

  /** What each block is masked with: the first of a sector follows from its number, and each from the one before. */
  #masks(number: number, count: number): Uint32Array {
    const numbers = Buffer.alloc(count * BLOCK_BYTES);
    for (let at = 0; at < count; at += 1) numbers.writeBigUInt64LE(BigInt(number + at), at * BLOCK_BYTES);
    const first = wordsOf(inBlocks(createCipheriv, this.#maskKey, numbers));
    const masks = new Uint32Array((count * LUKS_SECTOR_BYTES) / 4);
    for (let sector = 0; sector < count; sector += 1)
      doubled(masks, sector * BLOCKS_A_SECTOR * WORDS_A_BLOCK, first.subarray(sector * WORDS_A_BLOCK, (sector + 1) * WORDS_A_BLOCK));
    return masks;
  }
}

function doubled(masks: Uint32Array, from: number, [a = 0, b = 0, c = 0, d = 0]: Uint32Array): void {
  let [w0, w1, w2, w3] = [a, b, c, d];
  const end = from + BLOCKS_A_SECTOR * WORDS_A_BLOCK;
  for (let at = from; at < end; at += WORDS_A_BLOCK) {
    masks[at] = w0;
    masks[at + 1] = w1;
    masks[at + 2] = w2;
    masks[at + 3] = w3;
    const over = w3 >>> 31;
    w3 = (w3 << 1) | (w2 >>> 31);
    w2 = (w2 << 1) | (w1 >>> 31);
    w1 = (w1 << 1) | (w0 >>> 31);
    w0 = (w0 << 1) ^ (over * REDUCED);
  }
}

function inBlocks(make: typeof createCipheriv | typeof createDecipheriv, key: Buffer, bytes: Buffer): Buffer {
  const cipher = make(`aes-${key.length * 8}-ecb`, key, null);
  cipher.setAutoPadding(false);
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
}

/** A copy, at an address that words may have. */
function wordsOf(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(bytes.length / 4);
  bytesOf(words).set(bytes);
  return words;
}

const bytesOf = (words: Uint32Array<ArrayBuffer>): Buffer => Buffer.from(words.buffer);

function xorInto(into: Uint32Array, other: Uint32Array): void {
  for (let at = 0; at < into.length; at += 1) into[at] = (into[at] ?? 0) ^ (other[at] ?? 0);
}
