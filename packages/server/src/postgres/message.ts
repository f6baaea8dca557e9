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
  /** Names that have to go, if they are there. */
  #doomed: string[] = [];
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
    const name = this.#names.get(text);
    if (name !== undefined) this.#doomed.push(name);
    this.#names.delete(text);
  }

  /** The names to close; to close what is not there does no harm. */
  doomed(): readonly string[] {
    const surplus = [...this.#names.keys()].slice(0, Math.max(0, this.#names.size - STATEMENTS_KEPT));
    for (const text of surplus) this.forget(text);
    return this.#doomed.splice(0);
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
    // First, for what comes behind a statement that fails is skipped.
    for (const name of this.#prepared.doomed()) connection.close({ type: 'S', name }, true);
    for (const { text, values } of this.#statements) {
      const { name, isNew } = this.#prepared.name(text);
      if (isNew) {
        this.#new.push(text);
        connection.parse({ name, text, types: [] }, true);
      }
      connection.bind({ statement: name, values: [...values] }, true);
      connection.execute(null, true);
    }
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

  /**
   * An error that leaves the connection usable undoes the message, and then the server says that it is ready. One that ends the connection, as the server
   * does in its last words, leaves open what has become of the message. Words alone do not tell them apart, for they come in the server's language.
   */
  handleError(error: Error, connection: Connection): void {
    for (const text of this.#new) this.#prepared.forget(text);
    const lost = () => this.#settle.reject(new ConnectionLost(error));
    if (!(error instanceof DatabaseError)) {
      lost();
      return;
    }
    connection.once('end', lost);
    connection.once('readyForQuery', () => {
      connection.off('end', lost);
      this.#settle.reject(error);
    });
  }

  handleReadyForQuery(): void {
    this.#settle.resolve(this.#results);
  }
}
