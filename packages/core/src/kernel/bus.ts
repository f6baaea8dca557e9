import type { Environment } from './environment.ts';
import { CloudError } from './errors.ts';
import type { Json } from './json.ts';

/** A message type: `command` is never lost silently, `telemetry` may be dropped or coalesced. Payloads are plain JSON, frozen. */
export interface Message<Q, A> {
  readonly name: string;
  readonly delivery: 'command' | 'telemetry';
  readonly types?: { readonly question: Q; readonly answer: A };
}
export const command = <Q, A>(name: string): Message<Q, A> => ({ name, delivery: 'command' });
export const telemetry = <Q>(name: string): Message<Q, void> => ({ name, delivery: 'telemetry' });

interface CallOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}
type Handler = (question: unknown, signal: AbortSignal) => Promise<unknown>;

/**
 * How services reach each other without knowing where the other runs. In one process: a call later in the same turn. Nothing calls it before there is a second
 * node (`docs/decisions/0016-the-bus-waits-for-the-second-node.md`).
 */
export class Bus {
  readonly #environment: Environment;
  readonly #handlers = new Map<string, Handler>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** @throws Error when the message has a handler already. */
  handle<Q, A>(message: Message<Q, A>, handler: (question: Q, signal: AbortSignal) => Promise<A>): () => void {
    if (this.#handlers.has(message.name)) throw new Error(`two services handle ${message.name}`);
    this.#handlers.set(message.name, handler as Handler);
    return () => this.#handlers.delete(message.name);
  }

  /** Ends in exactly one of: the answer, the handler's error, `timeout`, `cancelled`. @throws CloudError */
  async call<Q, A>(message: Message<Q, A>, question: Q, options: CallOptions): Promise<A> {
    const handler = this.#handlers.get(message.name);
    if (handler === undefined) throw new CloudError('unavailable', 'The service for this is not running.', { detail: message.name });
    const abort = new AbortController();
    const ended = Promise.withResolvers<A>();
    const fail = (error: CloudError) => {
      abort.abort(error);
      ended.reject(error);
    };
    const cancelTimer = this.#environment.timers.after(options.timeoutMs, () =>
      fail(new CloudError('timeout', 'The service did not answer in time.', { detail: message.name })),
    );
    const onAbort = () => fail(new CloudError('cancelled', 'The call was cancelled.'));
    options.signal?.addEventListener('abort', onAbort, { once: true });
    if (options.signal?.aborted) onAbort();
    try {
      const frozen = freeze(structuredClone(question));
      queueMicrotask(async () => {
        if (abort.signal.aborted) return;
        try {
          ended.resolve(freeze(structuredClone(await handler(frozen, abort.signal))) as A);
        } catch (error) {
          ended.reject(error);
        }
      });
      return await ended.promise;
    } finally {
      cancelTimer();
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Telemetry: nobody waits, nobody hears of a failure. */
  tell<Q>(message: Message<Q, void>, subject: Q): void {
    const handler = this.#handlers.get(message.name);
    if (handler === undefined) return;
    const frozen = freeze(structuredClone(subject));
    queueMicrotask(async () => {
      try {
        await handler(frozen, new AbortController().signal);
      } catch {
        // Telemetry may be dropped.
      }
    });
  }
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value as Record<string, Json>)) freeze(part);
  }
  return value;
}
