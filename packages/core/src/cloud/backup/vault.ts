import { createHmac } from 'node:crypto';
import { CloudError, isCloudError, type Random } from '../../kernel/index.ts';
import { type BulkCipher, TAG_BYTES } from './bulk-cipher.ts';

const IV_BYTES = 12;
export const DIGEST_BYTES = 32;

const keyed = (key: Uint8Array, text: string | Uint8Array): Buffer => createHmac('sha256', key).update(text).digest();

/**
 * What the backups of one project in one store are encrypted with. A chunk's digest is keyed: equal chunks are known as such, and kept once, within the project
 * alone. Who keeps the objects cannot try what may be in them, and no project learns from what it need not keep what another has. Each chunk has a
 * key of its own, so that no number of them wears a key out.
 */
export class Vault {
  readonly #digestKey: Uint8Array;
  readonly #chunkKey: Uint8Array;
  readonly #manifestKey: Uint8Array;
  readonly #random: Random;
  readonly #cipher: BulkCipher;

  /** @param storeKey 32 bytes */
  constructor(storeKey: Uint8Array, projectId: string, random: Random, cipher: BulkCipher) {
    this.#digestKey = keyed(storeKey, `digest/${projectId}`);
    this.#chunkKey = keyed(storeKey, `chunk/${projectId}`);
    this.#manifestKey = keyed(storeKey, `manifest/${projectId}`);
    this.#random = random;
    this.#cipher = cipher;
  }

  digest(chunk: Uint8Array): Promise<Uint8Array> {
    return this.#cipher.digest(this.#digestKey, chunk);
  }

  sealChunk(digest: Uint8Array, chunk: Uint8Array): Promise<Uint8Array> {
    return this.#seal(keyed(this.#chunkKey, digest), chunk, digest);
  }

  /** @throws CloudError internal for what is not what was sealed, to the bit */
  async openChunk(digest: Uint8Array, sealed: Uint8Array): Promise<Uint8Array> {
    const chunk = await this.#open(keyed(this.#chunkKey, digest), sealed, digest);
    if (!Buffer.from(await this.digest(chunk)).equals(digest)) throw damaged();
    return chunk;
  }

  sealManifest(backupId: string, manifest: Uint8Array): Promise<Uint8Array> {
    return this.#seal(this.#manifestKey, manifest, Buffer.from(backupId));
  }

  /** @throws CloudError internal for what is not what was sealed, to the bit */
  openManifest(backupId: string, sealed: Uint8Array): Promise<Uint8Array> {
    return this.#open(this.#manifestKey, sealed, Buffer.from(backupId));
  }

  async #seal(key: Uint8Array, plain: Uint8Array, bound: Uint8Array): Promise<Uint8Array> {
    const iv = this.#random.bytes(IV_BYTES);
    return Buffer.concat([iv, await this.#cipher.seal(key, iv, plain, bound)]);
  }

  async #open(key: Uint8Array, sealed: Uint8Array, bound: Uint8Array): Promise<Uint8Array> {
    if (sealed.length < IV_BYTES + TAG_BYTES) throw damaged();
    const plain = await this.#cipher.open(key, sealed.subarray(0, IV_BYTES), sealed.subarray(IV_BYTES), bound);
    if (plain === undefined) throw damaged();
    return plain;
  }
}

const damaged = (): CloudError => damage('Something kept in the backup store is damaged.');

/** What was put into a store is not there, or not as it was: told from a fault on the way to it by a mark of its own. */
export const damage = (message: string, more: { readonly cause?: unknown; readonly detail?: string } = {}): CloudError =>
  new CloudError('internal', message, { ...more, params: { damaged: true } });

export const isDamage = (error: unknown): error is CloudError => isCloudError(error) && error.params?.damaged === true;
