import type { Environment } from '../environment.ts';
import { describeChain } from '../errors.ts';
import type { Change, Store } from '../store.ts';
import { type Cursor, Cursors } from './feed-cursor.ts';

export interface FeedEntry extends Cursor {
  readonly change: Change;
}

/** Behind every change of a revision. */
const ORDINAL_MAX = 999_999_999;
const TAIL_MAX = 2000;
const READ_MAX = 1000;

export interface FeedOptions {
  readonly environment: Environment;
  readonly store: Store;
  /** Older revisions are dropped, give or take a hundredth. */
  readonly revisionsMax: number;
}

/**
 * The change feed for any number of readers. While somebody waits, new changes are read from the store once, into a shared tail; who is behind the tail, or
 * slow, reads the store at his own pace. When nobody waits, nothing is read.
 */
export class Feed {
  readonly #options: FeedOptions;
  /** Holds all changes behind `#tailFrom` up to `#tailTo`. */
  #tail: FeedEntry[] = [];
  #tailFrom = -1;
  #tailTo = -1;
  readonly #cursors: Cursors;
  #newest = 0;
  #trimmedTo = 0;
  #pumping = false;
  #stopped = false;
  readonly #waiting = new Set<() => void>();
  #unsubscribe: () => void = () => undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#cursors = new Cursors(options.store);
  }

  async start(): Promise<void> {
    const { store } = this.#options;
    this.#unsubscribe = store.onCommit((revision) => this.#committed(revision));
    const { oldest, newest } = await store.bounds();
    this.#trimmedTo = oldest - 1;
    this.#newest = Math.max(this.#newest, newest);
  }

  /** Ends every wait. */
  stop(): void {
    this.#stopped = true;
    this.#unsubscribe();
    this.#wake();
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  cursorText(cursor: Cursor): string {
    return this.#cursors.text(cursor);
  }

  /** @see Cursors.parse */
  parseCursor(text: string): Cursor {
    return this.#cursors.parse(text);
  }

  /** The place behind all that a read from now on is sure to see, known without asking the store. */
  place(): string {
    return this.cursorText({ revision: this.#newest, ordinal: ORDINAL_MAX });
  }

  /** The place behind the newest change. */
  async now(): Promise<Cursor> {
    const { store } = this.#options;
    const { newest } = await store.bounds();
    const last = newest === 0 ? [] : await store.changes(newest - 1, 1);
    const revision = last[0]?.revision ?? newest;
    return { revision, ordinal: Math.max(last.length - 1, 0) };
  }

  /** @throws CloudError `gone` when changes behind the cursor are no longer kept, or when the feed has never been there: both ask for a new list. */
  async assertKept(after: Cursor): Promise<void> {
    const { oldest, newest } = await this.#options.store.bounds();
    const { revision } = after;
    if (revision > newest)
      throw this.#cursors.gone('ahead of everything that happened: it is of another history', {
        newest: this.cursorText({ revision: newest, ordinal: 0 }),
      });
    const kept = revision >= oldest || revision === newest || (revision === 0 && oldest <= 1);
    if (!kept) throw this.#cursors.gone('older than what is kept', { oldest: this.cursorText({ revision: oldest, ordinal: 0 }) });
  }

  /** Changes behind the cursor, oldest first: none when there is none yet. @throws CloudError `gone` */
  async read(after: Cursor): Promise<readonly FeedEntry[]> {
    if (after.revision > this.#tailFrom && after.revision <= this.#tailTo) return this.#tail.slice(firstBehind(this.#tail, after));
    await this.assertKept(after);
    const entries = numbered(await this.#options.store.changes(Math.max(after.revision - 1, 0), READ_MAX));
    return entries.slice(firstBehind(entries, after));
  }

  /** True as soon as there may be changes behind the cursor, false when the time is over, the signal aborts or the feed stops. */
  async wait(after: Cursor, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#stopped || signal.aborted) return false;
    const woken = Promise.withResolvers<boolean>();
    const wake = () => woken.resolve(!this.#stopped);
    const giveUp = () => woken.resolve(false);
    const cancel = this.#options.environment.timers.after(timeoutMs, giveUp);
    signal.addEventListener('abort', giveUp, { once: true });
    // The revision of the cursor is part of the tail, so that who waits behind a part of it finds the rest there.
    if (this.#waiting.size === 0 && this.#tailTo < after.revision) this.#beginTail(after.revision - 1);
    this.#waiting.add(wake);
    if (this.#newest > this.#tailTo) void this.#pump();
    try {
      return this.#tailTo > after.revision || (await woken.promise);
    } finally {
      this.#waiting.delete(wake);
      cancel();
      signal.removeEventListener('abort', giveUp);
    }
  }

  #committed(revision: number): void {
    if (revision <= this.#newest) return;
    this.#newest = revision;
    if (this.#waiting.size > 0) void this.#pump();
    if (revision - this.#trimmedTo > this.#options.revisionsMax * 1.01) void this.#trim(revision - this.#options.revisionsMax);
  }

  #beginTail(from: number): void {
    this.#tail = [];
    this.#tailFrom = from;
    this.#tailTo = from;
  }

  /** Reads what was committed since, for all who wait. */
  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#tailTo < this.#newest && this.#waiting.size > 0 && !this.#stopped) {
        const changes = await this.#options.store.changes(Math.max(this.#tailTo, 0), READ_MAX);
        if (changes.length === 0) break;
        this.#tail.push(...numbered(changes));
        this.#tailTo = this.#tail.at(-1)?.revision ?? this.#tailTo;
        this.#dropOldest();
        this.#wake();
      }
    } catch (error) {
      if (!this.#stopped) this.#options.environment.logger.error({ error: describeChain(error) }, 'change feed could not be read');
    } finally {
      this.#pumping = false;
    }
  }

  /** Whole revisions go, so that the tail stays complete behind `#tailFrom`. */
  #dropOldest(): void {
    if (this.#tail.length <= TAIL_MAX) return;
    const dropped = this.#tail[this.#tail.length - TAIL_MAX - 1]?.revision ?? 0;
    this.#tail = this.#tail.filter((entry) => entry.revision > dropped);
    this.#tailFrom = dropped;
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  async #trim(upTo: number): Promise<void> {
    this.#trimmedTo = upTo;
    try {
      await this.#options.store.trimChanges(upTo);
    } catch (error) {
      if (!this.#stopped) this.#options.environment.logger.warn({ error: describeChain(error) }, 'change feed could not be trimmed');
    }
  }
}

function numbered(changes: readonly Change[]): FeedEntry[] {
  let revision = 0;
  let ordinal = 0;
  return changes.map((change) => {
    ordinal = change.revision === revision ? ordinal + 1 : 0;
    revision = change.revision;
    return { revision, ordinal, change };
  });
}

/** Index of the first entry behind the cursor. */
function firstBehind(entries: readonly FeedEntry[], { revision, ordinal }: Cursor): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle] as FeedEntry;
    if (entry.revision > revision || (entry.revision === revision && entry.ordinal > ordinal)) high = middle;
    else low = middle + 1;
  }
  return low;
}
