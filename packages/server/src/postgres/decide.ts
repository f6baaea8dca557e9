import { type CommitResult, type Statement, StoreError, type Transaction } from '@pileus/core/kernel';
import {
  type Catalog,
  changeOf,
  checkCount,
  type Failure,
  insertedRow,
  type Outcome,
  type Stamp,
  stale,
  tooLong,
  updatedRow,
} from '@pileus/core/store';
import { Draft } from './draft.ts';
import { type Facts, Questions } from './facts.ts';
import type { PgTable } from './table.ts';

export interface Decision {
  readonly outcomes: readonly Outcome[];
  /** What the group leaves behind: that of its transactions which came through. */
  readonly draft: Draft;
  /** The newest revision after the group. */
  readonly revision: number;
  /** When this is not empty the rest is worth nothing yet. */
  readonly missing: Questions;
}

/** Decides what becomes of each transaction of a group, in order, from what is known and from nothing else. */
export function decide(
  transactions: readonly Transaction[],
  facts: Facts,
  { epoch, catalog }: { epoch: number; catalog: Catalog<PgTable> },
): Decision {
  const missing = new Questions();
  const draft = new Draft(facts, missing);
  let revision = facts.revision;
  const outcomes = transactions.map((transaction): Outcome => {
    // Whoever opened the store last has the only epoch that may write.
    if (transaction.epoch !== epoch || facts.epoch !== epoch) return { ok: false, statement: -1, reason: 'fenced' };
    draft.begin();
    const fedBefore = draft.feed.length;
    try {
      const failure = new Transacting(draft, catalog, { at: transaction.at, revision: revision + 1 }).run(transaction.statements);
      if (failure !== undefined || transaction.rehearse === true) {
        draft.takeBack();
        return failure ?? { ok: true, revision };
      }
      if (draft.feed.length > fedBefore) revision += 1;
      return { ok: true, revision };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      draft.takeBack();
      return { rejected: error.message, outcome: 'unchanged' };
    }
  });
  return { outcomes, draft, revision, missing };
}

class Transacting {
  readonly #draft: Draft;
  readonly #catalog: Catalog<PgTable>;
  readonly #stamp: Stamp;

  constructor(draft: Draft, catalog: Catalog<PgTable>, stamp: Stamp) {
    this.#draft = draft;
    this.#catalog = catalog;
    this.#stamp = stamp;
  }

  run(statements: readonly Statement[]): Extract<CommitResult, { ok: false }> | undefined {
    for (const [index, statement] of statements.entries()) {
      const failure = this.#apply(statement);
      if (failure !== undefined) return { ok: false, statement: index, ...failure };
    }
    return undefined;
  }

  #apply(statement: Statement): Failure | undefined {
    switch (statement.op) {
      case 'insert':
        return this.#insert(statement);
      case 'update':
        return this.#update(statement);
      case 'remove':
        return this.#remove(statement);
      case 'expect': {
        const row = this.#draft.row(this.#catalog.get(statement.table), statement.key);
        return row === undefined ? { reason: 'absent' } : stale(row, statement.expect);
      }
      case 'vacant':
        return this.#vacant(statement);
      case 'adjust':
        return this.#adjust(statement);
      case 'limit':
        checkCount(statement);
        this.#draft.setCounter({
          key: statement.counter,
          value: this.#draft.counter(statement.counter)?.value ?? 0,
          limit: statement.limit,
        });
        return undefined;
      default:
        throw new StoreError(`unknown statement ${JSON.stringify(statement)}`);
    }
  }

  #insert({ table: name, row: given }: Extract<Statement, { op: 'insert' }>): Failure | undefined {
    const table = this.#catalog.get(name);
    const row = insertedRow(table, given, this.#stamp);
    const key = table.keyOf(row);
    if (this.#draft.row(table, key) !== undefined) return { reason: 'exists', fields: table.key };
    const text = JSON.stringify(row);
    const clash = tooLong(table, undefined, row, text) ?? this.#draft.write(table, key, row, text);
    if (clash !== undefined || !table.isResource) return clash;
    this.#draft.tell({ revision: this.#stamp.revision, table, key, type: changeOf(undefined, row), text }, row);
    return undefined;
  }

  #update({ table: name, key, set, expect }: Extract<Statement, { op: 'update' }>): Failure | undefined {
    const table = this.#catalog.get(name);
    const old = this.#draft.row(table, key);
    if (old === undefined) return { reason: 'absent' };
    const failure = expect === undefined ? undefined : stale(old, expect);
    if (failure !== undefined) return failure;
    const row = updatedRow(table, old, set, this.#stamp);
    const text = JSON.stringify(row);
    const clash = tooLong(table, old, row, text) ?? this.#draft.write(table, key, row, text);
    if (clash !== undefined || !table.isResource) return clash;
    this.#draft.tell({ revision: this.#stamp.revision, table, key, type: changeOf(old, row), text }, row);
    return undefined;
  }

  /** Of resources only what is deleted goes; that it was deleted is in the feed already. */
  #remove({ table: name, key }: Extract<Statement, { op: 'remove' }>): Failure | undefined {
    const table = this.#catalog.get(name);
    const old = this.#draft.row(table, key);
    if (old === undefined) return undefined;
    if (table.isResource && table.isLive(old)) return { reason: 'stale', fields: ['deletedAt'] };
    return this.#draft.write(table, key, undefined, '');
  }

  #vacant({ table: name, where }: Extract<Statement, { op: 'vacant' }>): Failure | undefined {
    const table = this.#catalog.get(name);
    for (const field of Object.keys(where)) table.checkField(field);
    return this.#draft.isUsed({ table, where }) ? { reason: 'in_use' } : undefined;
  }

  #adjust(statement: Extract<Statement, { op: 'adjust' }>): Failure | undefined {
    checkCount(statement);
    const { counter: key, by } = statement;
    const old = this.#draft.counter(key);
    const value = (old?.value ?? 0) + by;
    const limit = old?.limit ?? null;
    const isBeyond = by > 0 && (value > Number.MAX_SAFE_INTEGER || (limit !== null && value > limit));
    if (value < 0 || isBeyond) return { reason: 'exceeded' };
    this.#draft.setCounter({ key, value, limit });
    return undefined;
  }
}
