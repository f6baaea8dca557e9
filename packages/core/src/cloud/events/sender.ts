import { describeChain, type Id, isCloudError, Lane, sleep, toErrorRecord } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { cursorBehind, deadLetter, failing } from './failures.ts';
import type { PostUrl } from './post-url.ts';
import { callbackTargets, dequeued, forgotten, isCallbacks, putOff, type Queued, queuedFor } from './queue.ts';
import { derivedSecret, signed } from './signature.ts';
import type { Webhook } from './subscriptions.ts';
import { isListed, joined, parted } from './target.ts';
import { webhook } from './webhook.ts';

const ATTEMPT_MS = 15_000;
/** Attempts of one event; with the pauses between them they take a little more than a day. */
const ATTEMPTS_MAX = 10;
const BACKOFF_MS = 5000;
const BACKOFF_FACTOR = 4;
const BACKOFF_MS_MAX = 6 * 3600_000;
/** Events sent at once to one target, each of another resource. No target has a part in those of others, so that none waits for another. */
const AT_ONCE = 8;
/** Events of one target in memory. What is behind them waits in the store. */
const HELD_MAX = 1000;
/** So many in a row that could not be delivered make a webhook fail. */
const DEAD_MAX = 10;
/** Events that were taken are removed together: one that is removed late is sent twice after a crash, as it may be. */
const TAKEN_MS = 50;

export const CALLBACK_PURPOSE = (projectId: string): string => `callback/${projectId}`;

/** What is known of one target: a webhook, or the callbacks of a project to one origin. */
interface Target {
  readonly id: string;
  /** Undefined for callbacks. */
  hook: Webhook | undefined;
  readonly lane: Lane;
  /** By resource, in order; the first of each is being sent. */
  readonly waiting: Map<string, Queued[]>;
  held: number;
  /** Taken, and not removed from the store yet. */
  taken: number;
  /** The last that was taken from the store or given. */
  last: string | undefined;
  /** There may be more in the store behind it. */
  behind: boolean;
  loading: boolean;
  dead: number;
  stopping: AbortController;
}

/** Sends what is in the queue: in order for each resource, again and again with pauses that grow, until it is taken or given up. */
export class Sender {
  readonly #services: CloudServices;
  readonly #postUrl: PostUrl;
  readonly #targets = new Map<string, Target>();
  #taken: { readonly target: Target; readonly event: Queued }[] = [];
  #cancelTaken: (() => void) | undefined;

  constructor(services: CloudServices, postUrl: PostUrl) {
    this.#services = services;
    this.#postUrl = postUrl;
  }

  async start(): Promise<void> {
    for (const hook of await this.#services.reader.list(webhook)) this.changed(hook.id, hook);
    for (const id of await callbackTargets(this.#services.store)) this.#load(this.#target(id, undefined));
  }

  async stop(): Promise<void> {
    for (const target of this.#targets.values()) target.stopping.abort();
    this.#cancelTaken?.();
    await this.#removeTaken();
  }

  /** A webhook is as it is now; undefined when it is gone. What waits for it is sent while it is available. */
  changed(id: string, hook: Webhook | undefined): void {
    const target = this.#targets.get(id);
    if (hook?.state === 'available') {
      if (target === undefined) {
        this.#load(this.#target(id, hook));
        return;
      }
      if (target.hook?.state !== 'available') target.dead = 0;
      target.hook = hook;
      return;
    }
    target?.stopping.abort();
    this.#targets.delete(id);
  }

  /** Events that were put into the queue, in its order. */
  add(events: readonly Queued[]): void {
    for (const event of events) {
      const target = this.#targets.get(event.target) ?? (isCallbacks(event.target) ? this.#target(event.target, undefined) : undefined);
      if (target === undefined) continue;
      if (target.behind || target.loading || target.held >= HELD_MAX) target.behind = true;
      else this.#hold(target, event);
    }
    for (const target of this.#targets.values()) if (target.behind) this.#load(target);
  }

  #target(id: string, hook: Webhook | undefined): Target {
    const target: Target = {
      ...{ id, hook, lane: new Lane(AT_ONCE), waiting: new Map(), held: 0, taken: 0, last: undefined },
      ...{ behind: true, loading: false, dead: 0 },
      stopping: new AbortController(),
    };
    this.#targets.set(id, target);
    return target;
  }

  /** Nothing waits for these callbacks, here or in the store: there may be many more places than are called at one time. */
  #rest(target: Target): void {
    const { hook, waiting, taken, behind, loading } = target;
    if (hook === undefined && waiting.size + taken === 0 && !behind && !loading && this.#targets.get(target.id) === target)
      this.#targets.delete(target.id);
  }

  #load(target: Target): void {
    if (target.loading || !target.behind || target.held > HELD_MAX / 2) return;
    target.loading = true;
    target.behind = false;
    void this.#loadMore(target).catch((error: unknown) => {
      target.loading = false;
      target.behind = true;
      if (target.stopping.signal.aborted) return;
      this.#services.environment.logger.error({ error: describeChain(error) }, 'queued events could not be read; trying again');
      this.#services.environment.timers.after(1000, () => this.#load(target));
    });
  }

  async #loadMore(target: Target): Promise<void> {
    const limit = HELD_MAX - target.held;
    const events = await queuedFor(this.#services.store, target.id, target.last, limit);
    target.loading = false;
    if (target.stopping.signal.aborted) return;
    for (const event of events) this.#hold(target, event);
    if (events.length === limit) target.behind = true;
    this.#load(target);
    this.#rest(target);
  }

  #hold(target: Target, event: Queued): void {
    if (target.last !== undefined && event.position <= target.last) return;
    target.last = event.position;
    target.held += 1;
    const before = target.waiting.get(event.resourceId);
    if (before !== undefined) before.push(event);
    else {
      target.waiting.set(event.resourceId, [event]);
      void this.#sendAll(target, event.resourceId).catch((error: unknown) => {
        if (!target.stopping.signal.aborted)
          this.#services.environment.logger.error({ error: describeChain(error) }, 'events are left for the next start');
      });
    }
  }

  /** Everything of one resource, one after the other. */
  async #sendAll(target: Target, resourceId: string): Promise<void> {
    const waiting = target.waiting.get(resourceId) ?? [];
    for (let [event] = waiting; event !== undefined; [event] = waiting) {
      await this.#send(target, event);
      waiting.shift();
      target.held -= 1;
      this.#load(target);
    }
    target.waiting.delete(resourceId);
    this.#rest(target);
  }

  /** Until it is taken or given up. @throws the reason when the target is stopped */
  async #send(target: Target, first: Queued): Promise<void> {
    const { environment, kernel } = this.#services;
    const { signal } = target.stopping;
    for (let event = first; ; ) {
      const pauseMs = event.dueMs - environment.clock.nowMs();
      if (pauseMs > 0) await sleep(environment.timers, pauseMs, signal);
      const leave = await target.lane.enter();
      let outcome: Outcome;
      try {
        signal.throwIfAborted();
        outcome = await this.#attempt(target, event);
      } finally {
        leave();
      }
      if (outcome === 'taken') {
        target.dead = 0;
        this.#remove(target, event);
        return;
      }
      signal.throwIfAborted();
      const attempts = event.attempts + 1;
      event = {
        ...event,
        attempts,
        lastError: outcome.error,
        dueMs: environment.clock.nowMs() + this.#pauseMs(attempts, outcome.retryAfterMs),
      };
      if (outcome.isFinal || attempts >= ATTEMPTS_MAX) return this.#giveUp(target, event, outcome.isFinal);
      await kernel().observe([putOff(event)]);
    }
  }

  async #attempt(target: Target, event: Queued): Promise<Outcome> {
    const { environment, config, secrets } = this.#services;
    const late = new AbortController();
    const cancel = environment.timers.after(ATTEMPT_MS, () => late.abort());
    const stop = () => late.abort();
    target.stopping.signal.addEventListener('abort', stop, { once: true });
    try {
      const secret =
        target.hook?.secret === undefined
          ? derivedSecret(secrets.derived(CALLBACK_PURPOSE(event.projectId)))
          : await secrets.open(target.hook.secret);
      const { url: base = '', urlQuery } = event.url === undefined ? (target.hook ?? {}) : event;
      const url = joined(base, urlQuery === undefined ? undefined : await secrets.open(urlQuery));
      const atSeconds = Math.floor(environment.clock.nowMs() / 1000);
      const headers = { 'content-type': 'application/cloudevents+json; charset=utf-8', 'user-agent': 'pileus' };
      const { status, retryAfterSeconds } = await this.#postUrl({
        url,
        headers: { ...headers, ...signed(secret, { id: event.eventId, atSeconds, body: event.body }) },
        body: event.body,
        publicOnly: !isListed(url, config.webhookUrls),
        signal: late.signal,
      });
      if (status >= 200 && status < 300) return 'taken';
      return {
        error: `It answered with status ${status}.`,
        isFinal: status === 410,
        ...(retryAfterSeconds === undefined ? {} : { retryAfterMs: retryAfterSeconds * 1000 }),
      };
    } catch (error) {
      if (late.signal.aborted) return { error: `It did not answer within ${ATTEMPT_MS / 1000} s.`, isFinal: false };
      if (!isCloudError(error)) environment.logger.error({ error: describeChain(error) }, 'an event could not be sent');
      return { error: toErrorRecord(error).message, isFinal: false };
    } finally {
      cancel();
      target.stopping.signal.removeEventListener('abort', stop);
    }
  }

  /** Grows with each attempt, and differs by chance, so that many that failed together do not come again together. */
  #pauseMs(attempts: number, atLeastMs = 0): number {
    const pauseMs = Math.min(BACKOFF_MS * BACKOFF_FACTOR ** (attempts - 1), BACKOFF_MS_MAX);
    const differing = pauseMs * (0.75 + 0.5 * this.#services.environment.random.next());
    return Math.round(Math.max(differing, Math.min(atLeastMs, BACKOFF_MS_MAX)));
  }

  #remove(target: Target, event: Queued): void {
    target.taken += 1;
    this.#taken.push({ target, event });
    this.#cancelTaken ??= this.#services.environment.timers.after(TAKEN_MS, () => void this.#removeTaken());
  }

  async #removeTaken(): Promise<void> {
    this.#cancelTaken = undefined;
    const taken = this.#taken.splice(0);
    if (taken.length === 0) return;
    const { kernel, environment } = this.#services;
    try {
      await kernel().observe(taken.flatMap(({ event }) => forgotten(event)));
    } catch (error) {
      environment.logger.error({ error: describeChain(error) }, 'events that were taken stay in the queue');
      return;
    }
    for (const { target } of taken) {
      target.taken -= 1;
      this.#rest(target);
    }
  }

  /** Keeps it as a dead letter. A webhook that takes nothing for long is told nothing more. */
  async #giveUp(target: Target, event: Queued, isGone: boolean): Promise<void> {
    const { ids, kernel, environment, secrets } = this.#services;
    target.dead += 1;
    // Those that an older release has put into the queue have their query in the URL.
    const { url, query } = parted(event.url ?? target.hook?.url ?? '');
    const sealed = event.url === undefined || query === undefined ? undefined : await secrets.seal(query);
    const urlQuery = sealed?.reference ?? event.urlQuery;
    const id = ids.mint('delivery') as Id<'delivery'>;
    const letter = deadLetter(id, event, { url, ...(urlQuery === undefined ? {} : { urlQuery }) });
    await kernel().observe([letter, ...(sealed === undefined ? [] : [sealed.statement]), dequeued(event)]);
    const { hook } = target;
    if (hook === undefined || (!isGone && target.dead < DEAD_MAX)) return;
    const reason = {
      code: isGone ? 'gone' : 'no_answer',
      message: event.lastError ?? '',
      at: new Date(environment.clock.nowMs()).toISOString(),
    };
    const result = await kernel().observe([failing(hook, reason, await cursorBehind(this.#services.store))]);
    // The feed tells of it; nothing is sent meanwhile.
    if (result.ok) this.changed(hook.id, undefined);
  }
}

type Outcome = 'taken' | { readonly error: string; readonly isFinal: boolean; readonly retryAfterMs?: number };
