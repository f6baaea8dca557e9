import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import type { Store, TableSpec } from '@pileus/core/kernel';
import { openSqlite } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { type Scratch, scratch } from './scratch.ts';

const LONGER_THAN_IDLE_MS = 60_001;

/** Timers that run when a test lets time pass. */
function handTimers() {
  let nowMs = 0;
  let due: { readonly atMs: number; readonly run: () => void }[] = [];
  return {
    after(delayMs: number, run: () => void) {
      const entry = { atMs: nowMs + delayMs, run };
      due.push(entry);
      return () => {
        due = due.filter((other) => other !== entry);
      };
    },
    pass(ms: number) {
      nowMs += ms;
      for (const entry of due.filter(({ atMs }) => atMs <= nowMs)) {
        due = due.filter((other) => other !== entry);
        entry.run();
      }
    },
    waiting: () => due.length,
  };
}

const thing: TableSpec = { name: 'thing', type: 'resource', key: ['id'], columns: {}, unique: [], indexes: [] };

describe('threads that scan', () => {
  let place: Scratch;
  let timers: ReturnType<typeof handTimers>;
  let store: Store;
  let started: Worker[];
  const remember = (worker: Worker) => started.push(worker);

  beforeEach(async () => {
    place = await scratch();
    timers = handTimers();
    store = await openSqlite({ path: place.path('store.db'), timers });
    await store.prepare({ tables: [thing], migrations: [] });
    started = [];
    process.on('worker', remember);
  });
  afterEach(async () => {
    process.off('worker', remember);
    await store.close();
    await place.remove();
  });

  it('end when nobody asked for a while, and start again when asked', async () => {
    await store.changes(0, 10);
    expect(started).to.have.length(1);
    const ended = once(started[0] as Worker, 'exit');
    timers.pass(LONGER_THAN_IDLE_MS);
    timers.pass(LONGER_THAN_IDLE_MS);
    await ended;
    expect(timers.waiting()).to.equal(0);
    expect(await store.changes(0, 10)).to.deep.equal([]);
    expect(started).to.have.length(2);
  });

  it('stay while they are asked now and then, and while one is at work', async () => {
    for (let minute = 0; minute < 5; minute += 1) {
      await store.changes(0, 10);
      timers.pass(LONGER_THAN_IDLE_MS);
    }
    const asked = store.changes(0, 10);
    timers.pass(LONGER_THAN_IDLE_MS);
    timers.pass(LONGER_THAN_IDLE_MS);
    expect(await asked).to.deep.equal([]);
    expect(started).to.have.length(1);
  });

  it('that are ending are waited for when the store closes', async () => {
    await store.changes(0, 10);
    let ended = false;
    void once(started[0] as Worker, 'exit').then(() => {
      ended = true;
    });
    timers.pass(LONGER_THAN_IDLE_MS);
    timers.pass(LONGER_THAN_IDLE_MS);
    await store.close();
    expect([ended, timers.waiting()]).to.deep.equal([true, 0]);
  });
});
