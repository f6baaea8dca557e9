import { CloudError, type Environment, following, sleep } from '../../kernel/index.ts';
import type { ContentFacts } from './image-store.ts';

/** Of whose client so long nothing has come, the connection may be dead without anybody here knowing. */
const SILENT_MS = 5_000;
/** How long a request waits for the turn, and for the end of the one that it takes it from. */
const PATIENCE_MS = 30_000;

type Clock = Environment['clock'];

/** One upload at work: it has the turn of its image until it ends. */
export class Turn {
  readonly ended = Promise.withResolvers<void>();
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  /** Since when its client is waited for; undefined while the server itself is at work. */
  #waitsSinceMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws CloudError conflict when another has taken the turn */
  assertMine(): void {
    this.#stop.signal.throwIfAborted();
  }

  get isTaken(): boolean {
    return this.#stop.signal.aborted;
  }

  get silentMs(): number {
    return this.#waitsSinceMs === undefined ? 0 : this.#clock.monotonicMs() - this.#waitsSinceMs;
  }

  take(): void {
    this.#stop.abort(new CloudError('conflict', 'Another request goes on with this upload.'));
  }

  /** The bytes, until another takes the turn: then it throws, and nobody waits for a source that gives nothing. */
  async *bytes(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const source = bytes[Symbol.asyncIterator]();
    let isOver = false;
    try {
      for (;;) {
        this.#waitsSinceMs = this.#clock.monotonicMs();
        const next = await this.#next(source);
        this.#waitsSinceMs = undefined;
        isOver = next.done === true;
        if (isOver) return;
        yield next.value as Uint8Array;
      }
    } finally {
      this.#waitsSinceMs = undefined;
      if (!isOver) void source.return?.().catch(() => undefined);
    }
  }

  /** No race against one promise that outlives them all: that would hold each of the results, and so the whole content, until it settles. */
  #next(source: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    const { signal } = this.#stop;
    signal.throwIfAborted();
    const next = Promise.withResolvers<IteratorResult<Uint8Array>>();
    const stop = () => next.reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    source.next().then(next.resolve, next.reject);
    return next.promise.finally(() => signal.removeEventListener('abort', stop));
  }
}

/** Uploads at work on this node, and what was measured of those whose content is in the store but not yet on the row. */
export class Uploads {
  readonly #environment: Pick<Environment, 'clock' | 'timers'>;
  readonly #underWay = new Map<string, Turn>();
  readonly #measured = new Map<string, ContentFacts>();

  constructor(environment: Pick<Environment, 'clock' | 'timers'>) {
    this.#environment = environment;
  }

  /**
   * Has the turn of an image. One that goes on with an upload takes it from whose client has been silent: its connection may be dead. From one that lives it
   * takes nothing, else two clients would take it from each other for ever.
   * @throws CloudError conflict while another is at work, unavailable when one whose turn was taken does not end
   */
  async begin(imageId: string, { goesOn, signal }: { readonly goesOn: boolean; readonly signal: AbortSignal }): Promise<Turn> {
    const { clock } = this.#environment;
    const untilMs = clock.monotonicMs() + PATIENCE_MS;
    for (let other = this.#underWay.get(imageId); other !== undefined; other = this.#underWay.get(imageId)) {
      if (!goesOn) throw new CloudError('conflict', 'Another upload of this image is under way.');
      if (other.silentMs >= SILENT_MS) other.take();
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) throw other.isTaken ? lingering() : alive();
      await this.#endOf(other, other.isTaken ? leftMs : Math.min(leftMs, SILENT_MS - other.silentMs), signal);
    }
    const mine = new Turn(clock);
    this.#underWay.set(imageId, mine);
    return mine;
  }

  /** Waits for it for so long at most. */
  async #endOf(other: Turn, ms: number, signal: AbortSignal): Promise<void> {
    const waiting = following(signal);
    try {
      await Promise.race([other.ended.promise, sleep(this.#environment.timers, ms, waiting.signal)]);
    } finally {
      waiting.abort();
      waiting.release();
    }
  }

  end(imageId: string): void {
    const mine = this.#underWay.get(imageId);
    this.#underWay.delete(imageId);
    this.#measured.delete(imageId);
    mine?.ended.resolve();
  }

  has(imageId: string): boolean {
    return this.#underWay.has(imageId);
  }

  measure(imageId: string, facts: ContentFacts): void {
    this.#measured.set(imageId, facts);
  }

  measured(imageId: string): ContentFacts | undefined {
    return this.#measured.get(imageId);
  }
}

const alive = (): CloudError => new CloudError('conflict', 'Another upload of this image is under way, and its client is still sending.');

const lingering = (): CloudError =>
  new CloudError('unavailable', 'The request before this one is over, but what it has sent is not stored yet; try again.');
