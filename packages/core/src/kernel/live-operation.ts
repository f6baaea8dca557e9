import { CloudError, type ErrorRecord } from './errors.ts';
import type { JsonObject } from './json.ts';
import { entriesOf, type JournalEntry, type JournalRow, type Operation, operation, UNFINISHED } from './operation.ts';
import type { Reader } from './reader.ts';
import type { SagaRun } from './saga/run.ts';
import type { Statement, Store } from './store.ts';

/** An accepted operation as this node holds it until it has ended. */
export interface Live {
  readonly id: string;
  /** Whose it is. Those of one account wait for each other before those of others wait for them. */
  readonly account: string;
  readonly action: string;
  readonly saga: string;
  readonly resourceId: string;
  keys: readonly string[];
  readonly forced: boolean;
  attempt: number;
  cancelRequested: boolean;
  /** Durably so: nothing of it has begun. */
  queued: boolean;
  /** Taken over from an earlier life, which may have begun the step after the journal's end. */
  resumed: boolean;
  journal: readonly JournalEntry[] | undefined;
  nextNumber: number;
  /** How far it has come, as its row tells, when its run begins. */
  percent: number;
  run?: SagaRun;
  /** What it waits for, first in all its queues, before it begins. */
  waitsFor?: string;
  /** Waited, and cannot be done any more. */
  refused?: ErrorRecord;
  /** Where it stands, if it has moved. */
  place?: string;
  /** Its keys at the place to which it moves, and that place. */
  next?: readonly string[];
  nextPlace?: string;
  /** At work, or about to be: until it has ended, moves or stands aside. */
  isDriven?: boolean;
  /** Forced: ids of the rows that it deletes. */
  targets?: ReadonlySet<string>;
  /** Stuck, and passed by this forced one. */
  asideFor?: string;
  /** A deletion that removes what it leaves. */
  supersededBy?: Live;
}
type AtWork =
  | 'resumed'
  | 'journal'
  | 'nextNumber'
  | 'percent'
  | 'run'
  | 'refused'
  | 'next'
  | 'isDriven'
  | 'targets'
  | 'asideFor'
  | 'supersededBy';
export type AcceptedOperation = Omit<Live, AtWork>;

async function journalOf(store: Store, operationId: string): Promise<readonly JournalRow[]> {
  const where = { field: 'operationId', op: '=', value: operationId } as const;
  const texts = await store.list({ table: 'journal', where, order: [{ field: 'number' }] });
  return texts.map((text) => JSON.parse(text) as JournalRow);
}

export async function loadJournal(store: Store, live: Live): Promise<void> {
  if (live.journal !== undefined) return;
  const rows = await journalOf(store, live.id);
  live.journal = entriesOf(rows);
  live.nextNumber = (rows.at(-1)?.number ?? 0) + 1;
}

/**
 * What has begun, then what has not, in order of acceptance, each with all of its keys: nothing that has begun was behind another. Of an absent plugin nothing
 * goes on: that keeps its own resource, and nobody waiting for anything else.
 */
export async function unfinishedOf(
  store: Store,
  reader: Reader,
  isAbsent: (kind: string) => boolean,
): Promise<readonly { readonly row: Operation; readonly keys: readonly string[] }[]> {
  const rows = await reader.list(operation, { field: 'state', op: 'in', value: [...UNFINISHED] });
  const isQueued = ({ state }: Operation) => Number(state === 'queued');
  const ordered = [...rows].sort((a, b) => isQueued(a) - isQueued(b) || (placeOf(a) < placeOf(b) ? -1 : 1));
  return Promise.all(ordered.map(async (row) => ({ row, keys: isAbsent(row.resourceKind) ? [row.resourceId] : await keysOf(store, row) })));
}

export const placeOf = ({ id, place }: { readonly id: string; readonly place?: string | undefined }): string => place ?? id;

async function keysOf(store: Store, { id, keys, keyCount }: Operation): Promise<readonly string[]> {
  if (keyCount === undefined) return keys;
  const last = entriesOf(await journalOf(store, id)).findLast((entry) => 'keys' in entry);
  return last !== undefined && 'keys' in last ? (last.keys ?? keys) : keys;
}

/** As it was left by an earlier life. */
export const liveAgain = (row: Operation, keys: readonly string[]): Live => ({
  id: row.id,
  account: row.accountId ?? '',
  action: row.action,
  saga: row.saga,
  resourceId: row.resourceId,
  keys,
  forced: row.forced === true,
  attempt: row.attempt,
  cancelRequested: row.cancelRequested === true,
  queued: row.state === 'queued',
  ...(row.waitsFor === undefined ? {} : { waitsFor: row.waitsFor }),
  ...(row.place === undefined ? {} : { place: row.place }),
  resumed: row.state !== 'queued',
  journal: undefined,
  nextNumber: 1,
  percent: row.percent,
});

/** Unwound, and durably at its new place. */
export function beginAnew(live: Live): void {
  live.keys = live.next ?? live.keys;
  live.place = live.nextPlace ?? placeOf(live);
  live.attempt += 1;
  live.queued = true;
  live.resumed = false;
  live.journal = undefined;
  live.percent = live.run?.percent ?? live.percent;
  delete live.run;
  delete live.isDriven;
}

/** Parked, and nothing of the run is kept: whoever takes it up goes by the journal. */
export function asAfterRestart(live: Live): void {
  live.resumed = true;
  live.journal = undefined;
  live.percent = live.run?.percent ?? live.percent;
  delete live.run;
  delete live.isDriven;
}

/** @throws CloudError conflict */
export function refuseAside({ asideFor }: Live): void {
  if (asideFor !== undefined) throw new CloudError('conflict', `The forced operation ${asideFor} is taking its place.`);
}

/**
 * What one that has not begun takes back where a deletion takes some of its rows: that deletes those by itself, with what they count for.
 * @param makesRow the row that it is about, whose counters are the row's
 */
export function leftOver(takenBack: readonly Statement[], { resourceId, supersededBy }: Live, makesRow: boolean): readonly Statement[] {
  const isTaken = (id: string) => supersededBy?.targets?.has(id) === true;
  const isCounted = makesRow && isTaken(resourceId);
  return takenBack.filter((each) => (each.op === 'adjust' ? !isCounted : !('key' in each) || !isTaken(each.key)));
}

/** What it was accepted with, or begun anew, last. */
export async function paramsOf(store: Store, live: Live): Promise<unknown> {
  const journal = live.journal ?? entriesOf(await journalOf(store, live.id));
  const last = journal.findLast((entry) => 'params' in entry);
  return last !== undefined && 'params' in last ? last.params : undefined;
}

/** It was as asked already. */
export const satisfiedAt = (live: Live, at: string, stamp: JsonObject): readonly Statement[] => [
  { op: 'insert', table: 'journal', row: { operationId: live.id, number: live.nextNumber, ...stamp, type: 'ended', state: 'succeeded' } },
  { op: 'update', table: 'operation', key: live.id, set: { state: 'succeeded', endedAt: at, percent: 100 } },
];

/** Shown instead of running, with the reason. */
export const parked = (operationId: string, message: string): Statement => ({
  op: 'update',
  table: 'operation',
  key: operationId,
  set: { state: 'parked', attention: { step: '', phase: 'do', attempts: 0, message } },
});

/** What an operation on a row that is abandoned has reserved beyond the row. */
export const reservations = (statements: readonly Statement[]): readonly Statement[] => statements.filter(({ op }) => op === 'adjust');
