import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { scratch } from './scratch.ts';

/** About what an accepted creation writes. */
const ROWS = 10;
const ROW = 'x'.repeat(400);

if (!isMainThread) serve(workerData as string);

/** Commits all that has come since the last flush together, as stores do. */
function serve(path: string): void {
  const database = new DatabaseSync(path);
  for (const sql of ['pragma journal_mode = wal', 'pragma synchronous = full', 'create table rows (id integer primary key, text text)'])
    database.exec(sql);
  const [begin, commit] = [database.prepare('begin'), database.prepare('commit')];
  const insert = database.prepare('insert into rows (text) values (?)');
  let waiting: number[] = [];
  const flush = (): void => {
    const group = waiting;
    waiting = [];
    begin.run();
    for (const _ of group) for (let row = 0; row < ROWS; row += 1) insert.run(ROW);
    commit.run();
    parentPort?.postMessage(group);
  };
  parentPort?.on('message', (ticket: number) => {
    if (waiting.push(ticket) === 1) setImmediate(flush);
  });
}

/**
 * What a writer waits for bare durable transactions of one store, alone and beside a single other who always has but one under way: the mildest flood there is.
 * Whoever comes while that is flushed waits for its flush, and then for his own.
 */
export async function bareWaits(
  requests: number,
  everyMs: number,
): Promise<{ readonly alone: readonly number[]; readonly beside: readonly number[] }> {
  await using dir = await scratch();
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: join(dir.path, 'bare.db'), execArgv: process.execArgv });
  await once(worker, 'online');
  const done = new Map<number, () => void>();
  let tickets = 0;
  worker.on('message', (group: readonly number[]) => {
    for (const ticket of group) done.get(ticket)?.();
  });
  const commit = async (): Promise<void> => {
    tickets += 1;
    const ticket = tickets;
    await new Promise<void>((resolve) => {
      done.set(ticket, resolve);
      worker.postMessage(ticket);
    });
    done.delete(ticket);
  };
  const waits = async (): Promise<readonly number[]> => {
    const tookMs: number[] = [];
    for (let index = 0; index < requests; index += 1) {
      const startedMs = performance.now();
      await commit();
      tookMs.push(performance.now() - startedMs);
      await sleep(everyMs);
    }
    return tookMs;
  };
  await waits();
  const alone: number[] = [];
  const beside: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    alone.push(...(await waits()));
    let isFlooded = true;
    const flood = (async () => {
      while (isFlooded) await commit();
    })();
    beside.push(...(await waits()));
    isFlooded = false;
    await flood;
  }
  await worker.terminate();
  return { alone, beside };
}
