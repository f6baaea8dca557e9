import type { CallOptions } from './client.ts';
import { PileusError } from './errors.ts';
import type { AnyGraph, IntegerPathOf, PathOf, ValueAt } from './graph.ts';

type Scalar = string | number | boolean;
/** Tests on one field. All that are given must hold. */
export interface Comparison<T> {
  readonly not?: T;
  readonly lt?: T;
  readonly lte?: T;
  readonly gt?: T;
  readonly gte?: T;
  readonly in?: readonly T[];
  /** `%` stands for any text, `_` for one character. */
  readonly like?: T extends string ? string : never;
}
/** For each field a value to equal, `null` for "is not set", or comparisons. */
export type Where<F> = { readonly [K in keyof F]?: F[K] | Comparison<F[K]> | null };

export interface ListOptions<F, S extends string = string> extends CallOptions {
  /** Typed conditions; all must hold. */
  readonly where?: Where<F>;
  /** In the server's own words, e.g. `state in ('running', 'stopped') or name like 'web-%'`. */
  readonly filter?: string;
  /** `-` in front for the other way round; of several the first goes first. Default: order of creation. */
  readonly sort?: S | `-${S}` | readonly (S | `-${S}`)[];
  /** Rows in all. Default: all there are. */
  readonly limit?: number;
  /** Rows a request, at most 1000. Default 200. */
  readonly pageSize?: number;
  /** Those of every project, for the operator. */
  readonly allProjects?: boolean;
  /** Also rows of deleted resources. */
  readonly deleted?: boolean;
  /** Answers these fields alone: rows lack all others, whatever their type says. `query().select()` is typed. */
  readonly fields?: readonly string[];
}

export interface Page<R> {
  readonly items: readonly R[];
  /** Give it as `after` for the next page; absent on the last. */
  readonly next?: string;
  /** Place in the change feed: events behind it tell of every change since. */
  readonly cursor?: string;
  readonly count?: number;
  readonly groups?: readonly WireGroup[];
  readonly moreGroups?: boolean;
  /** Fields without an index, for which rows were looked at one by one, e.g. `instance.memoryBytes`. */
  readonly unindexed?: readonly string[];
}

/** Rows, and the place in the change feed behind which every change is told that they may lack. */
export interface Snapshot<R> {
  readonly rows: readonly R[];
  readonly cursor: string;
}

/** A group as it is sent. */
export interface WireGroup {
  readonly by: Readonly<Record<string, Scalar | null>>;
  readonly count: number;
  readonly sum?: Readonly<Record<string, string>>;
  readonly min?: Readonly<Record<string, Scalar | null>>;
  readonly max?: Readonly<Record<string, Scalar | null>>;
}

/** What of a list is asked for. */
export interface ListPage {
  readonly limit: number;
  readonly after?: string;
  readonly count?: boolean;
  readonly groupBy?: readonly string[];
  readonly sum?: readonly string[];
  readonly min?: readonly string[];
  readonly max?: readonly string[];
}

export interface GroupOptions<B extends string, S extends string, M extends string> {
  /** Fields that the rows of each group have in common, also along references, e.g. `host.zone.name`. Default: all rows are one group. */
  readonly by?: readonly B[];
  /** Whole numbers to add up, exactly. */
  readonly sum?: readonly S[];
  readonly min?: readonly M[];
  readonly max?: readonly M[];
  /** Groups at most. Default and most 1000. */
  readonly limit?: number;
}

export interface Group<G extends AnyGraph, B extends string, S extends string, M extends string> {
  /** null = the rows of this group lack it. */
  readonly by: { readonly [K in B]: ValueAt<G, K> | null };
  readonly count: number;
  readonly sum: { readonly [K in S]: bigint };
  readonly min: { readonly [K in M]: ValueAt<G, K> | null };
  readonly max: { readonly [K in M]: ValueAt<G, K> | null };
}

/** Rows on demand: loop over it (it asks page by page), or take all with `toArray()`, or one page with `page()`; or count them, or group them. */
export class List<R, G extends AnyGraph = AnyGraph> implements AsyncIterable<R> {
  readonly #ask: (page: ListPage) => Promise<Page<R>>;
  readonly #limit: number | undefined;
  readonly #pageSize: number;

  constructor(
    ask: (page: ListPage) => Promise<Page<R>>,
    options: { readonly limit?: number | undefined; readonly pageSize?: number | undefined },
  ) {
    this.#ask = ask;
    this.#limit = options.limit;
    this.#pageSize = options.pageSize ?? 200;
  }

  /** One page, the first or the one behind a cursor. */
  page(after?: string): Promise<Page<R>> {
    return this.#page(Math.min(this.#limit ?? this.#pageSize, this.#pageSize), after);
  }

  async *pages(): AsyncGenerator<Page<R>> {
    let after: string | undefined;
    for (let left = this.#limit ?? Number.POSITIVE_INFINITY; left > 0; ) {
      const page = await this.#page(Math.min(left, this.#pageSize), after);
      yield page;
      left -= page.items.length;
      if (page.next === undefined) return;
      after = page.next;
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<R> {
    for await (const page of this.pages()) yield* page.items;
  }

  async toArray(): Promise<R[]> {
    const rows: R[] = [];
    for await (const page of this.pages()) rows.push(...page.items);
    return rows;
  }

  /** All rows with the place in the change feed behind which every change is told that they may lack: `watch({ after: cursor })` goes on from there without a gap. */
  async snapshot(): Promise<Snapshot<R>> {
    const rows: R[] = [];
    let cursor: string | undefined;
    for await (const page of this.pages()) {
      // That of the first page: later ones may have seen more.
      cursor ??= page.cursor;
      rows.push(...page.items);
    }
    if (cursor === undefined) throw new PileusError('bad_response', 'The list names no cursor: the server is older than this client.');
    return { rows, cursor };
  }

  /** The first row, if there is one. */
  async first(): Promise<R | undefined> {
    return (await this.#page(1, undefined)).items[0];
  }

  /** How many there are, whatever the limit. */
  async count(): Promise<number> {
    const { count } = await this.#ask({ limit: 0, count: true });
    if (count === undefined) throw new PileusError('bad_response', 'The server does not count: it is older than this client.');
    return count;
  }

  /** Groups in the place of rows, in order of what they have in common. */
  async groups<const B extends PathOf<G> = never, const S extends IntegerPathOf<G> = never, const M extends PathOf<G> = never>(
    options: GroupOptions<B, S, M>,
  ): Promise<Group<G, B, S, M>[]> {
    const { by = [], sum = [], min = [], max = [], limit = 1000 } = options;
    // Without a field to group or measure by, a server would answer rows.
    const measured = by.length + sum.length + min.length + max.length === 0 ? { max: ['id'] } : { max };
    const { groups = [] } = await this.#ask({ limit, groupBy: by, sum, min, ...measured });
    return groups.map((group) => ({
      min: {},
      max: {},
      ...group,
      sum: Object.fromEntries(Object.entries(group.sum ?? {}).map(([field, value]) => [field, BigInt(value)])),
    })) as unknown as Group<G, B, S, M>[];
  }

  #page(limit: number, after: string | undefined): Promise<Page<R>> {
    return this.#ask({ limit, ...(after === undefined ? {} : { after }) });
  }
}

/** What a list asks for by its URL. */
export function listPath<F, S extends string>(path: string, options: ListOptions<F, S>, page: ListPage): string {
  const query = listQuery(options);
  for (const [name, value] of Object.entries(page))
    if (!Array.isArray(value)) query.set(name, String(value));
    else if (value.length > 0) query.set(name, value.join());
  return `${path}?${query}`;
}

export function listQuery<F, S extends string>(options: ListOptions<F, S>): URLSearchParams {
  const query = new URLSearchParams();
  const conditions: string[] = [];
  for (const [field, test] of Object.entries(options.where ?? {})) {
    if (test === undefined) continue;
    if (test === null) conditions.push(`${field} is null`);
    else if (typeof test === 'object') conditions.push(...comparisons(field, test as Comparison<Scalar>));
    else query.set(field, String(test));
  }
  if (options.filter !== undefined && options.filter.trim() !== '')
    conditions.push(conditions.length === 0 ? options.filter : `(${options.filter})`);
  if (conditions.length > 0) query.set('filter', conditions.join(' and '));
  if (options.sort !== undefined) query.set('sort', [options.sort].flat().join());
  if (options.deleted === true) query.set('deleted', 'true');
  if (options.fields !== undefined) query.set('fields', options.fields.join());
  if (options.allProjects === true) query.set('allProjects', 'true');
  return query;
}

const OPERATORS = { not: '!=', lt: '<', lte: '<=', gt: '>', gte: '>=', like: 'like' } as const;

function comparisons(field: string, test: Comparison<Scalar>): string[] {
  return Object.entries(test).flatMap(([name, value]: [string, Scalar | readonly Scalar[] | undefined]) => {
    if (value === undefined) return [];
    if (Array.isArray(value)) return [`${field} in (${value.map(literal).join(', ')})`];
    return [`${field} ${OPERATORS[name as keyof typeof OPERATORS]} ${literal(value as Scalar)}`];
  });
}

/** Text in single quotes, a quote inside it doubled. */
const literal = (value: Scalar): string => (typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value));
