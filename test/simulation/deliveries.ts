import type { Post, PostUrl } from '@pileus/core';
import type { SimCloud } from '@pileus/core/testing';
import type { Mirror, Row, Touched } from './mirror.ts';

/** Where the webhooks of histories lead; behind it stands which request made it, or for which a callback is. */
export const HOOKS_URL = 'https://hooks.example.org/in';
export const CALLBACKS_URL = 'https://hooks.example.org/done';
/** `forgets`: it takes the event, and its answer is lost. */
export const RECEIVER_TROUBLES = ['refuses', 'silent', 'forgets'] as const;
export type ReceiverTrouble = (typeof RECEIVER_TROUBLES)[number];

/** Of one event, or its next attempt would be hours away when everything else has come to rest. */
const TROUBLES_EACH = 2;
const ANSWER_MS_MAX = 50;

/** What a target was told, or is to be told. */
interface Told {
  readonly kind: string;
  readonly id: string;
  readonly revision: number;
}

const keyOf = ({ kind, id, revision }: Told): string => `${revision} ${kind} ${id}`;

/**
 * Those outside who are told of changes, and what they are to be told: each change that a webhook wanted when it was committed, and how each operation ended whose request
 * asked to be called back. Each at least once, with the same id however often it comes, in order for each resource; nothing else.
 */
export class Deliveries {
  readonly #sim: () => SimCloud;
  readonly #say: (problem: string) => void;
  /** Live webhooks as of the last commit that was looked at, by id. */
  readonly #hooks = new Map<string, Row>();
  /** By URL: what was wanted, by its key, with the id that it came with if it came. */
  readonly #wanted = new Map<string, Map<string, string | undefined>>();
  /** By URL and resource: the revision that came last. */
  readonly #last = new Map<string, number>();
  readonly #keys = new Map<string, string>();
  /** Operations whose end is to be told, with where to. */
  readonly #callbacks = new Map<string, string>();
  readonly #called = new Map<string, string>();
  readonly #next: ReceiverTrouble[] = [];
  readonly #troubled = new Map<string, number>();
  /** How often each trouble has met an event, and how many events were taken. */
  readonly met: Record<ReceiverTrouble, number> = { refuses: 0, silent: 0, forgets: 0 };
  taken = 0;

  constructor(sim: () => SimCloud, say: (problem: string) => void) {
    this.#sim = sim;
    this.#say = say;
  }

  /** The next event that comes meets it. */
  trouble(how: ReceiverTrouble): void {
    this.#next.push(how);
  }

  heal(): void {
    this.#next.splice(0);
  }

  /** A request was accepted that asked to be called back. */
  expect(operationId: string, url: string): void {
    this.#callbacks.set(operationId, url);
  }

  committed(touched: readonly Touched[]): void {
    for (const { table, id, before, after, revision } of touched) {
      const row = after ?? before;
      // What the cloud keeps for purposes of its own is told to nobody.
      if (row === undefined || row.system === true) continue;
      for (const hook of this.#hooks.values())
        if (hook.state === 'available' && hook.projectId === row.projectId && (hook.kinds as readonly string[]).includes(table))
          this.#of(String(hook.url)).set(keyOf({ kind: table, id, revision }), undefined);
      if (table !== 'webhook') continue;
      if (after === undefined) this.#hooks.delete(id);
      else this.#hooks.set(id, after);
    }
  }

  readonly post: PostUrl = async (post) => {
    const { environment } = this.#sim();
    await new Promise<void>((done) => environment.timers.after(1 + environment.random.next() * ANSWER_MS_MAX, done));
    const id = String(post.headers['webhook-id']);
    const trouble = (this.#troubled.get(id) ?? 0) < TROUBLES_EACH ? this.#next.shift() : undefined;
    if (trouble !== undefined) {
      this.met[trouble] += 1;
      this.#troubled.set(id, (this.#troubled.get(id) ?? 0) + 1);
      environment.trace(`${post.url} ${trouble} event ${id}`);
    }
    if (trouble === undefined || trouble === 'forgets') this.#take(post, id);
    if (trouble === 'refuses') return { status: 503 };
    if (trouble === undefined) return { status: 204 };
    return new Promise((_, reject) => post.signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true }));
  };

  #take({ url, body }: Post, eventId: string): void {
    const { data } = JSON.parse(body) as { readonly data: Told & { readonly row: Row } };
    this.taken += 1;
    const place = `${url} ${data.kind} ${data.id}`;
    const last = this.#last.get(place) ?? 0;
    // What comes again may come after what followed it.
    if (last > data.revision && !this.#keys.has(`${url} ${eventId}`))
      this.#say(`${url} is told of ${keyOf(data)} after a later change of it`);
    this.#last.set(place, Math.max(last, data.revision));
    const same = this.#keys.get(`${url} ${eventId}`);
    if (same !== undefined && same !== keyOf(data)) this.#say(`${url} is told of ${same} and of ${keyOf(data)} by the same id ${eventId}`);
    this.#keys.set(`${url} ${eventId}`, keyOf(data));
    if (url.startsWith(`${CALLBACKS_URL}/`)) this.#callback(url, eventId, data);
    else this.#change(url, eventId, data);
  }

  #callback(url: string, eventId: string, { kind, id, row }: Told & { readonly row: Row }): void {
    if (kind !== 'operation' || row.endedAt === undefined) this.#say(`${url} is called back with ${kind} ${id}, which has not ended`);
    const before = this.#called.get(id);
    if (before !== undefined && before !== `${url} ${eventId}`)
      this.#say(`${url} is called back for ${id} as ${eventId}, before as ${before}`);
    this.#called.set(id, `${url} ${eventId}`);
  }

  #change(url: string, eventId: string, data: Told): void {
    const wanted = this.#of(url);
    const key = keyOf(data);
    const before = wanted.get(key);
    if (!wanted.has(key)) this.#say(`${url} is told of ${key}, which it did not want`);
    if (before !== undefined && before !== eventId) this.#say(`${url} is told of ${key} as ${before} and as ${eventId}`);
    wanted.set(key, eventId);
  }

  /** What those who still listen have not been told when everything is at rest. */
  missing(mirror: Mirror): readonly string[] {
    const problems: string[] = [];
    for (const { state, url } of mirror.rows('webhook').values()) {
      const due = [...this.#of(String(url))].filter(([, eventId]) => eventId === undefined);
      if (state === 'available' && due.length > 0)
        problems.push(`${url} was never told of ${due.length} changes, the first ${due[0]?.[0]}`);
    }
    for (const [id, url] of this.#callbacks)
      if (!this.#called.get(id)?.startsWith(`${url} `)) problems.push(`${url} was never called back for operation ${id}`);
    return problems;
  }

  #of(url: string): Map<string, string | undefined> {
    const wanted = this.#wanted.get(url) ?? new Map<string, string | undefined>();
    this.#wanted.set(url, wanted);
    return wanted;
  }
}
