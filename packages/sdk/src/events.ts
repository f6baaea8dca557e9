import type { CallOptions, Client } from './client.ts';
import { isPileusError, PileusError } from './errors.ts';
import type { Id } from './id.ts';
import type { Snapshot } from './list.ts';
import { type ServerSentEvent, serverSentEvents } from './sse.ts';

/** One change of one row. */
export interface Change<K extends string = string, R = unknown> {
  /** Position in the feed: keep it, and go on behind it with `after`. */
  readonly cursor: string;
  readonly type: 'created' | 'updated' | 'deleted';
  readonly kind: K;
  readonly id: Id<K>;
  readonly revision: number;
  /** The row after the change. */
  readonly row: R;
}

/** All rows as they were at one moment; changes follow. It comes first, and again when too much was missed to follow on. */
export interface Listed<R> {
  readonly type: 'listed';
  readonly rows: readonly R[];
}

export interface WatchOptions {
  /** Begin behind this cursor. Default: now. */
  readonly after?: string;
  /** Aborting ends the loop without an error. */
  readonly signal?: AbortSignal;
  /** Those of every project, for the operator. */
  readonly allProjects?: boolean;
}
export interface EventsOptions<K extends string = string> extends WatchOptions {
  /** Only these kinds, e.g. `['instance', 'volume']`. */
  readonly kinds?: readonly K[];
}

export interface ChangesOptions<K extends string = string> extends CallOptions {
  /** Behind this cursor; without one the page is empty and says where the feed is now. */
  readonly after?: string;
  readonly kinds?: readonly K[];
  /** Default 100, at most 1000. */
  readonly limit?: number;
  /** How long to wait for the first change, at most 60. Default: not at all. */
  readonly waitSeconds?: number;
  /** Those of every project, for the operator. */
  readonly allProjects?: boolean;
}
export interface ChangesPage<C> {
  readonly items: readonly C[];
  /** Cursor to go on from, also when nothing came. */
  readonly next: string;
}

/** The server says where its feed is. */
interface Position {
  readonly type: 'cursor';
  readonly cursor: string;
}

/** The server pings every 15 s; a connection that is silent for three pings is taken for dead. */
const SILENCE_MS = 45_000;
/** Bounds the exponent of the pause between connections, not their number: a watcher outlives any outage. */
const PAUSE_ATTEMPT_MAX = 8;

/**
 * The change feed, endless: reconnects when the connection breaks, goes on behind the last change seen, and yields each cursor once. Leave the loop, or abort
 * the signal, to end it.
 * @throws PileusError `gone` when the cursor is older than the server keeps, or of its store before a restore (`follow` lists again by itself)
 */
export async function* changes<K extends string, R>(client: Client, options: EventsOptions<K>): AsyncGenerator<Change<K, R>> {
  for await (const message of messages<K, R>(client, options)) if (message.type !== 'cursor') yield message;
}

/** One page of the feed, for who cannot keep a stream open. @throws PileusError `gone` */
export async function changesPage<C>(client: Client, options: ChangesOptions): Promise<ChangesPage<C>> {
  const { after, kinds, limit, waitSeconds, allProjects, ...call } = options;
  const asked = Object.entries({ after, kinds: kinds?.join(), limit, waitSeconds, allProjects }).flatMap(
    ([name, value]): [string, string][] => (value === undefined ? [] : [[name, String(value)]]),
  );
  const path = `/v1/changes?${new URLSearchParams(asked)}`;
  return await client.json<ChangesPage<C>>({ method: 'GET', path }, { timeoutMs: ((waitSeconds ?? 0) + 30) * 1000, ...call });
}

/** All rows, then their changes, for ever: what a view or a controller needs. Never fails with `gone`: it lists again. */
export async function* follow<K extends string, R extends { readonly id: string; readonly revision: number }>(
  client: Client,
  options: Omit<EventsOptions<K>, 'after'>,
  list: () => Promise<Snapshot<R>>,
): AsyncGenerator<Listed<R> | Change<K, R>> {
  for (;;) {
    try {
      const { rows, cursor } = await list();
      yield { type: 'listed', rows };
      // What changed while the pages were read is told again: the rows show whether they have seen it.
      const listed = new Map(rows.map((row) => [row.id, row.revision]));
      for await (const change of changes<K, R>(client, { ...options, after: cursor }))
        if (change.revision > (listed.get(change.id) ?? 0)) yield change;
      return;
    } catch (error) {
      if (options.signal?.aborted === true) return;
      if (!isPileusError(error) || error.code !== 'gone') throw error;
    }
  }
}

async function* messages<K extends string, R>(client: Client, options: EventsOptions<K>): AsyncGenerator<Change<K, R> | Position> {
  const { signal } = options;
  let cursor = options.after;
  for (let attempt = 1; ; attempt += 1) {
    const connection = new AbortController();
    const both = signal === undefined ? connection.signal : AbortSignal.any([signal, connection.signal]);
    let failure: PileusError | undefined;
    try {
      const response = await client.open(feedRequest(cursor, options), both);
      for await (const event of serverSentEvents(alive(response.stream(), connection))) {
        attempt = 1;
        const message = decode<K, R>(event, cursor);
        if (message === undefined) continue;
        cursor = message.cursor;
        yield message;
      }
    } catch (error) {
      if (signal?.aborted === true) return;
      if (isPileusError(error) && error.retry !== 'same_request') throw error;
      // A first connection fails like any call; one that was there before comes back.
      if (cursor === undefined && attempt >= client.retry.attempts) throw error;
      failure = isPileusError(error) ? error : undefined;
    } finally {
      connection.abort();
    }
    try {
      await client.pause(Math.min(attempt, PAUSE_ATTEMPT_MAX), failure, signal);
    } catch {
      return;
    }
  }
}

function feedRequest(cursor: string | undefined, { kinds, allProjects }: EventsOptions) {
  const query = new URLSearchParams();
  if (cursor !== undefined) query.set('after', cursor);
  if (kinds !== undefined) query.set('kinds', kinds.join(','));
  if (allProjects === true) query.set('allProjects', 'true');
  return {
    method: 'GET' as const,
    path: `/v1/events${query.size === 0 ? '' : `?${query}`}`,
    headers: { accept: 'text/event-stream', ...(cursor === undefined ? {} : { 'last-event-id': cursor }) },
  };
}

/** Passes the chunks on and ends the connection when none comes for too long. */
async function* alive(bytes: AsyncIterable<Uint8Array>, connection: AbortController): AsyncGenerator<Uint8Array> {
  const silent = () => connection.abort(new PileusError('connection_failed', 'The event feed fell silent.'));
  let timer = setTimeout(silent, SILENCE_MS);
  try {
    for await (const chunk of bytes) {
      clearTimeout(timer);
      timer = setTimeout(silent, SILENCE_MS);
      yield chunk;
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Undefined for what was already seen and for events of a newer server that this client does not know. */
function decode<K extends string, R>(event: ServerSentEvent, last: string | undefined): Change<K, R> | Position | undefined {
  if (event.id === undefined) return undefined;
  if (event.event === 'cursor' || event.data === '') return { type: 'cursor', cursor: event.id };
  if (event.event !== 'created' && event.event !== 'updated' && event.event !== 'deleted') return undefined;
  if (!isAfter(event.id, last)) return undefined;
  return { cursor: event.id, type: event.event, ...(JSON.parse(event.data) as Omit<Change<K, R>, 'cursor' | 'type'>) };
}

/** Cursors are `<revision>.<n>`; of any other form only an exact repeat is known for one. */
export function isAfter(cursor: string, last: string | undefined): boolean {
  if (last === undefined) return true;
  const [revision = Number.NaN, n = Number.NaN] = cursor.split('.').map(Number);
  const [lastRevision = Number.NaN, lastN = Number.NaN] = last.split('.').map(Number);
  if ([revision, n, lastRevision, lastN].some(Number.isNaN)) return cursor !== last;
  return revision > lastRevision || (revision === lastRevision && n > lastN);
}
