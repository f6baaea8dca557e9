import { type AggregateQuery, type AggregateRow, type CountQuery, type Json, type ListQuery, StoreError } from '@pileus/core/kernel';
import { Catalog, ROW } from '@pileus/core/store';
import { Conditions } from './condition.ts';
import type { Sql, SqlRow } from './message.ts';
import { type Operand, Parameters, TableSource } from './operand.ts';
import { type PgTable, plainText, scalar, toNumber } from './table.ts';

type Tables = Catalog<PgTable>;

export function listSql(tables: Tables, query: ListQuery): Sql {
  const table = tables.get(query.table);
  const parameters = new Parameters();
  const terms = [
    ...(query.order ?? []).flatMap(({ field, descending }) => termsOf(table, field, descending === true)),
    ...table.key.flatMap((field) => termsOf(table, field, false)),
  ];
  const filters = filtersOf(tables, table, query, parameters);
  if (query.after !== undefined) filters.push(afterSql(terms, afterValues(table, query, query.after), parameters));
  // A field that comes again changes nothing, but would keep PostgreSQL from taking the order of an index for it.
  const distinct = terms.filter((term, place) => terms.findIndex((other) => other.sql === term.sql) === place);
  const order = distinct.map(({ sql, descending, required }) => sql + (descending ? ' DESC' : '') + nulls(descending, required));
  const limit = query.limit === undefined ? '' : ` LIMIT ${parameters.add(String(query.limit))}`;
  return { text: `SELECT ${ROW} FROM ${table.sqlName}${where(filters)} ORDER BY ${order.join(', ')}${limit}`, values: parameters.values };
}

export function countSql(tables: Tables, query: CountQuery): Sql {
  const table = tables.get(query.table);
  const parameters = new Parameters();
  const rows = `FROM ${table.sqlName}${where(filtersOf(tables, table, query, parameters))}`;
  const text =
    query.atMost === undefined
      ? `SELECT count(*) ${rows}`
      : `SELECT count(*) FROM (SELECT 1 ${rows} LIMIT ${parameters.add(String(query.atMost))}) AS counted`;
  return { text, values: parameters.values };
}

/** For each group its values, each as text and as a number, then what each measure needs: see `measured`. */
export function aggregateSql(tables: Tables, query: AggregateQuery): Sql {
  const table = tables.get(query.table);
  const source = new TableSource(table);
  const parameters = new Parameters();
  const groups = (query.groupBy ?? []).flatMap((field) => bothOf(source.operand(field)));
  const columns = [
    ...groups,
    ...query.measures.flatMap(({ op, field }) => (field === undefined ? ['count(*)'] : measureSql(op, source.operand(field)))),
  ];
  const rows = `FROM ${table.sqlName}${where(filtersOf(tables, table, query, parameters))}`;
  const places = groups.map((_, index) => String(index + 1));
  const by =
    places.length === 0 ? '' : ` GROUP BY ${places.join(', ')} ORDER BY ${places.map((place) => `${place} NULLS FIRST`).join(', ')}`;
  const limit = query.limit === undefined ? '' : ` LIMIT ${parameters.add(String(query.limit))}`;
  return { text: `SELECT ${columns.join(', ')} ${rows}${by}${limit}`, values: parameters.values };
}

const bothOf = ({ text, number }: Operand): readonly [string, string] => [text ?? 'NULL::text', number ?? 'NULL::float8'];

/** PostgreSQL makes a number of 15 digits of a double: whole numbers are added as such, and fractions as they are. */
function measureSql(op: AggregateQuery['measures'][number]['op'], operand: Operand): readonly string[] {
  const [text, number] = bothOf(operand);
  if (op === 'count') return [`count(*) FILTER (WHERE NOT ${operand.isNull})`];
  if (op !== 'sum') return [`${op}(${text})`, `${op}(${number})`];
  const isWhole = `${number} = trunc(${number}) AND abs(${number}) < 9.2e18`;
  return [
    `coalesce(sum((CASE WHEN ${isWhole} THEN ${number} END)::int8), 0)`,
    `coalesce(sum(CASE WHEN NOT (${isWhole}) THEN ${number} END), 0)`,
  ];
}

/** What is read from a row that `aggregateSql` asked for. Numbers come before texts. */
export function measured({ groupBy = [], measures }: AggregateQuery, columns: SqlRow): AggregateRow {
  const rest = [...columns];
  const pair = () => rest.splice(0, 2) as [string | null, string | null];
  const ofGroup = () => {
    const [text, number] = pair();
    return number === null ? text : Number(number);
  };
  const ofMeasure = ({ op, field }: AggregateQuery['measures'][number]) => {
    if (op === 'count' || field === undefined) return Number(rest.shift());
    const [first, second] = pair();
    if (op === 'sum') return Number(second) === 0 ? first : String(Number(first) + Number(second));
    const isText = second === null || (op === 'max' && first !== null);
    return isText ? first : Number(second);
  };
  return [...groupBy.map(ofGroup), ...measures.map(ofMeasure)];
}

/** Up to `limit` live rows whose field has the value. */
export function usersSql(table: PgTable, field: string, value: Json, limit: number): Sql {
  const parameters = new Parameters();
  const filters = filtersOf(new Catalog([table]), table, { where: { field, op: '=', value: scalar(value) ?? '' } }, parameters);
  return { text: `SELECT ${ROW} FROM ${table.sqlName}${where(filters)} LIMIT ${parameters.add(String(limit))}`, values: parameters.values };
}

const where = (filters: readonly string[]): string => (filters.length === 0 ? '' : ` WHERE ${filters.join(' AND ')}`);
const nulls = (descending: boolean, required: boolean): string => (required ? '' : descending ? ' NULLS LAST' : ' NULLS FIRST');

function filtersOf(tables: Tables, table: PgTable, query: Pick<ListQuery, 'where' | 'deleted'>, parameters: Parameters): string[] {
  const filters = table.isResource && query.deleted !== true ? ['"deletedAt" IS NULL'] : [];
  if (query.where !== undefined) filters.push(new Conditions(tables, parameters).sql(new TableSource(table), query.where));
  return filters;
}

interface Term {
  readonly sql: string;
  readonly descending: boolean;
  /** No row can lack it. */
  readonly required: boolean;
  readonly type: 'text' | 'number';
}

/** Text first: it is NULL for a number, and so a number comes before a text, and what is absent before both. */
function termsOf(table: PgTable, field: string, descending: boolean): Term[] {
  const { text, number } = new TableSource(table).operand(field);
  const required = table.columns.has(field) && table.isRequired(field);
  return [
    ...(text === undefined ? [] : [{ sql: text, descending, required, type: 'text' } as const]),
    ...(number === undefined ? [] : [{ sql: number, descending, required, type: 'number' } as const]),
  ];
}

/** The place to go on behind: a value for each term. */
function afterValues(table: PgTable, { order = [] }: ListQuery, after: NonNullable<ListQuery['after']>): (string | null)[] {
  const key = after[order.length];
  if (after.length !== order.length + 1 || (typeof key !== 'string' && typeof key !== 'number'))
    throw new StoreError(`a page of ${table.name} goes on after the values of ${order.length} order fields and the key`);
  const keys = table.splitKey(String(key));
  return [
    ...order.flatMap(({ field }, index) => placeOf(table, field, after[index] ?? null)),
    ...table.key.flatMap((field, index) => placeOf(table, field, keys[index] ?? null)),
  ];
}

function placeOf(table: PgTable, field: string, value: string | number | null): (string | null)[] {
  const text = (of: string | number | null) => (of === null ? null : plainText(String(of)));
  const number = (of: string | number | null) => {
    const found = toNumber(of);
    return found === null ? null : String(found);
  };
  const type = table.columns.get(field);
  if (type === 'text') return [text(value)];
  if (type === 'integer') return [number(value)];
  return typeof value === 'number' ? [null, number(value)] : [text(value), null];
}

/** Rows strictly behind the given place: the first term lies behind, or it is equal and the rest lies behind. Nulls come first, descending last. */
function afterSql([term, ...rest]: readonly Term[], [value, ...others]: readonly (string | null)[], parameters: Parameters): string {
  if (term === undefined) return '(FALSE)';
  const tail = afterSql(rest, others, parameters);
  const { sql, descending, required, type } = term;
  if (value === undefined || value === null) return descending ? `(${sql} IS NULL AND ${tail})` : `(${sql} IS NOT NULL OR ${tail})`;
  const place = `${parameters.add(value)}::${type === 'text' ? 'text' : 'float8'}`;
  if (descending && !required) return `(${sql} < ${place} OR ${sql} IS NULL OR (${sql} = ${place} AND ${tail}))`;
  const sign = descending ? '<' : '>';
  // The first bound says nothing new, but it lets PostgreSQL start inside an index.
  return `(${sql} ${sign}= ${place} AND (${sql} ${sign} ${place} OR ${tail}))`;
}
