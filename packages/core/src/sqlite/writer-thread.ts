import { parentPort } from 'node:worker_threads';
import type { Transaction } from '../kernel/store.ts';
import type { Outcome } from '../store/row.ts';
import { type EngineOptions, SqliteEngine } from './engine.ts';
import type { Written } from './known.ts';
import { answerCall, type CallMessage } from './thread.ts';

/** A group of transactions as JSON text. */
export interface GroupMessage {
  readonly group: string;
}

export interface OutcomesMessage {
  readonly outcomes: readonly Outcome[];
  readonly written: readonly Written[];
}

let engine: SqliteEngine;

const methods = {
  open(options: EngineOptions): { readonly incarnation: string; readonly epoch: number } {
    engine = new SqliteEngine(options);
    return { incarnation: engine.incarnation, epoch: engine.open() };
  },
  beginPrepare: (...args: Parameters<SqliteEngine['beginPrepare']>) => engine.beginPrepare(...args),
  migrationRows: (...args: Parameters<SqliteEngine['migrationRows']>) => engine.migrationRows(...args),
  migrate: (...args: Parameters<SqliteEngine['migrate']>) => engine.migrate(...args),
  endPrepare: () => engine.endPrepare(),
  trimSome: (upTo: number) => engine.trimSome(upTo),
  reincarnate(path: string, incarnation: string): void {
    const copy = new SqliteEngine({ path, incarnation });
    copy.reincarnate(incarnation);
    copy.close();
  },
  close(): void {
    engine.close();
    queueMicrotask(() => parentPort?.close());
  },
};

export type WriterMethods = typeof methods;

parentPort?.on('message', (message: CallMessage | GroupMessage) => {
  if ('group' in message) {
    const outcomes = engine.apply(JSON.parse(message.group) as Transaction[]);
    parentPort?.postMessage({ outcomes, written: engine.written } satisfies OutcomesMessage);
  } else parentPort?.postMessage(answerCall(methods, message));
});
