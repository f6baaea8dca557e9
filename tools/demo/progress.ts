import type { Accepted, Cloud, Operation } from '@pileus/sdk';

const CATCH_UP_MS = 2_000;

/** Shows what operations do, step by step as each is committed: the change feed tells. */
export class Progress {
  readonly #abort = new AbortController();
  readonly #write: (line: string) => void;
  readonly #steps = new Map<string, { readonly sinceMs: number; shown: number }>();
  readonly #shownToEnd = new Set<string>();
  #following: Promise<void> = Promise.resolve();

  constructor(write: (line: string) => void) {
    this.#write = write;
  }

  follow(cloud: Cloud): void {
    this.#following = this.#follow(cloud).catch(() => undefined);
  }

  /** The outcome of a change; its steps have been shown by then. */
  async until<K extends string, R>(change: Promise<Accepted<K, R>>, signal: AbortSignal): Promise<R> {
    const accepted = await change;
    const result = await accepted.wait({ signal });
    const deadline = performance.now() + CATCH_UP_MS;
    while (!this.#shownToEnd.has(accepted.operationId) && performance.now() < deadline)
      await new Promise((resume) => setTimeout(resume, 5));
    return result;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#following;
  }

  async #follow(cloud: Cloud): Promise<void> {
    for await (const { row } of cloud.operations.watch({ signal: this.#abort.signal })) this.#show(row);
  }

  #show(operation: Operation): void {
    const nowMs = performance.now();
    const seen = this.#steps.get(operation.id) ?? { sinceMs: nowMs, shown: 0 };
    this.#steps.set(operation.id, seen);
    if (operation.stepsDone > seen.shown && operation.lastStep !== undefined) {
      seen.shown = operation.stepsDone;
      const atMs = `${Math.round(nowMs - seen.sinceMs)} ms`.padStart(8);
      this.#write(`  ${operation.action.padEnd(20)} ${operation.lastStep.padEnd(28)} ${String(operation.percent).padStart(3)} % ${atMs}`);
    }
    if (operation.state === 'unwinding' || operation.state === 'needs_attention')
      this.#write(`  ${operation.action.padEnd(20)} ${operation.state}: ${operation.attention?.message ?? operation.error?.message ?? ''}`);
    if (operation.endedAt !== undefined) this.#shownToEnd.add(operation.id);
  }
}
