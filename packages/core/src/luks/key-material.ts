import { createCipheriv, createDecipheriv, hash as digestOf, hkdf, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';

/** How the disk's own key lies in a slot: spread over many stripes, so that it is gone with any of them, and encrypted by what is derived from a passphrase. */
export interface LockedKey {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly stripes: number;
  readonly material: Buffer;
}

export interface KeyCipher {
  readonly hash: string;
  /** Two keys of AES in one, as XTS wants. */
  readonly keyBytes: number;
}

/** As many bytes, which nobody can guess. */
export type RandomBytes = (count: number) => Uint8Array;

/** What new disks have: what QEMU makes by default. */
export const FORMAT = { cipher: 'aes', mode: 'xts-plain64', hash: 'sha256', keyBytes: 64 } as const;
export const KEY_STRIPES = 4000;

const SECTOR_BYTES = 512;
const DIGEST_BYTES = 20;
const derive = promisify(pbkdf2);
const expand = promisify(hkdf);

const derived = (passphrase: string, { salt, iterations }: Pick<LockedKey, 'salt' | 'iterations'>, { hash, keyBytes }: KeyCipher) =>
  derive(passphrase, salt, iterations, keyBytes, hash);

/** What a disk's own key is known by. */
export const keyDigest = (key: Buffer, salt: Buffer, iterations: number, hash: string): Promise<Buffer> =>
  derive(key, salt, iterations, DIGEST_BYTES, hash);

interface NewLock extends Pick<LockedKey, 'salt' | 'iterations'> {
  readonly key: Buffer;
  readonly passphrase: string;
  readonly random: RandomBytes;
}

/** Bytes that nobody can guess who does not know the secret; of one purpose always the same, in the same order. */
export async function bytesFrom(secret: string, purpose: string): Promise<RandomBytes> {
  const key = Buffer.from(await expand('sha256', secret, '', `pileus luks ${purpose}`, 32));
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  return (count) => stream.update(Buffer.alloc(count));
}

export async function lockedKey(cipher: KeyCipher, { key, passphrase, random, ...how }: NewLock): Promise<LockedKey> {
  const by = await derived(passphrase, how, cipher);
  return { ...how, stripes: KEY_STRIPES, material: inSectors(spread(key, cipher.hash, random), by, createCipheriv) };
}

/** Of a passphrase that is not the slot's it is some other key. */
export async function unlockedKey(cipher: KeyCipher, locked: LockedKey, passphrase: string): Promise<Buffer> {
  const by = await derived(passphrase, locked, cipher);
  return gathered(inSectors(locked.material, by, createDecipheriv), cipher);
}

/** AES in XTS, each sector numbered from the beginning of the slot. */
function inSectors(material: Buffer, by: Buffer, make: typeof createCipheriv | typeof createDecipheriv): Buffer {
  const sectors: Buffer[] = [];
  for (let at = 0; at < material.length; at += SECTOR_BYTES) {
    const number = Buffer.alloc(16);
    number.writeUInt32LE(at / SECTOR_BYTES);
    const sector = make(`aes-${by.length * 4}-xts`, by, number);
    sectors.push(sector.update(material.subarray(at, at + SECTOR_BYTES)), sector.final());
  }
  return Buffer.concat(sectors);
}

function spread(key: Buffer, hash: string, random: RandomBytes): Buffer {
  const stripes = Buffer.concat([random(key.length * (KEY_STRIPES - 1)), key]);
  const last = stripes.subarray(-key.length);
  xorInto(last, mixed(stripes, key.length, hash));
  return stripes;
}

function gathered(stripes: Buffer, { keyBytes, hash }: KeyCipher): Buffer {
  const key = Buffer.from(stripes.subarray(-keyBytes));
  xorInto(key, mixed(stripes, keyBytes, hash));
  return key;
}

/** What comes of all stripes but the last. */
function mixed(stripes: Buffer, keyBytes: number, hash: string): Buffer {
  let block: Buffer = Buffer.alloc(keyBytes);
  for (let at = 0; at < stripes.length - keyBytes; at += keyBytes) {
    xorInto(block, stripes.subarray(at, at + keyBytes));
    block = diffused(block, hash);
  }
  return block;
}

/** Each part of the block, as long as a digest, replaced by the digest of its number and itself. */
function diffused(block: Buffer, hash: string): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < block.length; ) {
    const number = Buffer.alloc(4);
    number.writeUInt32BE(parts.length);
    const whole = digestOf(hash, Buffer.concat([number, block.subarray(at, at + digestBytesOf(hash))]), 'buffer');
    parts.push(whole.subarray(0, block.length - at));
    at += whole.length;
  }
  return Buffer.concat(parts);
}

const DIGEST_BYTES_OF: Readonly<Record<string, number>> = { sha1: 20, sha256: 32, sha512: 64 };
const digestBytesOf = (hash: string): number => DIGEST_BYTES_OF[hash] ?? digestOf(hash, '', 'buffer').length;

function xorInto(into: Buffer, other: Buffer): void {
  for (let at = 0; at < into.length; at += 1) into[at] = (into[at] ?? 0) ^ (other[at] ?? 0);
}
