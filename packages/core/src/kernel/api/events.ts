import { isVisible, type Principal, readPermission, renewed } from '../access.ts';
import type { Environment } from '../environment.ts';
import { CloudError, describeChain, isCloudError } from '../errors.ts';
import type { AnyKind, RowBase } from '../kind.ts';
import type { Reader } from '../reader.ts';
import type { Registry } from '../registry.ts';
import type { Feed, FeedEntry } from './feed.ts';
import type { Cursor } from './feed-cursor.ts';
import { badParameter } from './fields.ts';
import { reachOf } from './list.ts';
import { onlyParameters, wholeNumber } from './list-query.ts';
import type { ApiRequest } from './request.ts';

const PING_MS = 15_000;
const WAIT_SECONDS_MAX = 60;
const CHANGES_DEFAULT = 100;
const CHANGES_MAX = 1000;
/** Reads of changes that are not the caller's, before a poll answers an empty page to go on from. */
const EMPTY_READS_MAX = 10;

type Wanted = (entry: FeedEntry) => boolean | Promise<boolean>;
type Asking = () => Promise<Wanted>;

/** Both forms of the change feed: server-sent events and long polls. */
export class Events {
  readonly #feed: Feed;
  readonly #registry: Registry;
  readonly #environment: Environment;
  readonly #reader: Reader;
  /** Made once for all who read the same entry. */
  readonly #texts = new WeakMap<FeedEntry, string>();

  constructor(feed: Feed, registry: Registry, { environment, reader }: { readonly environment: Environment; readonly reader: Reader }) {
    this.#feed = feed;
    this.#registry = registry;
    this.#environment = environment;
    this.#reader = reader;
  }

  /** The stream from a cursor on, or from now on; it ends when the caller goes or the feed stops. @throws CloudError `gone`, `invalid_input` */
  async stream(request: ApiRequest, principal: Principal, parameters: URLSearchParams): Promise<AsyncIterable<string>> {
    onlyParameters(parameters, ['after', 'kinds', 'allProjects']);
    const asking = this.#asking(principal, parameters);
    const resumed = request.headers['last-event-id'] ?? parameters.get('after');
    const from = await this.#place(resumed === '' ? null : resumed);
    const place = this.#feed.cursorText(from);
    const hello = resumed === null ? `id: ${place}\nevent: cursor\ndata: {"cursor":"${place}"}\n\n` : ': resumed\n\n';
    return this.#stream(hello, from, asking, request);
  }

  async *#stream(hello: string, from: Cursor, asking: Asking, { signal, requestId }: ApiRequest): AsyncGenerator<string> {
    yield hello;
    let at = from;
    try {
      while (!signal.aborted && !this.#feed.stopped) {
        const entries = await this.#feed.read(at);
        at = entries.at(-1) ?? at;
        const wanted = await asking();
        let text = '';
        for (const entry of entries) if (await isWanted(wanted, entry)) text += this.#serverSentEvent(entry);
        if (text !== '') yield text;
        else if (entries.length === 0 && !(await this.#feed.wait(at, PING_MS, signal)) && !signal.aborted)
          // An id without data moves the place to resume from without being an event.
          yield `: ping\nid: ${this.#feed.cursorText(at)}\n\n`;
      }
    } catch (error) {
      // The status is long sent; the client comes back with its last cursor and is told then what is wrong.
      const isRefused = isCloudError(error) && (error.code === 'unauthenticated' || error.code === 'permission_denied');
      if (isRefused) return;
      this.#environment.logger.warn({ requestId, error: describeChain(error) }, 'event stream ended early');
    }
  }

  /** A page of changes behind a cursor, waiting for the first if asked to. @throws CloudError `gone`, `invalid_input` */
  async page(request: ApiRequest, principal: Principal, parameters: URLSearchParams): Promise<string> {
    onlyParameters(parameters, ['after', 'kinds', 'allProjects', 'limit', 'waitSeconds']);
    const asking = this.#asking(principal, parameters);
    const limit = wholeNumber(parameters, 'limit', { minimum: 1, maximum: CHANGES_MAX }) ?? CHANGES_DEFAULT;
    const waitMs = (wholeNumber(parameters, 'waitSeconds', { minimum: 0, maximum: WAIT_SECONDS_MAX }) ?? 0) * 1000;
    const { clock } = this.#environment;
    const endMs = clock.monotonicMs() + waitMs;
    const after = parameters.get('after');
    let at = await this.#place(after);
    const items: FeedEntry[] = [];
    for (let reads = 0; after !== null && items.length === 0 && reads < EMPTY_READS_MAX; reads += 1) {
      const entries = await this.#feed.read(at);
      const wanted = await asking();
      for (const entry of entries) {
        if (items.length === limit) break;
        at = entry;
        if (await isWanted(wanted, entry)) items.push(entry);
      }
      const leftMs = endMs - clock.monotonicMs();
      if (entries.length === 0 && (leftMs <= 0 || !(await this.#feed.wait(at, leftMs, request.signal)))) break;
    }
    return `{"items":[${items.map((entry) => this.#changeText(entry)).join(',')}],"next":"${this.#feed.cursorText(at)}"}`;
  }

  async #place(text: string | null): Promise<Cursor> {
    if (text === null) return this.#feed.now();
    const cursor = this.#feed.parseCursor(text);
    await this.#feed.assertKept(cursor);
    return cursor;
  }

  /** What is wanted by who asks as he is now: a key may be revoked, or a role taken, while he waits. @throws CloudError at once for what he may not ask */
  #asking(first: Principal, parameters: URLSearchParams): Asking {
    let asks = first;
    let wanted = this.#wanted(first, parameters);
    return async () => {
      const now = await renewed(asks);
      if (now !== asks) wanted = this.#wanted(now, parameters);
      asks = now;
      return wanted;
    };
  }

  /** Changes of what the caller may read: the same rows that lists show him. @throws CloudError `invalid_input`, `permission_denied` */
  #wanted(principal: Principal, parameters: URLSearchParams): Wanted {
    const kinds = new Map(this.#registry.kinds().map((kind) => [kind.name as string, kind]));
    const asked = parameters.get('kinds')?.split(',') ?? [...kinds.keys()];
    for (const name of asked)
      if (!kinds.has(name)) throw badParameter('kinds', `names the unknown kind ${name}; there is ${[...kinds.keys()].join(', ')}`);
    const readable = new Set(asked.filter((name) => principal.allows(`${name}.read`)));
    if (readable.size === 0)
      throw new CloudError('permission_denied', 'This key may read none of these kinds.', { params: { permission: `${asked[0]}.read` } });
    const reach = reachOf(principal, parameters);
    return (entry) => {
      const kind = readable.has(entry.change.table) ? kinds.get(entry.change.table) : undefined;
      if (kind === undefined) return false;
      return isPlainlyOwn(kind, entry, principal) || isVisible(kind, rowOf(entry), principal, readPermission(kind), this.#reader, reach);
    };
  }

  #serverSentEvent(entry: FeedEntry): string {
    let text = this.#texts.get(entry);
    if (text === undefined) {
      const { change } = entry;
      const data = `{"kind":"${change.table}","id":"${change.key}","revision":${entry.revision},"row":${change.row}}`;
      text = `id: ${this.#feed.cursorText(entry)}\nevent: ${change.type}\ndata: ${data}\n\n`;
      this.#texts.set(entry, text);
    }
    return text;
  }

  #changeText(entry: FeedEntry): string {
    const { change } = entry;
    const cursor = this.#feed.cursorText(entry);
    return `{"cursor":"${cursor}","type":"${change.type}","kind":"${change.table}","id":"${change.key}","revision":${entry.revision},"row":${change.row}}`;
  }
}

/** Told without a look at the row, as most of a busy feed is. */
function isPlainlyOwn(kind: AnyKind, { change }: FeedEntry, principal: Principal): boolean {
  const isOwn = kind.scope === 'cloud' || (kind.scope === 'project' && change.projectId === principal.projectId);
  return isOwn && kind.operatorsIf === undefined && principal.limits?.(readPermission(kind)) === undefined;
}

async function isWanted(wanted: Wanted, entry: FeedEntry): Promise<boolean> {
  const answer = wanted(entry);
  return typeof answer === 'boolean' ? answer : await answer;
}

const rows = new WeakMap<FeedEntry, RowBase>();

function rowOf(entry: FeedEntry): RowBase {
  const row = rows.get(entry) ?? (JSON.parse(entry.change.row) as RowBase);
  rows.set(entry, row);
  return row;
}
