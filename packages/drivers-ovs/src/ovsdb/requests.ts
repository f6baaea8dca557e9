import { AbortedError, BusyError, ConnectionLostError, type Outcome, TimeoutError } from './errors.ts';

/**
 * Bounds of one call. The call rejects with
 * - `OvsdbError` when the server refused or failed it;
 * - an `UnansweredError` when no answer came: its `outcome` tells whether it may have landed;
 * - `InvalidValueError` when a value does not fit its column (nothing was sent).
 */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** From the call to its answer, waiting for a free slot included. Default: the client's `callTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

export interface Request {
  readonly name: string;
  readonly method: string;
  readonly params: string;
  /** Told in the order in which messages came; while a promise of it is unsettled, no further message is looked at. */
  readonly onResult: (result: unknown) => void | Promise<void>;
  readonly reject: (error: Error) => void;
}

interface Entry extends Request {
  readonly timer: NodeJS.Timeout | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
}

export interface Limits {
  /** Sent and unanswered at a time. */
  readonly inFlight: number;
  /** Waiting for that; beyond it a call is refused. */
  readonly waiting: number;
}

/**
 * The requests of one connection: which wait for a slot, which are sent, and which were given up. One that was given up is cancelled, and keeps its slot
 * until the server has shown that it got so far: a server that does not answer is not sent more and more.
 */
export class Requests {
  readonly #limits: Limits;
  readonly #write: (message: string) => void;
  readonly #waiting = new Map<number, Entry>();
  readonly #sent = new Map<number, Entry>();
  /** Ids of the echoes that follow a cancellation. */
  readonly #fences = new Set<number>();
  #last = 0;

  constructor(limits: Limits, write: (message: string) => void) {
    this.#limits = limits;
    this.#write = write;
  }

  add(request: Request, { signal, timeoutMs = 0 }: CallOptions): void {
    const { name } = request;
    if (signal?.aborted) {
      request.reject(new AbortedError(name, 'not_sent', { cause: signal.reason }));
      return;
    }
    if (this.#waiting.size >= this.#limits.waiting) {
      request.reject(new BusyError(`${name}: ${this.#waiting.size} calls wait already`, 'not_sent'));
      return;
    }
    this.#last += 1;
    const id = this.#last;
    const expire = () => this.#giveUp(id, (outcome) => new TimeoutError(`${name}: no answer in ${timeoutMs} ms`, outcome));
    const onAbort = () => this.#giveUp(id, (outcome) => new AbortedError(name, outcome, { cause: signal?.reason }));
    const timer = timeoutMs > 0 ? setTimeout(expire, timeoutMs) : undefined;
    signal?.addEventListener('abort', onAbort);
    this.#waiting.set(id, { ...request, timer, signal, onAbort });
    this.#fill();
  }

  /** The request that an answer with this id is for; undefined when nobody waits for it any more. Its slot is free again. */
  answered(id: unknown): Request | undefined {
    if (typeof id !== 'number') return undefined;
    this.#fences.delete(id);
    const entry = this.#sent.get(id);
    if (entry !== undefined) {
      this.#sent.delete(id);
      release(entry);
    }
    this.#fill();
    return entry;
  }

  /** Settles everything; nothing may be added afterwards. */
  end(cause: Error): void {
    const settle = (entries: Map<number, Entry>, outcome: Outcome): void => {
      for (const entry of entries.values()) {
        release(entry);
        entry.reject(new ConnectionLostError(`${entry.name}: ${cause.message}`, outcome, { cause }));
      }
      entries.clear();
    };
    settle(this.#waiting, 'not_sent');
    settle(this.#sent, 'unknown');
    this.#fences.clear();
  }

  #giveUp(id: number, error: (outcome: Outcome) => Error): void {
    const entry = this.#waiting.get(id) ?? this.#sent.get(id);
    if (entry === undefined) return;
    release(entry);
    if (this.#waiting.delete(id)) {
      entry.reject(error('not_sent'));
      return;
    }
    this.#sent.delete(id);
    this.#last += 1;
    this.#fences.add(this.#last);
    // Only a transaction that still waits for something can be cancelled, and that is not answered.
    this.#write(`{"id":null,"method":"cancel","params":[${id}]}{"id":${this.#last},"method":"echo","params":[]}`);
    entry.reject(error('unknown'));
  }

  #fill(): void {
    while (this.#sent.size + this.#fences.size < this.#limits.inFlight) {
      const next = this.#waiting.entries().next();
      if (next.done) return;
      const [id, entry] = next.value;
      this.#waiting.delete(id);
      this.#sent.set(id, entry);
      this.#write(`{"id":${id},"method":"${entry.method}","params":${entry.params}}`);
    }
  }
}

function release(entry: Entry): void {
  clearTimeout(entry.timer);
  entry.signal?.removeEventListener('abort', entry.onAbort);
}
