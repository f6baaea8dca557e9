import { type CallBack, type Change, CloudError, describeChain, type Id, Lane, type Statement } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { type Envelope, envelopeOf } from './envelope.ts';
import {
  type CallbackTarget,
  callbackRow,
  callbacks,
  callbacksOf,
  callbackTaken,
  dequeued,
  enqueued,
  type FeedPlace,
  feedPlace,
  hookDropped,
  hookKept,
  keptHooks,
  placeMoved,
  positionOf,
  type Queued,
  queuedFor,
} from './queue.ts';
import type { Sender } from './sender.ts';
import { endedOperation, Subscriptions, type Webhook, wants } from './subscriptions.ts';
import { parted } from './target.ts';
import { webhook } from './webhook.ts';

/** Changes read at once, and put into the queue by one commit. */
const READ_MAX = 500;
const AGAIN_MS = 1000;

/**
 * Goes through the feed, and puts what webhooks and callbacks want into the queue, together with how far it has come: so each change is put there once, also
 * when the process is killed. As long as nobody has wanted anything since the start the feed is not read.
 */
export class Dispatcher {
  readonly #services: CloudServices;
  readonly #sender: Sender;
  /** What moves the place does so one after the other. */
  readonly #lane = new Lane(1);
  readonly #stopping = new AbortController();
  #place: FeedPlace | undefined;
  /** As of the place: kept in the store with it, for rows of webhooks may be ahead of it when a process is killed, and what was wanted before is wanted still. */
  #subscriptions: Subscriptions;
  /** Since the start somebody has wanted something. */
  #attends = false;
  /** Operations whose end somebody wants to be called back at. */
  readonly #callbacks = new Map<string, CallbackTarget>();
  #newest = 0;
  #running: Promise<void> | undefined;
  #unsubscribe = () => {};

  constructor(services: CloudServices, sender: Sender) {
    this.#services = services;
    this.#sender = sender;
    this.#subscriptions = this.#subscribed([]);
  }

  #subscribed(rows: readonly Webhook[]): Subscriptions {
    return new Subscriptions(rows, (name) => this.#services.kernel().registry.findKind(name));
  }

  async start(): Promise<void> {
    const { store, reader } = this.#services;
    this.#place = await feedPlace(store);
    this.#unsubscribe = store.onCommit((revision) => this.#committed(revision));
    if (this.#place === undefined) return;
    const rows = await reader.list(webhook);
    if (this.#place.kept !== true) await this.#move(this.#place, [], rows.flatMap(hookKept));
    this.#subscriptions = this.#subscribed(await keptHooks(store));
    for (const [operationId, to] of await callbacks(store)) this.#callbacks.set(operationId, to);
    this.#attends = rows.length > 0 || this.#callbacks.size > 0;
    this.#committed((await store.bounds()).newest);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#unsubscribe();
    await this.#running;
  }

  /** From here on the feed is gone through. Called before what wants it is committed. */
  async attend(): Promise<void> {
    if (this.#attends) return;
    await this.#lane.run(async () => {
      if (this.#attends) return;
      const { newest } = await this.#services.store.bounds();
      // Of those that are gone meanwhile the part of the feed that is passed over would have told.
      const gone = this.#subscriptions.rows.map(({ id }) => hookDropped(id));
      await this.#move({ revision: newest, next: this.#place?.next ?? 1 }, [], gone);
      this.#subscriptions = this.#subscribed([]);
      this.#attends = true;
    });
  }

  /** The end of an operation is to be told, which is about to be accepted. */
  async expecting(url: string): Promise<CallBack> {
    await this.attend();
    const { to, sealed } = await this.#kept(url);
    return (operationId) => {
      this.#callbacks.set(operationId, to);
      return [...sealed, callbackRow(operationId, to)];
    };
  }

  /** What is behind the `?` may open something: it waits sealed. */
  async #kept(whole: string): Promise<{ readonly to: CallbackTarget; readonly sealed: readonly Statement[] }> {
    const { url, query } = parted(whole);
    if (query === undefined) return { to: { url }, sealed: [] };
    const { reference, statement } = await this.#services.secrets.seal(query);
    return { to: { url, urlQuery: reference }, sealed: [statement] };
  }

  /** It was not accepted after all. */
  forget(operationId: string): void {
    this.#callbacks.delete(operationId);
  }

  /** Puts an event into the queue again, as the last in it. */
  async again(event: Omit<Queued, 'position' | 'attempts' | 'dueMs'>): Promise<void> {
    await this.attend();
    const { to = {}, sealed = [] } = event.url === undefined ? {} : await this.#kept(event.url);
    await this.#lane.run(async () => {
      const place = this.#placeNow();
      const last = { ...event, ...to, position: positionOf(place.next), attempts: 0, dueMs: 0 };
      await this.#move({ ...place, next: place.next + 1 }, [last], sealed);
    });
  }

  /** What the webhook wants of the changes behind a revision, once more. @throws CloudError gone */
  async replay(hook: Webhook, revision: number): Promise<void> {
    const { store } = this.#services;
    await this.attend();
    for (let after = revision; ; ) {
      if (after < (await store.bounds()).oldest - 1) throw new CloudError('gone', 'Changes behind this cursor are no longer kept.');
      const upTo = await this.#lane.run(async () => {
        const place = this.#placeNow();
        const changes = (await store.changes(after, READ_MAX)).filter((change) => change.revision <= place.revision);
        const events = told(changes).flatMap(({ change, ordinal }, index) =>
          wants(hook, change, (name) => this.#services.kernel().registry.findKind(name))
            ? [this.#event(hook.id, change, envelopeOf(change, ordinal, this.#named), place.next + index, hook)]
            : [],
        );
        await this.#move({ ...place, next: place.next + changes.length }, events);
        return changes.at(-1)?.revision;
      });
      if (upTo === undefined) return;
      after = upTo;
    }
  }

  get #named() {
    return { incarnation: this.#services.store.incarnation, cloudId: this.#services.cloudId };
  }

  #placeNow(): FeedPlace {
    if (this.#place === undefined) throw new Error('the feed is not gone through');
    return this.#place;
  }

  #committed(revision: number): void {
    this.#newest = Math.max(this.#newest, revision);
    if (this.#attends && this.#newest > this.#placeNow().revision && !this.#stopping.signal.aborted) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { environment } = this.#services;
    let delayMs = 0;
    try {
      while (!this.#stopping.signal.aborted && (await this.#lane.run(() => this.#goOn())));
    } catch (error) {
      if (!this.#stopping.signal.aborted)
        environment.logger.error({ error: describeChain(error) }, 'events could not be queued; trying again');
      delayMs = AGAIN_MS;
    }
    this.#running = undefined;
    if (delayMs > 0 && !this.#stopping.signal.aborted) environment.timers.after(delayMs, () => this.#committed(0));
    else this.#committed(0);
  }

  /** Nothing more waits for the webhook. */
  drop(id: string): Promise<void> {
    return this.#lane.run(() => this.#drop(id));
  }

  async #drop(id: string): Promise<void> {
    this.#sender.changed(id, undefined);
    const { store, kernel } = this.#services;
    for (;;) {
      const page = await queuedFor(store, id, undefined, READ_MAX);
      if (page.length > 0) await kernel().observe(page.map(dequeued));
      if (page.length < READ_MAX) return;
    }
  }

  /** False when there is nothing new. */
  async #goOn(): Promise<boolean> {
    const { store, environment } = this.#services;
    const place = this.#placeNow();
    const changes = await store.changes(place.revision, READ_MAX);
    const [first, last] = [changes[0], changes.at(-1)];
    if (first === undefined || last === undefined) {
      // What was announced fed nothing, or is gone from the feed.
      this.#newest = place.revision;
      return false;
    }
    if (first.revision > place.revision + 1 && place.revision + 1 < (await store.bounds()).oldest)
      environment.logger.error({ after: place.revision }, 'the feed was trimmed before all of it was queued: events are lost');
    // What is committed may not be: until it is, the webhooks are what they were.
    const learns = changes.some(({ table }) => table === webhook.name);
    const subscriptions = learns ? this.#subscribed(this.#subscriptions.rows) : this.#subscriptions;
    const { events, ended, changed } = this.#sorted(changes, place, subscriptions);
    for (const [id, hook] of changed) if (hook === undefined) await this.#drop(id);
    const gone = new Set(changed.flatMap(([id, hook]) => (hook === undefined ? [id] : [])));
    const kept = events.filter(({ target }) => !gone.has(target));
    const learned = changed.flatMap(([id, hook]) => (hook === undefined ? [hookDropped(id)] : hookKept(hook)));
    await this.#move({ revision: last.revision, next: place.next + events.length }, kept, [...ended.map(callbackTaken), ...learned]);
    this.#subscriptions = subscriptions;
    for (const id of ended) this.#callbacks.delete(id);
    for (const [id, hook] of changed) this.#sender.changed(id, hook);
    return true;
  }

  /** What is to be told of the changes, which operations with a callback have ended, and which webhooks have changed. */
  #sorted(changes: readonly Change[], place: FeedPlace, subscriptions: Subscriptions) {
    const events: Queued[] = [];
    const ended: string[] = [];
    const changed = new Map<string, Webhook | undefined>();
    for (const { change, ordinal } of told(changes)) {
      const tell = (target: string, to: CallbackTarget | undefined, hook?: Webhook) => {
        const event = this.#event(target, change, envelopeOf(change, ordinal, this.#named), place.next + events.length, hook);
        events.push({ ...event, ...to });
      };
      for (const hook of subscriptions.wanting(change)) tell(hook.id, undefined, hook);
      if (change.table === webhook.name) changed.set(change.key, subscriptions.learn(change));
      const operation = this.#callbacks.size === 0 ? undefined : endedOperation(change);
      const to = operation === undefined ? undefined : this.#callbacks.get(operation.id);
      if (operation === undefined || to === undefined || ended.includes(operation.id)) continue;
      tell(callbacksOf(operation.projectId ?? '', to.url), to);
      ended.push(operation.id);
    }
    return { events, ended, changed: [...changed] };
  }

  /** Whoever's the row is, what could not be told of it is the project's that wanted it. */
  #event(target: string, { table, key, projectId, row }: Change, { id, body }: Envelope, number: number, hook?: Webhook): Queued {
    const owner = projectId === undefined && hook !== undefined ? hook : (JSON.parse(row) as { readonly accountId?: Id<'account'> });
    const { accountId } = owner as { readonly accountId?: Id<'account'> };
    const of = projectId ?? hook?.projectId ?? '';
    return {
      ...{ target, position: positionOf(number), eventId: id, projectId: of, resourceKind: table, resourceId: key, body },
      ...(accountId === undefined ? {} : { accountId }),
      ...{ attempts: 0, dueMs: 0 },
    };
  }

  async #move(to: FeedPlace, events: readonly Queued[], also: readonly Statement[] = []): Promise<void> {
    const result = await this.#services.kernel().observe([placeMoved(this.#place, to), ...events.map(enqueued), ...also]);
    // An earlier try of it has landed, unknown to us: what it has put into the queue is what was to be put there.
    const now = result.ok ? to : await feedPlace(this.#services.store);
    if (now?.revision !== to.revision || now.next !== to.next) throw new Error('the queue of events was changed by another');
    this.#place = to;
    this.#sender.add(events);
  }
}

/** With their places in their revisions, which begin anew with each. */
function told(changes: readonly Change[]): readonly { readonly change: Change; readonly ordinal: number }[] {
  let ordinal = -1;
  return changes.map((change, index) => {
    ordinal = changes[index - 1]?.revision === change.revision ? ordinal + 1 : 0;
    return { change, ordinal };
  });
}
