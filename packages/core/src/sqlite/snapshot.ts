import type { Statements } from './reader.ts';

/**
 * One view of the database for all reads of a turn of the event loop. Alone, each read would take and give back the file's locks and find its page cache
 * dropped by whatever was committed since: with commits always under way that is most of what a read costs.
 */
export class Snapshot {
  readonly #statements: Statements;
  #open = false;

  constructor(statements: Statements) {
    this.#statements = statements;
  }

  begin(): void {
    if (this.#open) return;
    this.#statements.get('BEGIN').run();
    this.#open = true;
    setImmediate(() => this.end());
  }

  /** What was committed until now is seen by the next read. */
  end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#statements.get('COMMIT').run();
  }
}
