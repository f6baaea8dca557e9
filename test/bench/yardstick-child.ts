/**
 * The machine's speed in the terms of a creation: eight transactions of 23 statements in bare SQL, in groups, by a writer thread, with `synchronous=FULL` and 20
 * creations in flight. No guards, no feed, no indexes but the keys. Answers each `{ count }` with the processor milliseconds of one.
 */
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { inFlight } from './harness.ts';

const TABLES = `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
  CREATE TABLE resource (id TEXT PRIMARY KEY, name TEXT, state TEXT, row TEXT);
  CREATE TABLE journal (operation TEXT, number INTEGER, row TEXT, PRIMARY KEY (operation, number));
  CREATE TABLE counter (key TEXT PRIMARY KEY, value INTEGER)`;
const SQL = {
  insert: 'INSERT INTO resource VALUES (?, ?, ?, ?)',
  update: 'UPDATE resource SET state = ?, row = ? WHERE id = ?',
  journal: 'INSERT INTO journal VALUES (?, ?, ?)',
  count: 'INSERT INTO counter VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET value = value + 1',
} as const;
type Statement = readonly [keyof typeof SQL, readonly SQLInputValue[]];

const ROW_BYTES = 700;
const IN_FLIGHT = 20;

function write(path: string): void {
  const db = new DatabaseSync(path);
  db.exec(TABLES);
  const begin = db.prepare('BEGIN IMMEDIATE');
  const commit = db.prepare('COMMIT');
  const prepared = new Map(Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)]));
  parentPort?.on('message', (text: string) => {
    const group = JSON.parse(text) as Statement[][];
    begin.run();
    for (const transaction of group) for (const [name, values] of transaction) prepared.get(name)?.run(...values);
    commit.run();
    parentPort?.postMessage(null);
  });
}

class Commits {
  readonly #writer: Worker;
  #waiting: { readonly text: string; readonly resolve: () => void }[] = [];
  #underWay: { readonly resolve: () => void }[] = [];
  #scheduled = false;

  constructor(path: string) {
    this.#writer = new Worker(new URL(import.meta.url), { workerData: path });
    this.#writer.on('message', () => {
      for (const { resolve } of this.#underWay.splice(0)) resolve();
      this.#schedule();
    });
  }

  commit(...transaction: readonly Statement[]): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ text: JSON.stringify(transaction), resolve });
      if (this.#underWay.length === 0) this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const group = this.#waiting.splice(0);
      this.#underWay = group;
      if (group.length > 0) this.#writer.postMessage(`[${group.map(({ text }) => text).join(',')}]`);
    });
  }
}

async function create(commits: Commits, index: number): Promise<void> {
  // Ids that fall where they will, as those of another maker do.
  const id = `${((index * 2_654_435_761) % 4_294_967_296).toString(36)}-${index}`;
  const text = JSON.stringify({ id, name: 'vm', text: 'x'.repeat(ROW_BYTES) });
  const insert = (part: string): Statement => ['insert', [id + part, 'a', 'creating', text]];
  const update = (part: string): Statement => ['update', ['running', text, id + part]];
  const journal = (number: number): Statement => ['journal', [id, number, text]];
  await commits.commit(...['', '-volume', '-nic', '-operation'].map(insert), ['count', ['quota']], ['count', ['capacity']], journal(0));
  for (let step = 1; step <= 6; step += 1) await commits.commit(journal(step), update('-operation'));
  await commits.commit(journal(7), ...['-operation', '', '-volume'].map(update));
}

if (isMainThread) {
  const commits = new Commits(join(process.argv[2] ?? '', 'yardstick.db'));
  let next = 0;
  process.on('message', async ({ count }: { readonly count: number }) => {
    const before = process.cpuUsage();
    await inFlight(IN_FLIGHT, next, count, (index) => create(commits, index));
    next += count;
    const { user, system } = process.cpuUsage(before);
    process.send?.((user + system) / 1000 / count);
  });
  process.send?.(0);
} else write(workerData as string);
