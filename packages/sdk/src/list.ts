import type { CallOptions, Client } from './client.ts';

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
  /** `-` in front for the other way round. Default: order of creation. */
  readonly sort?: S | `-${S}`;
  /** Rows in all. Default: all there are. */
  readonly limit?: number;
  /** Rows a request, at most 1000. Default 200. */
  readonly pageSize?: number;
  /** Those of every project, for the operator. */
  readonly allProjects?: boolean;
  /** Also rows of deleted resources. */
  readonly deleted?: boolean;
}

export interface Page<R> {
  readonly items: readonly R[];
  /** Give it as `after` for the next page; absent on the last. */
  readonly next?: string;
}

/** Rows on demand: loop over it (it asks page by page), or take all with `toArray()`, or one page with `page()`. */
export class List<R, F, S extends string> implements AsyncIterable<R> {
  readonly #client: Client;
  readonly #path: string;
  readonly #options: ListOptions<F, S>;

  constructor(client: Client, path: string, options: ListOptions<F, S>) {
    this.#client = client;
    this.#path = path;
    this.#options = options;
  }

  /** One page, the first or the one behind a cursor. */
  async page(after?: string): Promise<Page<R>> {
    const { limit, pageSize = 200 } = this.#options;
    return await this.#ask(Math.min(limit ?? pageSize, pageSize), after);
  }

  async *pages(): AsyncGenerator<Page<R>> {
    const { limit = Number.POSITIVE_INFINITY, pageSize = 200 } = this.#options;
    let after: string | undefined;
    for (let left = limit; left > 0; ) {
      const page = await this.#ask(Math.min(left, pageSize), after);
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

  /** The first row, if there is one. */
  async first(): Promise<R | undefined> {
    return (await this.#ask(1, undefined)).items[0];
  }

  async #ask(limit: number, after: string | undefined): Promise<Page<R>> {
    const query = listQuery(this.#options);
    query.set('limit', String(limit));
    if (after !== undefined) query.set('after', after);
    return await this.#client.json<Page<R>>({ method: 'GET', path: `${this.#path}?${query}` }, this.#options);
  }
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
  if (options.sort !== undefined) query.set('sort', options.sort);
  if (options.deleted === true) query.set('deleted', 'true');
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
