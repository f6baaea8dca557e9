import { CloudError, type Environment, type ErrorCode, isCloudError, traced } from '../kernel/index.ts';
import type { Call, Fault } from '../strategy/index.ts';
import { Silence } from './silence.ts';

/** Told of each call that ended: for metrics. */
export type CallObserver = (call: {
  readonly contract: string;
  readonly place: string;
  readonly method: string;
  readonly seconds: number;
  readonly outcome: 'ok' | Fault;
}) => void;

const CODE_OF: Record<Fault, ErrorCode> = {
  not_found: 'not_found',
  conflict: 'conflict',
  invalid: 'conflict',
  unsupported: 'unsupported',
  exhausted: 'no_capacity',
  unavailable: 'unavailable',
  unknown_outcome: 'timeout',
  internal: 'internal',
};

const MEANING: Record<Fault, string> = {
  not_found: 'does not know it',
  conflict: 'refused, because of the state it is in',
  invalid: 'refused the values given',
  unsupported: 'cannot do this',
  exhausted: 'has no room left',
  unavailable: 'cannot be reached',
  unknown_outcome: 'did not answer in time',
  internal: 'failed',
};

interface CallerOptions {
  readonly environment: Environment;
  readonly contract: 'hypervisor' | 'storage' | 'network' | 'backup';
  /** The host, pool or network that is called, as shown to people. */
  readonly place: string;
  readonly classify: (error: unknown) => Fault;
  readonly observe: CallObserver;
  /** Gives the place of an operation at work to others, while nothing is heard of what it has called; answers how to go on. */
  readonly rest: (operationId: string) => () => void;
}

/** What every facade puts around every driver call: a deadline, one meaning for errors, a span, a measurement. */
export class DriverCaller {
  readonly #options: CallerOptions;
  readonly #silence: Silence;
  #closed = false;

  constructor(options: CallerOptions) {
    this.#options = options;
    this.#silence = new Silence(options.environment, options.rest);
  }

  close(): void {
    this.#closed = true;
    this.#silence.close();
  }

  /** @throws CloudError */
  run<T>(method: string, call: Call, body: (call: Call) => Promise<T>): Promise<T> {
    const { contract, place } = this.#options;
    if (this.#closed) return Promise.reject(new CloudError('unavailable', `${place} was removed.`));
    return traced(call.requestId, `${contract}.${method}`, { 'pileus.place': place }, () => this.#measured(method, call, body));
  }

  async #measured<T>(method: string, call: Call, body: (call: Call) => Promise<T>): Promise<T> {
    const { environment, contract, place, classify, observe } = this.#options;
    const startMs = environment.clock.monotonicMs();
    environment.marks?.begin(contract, method, call.requestId);
    const waiting = this.#silence.begin(method, call.requestId);
    const ended = (outcome: 'ok' | Fault, isHeard: boolean) => {
      environment.marks?.end(contract, method, call.requestId);
      this.#silence.end(method, waiting, isHeard);
      observe({ contract, place, method, seconds: (environment.clock.monotonicMs() - startMs) / 1000, outcome });
    };
    try {
      const result = await this.#inTime(call, body);
      ended('ok', true);
      return result;
    } catch (cause) {
      const fault = cause === LATE ? 'unknown_outcome' : isCloudError(cause) ? undefined : classify(cause);
      ended(fault ?? 'internal', cause !== LATE && fault !== 'unknown_outcome' && !call.signal.aborted);
      if (fault === undefined) throw cause;
      const why = fault === 'unavailable' ? systemCause(cause) : undefined;
      const what = why === undefined ? `${contract} ${method}` : `${contract} ${method}: ${why}`;
      const told = toldBy(cause);
      throw new CloudError(CODE_OF[fault], `${place} ${MEANING[fault]} (${what}).${told === undefined ? '' : ` ${told}`}`, { cause });
    }
  }

  /**
   * What a driver tells bit by bit, as it comes, within a call that may take long. One who lets nothing be heard for half an hour has lost what was to come: that is
   * a time-out, long before that of the whole call.
   * @throws CloudError timeout
   */
  async *told<T>(method: string, call: Call, tell: (call: Call) => AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    const { environment, contract, place } = this.#options;
    const abort = new AbortController();
    const bits = tell({ ...call, signal: AbortSignal.any([call.signal, abort.signal]) })[Symbol.asyncIterator]();
    try {
      for (;;) {
        const late = Promise.withResolvers<never>();
        const cancel = environment.timers.after(BIT_TIMEOUT_MS, () => {
          abort.abort(new Error(`nothing was heard for ${BIT_TIMEOUT_MS} ms`));
          late.reject(new CloudError('timeout', `${place} did not answer in time (${contract} ${method}).`));
        });
        const bit = await Promise.race([bits.next(), late.promise]).finally(cancel);
        if (bit.done === true) return;
        yield bit.value;
      }
    } finally {
      const ended = Promise.resolve(bits.return?.());
      // One that hangs does not end for being asked to.
      if (abort.signal.aborted) ended.catch(() => undefined);
      else await ended;
    }
  }

  /** Gives up at the deadline even on a driver that does not. */
  async #inTime<T>(call: Call, body: (call: Call) => Promise<T>): Promise<T> {
    const abort = new AbortController();
    const late = Promise.withResolvers<never>();
    const cancel = this.#options.environment.timers.after(call.timeoutMs, () => {
      abort.abort(new Error(`no answer in ${call.timeoutMs} ms`));
      late.reject(LATE);
    });
    late.promise.catch(() => undefined);
    // By hand: AbortSignal.any keeps books for the garbage collector, and this is on every call's path.
    const follow = () => abort.abort(call.signal.reason);
    if (call.signal.aborted) follow();
    call.signal.addEventListener('abort', follow, { once: true });
    try {
      return await Promise.race([body({ ...call, signal: abort.signal }), late.promise]);
    } finally {
      cancel();
      call.signal.removeEventListener('abort', follow);
    }
  }
}

const LATE = Symbol('late');
/** Who looks through a large disk may find nothing for minutes. */
const BIT_TIMEOUT_MS = 1_800_000;
const CAUSES_MAX = 8;

/** What the operating system or TLS said, e.g. `connect ENOENT /run/a`: it names the address that was given, and no secret. */
function systemCause(error: unknown): string | undefined {
  let at = error;
  for (let depth = 0; at instanceof Error && depth < CAUSES_MAX; depth += 1) {
    if ('code' in at && typeof at.code === 'string' && !isCloudError(at)) return at.message === '' ? at.code : at.message;
    at = at.cause;
  }
  return undefined;
}

/** What the driver itself says to whoever asked. */
const toldBy = (error: unknown): string | undefined =>
  error instanceof Error && 'told' in error && typeof error.told === 'string' ? error.told : undefined;

/** The optional feature, or a typed refusal before anything has changed. */
export function required<T>(feature: T | undefined, place: string, what: string): T {
  if (feature === undefined) throw new CloudError('unsupported', `${place} cannot ${what}.`, { params: { capability: what } });
  return feature;
}
