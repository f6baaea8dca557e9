import { operation } from '../operation.ts';
import type { Statement } from '../store.ts';
import { AUDIT_TABLE, type AuditEnd, type AuditRow } from './record.ts';

/** Calls remembered; of those before them the store is asked. */
const CALLS_KEPT = 1000;
/** Of a longer row the store is asked. */
const CHARS_MAX = 8_192;

/** How a call ended, and with which revision of the store. */
export type End = AuditEnd & { readonly revision?: number };

/** The row is kept as text, for what it was made of may change. */
interface Heard {
  readonly text: string;
  end?: End;
}

/** Calls of this life as their commits told of them, so that those that end well are sealed without being read again. */
export class HeardCalls {
  readonly #calls = new Map<string, Heard>();

  /** Told of what has been committed; without a revision it is not known with which. */
  hear(statements: readonly Statement[], revision: number): void {
    for (const statement of statements) {
      if (statement.op === 'insert' && statement.table === AUDIT_TABLE) this.#keep(String(statement.row.id), JSON.stringify(statement.row));
      else if ((statement.op === 'update' || statement.op === 'remove') && statement.table === AUDIT_TABLE) this.forget(statement.key);
      else if (statement.op === 'update' && statement.table === operation.name) this.#hearEnd(statement, revision);
    }
  }

  /** The row of a call that is no link yet. */
  row(id: string): AuditRow | undefined {
    const text = this.#calls.get(id)?.text;
    return text === undefined ? undefined : (JSON.parse(text) as AuditRow);
  }

  end(id: string): End | undefined {
    return this.#calls.get(id)?.end;
  }

  forget(id: string): void {
    this.#calls.delete(id);
  }

  #keep(id: string, text: string): void {
    if (text.length > CHARS_MAX) return;
    this.#calls.set(id, { text });
    if (this.#calls.size <= CALLS_KEPT) return;
    const [oldest] = this.#calls.keys();
    if (oldest !== undefined) this.#calls.delete(oldest);
  }

  /** What fails, or is cancelled, is seldom, and its row tells more. */
  #hearEnd({ key, set }: Extract<Statement, { op: 'update' }>, revision: number): void {
    const call = this.#calls.get(key);
    if (call === undefined || set.state !== 'succeeded' || typeof set.endedAt !== 'string' || revision <= 0) return;
    call.end = { result: 'succeeded', endedAt: set.endedAt, revision };
  }
}
