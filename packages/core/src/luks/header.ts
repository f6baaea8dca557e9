import {
  bytesFrom,
  FORMAT,
  KEY_STRIPES,
  type KeyCipher,
  keyDigest,
  type LockedKey,
  lockedKey,
  type RandomBytes,
  unlockedKey,
} from './key-material.ts';
import { LuksSectors } from './sectors.ts';

/**
 * The header of a LUKS disk, version 1: which passphrases open it, in eight slots, each with the disk's own key encrypted by one of them. It is read and changed
 * as bytes: whoever keeps the disk reads its first bytes, and writes back what is answered here, in that order. Whatever of that is cut off, each passphrase that
 * opened the disk before and is meant to go on doing so opens it at every instant: a slot is filled before the first block, which is written as one, says that
 * it is in use; and said to be free before it is overwritten.
 *
 * The passphrases are random, 256 bits each. To derive keys slowly, as from what people remember, would make them no harder to guess.
 */
const MAGIC = Buffer.from('LUKS\xba\xbe', 'latin1');
const VERSION = 1;
const SECTOR_BYTES = 512;
const ITERATIONS = 10_000;
const SLOTS = 8;
const SLOT = { at: 208, bytes: 48, active: 0x00ac71f3, free: 0x0000dead } as const;
const AT = {
  ...{ version: 6, cipher: 8, mode: 40, hash: 72, payload: 104, keyBytes: 108, digest: 112, salt: 132, iterations: 164, uuid: 168 },
} as const;
const DIGEST_BYTES = 20;
const SALT_BYTES = 32;
/** The first block: all that says which slots are in use. Two of the slots that a disk of ours has in use are in its first sector. */
const BLOCK_BYTES = 4096;

/** What a new disk has before its content. */
export const LUKS_HEADER_BYTES = 2 * 1024 * 1024;

/** This is no header, or not one that is read here; or no passphrase that opens it. */
export class LuksError extends Error {
  override readonly name = 'LuksError';
  /** What it is to whoever asked a driver: the disk is not what it is taken for. */
  readonly fault = 'conflict';
  readonly reason: 'unreadable' | 'wrong_passphrase' | 'full';

  constructor(reason: LuksError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Bytes to be written at an offset of the disk, after those before it are durable. */
export interface HeaderWrite {
  readonly offsetBytes: number;
  readonly bytes: Buffer;
}

interface Slot {
  readonly index: number;
  readonly isActive: boolean;
  readonly locked: LockedKey;
  readonly offsetBytes: number;
}

export class LuksHeader {
  readonly #bytes: Buffer;
  readonly #cipher: KeyCipher;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#cipher = { hash: text(bytes, AT.hash), keyBytes: bytes.readUInt32BE(AT.keyBytes) };
  }

  /** A new one, with a new key, that one passphrase opens. */
  static async make(passphrase: string, random: RandomBytes): Promise<HeaderWrite[]> {
    const bytes = Buffer.alloc(LUKS_HEADER_BYTES);
    MAGIC.copy(bytes);
    bytes.writeUInt16BE(VERSION, AT.version);
    bytes.write(FORMAT.cipher, AT.cipher);
    bytes.write(FORMAT.mode, AT.mode);
    bytes.write(FORMAT.hash, AT.hash);
    bytes.writeUInt32BE(LUKS_HEADER_BYTES / SECTOR_BYTES, AT.payload);
    bytes.writeUInt32BE(FORMAT.keyBytes, AT.keyBytes);
    const [key, salt] = [Buffer.from(random(FORMAT.keyBytes)), Buffer.from(random(SALT_BYTES))];
    (await keyDigest(key, salt, ITERATIONS, FORMAT.hash)).copy(bytes, AT.digest);
    salt.copy(bytes, AT.salt);
    bytes.writeUInt32BE(ITERATIONS, AT.iterations);
    bytes.write(uuidOf(Buffer.from(random(16))), AT.uuid);
    const areaBytes = roundUp(FORMAT.keyBytes * KEY_STRIPES);
    for (let index = 0; index < SLOTS; index += 1) {
      const at = SLOT.at + index * SLOT.bytes;
      bytes.writeUInt32BE(SLOT.free, at);
      bytes.writeUInt32BE((BLOCK_BYTES + index * areaBytes) / SECTOR_BYTES, at + 40);
      bytes.writeUInt32BE(KEY_STRIPES, at + 44);
    }
    return new LuksHeader(bytes).#fill(0, key, passphrase, random);
  }

  /** @param bytes from the beginning of the disk to where its content begins, or more @throws LuksError unreadable */
  static read(bytes: Uint8Array): LuksHeader {
    const copy = Buffer.from(bytes);
    if (copy.length < BLOCK_BYTES || !copy.subarray(0, MAGIC.length).equals(MAGIC) || copy.readUInt16BE(AT.version) !== VERSION)
      throw new LuksError('unreadable', 'this is no header of LUKS, version 1');
    const [cipher, mode, keyBytes] = [text(copy, AT.cipher), text(copy, AT.mode), copy.readUInt32BE(AT.keyBytes)];
    if (cipher !== FORMAT.cipher || mode !== FORMAT.mode || (keyBytes !== 32 && keyBytes !== 64))
      throw new LuksError('unreadable', `a disk encrypted by ${cipher}-${mode} with a key of ${keyBytes} bytes is not read`);
    const header = new LuksHeader(copy);
    for (const { locked, offsetBytes } of header.#slots)
      if (locked.stripes !== KEY_STRIPES || offsetBytes + header.#areaBytes > copy.length)
        throw new LuksError('unreadable', 'the header is not whole');
    return header;
  }

  /** Where the content of the disk begins. */
  get contentAtBytes(): number {
    return this.#bytes.readUInt32BE(AT.payload) * SECTOR_BYTES;
  }

  async opens(passphrase: string): Promise<boolean> {
    return (await this.#open(passphrase)) !== undefined;
  }

  /** What is behind the header. @throws LuksError wrong_passphrase */
  async unlock(passphrase: string): Promise<LuksSectors> {
    return new LuksSectors((await this.#need(passphrase)).key);
  }

  /**
   * What is to be written so that another passphrase opens it, too; nothing where it does. It follows from that passphrase and the disk: whoever asks again writes the
   * same, and what arrives late of an earlier time changes nothing. @throws LuksError wrong_passphrase, full
   */
  async withPassphrase(present: string, added: string): Promise<HeaderWrite[]> {
    if (await this.opens(added)) return [];
    const { key } = await this.#need(present);
    const free = this.#slots.find(({ isActive }) => !isActive);
    if (free === undefined) throw new LuksError('full', 'all slots of the header are in use');
    return this.#fill(free.index, key, added, await bytesFrom(added, `${text(this.#bytes, AT.uuid)} ${free.index}`));
  }

  /**
   * What is to be written so that no other passphrase opens it. What is left of others in slots that are free is overwritten, too: whoever asks again after this was
   * cut off has all of it done. @throws LuksError wrong_passphrase, before anything is answered
   */
  async withoutOthers(kept: string): Promise<HeaderWrite[]> {
    const { slot } = await this.#need(kept);
    const block = Buffer.from(this.#bytes.subarray(0, BLOCK_BYTES));
    const others = this.#slots.filter(({ index }) => index !== slot.index);
    for (const { index, isActive } of others) if (isActive) freeSlot(block, index);
    const used = others.filter(({ isActive, offsetBytes }) => isActive || !isZero(this.#area(offsetBytes)));
    return [
      ...(others.some(({ isActive }) => isActive) ? [{ offsetBytes: 0, bytes: block }] : []),
      ...used.map(({ offsetBytes }) => ({ offsetBytes, bytes: Buffer.alloc(this.#areaBytes) })),
    ];
  }

  async #fill(index: number, key: Buffer, passphrase: string, random: RandomBytes): Promise<HeaderWrite[]> {
    const slot = this.#slots[index];
    if (slot === undefined) throw new LuksError('full', `the header has no slot ${index}`);
    const how = { salt: Buffer.from(random(SALT_BYTES)), iterations: ITERATIONS };
    const locked = await lockedKey(this.#cipher, { key, passphrase, random, ...how });
    const block = Buffer.from(this.#bytes.subarray(0, BLOCK_BYTES));
    const at = SLOT.at + index * SLOT.bytes;
    block.writeUInt32BE(SLOT.active, at);
    block.writeUInt32BE(locked.iterations, at + 4);
    locked.salt.copy(block, at + 8);
    return [
      { offsetBytes: slot.offsetBytes, bytes: locked.material },
      { offsetBytes: 0, bytes: block },
    ];
  }

  async #open(passphrase: string): Promise<{ readonly key: Buffer; readonly slot: Slot } | undefined> {
    const [digest, salt] = [this.#bytes.subarray(AT.digest, AT.digest + DIGEST_BYTES), this.#bytes.subarray(AT.salt, AT.salt + SALT_BYTES)];
    for (const slot of this.#slots) {
      if (!slot.isActive) continue;
      const key = await unlockedKey(this.#cipher, slot.locked, passphrase);
      if ((await keyDigest(key, salt, this.#bytes.readUInt32BE(AT.iterations), this.#cipher.hash)).equals(digest)) return { key, slot };
    }
    return undefined;
  }

  async #need(passphrase: string) {
    const opened = await this.#open(passphrase);
    if (opened === undefined) throw new LuksError('wrong_passphrase', 'no slot of the header opens with this passphrase');
    return opened;
  }

  get #areaBytes(): number {
    return this.#cipher.keyBytes * KEY_STRIPES;
  }

  get #slots(): readonly Slot[] {
    return Array.from({ length: SLOTS }, (_, index) => {
      const at = SLOT.at + index * SLOT.bytes;
      const offsetBytes = this.#bytes.readUInt32BE(at + 40) * SECTOR_BYTES;
      const locked = {
        iterations: this.#bytes.readUInt32BE(at + 4),
        salt: this.#bytes.subarray(at + 8, at + 8 + SALT_BYTES),
        stripes: this.#bytes.readUInt32BE(at + 44),
        material: this.#area(offsetBytes),
      };
      return { index, isActive: this.#bytes.readUInt32BE(at) === SLOT.active, locked, offsetBytes };
    });
  }

  #area(offsetBytes: number): Buffer {
    return this.#bytes.subarray(offsetBytes, offsetBytes + this.#areaBytes);
  }
}

function freeSlot(block: Buffer, index: number): void {
  const at = SLOT.at + index * SLOT.bytes;
  block.writeUInt32BE(SLOT.free, at);
  block.fill(0, at + 4, at + 8 + SALT_BYTES);
}

const text = (bytes: Buffer, at: number): string => bytes.toString('latin1', at, at + 32).replace(/\0.*$/s, '');
const roundUp = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
function uuidOf(bytes: Buffer): string {
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const isZero = (bytes: Buffer): boolean => !bytes.some((byte) => byte !== 0);
