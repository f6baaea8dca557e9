import { ANY_PROJECT, lacks, type Principal, type Reach, readPermission, visibleRows } from '../access.ts';
import type { Clock } from '../environment.ts';
import type { Json, JsonObject } from '../json.ts';
import type { AnyKind } from '../kind.ts';
import { type AlongContext, type Leaf, leafAlong } from '../query/along.ts';
import type { Query } from '../query/ast.ts';
import { compileFilter, ownField } from '../query/compile.ts';
import { QueryGraph, type Shape } from '../query/graph.ts';
import { valueAt } from '../query/matches.ts';
import { QueryReach } from '../query/reach.ts';
import type { Registry } from '../registry.ts';
import type { AggregateQuery, AggregateRow, Condition, FieldPath, ListQuery, Store } from '../store.ts';
import { orderOf, type Place, placeOf, readCursor, type Sort, writeCursor } from './cursor.ts';
import { badParameter, type FieldType, filterFields, parseScalar } from './fields.ts';
import { unknownField } from './filter.ts';
import { LIST_PARAMETERS, onlyParameters, queryOfBody, queryOfParameters } from './list-query.ts';
import { pageBytes } from './page.ts';

/** Rows that a query may look at one by one, by default. */
const ROWS_MAX = 20_000;

export interface ListOptions {
  readonly registry: Registry;
  readonly store: Store;
  readonly clock: Clock;
  /** The place in the change feed that whatever is read from now on has come to. */
  readonly place: () => string;
  /** What is told beside a row, of this kind; undefined where nothing is. */
  readonly beside?: (kind: AnyKind) => ((text: string) => string) | undefined;
  /** See `ApiOptions.unindexedRowsMax`. */
  readonly rowsMax?: number | undefined;
}

/** A query with its conditions, ready to be asked of the store. */
interface Ready {
  readonly kind: AnyKind;
  readonly query: Query;
  readonly where: readonly Condition[];
  readonly scope: Condition | undefined;
  /** The same of the kinds that it leads to. */
  readonly scopes: ReadonlySet<Condition>;
  readonly context: Omit<AlongContext, 'parameter'>;
}

/** Answers lists of all kinds, and what is asked of them as JSON. */
export class Lists {
  readonly #options: ListOptions;
  readonly #graph: QueryGraph;
  readonly #reach: QueryReach;
  readonly #parameters: ReadonlyMap<string, ReadonlyMap<string, FieldType>>;

  constructor(options: ListOptions) {
    const { registry, store, rowsMax = ROWS_MAX } = options;
    this.#options = options;
    this.#graph = new QueryGraph(registry);
    this.#reach = new QueryReach(registry, store, rowsMax);
    this.#parameters = new Map(registry.kinds().map((kind) => [kind.name as string, filterFields(kind)]));
  }

  /** What a list answers to these parameters, as JSON. @throws CloudError `invalid_input`, `needs_index`, `permission_denied` */
  page(kind: AnyKind, principal: Principal, parameters: URLSearchParams): Promise<Uint8Array> {
    const query = queryOfParameters(parameters);
    return this.#answer(kind, principal, reachOf(principal, parameters), query, this.#equalities(kind, parameters));
  }

  /** The same to a JSON body. */
  query(kind: AnyKind, principal: Principal, parameters: URLSearchParams, body: unknown): Promise<Uint8Array> {
    onlyParameters(parameters, ['allProjects']);
    return this.#answer(kind, principal, reachOf(principal, parameters), queryOfBody(body), []);
  }

  async #answer(kind: AnyKind, principal: Principal, reach: Reach, query: Query, equalities: readonly Condition[]): Promise<Uint8Array> {
    const scopes = new Set<Condition>();
    const visible = (joined: AnyKind): Condition | undefined => {
      const permission = readPermission(joined);
      if (!principal.allows(permission)) throw lacks(permission, principal);
      const scope = visibleRows(joined, principal, permission, reach);
      if (scope !== undefined) scopes.add(scope);
      return scope;
    };
    const context = { graph: this.#graph, visible, principal, nowMs: this.#options.clock.nowMs() };
    const where = [...equalities, ...query.where.map((filter) => compileFilter(filter, kind, context))];
    const ready: Ready = { kind, query, where, scope: visibleRows(kind, principal, readPermission(kind), reach), scopes, context };
    // Before anything is read, so that no change falls between the answer and what follows it.
    const cursor = this.#options.place();
    return query.groupBy.length > 0 || query.measures.length > 0 ? this.#groups(ready, cursor) : this.#rows(ready, cursor);
  }

  async #rows(ready: Ready, cursor: string): Promise<Uint8Array> {
    const { kind, query, where, scope, scopes } = ready;
    const sort = orderOf(query.sort.map(({ field, descending }) => ({ ...this.#leaf(field, ready, 'sort'), descending })));
    for (const path of query.fields ?? []) ownField(path, kind, this.#graph, 'fields');
    const { store } = this.#options;
    const isPlain = where.length === 0 && sort.order.length === 0;
    const unindexed = isPlain ? [] : await this.#reach.check({ kind, where, scope, scopes, fields: sort.paths });
    const asked = { table: kind.name, ...conditionOf(where, scope), deleted: query.deleted };
    const after = query.after === undefined ? {} : { after: readCursor(query.after, sort) };
    // One more, to know whether more follow.
    const rows = query.limit === 0 ? [] : await this.#placed({ ...asked, order: sort.order, ...after, limit: query.limit + 1 });
    const page = rows.slice(0, query.limit).map(({ text }) => text);
    const beside = this.#options.beside?.(kind);
    const next = rows.length > query.limit ? `,"next":"${writeCursor(rows[query.limit - 1]?.place() ?? [], sort)}"` : '';
    const count = query.count ? `,"count":${await store.count(asked)}` : '';
    const { fields: kept } = query;
    const whole = beside === undefined ? page : page.map(beside);
    const items = kept === undefined ? whole : page.map((text) => JSON.stringify(projected(JSON.parse(text), kept)));
    return pageBytes(items, `]${next}${count}${flags(unindexed)},"cursor":"${cursor}"}`);
  }

  /** Rows, each with its place. What lies along a way is not in the row, and may be another by the time one asks again: it is read with it. */
  async #placed(query: ListQuery & { readonly order: Sort['order'] }): Promise<readonly { readonly text: string; place(): Place }[]> {
    const { store } = this.#options;
    const { order } = query;
    if (order.some(({ via }) => via !== undefined))
      return (await store.placed(query)).map(({ text, place }) => ({ text, place: () => place }));
    return (await store.list(query)).map((text) => ({
      text,
      place: () => {
        const row = JSON.parse(text) as JsonObject & { readonly id: string };
        return [...order.map(({ field }) => placeOf(valueAt(row, field))), row.id];
      },
    }));
  }

  async #groups(ready: Ready, cursor: string): Promise<Uint8Array> {
    const { kind, query, where, scope, scopes } = ready;
    const groups = query.groupBy.map((field) => this.#leaf(field, ready, 'groupBy'));
    const measures = query.measures.map(({ op, field }) => ({ op, leaf: this.#leaf(field, ready, op) }));
    for (const { op, leaf } of measures)
      if (op === 'sum' && leaf.shape.type !== 'integer' && leaf.shape.type !== 'number')
        throw badParameter('sum', `adds up numbers, which ${leaf.path} is not`);
    const unindexed = await this.#reach.check({
      kind,
      where,
      scope,
      scopes,
      fields: [...query.groupBy, ...query.measures.map(({ field }) => field)],
    });
    const aggregate: AggregateQuery = {
      table: kind.name,
      ...conditionOf(where, scope),
      deleted: query.deleted,
      groupBy: groups.map(fieldPathOf),
      measures: [{ op: 'count' }, ...measures.map(({ op, leaf }) => ({ op, ...fieldPathOf(leaf) }))],
      limit: query.limit + 1,
    };
    const rows = await this.#options.store.aggregate(aggregate);
    const answered = rows.slice(0, query.limit).map((row) => groupOf(row, groups, measures));
    const more = rows.length > query.limit ? ',"moreGroups":true' : '';
    return Buffer.from(`{"items":[],"groups":${JSON.stringify(answered)}${more}${flags(unindexed)},"cursor":"${cursor}"}`);
  }

  /** Fields given as parameters: any of the values that are. */
  #equalities(kind: AnyKind, parameters: URLSearchParams): readonly Condition[] {
    const fields = this.#parameters.get(kind.name) as ReadonlyMap<string, FieldType>;
    const found: Condition[] = [];
    for (const name of new Set(parameters.keys())) {
      if (LIST_PARAMETERS.has(name)) continue;
      const type = fields.get(name);
      if (type === undefined) throw unknownField(name, fields);
      const shape = this.#graph.place(kind).fields.get(name);
      const values = shape?.type === 'string' ? shape.values : undefined;
      const asked = parameters.getAll(name);
      if (values !== undefined && !asked.every((text) => values.includes(text))) throw badParameter(name, `is one of ${values.join(', ')}`);
      found.push({ field: name, op: 'in', value: asked.map((text) => parseScalar(text, type, name)) });
    }
    return found;
  }

  /** A field with one value, by which rows can be told apart. */
  #leaf(path: string, { kind, context }: Ready, parameter: string): Leaf {
    const leaf = leafAlong(path, kind, { ...context, parameter });
    if (['object', 'list', 'map', 'any'].includes(leaf.shape.type))
      throw badParameter(parameter, `names ${path}, which has no single value`);
    return leaf;
  }
}

const fieldPathOf = ({ field, via }: Leaf): FieldPath => ({ field, ...(via === undefined ? {} : { via }) });

/** Whether rows of every project are asked for. @throws CloudError `permission_denied` for who may not, `invalid_input` */
export function reachOf(principal: Principal, parameters: URLSearchParams): Reach {
  const text = parameters.get('allProjects');
  const allProjects = text !== null && parseScalar(text, 'boolean', 'allProjects') === true;
  if (allProjects && !principal.allows(ANY_PROJECT)) throw lacks(ANY_PROJECT);
  return { allProjects };
}

/** What the caller sees is part of every query, last: it leads to more rows than what was asked for. */
function conditionOf(where: readonly Condition[], scope: Condition | undefined): { readonly where?: Condition } {
  const parts = scope === undefined ? where : [...where, scope];
  const [first] = parts;
  if (first === undefined) return {};
  return { where: parts.length === 1 ? first : { and: parts } };
}

const flags = (unindexed: readonly string[]): string => (unindexed.length === 0 ? '' : `,"unindexed":${JSON.stringify(unindexed)}`);

/** The row with these of its fields alone, at their places. */
function projected(row: JsonObject, paths: readonly string[]): JsonObject {
  const kept: Record<string, Json> = Object.create(null);
  for (const path of paths) {
    const value = valueAt(row, path);
    if (value === null) continue;
    const names = path.split('.');
    const last = names.pop() as string;
    let at = kept;
    for (const name of names) {
      at[name] ??= Object.create(null) as JsonObject;
      at = at[name] as Record<string, Json>;
    }
    at[last] = value;
  }
  return kept;
}

function groupOf(
  row: AggregateRow,
  groups: readonly Leaf[],
  measures: readonly { readonly op: string; readonly leaf: Leaf }[],
): JsonObject {
  const by = Object.fromEntries(groups.map(({ path, shape }, place) => [path, asShaped(row[place] ?? null, shape)]));
  const measured: Record<string, Record<string, Json>> = {};
  for (const [place, { op, leaf }] of measures.entries()) {
    const value = row[groups.length + 1 + place] ?? null;
    measured[op] = { ...measured[op], [leaf.path]: op === 'sum' ? value : asShaped(value, leaf.shape) };
  }
  return { by, count: row[groups.length] as number, ...measured };
}

/** Stores hold true as 1. */
const asShaped = (value: string | number | null, shape: Shape): Json => (shape.type === 'boolean' && value !== null ? value === 1 : value);
