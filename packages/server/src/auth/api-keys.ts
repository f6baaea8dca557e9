import { hash, timingSafeEqual } from 'node:crypto';
import type { Directory } from '@pileus/core';
import { CloudError, type Environment, notLetIn, type Principal, type Statement, type Store, timestamp } from '@pileus/core/kernel';
import type { Authenticator, Presented, Proof } from './authenticator.ts';

const PREFIX = 'pil_';
const BEARER = /^Bearer +(\S+)$/i;
const KEY_BYTES = 32;
const SETTING = 'auth.rootKey';

interface RootKey {
  readonly sha256: string;
  readonly shown: boolean;
}

/**
 * Bearer tokens, known by their SHA-256 alone: 32 random bytes need no slow hash. The root key acts for the operator, on the default project unless another
 * is named, and may do everything; all others are in the directory.
 */
export class ApiKeys implements Authenticator {
  readonly #store: Store;
  readonly #environment: Environment;
  readonly #root: Principal;
  readonly #directory: Directory | undefined;
  #rootDigest: Buffer | undefined;
  /** What was last presented on a connection. Only who presents the same there again learns from how long it takes. */
  readonly #presented = new WeakMap<object, { readonly key: string; readonly digest: Buffer }>();

  /** @param directory of all but the root key; absent where there is no identity */
  constructor(store: Store, environment: Environment, root: Principal, directory?: Directory) {
    this.#store = store;
    this.#environment = environment;
    this.#root = root;
    this.#directory = directory;
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

  authenticate({ authorization, project, connection }: Presented): Proof | undefined | Promise<Proof | undefined> {
    const key = BEARER.exec(authorization ?? '')?.[1];
    if (key === undefined) return undefined;
    const principal = this.#isRoot(key, connection) ? this.#rootIn(project) : this.#directory?.byToken(key, project);
    if (principal === undefined)
      throw notLetIn(new CloudError('unauthenticated', 'This API key is unknown.'), { reason: 'unknown', action: 'apiKey.use' });
    return principal instanceof Promise ? principal.then((found) => ({ principal: found })) : { principal };
  }

  #rootIn(project: string | undefined): Principal | Promise<Principal> {
    return project === undefined || this.#directory === undefined ? this.#root : this.#directory.operator(this.#root.actor, project);
  }

  #isRoot(key: string, connection: object): boolean {
    const before = this.#presented.get(connection);
    const digest = before?.key === key ? before.digest : digestOf(key);
    if (digest !== before?.digest) this.#presented.set(connection, { key, digest });
    return this.#rootDigest !== undefined && timingSafeEqual(this.#rootDigest, digest);
  }

  #know(sha256: string): void {
    this.#rootDigest = Buffer.from(sha256, 'base64');
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
