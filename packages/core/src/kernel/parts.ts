import { isCloudError } from './errors.ts';
import type { Id } from './id.ts';
import type { SubmitRequest } from './kernel.ts';
import { isFinished, type Operation, operation } from './operation.ts';
import type { Operations } from './operations.ts';
import type { Reader } from './reader.ts';
import type { Statement } from './store.ts';

/** A change that an operation asks for, in place of a caller. Its ids are chosen by that operation, before. */
export interface PartRequest extends Pick<SubmitRequest, 'action' | 'input' | 'principal'> {
  readonly operationId: Id<'operation'>;
  /** Of a new row, too. */
  readonly resourceId: string;
  /** The operation that asks. */
  readonly causeId: string;
  /** Goes with its acceptance: gives back what the asking operation has reserved for it. */
  readonly along?: readonly Statement[];
}

const WAIT_MS = 3600_000;

/** Of a step that waits for such operations. When one wait is over it looks again, and waits on. */
export const AWAITS_PARTS = { timeoutMs: 24 * WAIT_MS, retry: { attempts: Number.MAX_SAFE_INTEGER, backoffMs: 500 } } as const;

/**
 * Operations that an operation asks for: accepted as if a caller asked, with everything that this means, once for each id however often it is asked, so that
 * a step that is done again after a crash finds what it has begun. They take no part in the limit on unfinished operations, which the asking one has passed.
 */
export class Parts {
  readonly #reader: Reader;
  readonly #operations: Operations;
  readonly #accept: (request: PartRequest) => Promise<void>;
  /** Whose acceptance is under way. A step that ran out of time may have left it so. */
  readonly #pending = new Map<string, Promise<void>>();

  constructor(reader: Reader, operations: Operations, accept: (request: PartRequest) => Promise<void>) {
    this.#reader = reader;
    this.#operations = operations;
    this.#accept = accept;
  }

  /** @throws CloudError as `submit` of the kernel does; nothing was changed then */
  async submit(request: PartRequest): Promise<void> {
    const { operationId } = request;
    const pending = this.#pending.get(operationId) ?? this.#once(request).finally(() => this.#pending.delete(operationId));
    this.#pending.set(operationId, pending);
    await pending;
  }

  async #once(request: PartRequest): Promise<void> {
    if ((await this.#reader.find(operation, request.operationId)) === undefined) await this.#accept(request);
  }

  /** The operation, or undefined when there is none and none will come unless it is submitted again. */
  async find(operationId: string): Promise<Operation | undefined> {
    await this.#pending.get(operationId)?.catch(() => undefined);
    return this.#reader.find(operation, operationId);
  }

  /** The operation, ended. The one that waits gives its place at work to others. @throws the reason of the signal */
  async ended(operationId: string, causeId: string, signal: AbortSignal): Promise<Operation> {
    const goOn = this.#operations.atWork.rest(causeId);
    try {
      for (;;) {
        const row = await this.#operations.wait(operationId, WAIT_MS, { signal });
        if (isFinished(row)) return row;
        signal.throwIfAborted();
      }
    } finally {
      goOn();
    }
  }

  /** The operation, ended, cancelled where it could be. */
  async stopped(operationId: string, causeId: string, actor: string, signal: AbortSignal): Promise<Operation> {
    await this.#operations.cancel(operationId, actor).catch((error: unknown) => {
      // It has ended, or can only go on.
      if (!isCloudError(error) || error.code !== 'conflict') throw error;
    });
    return this.ended(operationId, causeId, signal);
  }
}
