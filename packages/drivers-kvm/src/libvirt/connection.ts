import { setTimeout as sleep } from 'node:timers/promises';
import { remaining, within } from './deadline.ts';
import { ConnectionLostError } from './errors.ts';
import { EventFeed, type LibvirtEvent, type LibvirtListener } from './event-feed.ts';
import { bindLibvirtApi } from './generated/procedures.ts';
import type { DomainEvent, LibvirtApi } from './generated/types.ts';
import type { CallOptions, Procedure } from './procedure.ts';
import { type DomainEventKind, type OpenedStream, Session, type SessionOptions } from './session.ts';
import { type Address, describeAddress } from './transport.ts';

export interface ConnectionOptions {
  readonly address: Address;
  /** The hypervisor connection to open there. Default `qemu:///system`. */
  readonly uri?: string | undefined;
  /** Unanswered requests at a time. Default 4; must stay below the daemon's `max_client_requests` (5 unless raised). */
  readonly maxInFlight?: number | undefined;
  /** Deadline of a call that names none. Default 30,000; 0 is none. */
  readonly callTimeoutMs?: number | undefined;
  /** Bound on one attempt to connect, handshake and registrations included. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How often we ask for a sign of life. Default 5,000; 0 turns keepalive off. */
  readonly keepaliveIntervalMs?: number | undefined;
  /** Intervals without an answer after which the connection counts as lost. Default 5. */
  readonly keepaliveMissesMax?: number | undefined;
  /** First pause between attempts to connect; it doubles, with jitter. Default 100. */
  readonly reconnectDelayMs?: number | undefined;
  /** Longest pause between attempts to connect. Default 10,000. */
  readonly reconnectDelayMsMax?: number | undefined;
  /** Kinds of domain event to receive, registered anew at every reconnect. Default: none. */
  readonly events?: readonly DomainEventKind[] | undefined;
}

export type ConnectionState = 'connecting' | 'up' | 'down' | 'closed';

/** What a session needs, defaults filled in. */
export function sessionOptions(options: ConnectionOptions, onEvent: (event: DomainEvent) => void): SessionOptions {
  const { address, uri = 'qemu:///system', maxInFlight = 4, keepaliveIntervalMs = 5_000, keepaliveMissesMax = 5 } = options;
  return { address, uri, maxInFlight, keepaliveIntervalMs, keepaliveMissesMax, onEvent };
}

/**
 * A connection that heals. It connects when it is made; when it is lost it connects again, at once and then with growing pauses, until it is
 * closed. Calls made while an attempt is under way wait for it; once an attempt has failed they reject at once with `ConnectionLostError`,
 * outcome `not_sent`, until the next begins. No call is ever repeated.
 */
export class LibvirtConnection implements AsyncDisposable {
  /** Every procedure that answers with a value, typed. */
  readonly api: LibvirtApi = bindLibvirtApi((procedure, args, options) => this.call(procedure, args, options));
  readonly #options: ConnectionOptions;
  readonly #feed = new EventFeed();
  readonly #closing = new AbortController();
  readonly #stopped: Promise<void>;
  #state: ConnectionState = 'connecting';
  #session: Session | undefined;
  #attempt = newAttempt();
  #failure: Error | undefined;
  /** Ends the pause between two attempts. */
  #pause = new AbortController();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#stopped = this.#run();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Resolves when connected, after as many attempts as it takes. Its `TimeoutError` carries the last failure as `cause`. */
  async ready(options: CallOptions = {}): Promise<void> {
    if (this.#session !== undefined) return;
    const up = Promise.withResolvers<void>();
    const unsubscribe = this.subscribe((event) => {
      if (event.kind === 'connected') up.resolve();
    });
    const signal = AbortSignal.any([this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    try {
      await within(`connecting to libvirt at ${describeAddress(this.#options.address)}`, up.promise, {
        signal,
        timeoutMs: this.#timeout(options),
      });
    } catch (error) {
      if (error instanceof Error) error.cause ??= this.#failure;
      throw error;
    } finally {
      unsubscribe();
    }
  }

  async call<A, R>(procedure: Procedure<A, R>, args: A, options: CallOptions = {}): Promise<R> {
    const bounds = { signal: options.signal, timeoutMs: this.#timeout(options) };
    if (this.#session !== undefined) return this.#session.call(procedure, args, bounds);
    const startedAtMs = performance.now();
    const session = await this.#nextSession(procedure.name, bounds);
    return session.call(procedure, args, remaining(bounds, startedAtMs));
  }

  /** `options.timeoutMs` bounds the opening; `options.signal` aborts the stream for as long as it lives. */
  async openStream<A, R>(procedure: Procedure<A, R>, args: A, options: CallOptions = {}): Promise<OpenedStream<R>> {
    const bounds = { signal: options.signal, timeoutMs: this.#timeout(options) };
    const startedAtMs = performance.now();
    const session = this.#session ?? (await this.#nextSession(procedure.name, bounds));
    return session.openStream(procedure, args, remaining(bounds, startedAtMs));
  }

  /** Calls `listener` for each event until the returned function is called. */
  subscribe(listener: LibvirtListener): () => void {
    return this.#feed.subscribe(listener);
  }

  /** Iterates over events until `signal` fires or the connection is closed. */
  watch(signal?: AbortSignal): AsyncGenerator<LibvirtEvent, void, undefined> {
    return this.#feed.watch(signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]));
  }

  /** Ends a pause between attempts: something else shows that the daemon is there. Calls made from now on wait for the attempt that follows. */
  hurry(): void {
    if (this.#state !== 'down') return;
    this.#begin();
    this.#pause.abort();
  }

  /** Ends the connection for good; unanswered calls reject with `ConnectionLostError`. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#closing.abort();
    this.#session?.end(new Error('closed by its owner'));
    await this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #timeout(options: CallOptions): number {
    return options.timeoutMs ?? this.#options.callTimeoutMs ?? 30_000;
  }

  #nextSession(name: string, bounds: CallOptions): Promise<Session> {
    if (this.#state === 'connecting') return within(name, this.#attempt.promise, bounds);
    const where = `${name}: libvirt at ${describeAddress(this.#options.address)} is ${this.#state}`;
    return Promise.reject(new ConnectionLostError(where, 'not_sent', { cause: this.#failure }));
  }

  async #run(): Promise<void> {
    const { reconnectDelayMs = 100, reconnectDelayMsMax = 10_000 } = this.#options;
    let delayMs = reconnectDelayMs;
    while (!this.#closing.signal.aborted) {
      const startedAtMs = performance.now();
      const session = await this.#connect();
      if (session !== undefined) this.#lost(await session.closed);
      // Only a connection that lasted is worth an immediate retry: one that is closed as soon as it is open must not spin.
      const lasted = session !== undefined && performance.now() - startedAtMs > reconnectDelayMsMax;
      if (lasted) delayMs = reconnectDelayMs;
      else await this.#rest(delayMs * (0.5 + Math.random() / 2));
      if (!lasted) delayMs = Math.min(delayMs * 2, reconnectDelayMsMax);
      if (this.#state === 'down') this.#begin();
    }
    this.#attempt.reject(new ConnectionLostError('the connection was closed by its owner', 'not_sent'));
  }

  async #rest(pauseMs: number): Promise<void> {
    this.#pause = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, this.#pause.signal]);
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }

  async #connect(): Promise<Session | undefined> {
    const { events = [], connectTimeoutMs = 10_000 } = this.#options;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(connectTimeoutMs)]);
    let session: Session | undefined;
    try {
      session = await Session.open(
        sessionOptions(this.#options, (event) => this.#feed.emit(event)),
        signal,
      );
      await session.register(events, { signal });
    } catch (error) {
      const cause = error instanceof Error ? error : new Error('connecting failed');
      session?.end(cause);
      this.#failed(cause);
      return undefined;
    }
    this.#up(session);
    return session;
  }

  #up(session: Session): void {
    if (this.#state === 'closed') {
      session.end(new Error('closed by its owner'));
      return;
    }
    this.#state = 'up';
    this.#session = session;
    this.#attempt.resolve(session);
    this.#feed.emit({ kind: 'connected' });
    this.#feed.emit({ kind: 'resync', reason: 'connected' });
  }

  #failed(cause: Error): void {
    if (this.#state !== 'closed') this.#state = 'down';
    this.#failure = cause;
    this.#attempt.reject(new ConnectionLostError(cause.message, 'not_sent', { cause }));
  }

  #lost(cause: Error): void {
    this.#session = undefined;
    if (this.#state === 'closed') return;
    this.#failure = cause;
    this.#begin();
    this.#feed.emit({ kind: 'disconnected', error: cause });
  }

  #begin(): void {
    this.#state = 'connecting';
    this.#attempt = newAttempt();
  }
}

function newAttempt(): PromiseWithResolvers<Session> {
  const attempt = Promise.withResolvers<Session>();
  // Often nobody waits for it.
  attempt.promise.catch(() => {});
  return attempt;
}
