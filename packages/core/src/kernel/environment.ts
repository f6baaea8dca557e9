/**
 * Everything that is not a function of its arguments: time, chance, ids, the log. Core and server take it from here and from nowhere else, so that a
 * simulation can replay one history from one seed, and so that a simulated crash can cut an incarnation off from its timers.
 */
export interface Environment {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  /** Hears what this process is at. Absent where nobody listens. */
  readonly marks?: Marks;
}

/**
 * Told when a piece of work begins and when it ends, some sixty times a creation, so that what held the event loop can be named: it is told `area` and `name`,
 * of which there are few, and an id of the operation, request or host.
 */
export interface Marks {
  begin(area: string, name: string, id: string): void;
  end(area: string, name: string, id: string): void;
}

export interface Clock {
  /** Milliseconds since the epoch, UTC. May jump; for stamps only. */
  nowMs(): number;
  /** Milliseconds that only grow; for durations and deadlines. */
  monotonicMs(): number;
}

export interface Timers {
  /** Calls back once after `delayMs`; the answer cancels. */
  after(delayMs: number, run: () => void): () => void;
}

export interface Random {
  /** A fraction in [0, 1). */
  next(): number;
  bytes(count: number): Uint8Array;
}

/** Fields are logged as they are: secrets never go in. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * A signal that aborts when the other does, and when it is told to, until it is released. In place of `AbortSignal.any`, which is kept from the garbage
 * collector for as long as anybody listens: what a crashed incarnation waits for is listened to for ever.
 */
export function following(other: AbortSignal): { readonly signal: AbortSignal; abort(reason?: unknown): void; release(): void } {
  const controller = new AbortController();
  const follow = () => controller.abort(other.reason);
  if (other.aborted) follow();
  other.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    release: () => other.removeEventListener('abort', follow),
  };
}

/** Resolves after the delay, or rejects with the signal's reason as soon as it aborts. */
export function sleep(timers: Timers, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const cancel = timers.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** RFC 3339, UTC, milliseconds. */
export const timestamp = (clock: Clock): string => timestampOf(clock.nowMs());

/** The last one that was written: an operation asks for several in one millisecond. */
let written = { ms: Number.NaN, text: '' };

export function timestampOf(ms: number): string {
  if (ms !== written.ms) written = { ms, text: new Date(ms).toISOString() };
  return written.text;
}
