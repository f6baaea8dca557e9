import { type CallOptions, type Client, type RepeatOptions, sleep } from './client.ts';
import { isPileusError, OperationFailed, PileusError } from './errors.ts';
import type { Id } from './id.ts';
import { isFinished, type Operation } from './operation.ts';
import { Reply } from './reply.ts';

export interface WaitOptions {
  /** Told each time the operation is seen to have moved: a step done, an attempt begun, something it is stuck on or waits for. */
  readonly onProgress?: (operation: Operation) => void;
  /** Stop waiting after this; the operation goes on. Default: no limit. */
  readonly timeoutMs?: number;
  /** Stop waiting; the operation goes on. `cancel()` stops the operation. */
  readonly signal?: AbortSignal;
}

/** The body of a 202. */
export interface AcceptedBody {
  readonly operationId: string;
  readonly action: string;
  readonly resourceKind: string;
  readonly resourceId: string;
  readonly acceptedAt: string;
}

/** A change that the server has promised to bring to an end. `R` is what waiting for it yields. */
export class Accepted<K extends string, R> {
  readonly operationId: Id<'operation'>;
  /** Of the resource, also before it is made. */
  readonly id: Id<K>;
  /** e.g. `instance.create` */
  readonly action: string;
  readonly resourceKind: K;
  readonly acceptedAt: string;
  readonly #client: Client;
  readonly #result: (id: Id<K>, options: CallOptions) => Promise<R>;

  constructor(client: Client, body: AcceptedBody, result: (id: Id<K>, options: CallOptions) => Promise<R>) {
    this.#client = client;
    this.#result = result;
    this.operationId = body.operationId as Id<'operation'>;
    this.id = body.resourceId as Id<K>;
    this.action = body.action;
    this.resourceKind = body.resourceKind as K;
    this.acceptedAt = body.acceptedAt;
  }

  /** Waits for the end. @throws OperationFailed, PileusError wait_timeout | aborted */
  wait(options: WaitOptions = {}): Reply<R> {
    return new Reply(this.#wait(options));
  }

  /** The operation as it is now. */
  operation(options: CallOptions = {}): Reply<Operation> {
    return new Reply(this.#client.json<Operation>({ method: 'GET', path: `/v1/operations/${this.operationId}` }, options));
  }

  /** Asks the operation to unwind. @throws PileusError conflict when it has ended or can only go on. */
  cancel(options: RepeatOptions = {}): Reply<Operation> {
    return new Reply(this.#client.change<Operation>({ method: 'POST', path: `/v1/operations/${this.operationId}/cancel` }, options));
  }

  async #wait(options: WaitOptions): Promise<R> {
    const operation = await waitForEnd(this.#client, this.operationId, options);
    if (operation.state !== 'succeeded') throw new OperationFailed(operation);
    return await this.#result(this.id, options.signal === undefined ? {} : { signal: options.signal });
  }
}

/** A change on its way to the server: `await` it for the promise (`Accepted`), or `wait()` for the outcome. */
export class Pending<K extends string, R> extends Reply<Accepted<K, R>> {
  /** Waits until it is accepted and then for its end. @throws PileusError, OperationFailed */
  wait(options: WaitOptions = {}): Reply<R> {
    return new Reply(this.then((accepted) => accepted.wait(options)));
  }

  cancel(options: RepeatOptions = {}): Reply<Operation> {
    return new Reply(this.then((accepted) => accepted.cancel(options)));
  }
}

const LONG_POLL_SECONDS = 30;
/** With somebody watching, the server is asked often enough to show single steps: at first at once, later four times a second. */
const PROGRESS_POLL_MS = { first: 20, growth: 1.5, max: 250 } as const;

/** After all tries of a request this is how long it takes at most to the next, in steps of the backoff. */
const AWAY_ATTEMPT = 3;

/** What it waits for changes without its row. */
const seenOf = ({ generation, waiting }: Operation): string => JSON.stringify([generation, waiting]);

/** The operation at its end. @throws PileusError wait_timeout | aborted */
export async function waitForEnd(client: Client, operationId: string, options: WaitOptions): Promise<Operation> {
  const deadline = options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.timeoutMs;
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  let seen = '';
  let answeredMs = Date.now();
  for (let pauseMs: number = PROGRESS_POLL_MS.first; ; pauseMs = Math.min(PROGRESS_POLL_MS.max, pauseMs * PROGRESS_POLL_MS.growth)) {
    const leftSeconds = (deadline - Date.now()) / 1000;
    const waitSeconds = options.onProgress === undefined ? Math.max(0, Math.min(LONG_POLL_SECONDS, Math.floor(leftSeconds))) : 0;
    const asked = client.json<Operation>(
      { method: 'GET', path: `/v1/operations/${operationId}?waitSeconds=${waitSeconds}` },
      { ...signal, timeoutMs: (waitSeconds + 30) * 1000 },
    );
    const operation = await asked.catch(async (error: unknown) => {
      // What was accepted goes on when the server is back: one that is restarted is no reason to let go of it.
      const isAway = isPileusError(error) && error.retry === 'same_request';
      if (!isAway || Date.now() >= Math.min(deadline, answeredMs + client.retry.awayMs)) throw error;
      await client.pause(AWAY_ATTEMPT, error, options.signal);
    });
    if (operation === undefined) continue;
    answeredMs = Date.now();
    const now = seenOf(operation);
    if (now !== seen) options.onProgress?.(operation);
    seen = now;
    if (isFinished(operation)) return operation;
    if (Date.now() >= deadline)
      throw new PileusError('wait_timeout', `${operation.action} is still ${operation.state} after ${options.timeoutMs} ms; it goes on.`, {
        requestId: operationId,
        params: { operationId },
      });
    // Long polls are of whole seconds: what is left of one is waited here.
    if (waitSeconds === 0) await sleep(Math.min(pauseMs, Math.max(0, deadline - Date.now())), options.signal);
  }
}
