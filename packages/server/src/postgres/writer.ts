import type { StoreError, Transaction } from '@pileus/core/kernel';
import type { Catalog, Outcome } from '@pileus/core/store';
import { DatabaseError } from 'pg';
import { type Decision, decide } from './decide.ts';
import { Facts, Questions } from './facts.ts';
import type { Link } from './link.ts';
import { ConnectionLost } from './message.ts';
import type { OwnTables } from './own-tables.ts';
import type { Connection } from './session.ts';
import { type PgTable, sql } from './table.ts';
import { writesOf } from './writes.ts';

/** A server that takes longer is as good as gone: the connection is given up, and whoever waits finds out on the next. */
const ANSWER_MS = 30_000;
const NOT_NULL_VIOLATION = '23502';
const READ_ONLY = '25006';

/**
 * Applies groups of transactions: one message asks what has to be known, one writes what was decided, and nothing is held between the two. The second one
 * takes the store from the version that the first has seen to the next, or does nothing. So groups form one line, wherever they come from: each was decided
 * on exactly what the one before it left, and the feed's revisions become visible in their order. It also makes a message that arrives late harmless.
 */
export class Writer {
  readonly #link: Link;
  readonly #own: OwnTables;
  readonly #epoch: number;
  readonly #catalog: () => Catalog<PgTable>;

  constructor(options: { link: Link; own: OwnTables; epoch: number; catalog: () => Catalog<PgTable> }) {
    this.#link = options.link;
    this.#own = options.own;
    this.#epoch = options.epoch;
    this.#catalog = options.catalog;
  }

  /** Never rejects: what went wrong is an outcome, too. */
  async apply(transactions: readonly Transaction[]): Promise<readonly Outcome[]> {
    let writing = false;
    try {
      const session = await this.#link.session();
      for (;;) {
        writing = false;
        const decision = await this.#decide(session, transactions);
        const writes = writesOf(decision, this.#own);
        if (writes.length === 0) return decision.outcomes;
        writing = true;
        if (await wrote(session.run(writes, ANSWER_MS))) return decision.outcomes;
      }
    } catch (error) {
      if (error instanceof DatabaseError && error.code === READ_ONLY) {
        // It is a standby now: another connection may find the one that is not.
        this.#link.current?.destroy();
        return transactions.map(() => rejected(error, 'unchanged'));
      }
      // One that the database refuses must not keep the others of its group from being written.
      if (error instanceof DatabaseError && transactions.length > 1) return this.#oneByOne(transactions);
      const outcome = writing && error instanceof ConnectionLost ? 'unknown' : 'unchanged';
      return transactions.map(() => rejected(error, outcome));
    }
  }

  async #oneByOne(transactions: readonly Transaction[]): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = [];
    for (const transaction of transactions) outcomes.push(...(await this.apply([transaction])));
    return outcomes;
  }

  async #decide(session: Connection, transactions: readonly Transaction[]): Promise<Decision> {
    const catalog = this.#catalog();
    let questions = new Questions();
    for (const transaction of transactions)
      try {
        questions.add(transaction, catalog);
      } catch {
        // It makes no sense, which is what its outcome will say.
      }
    let facts: Facts | undefined;
    for (;;) {
      facts = await this.#ask(session, questions, facts);
      const decision = decide(transactions, facts, { epoch: this.#epoch, catalog });
      if (decision.missing.isEmpty) return decision;
      questions = decision.missing;
    }
  }

  /** The version comes first: what is read after it may be newer, and then the write finds out. */
  async #ask(session: Connection, questions: Questions, known: Facts | undefined): Promise<Facts> {
    const asked = questions.asked(this.#own.counter);
    const state = known === undefined ? [sql(`SELECT version, revision, epoch FROM ${this.#own.state}`)] : [];
    const answers = await session.run([...state, ...asked.map(({ statement }) => statement)], ANSWER_MS);
    const facts = known ?? factsOf(answers[0]?.[0] ?? []);
    for (const [index, { learn }] of asked.entries()) learn(facts, answers[state.length + index] ?? []);
    return facts;
  }
}

const factsOf = ([version, revision, epoch]: readonly (string | null)[]): Facts =>
  new Facts({ version: Number(version), revision: Number(revision), epoch: Number(epoch) });

/** False when another group came first. */
async function wrote(writing: Promise<unknown>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === NOT_NULL_VIOLATION && error.column === 'version') return false;
    throw error;
  }
}

const rejected = (error: unknown, outcome: StoreError['outcome']): Outcome => ({
  rejected: `the store could not write: ${error instanceof Error ? error.message : String(error)}`,
  outcome,
});
