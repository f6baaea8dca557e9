import { DatabaseSync } from 'node:sqlite';
import { parentPort } from 'node:worker_threads';
import type { ListQuery, TableSpec } from '../kernel/store.ts';
import { type CountQuery, Reader, Statements } from './reader.ts';
import { catalogOf } from './table.ts';
import { answerCall, type CallMessage } from './thread.ts';

let db: DatabaseSync;
let reader: Reader;

const methods = {
  open(path: string, tables: readonly TableSpec[]): void {
    db = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
    reader = new Reader(new Statements(db), catalogOf(tables));
  },
  list: (query: ListQuery) => reader.list(query),
  count: (query: CountQuery) => reader.count(query),
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
