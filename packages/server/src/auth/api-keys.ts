import { hash, timingSafeEqual } from 'node:crypto';
import { CloudError, type Environment, type Principal, type Statement, type Store, timestamp } from '@pileus/core/kernel';
import type { Authenticator } from './authenticator.ts';

const PREFIX = 'pil_';
const KEY_BYTES = 32;
const SETTING = 'auth.rootKey';

interface RootKey {
  readonly sha256: string;
  readonly shown: boolean;
}

interface Known {
  readonly digest: Buffer;
  readonly principal: Principal;
}

/**
 * API keys, known by their SHA-256 alone: 32 random bytes need no slow hash. The root key acts for the operator on the default project and may do
 * everything.
 */
export class ApiKeys implements Authenticator {
  readonly #store: Store;
  readonly #environment: Environment;
  readonly #root: Principal;
  #known: readonly Known[] = [];
  /** What was last presented on a connection. Only who presents the same there again learns from how long it takes. */
  readonly #presented = new WeakMap<object, { readonly authorization: string; readonly digest: Buffer }>();

  constructor(store: Store, environment: Environment, root: Principal) {
    this.#store = store;
    this.#environment = environment;
    this.#root = root;
  }

  /**
   * Loads the root key, or makes it: at the first start, or when it was made by a start that failed before anybody saw it. Answers the text of a key that was
   * made. `confirmShown` follows.
   */
  async start(options: { readonly replaceRootKey: boolean } = { replaceRootKey: false }): Promise<string | undefined> {
    const stored = await this.#store.read('setting', SETTING);
    const before = stored === undefined ? undefined : (JSON.parse(stored) as RootKey);
    if (before?.shown && !options.replaceRootKey) {
      this.#know(before.sha256);
      return undefined;
    }
    const key = PREFIX + Buffer.from(this.#environment.random.bytes(KEY_BYTES)).toString('base64url');
    const sha256 = digestOf(key).toString('base64');
    await this.#write([
      { op: 'remove', table: 'setting', key: SETTING },
      { op: 'insert', table: 'setting', row: { name: SETTING, sha256, shown: false, createdAt: timestamp(this.#environment.clock) } },
    ]);
    this.#know(sha256);
    return key;
  }

  /** The text of the key is in somebody's hands: later starts keep it. */
  confirmShown(): Promise<void> {
    return this.#write([{ op: 'update', table: 'setting', key: SETTING, set: { shown: true } }]);
  }

  authenticate(authorization: string | undefined, connection: object): Principal | undefined {
    if (authorization === undefined) return undefined;
    const digest = this.#digest(authorization, connection);
    let found: Principal | undefined;
    for (const known of this.#known) if (timingSafeEqual(known.digest, digest)) found = known.principal;
    if (found === undefined) throw new CloudError('unauthenticated', 'This API key is unknown.');
    return found;
  }

  #digest(authorization: string, connection: object): Buffer {
    const before = this.#presented.get(connection);
    if (before?.authorization === authorization) return before.digest;
    const key = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (key === undefined) throw new CloudError('unauthenticated', 'The Authorization header is: Bearer pil_…');
    const digest = digestOf(key);
    this.#presented.set(connection, { authorization, digest });
    return digest;
  }

  #know(sha256: string): void {
    this.#known = [{ digest: Buffer.from(sha256, 'base64'), principal: this.#root }];
  }

  async #write(statements: readonly Statement[]): Promise<void> {
    const result = await this.#store.commit({
      node: 'server',
      epoch: this.#store.epoch,
      at: timestamp(this.#environment.clock),
      statements,
    });
    if (!result.ok) throw new Error(`the root key could not be stored: ${result.reason}`);
  }
}

/** Takes 2 µs for a key, and 30 when sent to a thread. */
const digestOf = (key: string): Buffer => hash('sha256', key, 'buffer');
