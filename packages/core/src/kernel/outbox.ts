import { type Environment, sleep } from './environment.ts';
import { describeChain } from './errors.ts';
import type { Hooks, Notice } from './hook.ts';
import type { JsonObject } from './json.ts';
import { Lane } from './lane.ts';
import type { CommitResult, Statement, Store } from './store.ts';

const RETRY_MS = 1000;
const RETRY_MS_MAX = 60_000;
const PAGE_LENGTH = 1000;
/** Notices told at once. One that waits to be told again takes no place. */
const TOLD_AT_ONCE = 32;

interface OutboxRow {
  readonly id: string;
  readonly point: string;
  readonly subject: JsonObject;
}

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
  readonly #lane = new Lane(TOLD_AT_ONCE);
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
        await this.#takeUp();
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#environment.logger.error({ error: describeChain(error) }, 'outbox look failed');
    } finally {
      this.#looking = false;
    }
  }

  /** Page by page over all that waits, so that many that fail hide nothing behind them, and no faster than there is room to tell. */
  async #takeUp(): Promise<void> {
    let after: readonly string[] | undefined;
    do {
      const texts = await this.#store.list({ table: 'outbox', limit: PAGE_LENGTH, ...(after === undefined ? {} : { after }) });
      const page = texts.map((text) => JSON.parse(text) as OutboxRow);
      const last = page.at(-1);
      after = last === undefined || page.length < PAGE_LENGTH ? undefined : [last.id];
      const waiting = page.filter((row) => !this.#busy.has(row.id));
      // Marked before the first wait: a notice is gone from the table, not from this page, when it has been taken.
      for (const row of waiting) this.#busy.add(row.id);
      for (const row of waiting) void this.#deliver(row, await this.#lane.enter());
    } while (after !== undefined && !this.#abort.signal.aborted);
  }

  async #deliver(row: OutboxRow, leave: () => void): Promise<void> {
    let taken = await this.#tell(row).finally(leave);
    for (let delayMs = RETRY_MS; !taken && !this.#abort.signal.aborted; delayMs = Math.min(delayMs * 2, RETRY_MS_MAX)) {
      await sleep(this.#environment.timers, delayMs, this.#abort.signal).catch(() => undefined);
      taken = await this.#lane.run(() => this.#tell(row));
    }
    this.#busy.delete(row.id);
  }

  async #tell(row: OutboxRow): Promise<boolean> {
    if (this.#abort.signal.aborted) return false;
    try {
      await this.#hooks.tell(row.point, row.subject);
      await this.#commit([{ op: 'remove', table: 'outbox', key: row.id }]);
      return true;
    } catch (error) {
      this.#environment.logger.warn({ notice: row.point, id: row.id, error: describeChain(error) }, 'notice will be told again');
      return false;
    }
  }
}
