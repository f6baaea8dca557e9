import { AbortedError, ConnectionLostError, type Outcome, TimeoutError } from './errors.ts';
import type { CallOptions } from './procedure.ts';

interface Request {
  readonly name: string;
  readonly message: Buffer;
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: Error) => void;
  /** Told when the answer comes after its caller gave up. */
  readonly late: (() => void) | undefined;
  timer: NodeJS.Timeout | undefined;
  signal: AbortSignal | undefined;
  onAbort: (() => void) | undefined;
}

/**
 * The requests of one session: which wait for a slot, which are sent, and which were given up.
 *
 * At most `slots` are unanswered: a daemon stops reading a connection that reaches its request limit, and then hears neither keepalive nor
 * anything else. A request whose caller gave up keeps its slot until its answer comes, for the daemon is still at it.
 */
export class Requests {
  readonly #slots: number;
  readonly #send: (message: Buffer) => void;
  readonly #onExhausted: () => void;
  readonly #waiting = new Map<number, Request>();
  readonly #sent = new Map<number, Request>();
  /** Given up after they were sent; what to do when the answer comes after all. */
  readonly #abandoned = new Map<number, (() => void) | undefined>();

  /** `onExhausted` runs when every slot is held by a request that was given up. */
  constructor(slots: number, send: (message: Buffer) => void, onExhausted: () => void) {
    this.#slots = slots;
    this.#send = send;
    this.#onExhausted = onExhausted;
  }

  /** Resolves with the body of the answer. `late` runs if a good answer comes when nobody waits for it any more. */
  add(serial: number, name: string, message: Buffer, options: CallOptions, late?: () => void): Promise<Buffer> {
    const { signal, timeoutMs = 0 } = options;
    if (signal?.aborted) return Promise.reject(new AbortedError(name, 'not_sent', { cause: signal.reason }));
    return new Promise((resolve, reject) => {
      const request: Request = { name, message, resolve, reject, late, timer: undefined, signal: undefined, onAbort: undefined };
      if (timeoutMs > 0) {
        request.timer = setTimeout(
          () => this.#giveUp(serial, (outcome) => new TimeoutError(`${name}: no answer in ${timeoutMs} ms`, outcome)),
          timeoutMs,
        );
      }
      if (signal !== undefined) {
        request.signal = signal;
        request.onAbort = () => this.#giveUp(serial, (outcome) => new AbortedError(name, outcome, { cause: signal.reason }));
        signal.addEventListener('abort', request.onAbort);
      }
      this.#waiting.set(serial, request);
      this.#fill();
    });
  }

  answered(serial: number, body: Buffer): void {
    const request = this.#take(serial);
    if (request !== undefined) request.resolve(body);
    else if (this.#abandoned.has(serial)) this.#abandoned.get(serial)?.();
    this.#abandoned.delete(serial);
    this.#fill();
  }

  failed(serial: number, error: (name: string) => Error): void {
    const request = this.#take(serial);
    request?.reject(error(request.name));
    this.#abandoned.delete(serial);
    this.#fill();
  }

  /** Settles everything; nothing may be added afterwards. */
  end(cause: Error): void {
    const settle = (requests: Map<number, Request>, outcome: Outcome): void => {
      for (const request of requests.values()) {
        release(request);
        request.reject(new ConnectionLostError(`${request.name}: ${cause.message}`, outcome, { cause }));
      }
      requests.clear();
    };
    settle(this.#waiting, 'not_sent');
    settle(this.#sent, 'unknown');
    this.#abandoned.clear();
  }

  #take(serial: number): Request | undefined {
    const request = this.#sent.get(serial);
    if (request === undefined) return undefined;
    this.#sent.delete(serial);
    release(request);
    return request;
  }

  #giveUp(serial: number, error: (outcome: Outcome) => Error): void {
    const waiting = this.#waiting.get(serial);
    if (waiting !== undefined) {
      this.#waiting.delete(serial);
      release(waiting);
      waiting.reject(error('not_sent'));
      return;
    }
    const request = this.#take(serial);
    if (request === undefined) return;
    this.#abandoned.set(serial, request.late);
    request.reject(error('unknown'));
    if (this.#abandoned.size >= this.#slots) this.#onExhausted();
  }

  #fill(): void {
    while (this.#sent.size + this.#abandoned.size < this.#slots) {
      const next = this.#waiting.entries().next();
      if (next.done) return;
      const [serial, request] = next.value;
      this.#waiting.delete(serial);
      this.#sent.set(serial, request);
      this.#send(request.message);
    }
  }
}

function release(request: Request): void {
  clearTimeout(request.timer);
  if (request.onAbort !== undefined) request.signal?.removeEventListener('abort', request.onAbort);
}
