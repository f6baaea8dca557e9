import { setImmediate as turn } from 'node:timers/promises';
import type { Outcome, OvnNorthbound, OvsdbClient } from '../ovsdb/index.ts';
import { AbortedError, OvsdbError, TimeoutError, UnansweredError } from '../ovsdb/index.ts';
import type { Bounds } from './bounds.ts';
import { Changes } from './changes.ts';
import type { Difference } from './difference.ts';
import type { Tenure } from './tenure.ts';

/** One transaction writes so many rows: the cost of a change to OVN is that of a transaction, whatever is in it. */
const ROWS_MAX = 100;
/** How long who was first waits at most for others who still come, turn after turn of the event loop. */
const GATHER_MS = 5;
/** Times that a call is taken up again because others changed what it began from. */
const TURNS_MAX = 8;

interface Job {
  readonly name: string;
  readonly about: string | undefined;
  readonly bounds: Bounds;
  /** What is to be done, as things are now. */
  readonly difference: () => Difference;
  readonly done: PromiseWithResolvers<void>;
  /** Of what was sent: whether it may have landed. */
  outcome: Outcome;
  turns: number;
}

type WriterClient = Pick<OvsdbClient<OvnNorthbound>, 'database' | 'transact'>;
type WriterTenure = Pick<Tenure, 'begin' | 'doubt' | 'end' | 'guards' | 'isSure'>;

/** A call with what it changes. */
interface Planned {
  readonly job: Job;
  readonly changes: Changes;
}

/**
 * Does what calls ask for, in their order, many in one transaction and one transaction at a time. Each call says what is to be different when its turn
 * comes, so what an earlier attempt did, or another's, is not done again: an outcome that is not known is found out by looking.
 */
export class NorthboundWriter {
  readonly #client: WriterClient;
  readonly #tenure: WriterTenure;
  #queue: Job[] = [];
  #running: Promise<void> | undefined;
  /** What the transaction under way is about. */
  #underWay: ReadonlySet<string | undefined> = new Set();
  /** Transactions sent, and the changes in them. */
  sent = { transactions: 0, changes: 0 };

  constructor(client: WriterClient, tenure: WriterTenure) {
    this.#client = client;
    this.#tenure = tenure;
  }

  /** `about` is the object that it makes or removes, if it is one. */
  async write(name: string, bounds: Bounds, difference: () => Difference, about?: string): Promise<void> {
    if (about !== undefined && this.#isSo(about, difference)) return;
    const job: Job = { name, about, bounds, difference, done: Promise.withResolvers(), outcome: 'not_sent', turns: 0 };
    job.done.promise.catch(() => {});
    this.#queue.push(job);
    this.#running ??= this.#run();
    await bounds.of(job.done.promise, name, () => job.outcome);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  /**
   * In the midst of writing we know what is there: who would change nothing need not wait for those who do, unless they are about the same. What refuses it
   * now may be gone when its turn comes.
   */
  #isSo(about: string, difference: () => Difference): boolean {
    if (!this.#tenure.isSure || this.#underWay.has(about) || this.#queue.some((job) => job.about === about)) return false;
    try {
      return difference().changes.size === 0;
    } catch {
      return false;
    }
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      try {
        await this.#gather();
        await this.#tenure.begin(longest(this.#queue));
        const batch = this.#take();
        this.#underWay = new Set(batch.map(({ job }) => job.about));
        await this.#transact(batch);
      } catch (error) {
        this.#tenure.doubt();
        this.#refuse(error);
      }
      this.#underWay = new Set();
    }
    this.#tenure.end();
    this.#running = undefined;
  }

  /**
   * Calls that come in one turn of the event loop after the other go together: each transaction has `ovn-northd` go through all that there is, twice. One that comes
   * alone waits a turn.
   */
  async #gather(): Promise<void> {
    const startedMs = performance.now();
    let before = 0;
    while (this.#queue.length > before && this.#queue.length < ROWS_MAX && performance.now() - startedMs < GATHER_MS) {
      before = this.#queue.length;
      await turn();
    }
  }

  /** Who had the time for it fails with it, or all if it was not for lack of time. */
  #refuse(error: unknown): void {
    const passed = this.#queue.filter(({ bounds }) => bounds.passed);
    const isLate = passed.length > 0 && (error instanceof TimeoutError || error instanceof AbortedError);
    const refused = isLate ? passed : this.#queue;
    this.#queue = this.#queue.filter((job) => !refused.includes(job));
    for (const job of refused) job.done.reject(error);
  }

  /** Calls whose differences can go together. */
  #take(): readonly Planned[] {
    const batch: Planned[] = [];
    const later: Job[] = [];
    const touched = new Set<string>();
    let rows = 0;
    for (const job of this.#queue) {
      if (job.bounds.passed) continue;
      const difference = rows < ROWS_MAX ? this.#look(job) : undefined;
      if (difference === null) continue;
      const isMuch = difference !== undefined && rows > 0 && rows + difference.changes.rows > ROWS_MAX;
      if (isMuch) rows = ROWS_MAX;
      if (difference === undefined || isMuch || difference.touched.some((each) => touched.has(each))) {
        later.push(job);
        continue;
      }
      for (const each of difference.touched) touched.add(each);
      if (difference.changes.size === 0) job.done.resolve();
      else batch.push({ job, changes: difference.changes });
      rows += difference.changes.rows;
    }
    this.#queue = later;
    return batch;
  }

  /** Null when the call is refused. */
  #look(job: Job): Difference | null {
    try {
      return job.difference();
    } catch (error) {
      job.done.reject(error);
      return null;
    }
  }

  async #transact(batch: readonly Planned[]): Promise<void> {
    const planned = batch.filter(({ job }) => !job.bounds.passed);
    const jobs = planned.map(({ job }) => job);
    if (jobs.length === 0) return;
    try {
      const changes = new Changes();
      for (const each of planned) changes.add(each.changes);
      const operations = changes.operations(this.#client);
      for (const job of jobs) job.outcome = 'unknown';
      this.sent = { transactions: this.sent.transactions + 1, changes: this.sent.changes + changes.size };
      const { guards } = this.#tenure;
      const results = await this.#client.transact([...guards, ...operations], longest(jobs).left);
      const isShort = operations.some(({ json: { op } }, at) => (op === 'mutate' || op === 'update') && results[guards.length + at] === 0);
      if (isShort) throw new Overtaken();
      for (const job of jobs) job.done.resolve();
    } catch (error) {
      await this.#failed(planned, error);
    }
  }

  async #failed(planned: readonly Planned[], error: unknown): Promise<void> {
    const jobs = planned.map(({ job }) => job);
    if (error instanceof UnansweredError || isOvertaken(error)) {
      this.#tenure.doubt();
      this.#again(jobs, error);
      return;
    }
    for (const job of jobs) job.outcome = 'not_sent';
    const [only] = jobs;
    if (jobs.length === 1 && only !== undefined) {
      only.done.reject(error);
      return;
    }
    // One of them is at fault: the others are not to fail with it.
    const middle = planned.length >> 1;
    await this.#transact(planned.slice(0, middle));
    await this.#transact(planned.slice(middle));
  }

  /** They look anew, first in line, as long as they have time. */
  #again(jobs: readonly Job[], error: unknown): void {
    const [again, over] = [[] as Job[], [] as Job[]];
    for (const job of jobs) {
      job.turns += 1;
      (job.bounds.passed || job.turns >= TURNS_MAX ? over : again).push(job);
    }
    for (const job of over) job.done.reject(error);
    this.#queue.unshift(...again);
  }
}

/** The bounds of who can wait longest: the others give up by themselves. */
function longest(jobs: readonly Job[]): Bounds {
  const [first, ...others] = jobs.map(({ bounds }) => bounds);
  if (first === undefined) throw new RangeError('nobody waits');
  return others.reduce((found, bounds) => (bounds.leftMs > found.leftMs ? bounds : found), first);
}

/** Somebody who does not ask for the lock took away a row that was to be changed. */
class Overtaken extends Error {
  override readonly name = 'Overtaken';
  constructor() {
    super('a row that was to be changed is gone');
  }
}

/** What we began from was no longer so: the lock was lost, the epoch is another's, or an earlier attempt has landed. */
const isOvertaken = (error: unknown): boolean =>
  error instanceof Overtaken ||
  (error instanceof OvsdbError && (error.code === 'lock_not_held' || error.code === 'wait_failed' || error.code === 'duplicate_uuid'));
