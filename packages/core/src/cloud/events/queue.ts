import { createHash } from 'node:crypto';
import { type Condition, forgetSealed, type JsonObject, type Statement, type Store, type TableSpec } from '../../kernel/index.ts';
import type { Webhook } from './subscriptions.ts';

/** What is waiting to be sent, in the order of the feed. One place in it is taken by one event for one target. */
export interface Queued {
  /** The webhook, or the callbacks of a project to one origin. */
  readonly target: string;
  /** Grows with each; as text it is ordered alike. */
  readonly position: string;
  readonly eventId: string;
  readonly projectId: string;
  readonly accountId?: string;
  readonly resourceKind: string;
  readonly resourceId: string;
  /** Of a callback: where to. Without its query, but where an older release has put it into the queue. */
  readonly url?: string;
  /** Of a callback: what is behind the `?`, sealed. It is this entry's own. */
  readonly urlQuery?: string;
  readonly body: string;
  /** Tried so often. */
  readonly attempts: number;
  /** Not before this time, ms since the epoch. */
  readonly dueMs: number;
  readonly lastError?: string;
}

/** Where a callback goes, as it is kept. */
export type CallbackTarget = Required<Pick<Queued, 'url'>> & Pick<Queued, 'urlQuery'>;

const CALLBACKS = 'callback';

/**
 * Each project's have a queue of their own for each origin that they go to: nobody waits for what others do not take. There are no more of them than the operator
 * lists origins. Told by a digest, for an origin that begins like another must not come between its rows; older releases had one for all, whose rows are sent as they are.
 */
export const callbacksOf = (projectId: string, url: string): string =>
  `${CALLBACKS}:${projectId}:${createHash('sha256').update(new URL(url).origin).digest('hex').slice(0, 16)}`;

export const isCallbacks = (target: string): boolean => target.startsWith(CALLBACKS);

const QUEUE = 'eventQueue';
const CALLBACK = 'callback';
const HOOK = 'eventHook';
const SETTING = 'events.place';

const plain = (name: string, key: readonly string[]): TableSpec => ({
  ...{ name, type: 'plain', key, unique: [], indexes: [] },
  columns: Object.fromEntries(key.map((field) => [field, 'text' as const])),
});

export const TABLES: readonly TableSpec[] = [plain(QUEUE, ['target', 'position']), plain(CALLBACK, ['operationId']), plain(HOOK, ['id'])];

const keyOf = ({ target, position }: Pick<Queued, 'target' | 'position'>): string => `${target}/${position}`;

/** How far the feed has been gone through, and the number of the next place in the queue. */
export interface FeedPlace {
  readonly revision: number;
  readonly next: number;
  /** The webhooks as of there are kept beside it; older releases kept none. */
  readonly kept?: boolean;
}

/** A webhook as of the place in the feed: its row may be ahead of that. */
export const hookKept = (hook: Webhook): readonly Statement[] => [
  hookDropped(hook.id),
  { op: 'insert', table: HOOK, row: { id: hook.id, row: hook as unknown as JsonObject } },
];

export const hookDropped = (id: string): Statement => ({ op: 'remove', table: HOOK, key: id });

export const keptHooks = async (store: Store): Promise<readonly Webhook[]> =>
  (await store.list({ table: HOOK })).map((text) => (JSON.parse(text) as { readonly row: Webhook }).row);

export const positionOf = (number: number): string => String(number).padStart(16, '0');

export const enqueued = (event: Queued): Statement => ({ op: 'insert', table: QUEUE, row: event as unknown as JsonObject });

export const dequeued = (event: Pick<Queued, 'target' | 'position'>): Statement => ({ op: 'remove', table: QUEUE, key: keyOf(event) });

/** With all that is kept for it alone. */
export const forgotten = (event: Queued): readonly Statement[] => [
  dequeued(event),
  ...(event.urlQuery === undefined ? [] : [forgetSealed(event.urlQuery)]),
];

/** It was tried in vain. One that is gone meanwhile, with its webhook, is not there to be put off. */
export const putOff = ({ attempts, dueMs, lastError, ...event }: Queued): Statement => ({
  op: 'update',
  table: QUEUE,
  key: keyOf(event),
  set: { attempts, dueMs, ...(lastError === undefined ? {} : { lastError }) },
});

/** Events of a target behind a position. */
export async function queuedFor(store: Store, target: string, after: string | undefined, limit: number): Promise<readonly Queued[]> {
  const texts = await store.list({
    table: QUEUE,
    where: { field: 'target', op: '=', value: target },
    ...(after === undefined ? {} : { after: [`${target}/${after}`] }),
    limit,
  });
  return texts.map((text) => JSON.parse(text) as Queued);
}

/** The queues of callbacks that are not empty. */
export async function callbackTargets(store: Store): Promise<readonly string[]> {
  const found: string[] = [];
  for (let last = ''; ; ) {
    const where: Condition = {
      and: [
        { field: 'target', op: '>', value: last },
        { field: 'target', op: '>=', value: CALLBACKS },
        { field: 'target', op: '<', value: `${CALLBACKS};` },
      ],
    };
    const [text] = await store.list({ table: QUEUE, where, limit: 1 });
    if (text === undefined) return found;
    last = (JSON.parse(text) as Queued).target;
    found.push(last);
  }
}

/** Where to tell how an operation ended; goes into the transaction that accepts it. */
export const callbackRow = (operationId: string, to: CallbackTarget): Statement => ({
  ...{ op: 'insert', table: CALLBACK, row: { operationId, ...to } },
});

export const callbackTaken = (operationId: string): Statement => ({ op: 'remove', table: CALLBACK, key: operationId });

export async function callbacks(store: Store): Promise<ReadonlyMap<string, CallbackTarget>> {
  const found = new Map<string, CallbackTarget>();
  for (let after: string | undefined; ; ) {
    const texts = await store.list({ table: CALLBACK, limit: 500, ...(after === undefined ? {} : { after: [after] }) });
    const rows = texts.map((text) => JSON.parse(text) as CallbackTarget & { readonly operationId: string });
    for (const { operationId, ...to } of rows) found.set(operationId, to);
    after = rows.at(-1)?.operationId;
    if (rows.length < 500) return found;
  }
}

export async function feedPlace(store: Store): Promise<FeedPlace | undefined> {
  const text = await store.read('setting', SETTING);
  return text === undefined ? undefined : (JSON.parse(text) as FeedPlace);
}

/** Moves the place on, from where it is known to be. */
export const placeMoved = (from: FeedPlace | undefined, { revision, next }: FeedPlace): Statement =>
  from === undefined
    ? { op: 'insert', table: 'setting', row: { name: SETTING, revision, next, kept: true } }
    : {
        op: 'update',
        table: 'setting',
        key: SETTING,
        set: { revision, next, kept: true },
        expect: { revision: from.revision, next: from.next },
      };
