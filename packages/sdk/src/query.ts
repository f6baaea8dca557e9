import type { CallOptions, Client } from './client.ts';
import { type AnyGraph, type Condition, type Filter, type PathOf, type Row, rowOf } from './graph.ts';
import { List, type ListPage, type Page } from './list.ts';

type FieldOf<G extends AnyGraph> = string & keyof G['fields'];

interface Asked {
  readonly where: readonly (Filter | string)[];
  readonly fields?: readonly string[];
  readonly sort?: readonly string[];
  readonly limit?: number;
  readonly pageSize?: number;
  readonly deleted?: boolean;
}

/**
 * A query, put together step by step; each step answers a new one. Read it as a list: loop over it, `toArray()`, `page()`, `count()`, `groups()`.
 * `cloud.instances.query().where((vm) => vm.nics.subnet.cidr.eq('10.0.0.0/24')).sort('-memoryBytes').limit(10)`
 */
export class Query<R, G extends AnyGraph> extends List<R, G> {
  readonly #client: Client;
  readonly #path: string;
  readonly #asked: Asked;
  readonly #options: CallOptions;

  constructor(client: Client, path: string, options: CallOptions, asked: Asked = { where: [] }) {
    super((page) => client.json<Page<R>>({ method: 'POST', path: `${path}/query`, ...bodyOf(asked, page) }, options), asked);
    this.#client = client;
    this.#path = path;
    this.#options = options;
    this.#asked = asked;
  }

  /** A condition over fields of the row, and along the graph. Several must all hold. */
  where(condition: (row: Row<G>) => Condition): Query<R, G> {
    return this.#with({ where: [...this.#asked.where, condition(rowOf<G>()).filter] });
  }

  /** A condition in the server's own words. */
  filter(text: string): Query<R, G> {
    return this.#with({ where: [...this.#asked.where, text] });
  }

  /** Answers these fields alone. */
  select<const F extends FieldOf<G>>(...fields: readonly F[]): Query<Pick<G['fields'], F & keyof G['fields']>, G> {
    return new Query(this.#client, this.#path, this.#options, { ...this.#asked, fields });
  }

  /** First by the first field, also along references, e.g. `host.name`; `-` in front for the other way round. Default: order of creation. */
  sort(...fields: readonly (PathOf<G> | `-${PathOf<G>}`)[]): Query<R, G> {
    return this.#with({ sort: fields });
  }

  /** Rows in all. Default: all there are. */
  limit(rows: number): Query<R, G> {
    return this.#with({ limit: rows });
  }

  /** Rows a request, at most 1000. Default 200. */
  pageSize(rows: number): Query<R, G> {
    return this.#with({ pageSize: rows });
  }

  /** Also rows of deleted resources. */
  withDeleted(): Query<R, G> {
    return this.#with({ deleted: true });
  }

  #with(change: Partial<Asked>): Query<R, G> {
    return new Query<R, G>(this.#client, this.#path, this.#options, { ...this.#asked, ...change });
  }
}

function bodyOf({ where, fields, sort, deleted }: Asked, page: ListPage) {
  const condition = where.length === 1 ? where[0] : { and: where };
  const body = {
    ...(where.length === 0 ? {} : { where: condition }),
    ...(fields === undefined ? {} : { fields }),
    ...(sort === undefined ? {} : { sort }),
    ...(deleted === true ? { deleted } : {}),
    ...page,
  };
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
