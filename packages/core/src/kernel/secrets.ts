import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import type { Environment } from './environment.ts';
import { CloudError } from './errors.ts';
import type { Ids } from './id.ts';
import type { Statement, Store } from './store.ts';

const PREFIX = 'sealed:';
export const isSealed = (value: string): boolean => value.startsWith(PREFIX);

const CIPHER = 'aes-256-gcm';
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** What is sealed, as it is kept: plain rows of this table. */
export const SEALED_TABLE = 'sealed';

interface SealedRow {
  readonly id: string;
  /** base64 */
  readonly iv: string;
  readonly sealed: string;
}

/** Belongs into the transaction that ends the use of the reference. */
export const forgetSealed = (reference: string): Statement => ({ op: 'remove', table: SEALED_TABLE, key: reference.slice(PREFIX.length) });

/**
 * Seals secret values with AES-256-GCM under the key of the installation. Everything but this class sees references only. Done in place: 64 kB take some
 * 30 µs, less than sending them to a thread, and a thread's turn could not be replayed in a simulation.
 */
export class Secrets {
  /** The one that seals first. */
  readonly #keys: readonly [Uint8Array, ...Uint8Array[]];
  readonly #environment: Environment;
  readonly #ids: Ids;
  readonly #store: Store;

  /** @param keys 32 bytes each, the newest last: that one seals, and all of them open */
  constructor(keys: Uint8Array, environment: Environment, ids: Ids, store: Store) {
    this.#keys = newestFirst(keys);
    this.#environment = environment;
    this.#ids = ids;
    this.#store = store;
  }

  /** 32 bytes for one purpose: the same each time until the key is replaced, and known to whom has the key alone. */
  derived(purpose: string): Uint8Array {
    return createHmac('sha256', this.#keys[0]).update(`derived/${purpose}`).digest();
  }

  /** A digest of a text that may hold secrets, for one purpose: who has not the key cannot try what the text may have been. */
  digest(purpose: string, text: string): string {
    return createHmac('sha256', this.derived(purpose)).update(text).digest('hex');
  }

  /** The reference takes the value's place; the statement stores what is sealed and belongs into the same transaction. */
  async seal(value: string): Promise<{ readonly reference: string; readonly statement: Statement }> {
    const id = this.#ids.mint('sealed');
    const row = { id, ...this.#sealed(id, Buffer.from(value, 'utf8')) };
    return { reference: PREFIX + id, statement: { op: 'insert', table: SEALED_TABLE, row } };
  }

  /** @throws CloudError `internal` when the reference is unknown or none of the keys is the one it was sealed with. */
  async open(reference: string): Promise<string> {
    const text = await this.#store.read(SEALED_TABLE, reference.slice(PREFIX.length));
    if (text === undefined) throw new CloudError('internal', 'A sealed value is missing.', { detail: reference });
    return this.#opened(JSON.parse(text) as SealedRow, reference.slice(PREFIX.length)).value.toString('utf8');
  }

  /** What seals a row with the newest key; undefined where that has sealed it. @throws CloudError `internal` as `open` */
  renewed(text: string): Statement | undefined {
    const row = JSON.parse(text) as SealedRow;
    const { value, isNewest } = this.#opened(row, row.id);
    if (isNewest) return undefined;
    return { op: 'update', table: SEALED_TABLE, key: row.id, set: this.#sealed(row.id, value), expect: { sealed: row.sealed } };
  }

  #sealed(id: string, value: Buffer): Omit<SealedRow, 'id'> {
    const iv = this.#environment.random.bytes(12);
    const cipher = createCipheriv(CIPHER, this.#keys[0], iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(id));
    const sealed = Buffer.concat([cipher.update(value), cipher.final(), cipher.getAuthTag()]);
    return { iv: Buffer.from(iv).toString('base64'), sealed: sealed.toString('base64') };
  }

  #opened({ iv, sealed: text }: SealedRow, id: string): { readonly value: Buffer; readonly isNewest: boolean } {
    const sealed = Buffer.from(text, 'base64');
    let cause: unknown;
    for (const [age, key] of this.#keys.entries())
      try {
        const cipher = createDecipheriv(CIPHER, key, Buffer.from(iv, 'base64'), { authTagLength: TAG_BYTES })
          .setAAD(Buffer.from(id))
          .setAuthTag(sealed.subarray(-TAG_BYTES));
        return { value: Buffer.concat([cipher.update(sealed.subarray(0, -TAG_BYTES)), cipher.final()]), isNewest: age === 0 };
      } catch (error) {
        cause = error;
      }
    throw new CloudError('internal', 'A sealed value cannot be opened with this key.', { detail: PREFIX + id, cause });
  }
}

/** @throws Error when these are no keys */
function newestFirst(bytes: Uint8Array): readonly [Uint8Array, ...Uint8Array[]] {
  const [newest, ...older] = Array.from({ length: bytes.length / KEY_BYTES }, (_, index) =>
    bytes.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES),
  ).reverse();
  if (newest === undefined || bytes.length % KEY_BYTES !== 0) throw new Error('a sealing key has 32 bytes');
  return [newest, ...older];
}
