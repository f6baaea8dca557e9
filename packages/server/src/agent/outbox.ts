import { type Callback, type Outcome, TRACE_HEADER } from '@pileus/core/agent';
import { describeChain, type Environment, tracedOn } from '@pileus/core/kernel';
import { isOpen, type Journal, type Kept } from './journal.ts';

export interface OutboxOptions {
  readonly journal: Journal;
  readonly environment: Environment;
  /** Answers the status. */
  readonly post: (url: string, body: Callback, options: PostOptions) => Promise<number>;
}

export interface PostOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly command: Kept;
  dueMs: number;
  tries: number;
  /** Since when it has been refused each time. */
  refusedFromMs: number | undefined;
  isSending: boolean;
}

const AT_ONCE = 16;
const FIRST_PAUSE_MS = 200;
const PAUSE_MS_MAX = 30_000;
const NOT_WANTED = 410;
/** Until then somebody else may have answered, e.g. a proxy whose server is being replaced. */
const REFUSED_MS = 60_000;
/** Refusals of the moment: too slow, too early, too much. */
const PASSING: readonly number[] = [408, 425, 429];

const isRefusal = (status: number): boolean => status >= 400 && status < 500 && !PASSING.includes(status);

/**
 * Outcomes that nobody has acknowledged yet: told again and again, over restarts of either side, in the end twice a minute. One that is refused for good, e.g. since
 * the store that asked for it is no more, is told no more: the journal has it, for whoever asks.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #sending = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  #cancelTimer = () => {};

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** What an earlier life left unacknowledged. */
  resume(): void {
    for (const command of this.#options.journal.all()) if (command.state === 'done' && isOpen(command)) this.add(command);
  }

  /** An outcome that nobody was told yet, or that is to be told elsewhere. */
  add(command: Kept): void {
    this.#waiting.set(command.id, { command, dueMs: 0, tries: 0, refusedFromMs: undefined, isSending: false });
    this.#send();
  }

  /** The control plane was heard of: it may be back, and waiting. The first one finds out for all. */
  hurry(): void {
    const [first] = this.#waiting.values();
    if (first === undefined) return;
    first.dueMs = 0;
    this.#send();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#cancelTimer();
    await Promise.all(this.#sending);
  }

  #send(): void {
    this.#cancelTimer();
    if (this.#abort.signal.aborted) return;
    const { clock, timers } = this.#options.environment;
    const nowMs = clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const waiting of this.#waiting.values()) {
      if (waiting.isSending) continue;
      if (this.#sending.size >= AT_ONCE) return;
      if (waiting.dueMs <= nowMs) this.#begin(waiting);
      else nextMs = Math.min(nextMs, waiting.dueMs);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#cancelTimer = timers.after(nextMs - nowMs, () => this.#send());
  }

  #begin(waiting: Waiting): void {
    waiting.isSending = true;
    const sending = this.#tell(waiting).finally(() => {
      waiting.isSending = false;
      this.#sending.delete(sending);
      this.#send();
    });
    this.#sending.add(sending);
  }

  async #tell(waiting: Waiting): Promise<void> {
    const { journal, environment } = this.#options;
    const { command } = waiting;
    const { id, callbackUrl, outcome } = command;
    if (outcome === undefined) return;
    let why: object;
    try {
      const status = await this.#post({ ...command, outcome });
      if ((status >= 200 && status < 300) || status === NOT_WANTED) {
        await journal.acknowledge(id);
        this.#waiting.delete(id);
        // Where it went, others will.
        for (const other of this.#waiting.values()) if (other.command.callbackUrl.startsWith(new URL(callbackUrl).origin)) other.dueMs = 0;
        return;
      }
      if (this.#isRefusedForGood(waiting, status)) {
        this.#waiting.delete(id);
        await journal.refuse(id, callbackUrl);
        environment.logger.error({ commandId: id, status }, 'an outcome was refused for good, and is told no more');
        return;
      }
      why = { status };
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      why = { error: describeChain(error) };
    }
    const pauseMs = Math.min(PAUSE_MS_MAX, FIRST_PAUSE_MS * 2 ** waiting.tries) * (0.8 + 0.4 * environment.random.next());
    waiting.tries += 1;
    waiting.dueMs = environment.clock.monotonicMs() + pauseMs;
    environment.logger.warn({ commandId: id, tries: waiting.tries, ...why }, 'an outcome was not acknowledged');
  }

  /** In the trace of the command, also in a later life. */
  #post({ id, type, callbackUrl, finishedAt = '', outcome, traceparent }: Kept & { readonly outcome: Outcome }): Promise<number> {
    const { journal, post } = this.#options;
    const body = { agentId: journal.agentId, commandId: id, type, finishedAt, outcome };
    const { signal } = this.#abort;
    return tracedOn(traceparent, 'outcome', { 'pileus.command.id': id }, (header) =>
      post(callbackUrl, body, { headers: header === undefined ? {} : { [TRACE_HEADER]: header }, signal }),
    );
  }

  #isRefusedForGood(waiting: Waiting, status: number): boolean {
    const nowMs = this.#options.environment.clock.monotonicMs();
    waiting.refusedFromMs = isRefusal(status) ? (waiting.refusedFromMs ?? nowMs) : undefined;
    const isStillMeant = this.#waiting.get(waiting.command.id) === waiting;
    return isStillMeant && waiting.refusedFromMs !== undefined && nowMs - waiting.refusedFromMs >= REFUSED_MS;
  }
}
