import { DatabaseSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import type { AggregateQuery, CountQuery, ListQuery, TableSpec } from '../kernel/store.ts';
import { Reader, Statements } from './reader.ts';
import { catalogOf } from './table.ts';
import { answerCall, type CallMessage } from './thread.ts';

let db: DatabaseSync;
let reader: Reader;

/** An answer is found in several steps, which see one state of the database. */
function atOnce<T>(read: () => T): T {
  db.exec('BEGIN');
  try {
    return read();
  } finally {
    db.exec('COMMIT');
  }
}

const methods = {
  open(path: string, tables: readonly TableSpec[]): void {
    db = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
    reader = new Reader(new Statements(db), catalogOf(tables));
  },
  list: (query: ListQuery) => atOnce(() => reader.list(query)),
  placed: (query: ListQuery) => atOnce(() => reader.placed(query)),
  count: (query: CountQuery) => atOnce(() => reader.count(query)),
  aggregate: (query: AggregateQuery) => atOnce(() => reader.aggregate(query)),
  counters: (prefix: string) => reader.counters(prefix),
  changes: (after: number, limit: number) => reader.changes(after, limit),
  vacuumInto: (target: string) => reader.vacuumInto(target),
  close(): void {
    db.close();
    queueMicrotask(() => parentPort?.close());
  },
};

export type ReaderMethods = typeof methods;

parentPort?.on('message', (message: CallMessage) => parentPort?.postMessage(answerCall(methods, message)));
