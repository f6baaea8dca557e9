import { within } from './deadline.ts';
import { ConnectionLostError, ProtocolError, UnansweredError } from './errors.ts';
import { Feed } from './feed.ts';
import { assertLock, member, type Operation } from './operation.ts';
import type { CallOptions } from './requests.ts';
import type { Resident } from './resident.ts';
import type { Session } from './session.ts';

export type LockEvent =
  | { readonly kind: 'held' }
  /** By another's `steal`, by our `release`, or with the connection. */
  | { readonly kind: 'lost'; readonly reason: 'stolen' | 'released' | 'disconnected' };

/** The connection that a lock asks over: undefined while there is none. */
export type CurrentSession = () => Session | undefined;

/**
 * A lock of the server, which one connection at a time holds: the first that asks, then the next in line. It ends with the connection; the client asks for
 * it again on the next one and is last in line then. Holding it proves nothing a moment later: put `assert()` into each transaction that relies on it.
 */
export class Lock implements Resident {
  readonly name: string;
  readonly #session: CurrentSession;
  readonly #feed = new Feed<LockEvent>();
  /** Whether it is asked for, and asked for again on each new connection. */
  #wanted = false;
  /** The connection that it was asked for on. */
  #asked: Session | undefined;
  #held = false;
  /** Whether the server has said that others are before us. A `locked` that comes otherwise is that of a place in line that was given up. */
  #inLine = false;
  #waiters = 0;

  /** Made by `client.lock()`. */
  constructor(name: string, session: CurrentSession) {
    this.name = name;
    this.#session = session;
  }

  /** Whether we hold it, as far as we were told. */
  get held(): boolean {
    return this.#held;
  }

  /** Fails the transaction that it is put into with `lock_not_held` unless we hold the lock. */
  assert(): Operation<void> {
    return assertLock(this.name);
  }

  /** Gets in line, and resolves when the lock is ours. Who gives up waiting is out of the line again. */
  async acquire(options: CallOptions = {}): Promise<void> {
    const held = this.#whenHeld();
    this.#wanted = true;
    this.#waiters += 1;
    try {
      const session = this.#session();
      if (session !== undefined && this.#asked !== session) await this.#request(session, 'lock', options);
      await within(`lock ${this.name}`, held.promise, options);
    } catch (error) {
      // Others who wait for the same lock here stay in line. The bounds of the call are used up, and it does not wait for this.
      if (this.#waiters === 1 && !this.#held) void this.release({ timeoutMs: 0 }).catch(() => {});
      throw error;
    } finally {
      this.#waiters -= 1;
      held.stop();
    }
  }

  /** Takes it from whoever holds it, who is told and stays next in line. */
  async steal(options: CallOptions = {}): Promise<void> {
    const session = this.#session();
    if (session === undefined) throw new ConnectionLostError(`steal ${this.name}: there is no connection`, 'not_sent');
    if (this.#held) return;
    if (this.#asked === session) await this.#request(session, 'unlock', options);
    this.#wanted = true;
    await this.#request(session, 'steal', options);
  }

  /** Lets go of it, or of the place in line. */
  async release(options: CallOptions = {}): Promise<void> {
    this.#wanted = false;
    const session = this.#session();
    this.#lose('released');
    if (session === undefined || this.#asked !== session) return;
    this.#asked = undefined;
    await this.#request(session, 'unlock', options).catch((error: Error) => {
      // What was not given back must not stay ours: it ends with the connection.
      if (error instanceof UnansweredError && error.outcome === 'not_sent') session.end(error);
      throw error;
    });
  }

  /** Calls `listener` for each event until the returned function is called. */
  subscribe(listener: (event: LockEvent) => void): () => void {
    return this.#feed.subscribe(listener);
  }

  async restore(session: Session, _missing: ReadonlySet<string>, call: CallOptions): Promise<void> {
    if (this.#wanted && this.#asked !== session) await this.#request(session, 'lock', call);
  }

  lost(): void {
    this.#asked = undefined;
    this.#lose('disconnected');
  }

  /** Takes a `locked` or `stolen`. */
  notified(method: string): void {
    if (method === 'stolen') {
      this.#inLine = true;
      this.#lose('stolen');
    } else if (this.#inLine && this.#wanted) this.#win();
  }

  async #request(session: Session, method: 'lock' | 'steal' | 'unlock', options: CallOptions): Promise<void> {
    this.#asked = method === 'unlock' ? undefined : session;
    this.#inLine = false;
    await session.request(`${method} ${this.name}`, method, [this.name], options, (result) => {
      if (method === 'unlock') return;
      const locked = member(result, 'locked');
      if (typeof locked !== 'boolean') throw new ProtocolError('a lock that is neither held nor not');
      this.#inLine = !locked;
      if (locked && this.#wanted) this.#win();
    });
  }

  #whenHeld(): { readonly promise: Promise<void>; readonly stop: () => void } {
    const held = Promise.withResolvers<void>();
    if (this.#held) held.resolve();
    const stop = this.subscribe((event) => {
      if (event.kind === 'held') held.resolve();
    });
    return { promise: held.promise, stop };
  }

  #win(): void {
    if (this.#held) return;
    this.#held = true;
    this.#feed.emit({ kind: 'held' });
  }

  #lose(reason: 'stolen' | 'released' | 'disconnected'): void {
    if (!this.#held) return;
    this.#held = false;
    this.#feed.emit({ kind: 'lost', reason });
  }
}
