import type { Args, CallName, CallOptions, Result } from './calls.ts';
import { ConnectionProcess } from './connection-process.ts';
import { AbortedError, BusyError, ConnectionLostError, type Outcome, RadosError, TimeoutError, UnsupportedError } from './errors.ts';
import type { ConnectMessage, Credentials, ProcessMessage } from './messages.ts';

export interface ConnectionOptions {
  /** Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Of calls that do not say otherwise; default 30,000. */
  readonly callTimeoutMs?: number;
  /** Calls at the cluster at a time, each of which holds a thread; default 32. */
  readonly inFlight?: number;
  /** Calls that wait for that; beyond it a call is refused with a `BusyError`. Default 10,000. */
  readonly waiting?: number;
}

interface Entry {
  readonly id: number;
  readonly name: CallName;
  readonly args: object;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly release: () => void;
  readonly onProgress: ((fraction: number) => void) | undefined;
}

/** A process with what was sent to it and is unanswered. */
interface Line {
  readonly process: ConnectionProcess;
  isReady: boolean;
  /** Whose callers still wait. */
  readonly live: Map<number, Entry>;
  /** Whose callers have given up. */
  readonly givenUp: Set<number>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const CALL_TIMEOUT_MS = 30_000;
/** Timers know no longer time, and would pass at once. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
const IN_FLIGHT = 32;
const WAITING = 10_000;
/** librados counts its time to connect in whole seconds, and a process takes its time to start. */
const START_GRACE_MS = 10_000;
/** Processes that still wait for calls with much time, while others were late in them; each costs a hundred megabytes. */
const RETIRED_MAX = 4;
/** So long a refused connection is not tried again: each try costs a process. */
const REFUSED_MS = 1_000;
/** A call whose caller went away has so long to end by itself. */
const ABORTED_MS = 1_000;
/** Commands of the monitors are ended by librados itself (session.ts): who is connected can work on without monitors, and who is not cannot begin. */
const COMMAND_MS = 60_000;
const SHUTDOWN_ERRNO = 108;

/**
 * Calls over processes that come and go. A call that was given up retires its process: nothing more is sent there, what else is in flight there may still be
 * answered in its own time, and then the process is killed, which is the only way to end a call of librbd that hangs. New calls have a new process at once.
 */
export class Connection {
  readonly #connect: ConnectMessage;
  readonly #inFlight: number;
  readonly #waitingMax: number;
  readonly #callTimeoutMs: number;
  readonly #waiting = new Map<number, Entry>();
  readonly #lines = new Set<Line>();
  readonly #addresses = new Set<string>();
  #current: Line | undefined;
  #refusal: { readonly error: Error; readonly untilMs: number } | undefined;
  #last = 0;
  #isClosed = false;

  constructor(credentials: Credentials, options: ConnectionOptions) {
    this.#connect = { type: 'connect', ...credentials, timeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS };
    this.#inFlight = options.inFlight ?? IN_FLIGHT;
    this.#waitingMax = options.waiting ?? WAITING;
    this.#callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
  }

  call<N extends CallName>(name: N, args: Args<N>, options: CallOptions = {}): Promise<Result<N>> {
    return new Promise((resolve, reject) => {
      const refused = this.#refuse(name, options.signal);
      if (refused !== undefined) {
        reject(refused);
        return;
      }
      this.#last += 1;
      const id = this.#last;
      const timeoutMs = Math.min(options.timeoutMs ?? this.#callTimeoutMs, TIMEOUT_MS_MAX);
      const { signal, onProgress } = options;
      const lateMs = name === 'mon.command' ? COMMAND_MS : 0;
      const timer = setTimeout(
        () => this.#giveUp(id, lateMs, (outcome) => new TimeoutError(`${name}: no answer in ${timeoutMs} ms`, outcome)),
        timeoutMs,
      );
      const onAbort = () =>
        this.#giveUp(id, Math.max(lateMs, ABORTED_MS), (outcome) => new AbortedError(name, outcome, { cause: signal?.reason }));
      signal?.addEventListener('abort', onAbort);
      const release = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      // The process answers what the call says it answers: both ends are checked against `Calls`.
      this.#waiting.set(id, { id, name, args, resolve: resolve as (result: unknown) => void, reject, release, onProgress });
      this.#fill();
    });
  }

  /** The processes that are there now: one, unless calls hang. */
  get pids(): readonly number[] {
    return [...this.#lines].flatMap(({ process: { pid } }) => pid ?? []);
  }

  /** Of all processes that were ever connected, also of those that are gone. */
  get addresses(): ReadonlySet<string> {
    return this.#addresses;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#rejectWaiting((name) => new ConnectionLostError(`${name}: the cluster was closed`, 'not_sent'));
    await Promise.all([...this.#lines].map(({ process }) => process.end()));
  }

  #refuse(name: CallName, signal: AbortSignal | undefined): Error | undefined {
    if (this.#isClosed) return new ConnectionLostError(`${name}: the cluster was closed`, 'not_sent');
    if (signal?.aborted) return new AbortedError(name, 'not_sent', { cause: signal.reason });
    if (this.#waiting.size >= this.#waitingMax) return new BusyError(`${name}: ${this.#waiting.size} calls wait already`, 'not_sent');
    if (this.#refusal !== undefined && performance.now() < this.#refusal.untilMs) return this.#refusal.error;
    return undefined;
  }

  #fill(): void {
    if (this.#waiting.size === 0 || this.#isClosed) return;
    this.#current ??= this.#start();
    const line = this.#current;
    if (!line.isReady) return;
    for (const [id, entry] of this.#waiting) {
      if (line.live.size + line.givenUp.size >= this.#inFlight) return;
      this.#waiting.delete(id);
      line.live.set(id, entry);
      line.process.send({ type: 'call', id, name: entry.name, args: entry.args, tells: entry.onProgress !== undefined });
    }
  }

  #start(): Line {
    const line: Line = {
      process: new ConnectionProcess(this.#connect, this.#inFlight, {
        message: (message) => this.#heard(line, message),
        ended: (why) => this.#ended(line, why),
      }),
      isReady: false,
      live: new Map(),
      givenUp: new Set(),
    };
    this.#lines.add(line);
    const late = setTimeout(() => {
      if (!line.isReady) line.process.kill();
    }, this.#connect.timeoutMs + START_GRACE_MS);
    late.unref();
    return line;
  }

  #heard(line: Line, message: ProcessMessage): void {
    if (message.type === 'ready') {
      line.isReady = true;
      for (const address of message.addresses) this.#addresses.add(address);
      this.#fill();
      return;
    }
    if (message.type === 'refused') {
      this.#refused(line, new RadosError(message.failure));
      return;
    }
    const entry = line.live.get(message.id);
    if (message.type === 'progress') {
      entry?.onProgress?.(message.fraction);
      return;
    }
    line.live.delete(message.id);
    line.givenUp.delete(message.id);
    entry?.release();
    if (message.type === 'result') entry?.resolve(message.result);
    if (message.type === 'unsupported') entry?.reject(new UnsupportedError(`${entry.name}: ${message.what}`));
    if (message.type === 'failure') {
      entry?.reject(new RadosError(message.failure));
      // A client on the blocklist stays refused as long as it is connected.
      if (message.failure.errno === SHUTDOWN_ERRNO) this.#retire(line);
    }
    if (line !== this.#current) this.#finish(line);
    this.#fill();
  }

  /** The connection could not be made, and will not be made by trying again at once. */
  #refused(line: Line, error: Error): void {
    if (this.#current === line) this.#current = undefined;
    this.#refusal = { error, untilMs: performance.now() + REFUSED_MS };
    line.process.kill();
    this.#rejectWaiting(() => error);
  }

  #ended(line: Line, why: Error): void {
    this.#lines.delete(line);
    for (const entry of line.live.values()) {
      entry.release();
      entry.reject(new ConnectionLostError(`${entry.name}: ${why.message}`, 'unknown', { cause: why }));
    }
    line.live.clear();
    if (this.#current !== line) return;
    this.#current = undefined;
    if (line.isReady) this.#fill();
    else this.#refused(line, new ConnectionLostError(`connect: ${why.message}`, 'not_sent', { cause: why }));
  }

  #giveUp(id: number, graceMs: number, error: (outcome: Outcome) => Error): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined) {
      this.#waiting.delete(id);
      waiting.release();
      waiting.reject(error('not_sent'));
      return;
    }
    const line = [...this.#lines].find(({ live }) => live.has(id));
    const entry = line?.live.get(id);
    if (line === undefined || entry === undefined) return;
    line.live.delete(id);
    line.givenUp.add(id);
    entry.release();
    entry.reject(error('unknown'));
    const retire = () => {
      if (line.givenUp.has(id)) this.#retire(line);
    };
    if (graceMs === 0) retire();
    else setTimeout(retire, graceMs).unref();
  }

  #retire(line: Line): void {
    if (this.#current === line) this.#current = undefined;
    this.#finish(line);
    const [oldest] = this.#lines;
    if (this.#lines.size > RETIRED_MAX) oldest?.process.kill();
    this.#fill();
  }

  /** Ends a retired process when nobody waits for it any more: by force when a call still hangs in it. */
  #finish(line: Line): void {
    if (line.live.size > 0) return;
    if (line.givenUp.size > 0) line.process.kill();
    else void line.process.end();
  }

  #rejectWaiting(error: (name: CallName) => Error): void {
    for (const entry of this.#waiting.values()) {
      entry.release();
      entry.reject(error(entry.name));
    }
    this.#waiting.clear();
  }
}
