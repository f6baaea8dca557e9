import { type Environment, sleep } from './environment.ts';
import { describeChain } from './errors.ts';
import type { Hooks, Notice } from './hook.ts';
import type { JsonObject } from './json.ts';
import type { CommitResult, Statement, Store } from './store.ts';

const RETRY_MS = 1000;
const RETRY_MS_MAX = 60_000;

/** Puts a notice into the transaction that makes it true; it is told after commit, at least once. `id` is stable for one event. */
export const announce = <T extends JsonObject>(point: Notice<T>, id: string, subject: T): Statement => ({
  op: 'insert',
  table: 'outbox',
  row: { id, point: point.id, subject },
});

/** Tells committed notices to their handlers until each has taken them, across restarts. */
export class Outbox {
  readonly #environment: Environment;
  readonly #store: Store;
  readonly #hooks: Hooks;
  readonly #commit: (statements: readonly Statement[]) => Promise<CommitResult>;
  readonly #busy = new Set<string>();
  readonly #abort = new AbortController();
  #looking = false;
  #lookAgain = false;

  constructor(environment: Environment, store: Store, hooks: Hooks, commit: (statements: readonly Statement[]) => Promise<CommitResult>) {
    this.#environment = environment;
    this.#store = store;
    this.#hooks = hooks;
    this.#commit = commit;
  }

  stop(): void {
    this.#abort.abort();
  }

  /** Called at the start and whenever a notice is committed: takes up what waits. */
  async look(): Promise<void> {
    if (!this.#hooks.hasNotices) return;
    this.#lookAgain = true;
    if (this.#looking) return;
    this.#looking = true;
    try {
      while (this.#lookAgain && !this.#abort.signal.aborted) {
        this.#lookAgain = false;
        for (const text of await this.#store.list({ table: 'outbox', limit: 1000 })) {
          const row = JSON.parse(text) as { id: string; point: string; subject: JsonObject };
          if (!this.#busy.has(row.id)) void this.#deliver(row);
        }
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#environment.logger.error({ error: describeChain(error) }, 'outbox look failed');
    } finally {
      this.#looking = false;
    }
  }

  async #deliver(row: { readonly id: string; readonly point: string; readonly subject: JsonObject }): Promise<void> {
    this.#busy.add(row.id);
    for (let delayMs = RETRY_MS; !this.#abort.signal.aborted; delayMs = Math.min(delayMs * 2, RETRY_MS_MAX)) {
      try {
        await this.#hooks.tell(row.point, row.subject);
        await this.#commit([{ op: 'remove', table: 'outbox', key: row.id }]);
        break;
      } catch (error) {
        this.#environment.logger.warn({ notice: row.point, id: row.id, error: describeChain(error) }, 'notice will be told again');
        await sleep(this.#environment.timers, delayMs, this.#abort.signal).catch(() => undefined);
      }
    }
    this.#busy.delete(row.id);
  }
}
