import type { Environment } from './environment.ts';
import { CloudError } from './errors.ts';
import type { Ids } from './id.ts';
import type { Statement, Store } from './store.ts';

const PREFIX = 'sealed:';
export const isSealed = (value: string): boolean => value.startsWith(PREFIX);

/** Seals secret values with AES-256-GCM under the key of the installation. Everything but this class sees references only. */
export class Secrets {
  readonly #key: ReturnType<typeof crypto.subtle.importKey>;
  readonly #environment: Environment;
  readonly #ids: Ids;
  readonly #store: Store;

  /** @param key 32 bytes */
  constructor(key: Uint8Array, environment: Environment, ids: Ids, store: Store) {
    if (key.length !== 32) throw new Error('the sealing key has 32 bytes');
    this.#key = crypto.subtle.importKey('raw', key as Uint8Array<ArrayBuffer>, 'AES-GCM', false, ['encrypt', 'decrypt']);
    this.#environment = environment;
    this.#ids = ids;
    this.#store = store;
  }

  /** The reference takes the value's place; the statement stores what is sealed and belongs into the same transaction. */
  async seal(value: string): Promise<{ readonly reference: string; readonly statement: Statement }> {
    const id = this.#ids.mint('sealed');
    const iv = this.#environment.random.bytes(12);
    const plain = new TextEncoder().encode(value);
    const sealed = await crypto.subtle.encrypt(
      { name: 'AES-GCM', iv: iv as Uint8Array<ArrayBuffer>, additionalData: new TextEncoder().encode(id) },
      await this.#key,
      plain,
    );
    const row = { id, iv: Buffer.from(iv).toString('base64'), sealed: Buffer.from(sealed).toString('base64') };
    return { reference: PREFIX + id, statement: { op: 'insert', table: 'sealed', row } };
  }

  /** @throws CloudError `internal` when the reference is unknown or the key is not the one it was sealed with. */
  async open(reference: string): Promise<string> {
    const id = reference.slice(PREFIX.length);
    const text = await this.#store.read('sealed', id);
    if (text === undefined) throw new CloudError('internal', 'A sealed value is missing.', { detail: reference });
    const row = JSON.parse(text) as { iv: string; sealed: string };
    const algorithm = { name: 'AES-GCM', iv: Buffer.from(row.iv, 'base64'), additionalData: new TextEncoder().encode(id) };
    try {
      return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, await this.#key, Buffer.from(row.sealed, 'base64')));
    } catch (cause) {
      throw new CloudError('internal', 'A sealed value cannot be opened with this key.', { detail: reference, cause });
    }
  }
}
