import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';

export const TAG_BYTES = 16;

/** AES-256-GCM and HMAC-SHA-256 of much at a time. Where they are reckoned is its own affair: in place, or by threads, while the caller's turn goes on. */
export interface BulkCipher {
  /** What was sealed, then a tag of 16 bytes; as much more as `bound` says it is bound to. */
  seal(key: Uint8Array, iv: Uint8Array, plain: Uint8Array, bound: Uint8Array): Promise<Uint8Array>;
  /** Undefined for what is not what was sealed, to the bit. */
  open(key: Uint8Array, iv: Uint8Array, sealed: Uint8Array, bound: Uint8Array): Promise<Uint8Array | undefined>;
  digest(key: Uint8Array, bytes: Uint8Array): Promise<Uint8Array>;
}

const CIPHER = 'aes-256-gcm';

/** In the turn of who asks: 4 MiB take some 10 ms. For simulations, which replay: when a thread answers cannot be replayed. */
export const inPlace: BulkCipher = {
  async seal(key, iv, plain, bound) {
    const cipher = createCipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(bound);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  },
  async open(key, iv, sealed, bound) {
    const cipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES }).setAAD(bound).setAuthTag(sealed.subarray(-TAG_BYTES));
    try {
      return Buffer.concat([cipher.update(sealed.subarray(0, -TAG_BYTES)), cipher.final()]);
    } catch {
      return undefined;
    }
  },
  async digest(key, bytes) {
    return createHmac('sha256', key).update(bytes).digest();
  },
};
