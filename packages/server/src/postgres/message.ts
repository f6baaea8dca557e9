import { type Connection, DatabaseError, type Submittable } from 'pg';

/** Texts and, for arrays, PostgreSQL's binary form; see arrays.ts. */
export type SqlValue = string | Buffer | null;

export interface Sql {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

/** Values in PostgreSQL's text form. */
export type SqlRow = readonly (string | null)[];

/** The connection is gone, and nobody knows whether what the last message asked for has happened. */
export class ConnectionLost extends Error {
  constructor(cause: Error) {
    super(`the connection to PostgreSQL is lost: ${cause.message}`, { cause });
    this.name = 'ConnectionLost';
  }
}

/** Prepared statements of one connection that are kept; the one unused for longest makes room, for conditions come in endless shapes. */
const STATEMENTS_KEPT = 500;

/** The names that statements were prepared under on one connection. */
export class Prepared {
  readonly #names = new Map<string, string>();
  #count = 0;

  /** The statement's name, and whether it has to be prepared first. */
  name(text: string): { readonly name: string; readonly isNew: boolean } {
    const known = this.#names.get(text);
    this.#count += known === undefined ? 1 : 0;
    const name = known ?? `p${this.#count}`;
    this.#names.delete(text);
    this.#names.set(text, name);
    return { name, isNew: known === undefined };
  }

  /** After a failure nobody knows whether it was prepared; it gets another name next time. */
  forget(text: string): void {
    this.#names.delete(text);
  }

  /** The names of statements that have to go. */
  evicted(): string[] {
    const oldest = [...this.#names].slice(0, Math.max(0, this.#names.size - STATEMENTS_KEPT));
    return oldest.map(([text, name]) => {
      this.#names.delete(text);
      return name;
    });
  }
}

/**
 * Statements that travel together, in one message each way, and are one transaction: what `pg` calls a submittable. Between their preparation and the one
 * synchronisation at the end the server keeps them in one implicit transaction, so that no BEGIN and COMMIT are needed, and none can be forgotten.
 */
export class Message implements Submittable {
  /** The rows of each statement. */
  readonly answer: Promise<readonly (readonly SqlRow[])[]>;
  readonly #statements: readonly Sql[];
  readonly #prepared: Prepared;
  readonly #settle: PromiseWithResolvers<readonly (readonly SqlRow[])[]>;
  readonly #results: SqlRow[][] = [];
  readonly #new: string[] = [];
  #rows: SqlRow[] = [];

  constructor(statements: readonly Sql[], prepared: Prepared) {
    this.#statements = statements;
    this.#prepared = prepared;
    this.#settle = Promise.withResolvers();
    this.answer = this.#settle.promise;
  }

  submit(connection: Connection): void {
    connection.stream.cork();
    for (const { text, values } of this.#statements) {
      const { name, isNew } = this.#prepared.name(text);
      if (isNew) {
        this.#new.push(text);
        connection.parse({ name, text, types: [] }, true);
      }
      connection.bind({ statement: name, values: [...values] }, true);
      connection.execute(null, true);
    }
    for (const name of this.#prepared.evicted()) connection.close({ type: 'S', name }, true);
    connection.sync();
    connection.stream.uncork();
  }

  handleDataRow({ fields }: { readonly fields: SqlRow }): void {
    this.#rows.push(fields);
  }

  handleCommandComplete(): void {
    this.#results.push(this.#rows);
    this.#rows = [];
  }

  handleError(error: Error): void {
    for (const text of this.#new) this.#prepared.forget(text);
    const isAnswer = error instanceof DatabaseError && error.severity === 'ERROR';
    this.#settle.reject(isAnswer ? error : new ConnectionLost(error));
  }

  handleReadyForQuery(): void {
    this.#settle.resolve(this.#results);
  }
}
