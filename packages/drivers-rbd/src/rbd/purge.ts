import { setTimeout as sleep } from 'node:timers/promises';
import { type TrashEntry, UnansweredError } from '../rados/index.ts';
import type { CephPool } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { except, isCode, unlessAbsent } from './faults.ts';
import { PARTS, partKind, wholeName } from './names.ts';

/** Removals at a time: each costs the cluster as much as many writes of a machine. */
const AT_ONCE = 2;
const REMOVAL_TIMEOUT_MS = 600_000;
const LOOK_TIMEOUT_MS = 30_000;
/** What is needed yet is asked for again after so long, then after twice that, and so on. */
const AGAIN_MS = { first: 5_000, last: 600_000 };

/** Deletions often come many at a time: they are freed when no more come, or have come for long. */
const QUIET_MS = { after: 1_000, atLatest: 10_000 };

/** Between two looks of who waits for the end. */
const DRAIN_PAUSE_MS = 200;

interface Waiting {
  readonly pauseMs: number;
  readonly untilMs: number;
}

/**
 * Frees, behind the back of who deleted it, the space of what lies in the trash of the pool under the name of a part. The trash itself is the journal: after a
 * restart it goes on with what it finds there. Also takes away the parts that killed writers and deletions left.
 */
export class Purge {
  readonly #pool: CephPool;
  readonly #partLeftMs: number;
  /** By the id of the image: what is needed yet, by a machine or a clone. */
  readonly #waiting = new Map<string, Waiting>();
  /** By name: when a part was first seen with nobody writing to it. */
  readonly #idleSinceMs = new Map<string, number>();
  /** By id: when a renaming was first seen under way. */
  readonly #renamingSinceMs = new Map<string, number>();
  #running: Promise<void> | undefined;
  #again = false;
  #kickedAtMs = Number.NEGATIVE_INFINITY;

  /** A part that nobody has had open for so long was left by who was killed: its writer keeps it open but for moments. */
  constructor(pool: CephPool, partLeftMs: number) {
    this.#pool = pool;
    this.#partLeftMs = partLeftMs;
  }

  /** Something was deleted. Begins soon, or goes on once what is under way is done. Returns at once. */
  kick(): void {
    this.#kickedAtMs = performance.now();
    this.resume();
  }

  /** The same, for what was deleted earlier. */
  resume(): void {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Frees at once what can be freed within this time, for who leaves the pool: nobody comes after. What is left is told, and is no failure. */
  async drain(timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    try {
      for (;;) {
        this.#waiting.clear();
        const left = await this.#emptyTrash(endMs);
        if (left === 0) return;
        if (performance.now() + DRAIN_PAUSE_MS > endMs) throw new Error(`${left} are in use`);
        await sleep(DRAIN_PAUSE_MS, undefined, { signal: this.#pool.closed });
      }
    } catch (error) {
      this.#pool.log('the pool is left with something in its trash', this.#fields({ error: String(error) }));
    }
  }

  /** Until nothing is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#pool.closed.aborted) {
      try {
        await this.#quiet();
        this.#again = false;
        await this.#sweepParts();
        await this.#sweepRenamings();
        await this.#emptyTrash();
      } catch (error) {
        if (!this.#pool.closed.aborted)
          this.#pool.log('the trash of the pool could not be looked at', this.#fields({ error: String(error) }));
        // Who deletes next, or looks at the pool, begins anew.
        return;
      }
    }
  }

  async #quiet(): Promise<void> {
    const latestMs = performance.now() + QUIET_MS.atLatest;
    for (;;) {
      const leftMs = Math.min(this.#kickedAtMs + QUIET_MS.after, latestMs) - performance.now();
      if (leftMs <= 0) return;
      await sleep(leftMs, undefined, { signal: this.#pool.closed, ref: false });
    }
  }

  /** Answers how much is left. */
  async #emptyTrash(endMs = Number.POSITIVE_INFINITY): Promise<number> {
    const entries = (await this.#pool.images.trash.list(this.#bounds(LOOK_TIMEOUT_MS))).filter(({ name }) => partKind(name) !== undefined);
    const listed = new Set(entries.map(({ id }) => id));
    for (const id of this.#waiting.keys()) if (!listed.has(id)) this.#waiting.delete(id);
    const due = entries.filter(({ id }) => (this.#waiting.get(id)?.untilMs ?? 0) <= performance.now());
    const isVolume = ({ name }: TrashEntry) => partKind(name) === 'volume';
    // Clones go before what they were cloned from.
    const removed =
      (await this.#removeAll(due.filter(isVolume), endMs)) +
      (await this.#removeAll(
        due.filter((entry) => !isVolume(entry)),
        endMs,
      ));
    if (removed > 0) this.#pool.log('freed what was deleted', this.#fields({ removed, left: entries.length - removed }));
    return entries.length - removed;
  }

  async #removeAll(entries: readonly TrashEntry[], endMs: number): Promise<number> {
    const queue = entries.values();
    let removed = 0;
    const work = async () => {
      for (const entry of queue) {
        if (this.#pool.closed.aborted || performance.now() > endMs) return;
        if (await this.#remove(entry)) removed += 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return removed;
  }

  async #remove({ id, name }: TrashEntry): Promise<boolean> {
    try {
      const remove = () => unlessAbsent(() => this.#pool.images.trash.remove(id, this.#bounds(REMOVAL_TIMEOUT_MS)));
      // Its way into the trash was cut short: librbd takes it out of there when it has come to its end.
      await except(['EUCLEAN'], remove, async () => {
        await this.#pool.moveToTrash(name, this.#bounds(LOOK_TIMEOUT_MS));
        await remove();
      });
      this.#waiting.delete(id);
      return true;
    } catch (error) {
      if (this.#pool.closed.aborted) return false;
      const pauseMs = Math.min((this.#waiting.get(id)?.pauseMs ?? AGAIN_MS.first / 2) * 2, AGAIN_MS.last);
      this.#waiting.set(id, { pauseMs, untilMs: performance.now() + pauseMs });
      // A clone that depends on it, or a machine that opened it in the moment before it was deleted.
      if (!isCode(error, 'EBUSY', 'ENOTEMPTY'))
        this.#pool.log('something deleted could not be freed yet', this.#fields({ name, error: String(error) }));
      return false;
    }
  }

  async #sweepParts(): Promise<void> {
    const { images } = await this.#pool.images.page({ after: PARTS, limit: 1_000, ...this.#bounds(LOOK_TIMEOUT_MS) });
    const names = images.map(({ name }) => name).filter((name) => partKind(name) !== undefined);
    for (const name of this.#idleSinceMs.keys()) if (!names.includes(name)) this.#idleSinceMs.delete(name);
    for (const name of names)
      await this.#unlessUnanswered('what a killed writer left could not be removed yet', name, () => this.#sweepPart(name));
  }

  /** Takes away names that lead somewhere and are listed nowhere, of renamings that were killed. What has yet to be shown or removed as a part goes first. */
  async #sweepRenamings(): Promise<void> {
    const renamings = await this.#pool.images.renamings(this.#bounds(LOOK_TIMEOUT_MS));
    const ids = new Set(renamings.map(({ id }) => id));
    for (const id of this.#renamingSinceMs.keys()) if (!ids.has(id)) this.#renamingSinceMs.delete(id);
    for (const { id, from, to } of renamings) {
      const sinceMs = this.#renamingSinceMs.get(id) ?? performance.now();
      this.#renamingSinceMs.set(id, sinceMs);
      if (performance.now() - sinceMs <= this.#partLeftMs) continue;
      await this.#unlessUnanswered('names that a killed renaming left could not be taken away yet', to, async () => {
        const deadline = this.#pool.begin(this.#bounds(LOOK_TIMEOUT_MS));
        for (const name of [from, to]) if (partKind(name) !== undefined && (await this.#pool.idOf(name, deadline)) !== undefined) return;
        const are = [await this.#pool.tryUnname(from, deadline), await this.#pool.tryUnname(to, deadline)];
        if (are.every(Boolean)) await this.#pool.images.forgetRenaming(id, deadline.left);
      });
    }
  }

  /** Of one of many: the others, and the trash, do not wait for it. */
  async #unlessUnanswered(text: string, name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Nor would the others be answered.
      if (this.#pool.closed.aborted || error instanceof UnansweredError) throw error;
      this.#pool.log(text, this.#fields({ name, error: String(error) }));
    }
  }

  async #sweepPart(name: string): Promise<void> {
    const deadline = this.#pool.begin(this.#bounds(LOOK_TIMEOUT_MS));
    const writers = await this.#pool.writersOn(name, deadline);
    if (writers !== undefined && writers.length > 0) this.#idleSinceMs.delete(name);
    else if (!this.#isLeft(name)) {
      if (!this.#idleSinceMs.has(name)) this.#idleSinceMs.set(name, performance.now());
    } else if (!(await this.#isShownAgain(name, deadline))) await this.discard(name);
  }

  /** Whether its whole name leads to it: all of it is there, and may be in use. It was about to be shown, or to be hidden, which who asked for that asks again. */
  async #isShownAgain(part: string, deadline: Deadline): Promise<boolean> {
    const whole = wholeName(part);
    if (whole === undefined || partKind(part) === 'volume') return false;
    const stat = await this.#pool.stat(whole, deadline);
    if (stat === undefined || stat.id !== (await this.#pool.idOf(part, deadline))) return false;
    await this.#pool.endRenaming(part, whole, deadline);
    return true;
  }

  /** A volume is hidden to be deleted, and for nothing else. */
  #isLeft(name: string): boolean {
    return partKind(name) === 'volume' || performance.now() - (this.#idleSinceMs.get(name) ?? performance.now()) > this.#partLeftMs;
  }

  /** Moves a part to the trash; clones of its snapshots, which are gone with it, live on. */
  async discard(name: string, timeoutMs: number = LOOK_TIMEOUT_MS): Promise<void> {
    const deadline = this.#pool.begin(this.#bounds(timeoutMs));
    if ((await this.#pool.idOf(name, deadline)) === undefined) {
      // What it leads to yet is whole, under another name.
      await this.#pool.tryUnname(name, deadline);
      return;
    }
    const part = this.#pool.images.image(name);
    const snapshots = (await unlessAbsent(() => part.snapshots.list(this.#bounds(timeoutMs)))) ?? [];
    for (const { kind, name: snapshot } of snapshots)
      if (kind === 'user') await unlessAbsent(() => part.snapshots.remove(snapshot, this.#bounds(timeoutMs)));
    // What cannot be opened cannot be moved, either: it is removed to the end.
    const moved = await this.#pool.moveToTrash(name, this.#bounds(timeoutMs));
    if (!moved) await unlessAbsent(() => this.#pool.images.remove(name, this.#bounds(timeoutMs)));
  }

  #bounds(timeoutMs: number) {
    return { signal: this.#pool.closed, timeoutMs };
  }

  #fields(more: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return { poolId: this.#pool.settings.poolId, ...more };
  }
}
