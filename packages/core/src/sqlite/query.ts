import type { SQLInputValue } from 'node:sqlite';
import type { AggregateQuery, AggregateRow, Condition, CountQuery, ListQuery } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import { type Catalog, ROW } from '../store/table.ts';
import { Conditions, TableSource } from './condition.ts';
import type { Following } from './reach.ts';
import { quote, type Table } from './table.ts';
import { Ways } from './ways.ts';

export interface Sql {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
}

/** What rows are looked for in; `key` is the value of their key, where it has another name there. */
export interface Rows extends Sql {
  readonly key?: string;
}

type Tables = Catalog<Table>;

/** No field can have this name. */
const LED = '_led';

/** Answers are looked for in `from`: the whole table, or a part of it that holds them all. */
export const compileList = (tables: Tables, query: ListQuery, from?: Rows): Sql => compileRows(tables, query, from, () => []);

/** The same, and behind each row the values of the order fields and its key. */
export const compilePlaced = (tables: Tables, query: ListQuery, from?: Rows): Sql =>
  compileRows(tables, query, from, (terms) => terms.map(({ sql }) => sql));

function compileRows(
  tables: Tables,
  query: ListQuery,
  from: Rows | undefined,
  further: (terms: readonly Term[]) => readonly string[],
): Sql {
  const table = tables.get(query.table);
  const source: Rows = from ?? wholeTable(table);
  const ways = new Ways(tables, table);
  const near = (field: string) => (field === table.key[0] && source.key !== undefined ? source.key : table.expression(field));
  const terms: Term[] = [
    ...(query.order ?? []).map(({ field, via, descending = false }) => ({
      sql: via === undefined ? near(field) : ways.to({ field, via }),
      descending,
      isRequired: via === undefined && table.isRequired(field),
    })),
    ...table.key.map((field) => ({ sql: near(field), descending: false, isRequired: true })),
  ];
  const values: SQLInputValue[] = [...source.values, ...ways.values];
  const filters = filterSql(tables, table, query, values);
  if (query.after !== undefined) {
    const after = afterSql(terms, afterValues(table, query.after, terms.length - table.key.length));
    filters.push(after.text);
    values.push(...after.values);
  }
  // A field that comes again changes nothing, but would keep SQLite from taking the order of an index for it.
  const distinct = terms.filter(({ sql }, place) => terms.findIndex((other) => other.sql === sql) === place);
  const order = distinct.map(({ sql, descending }) => `${sql}${descending ? ' DESC' : ''}`);
  const rows = `${source.text}${ways.text}${whereSql(filters)}`;
  const columns = [ROW, ...further(terms)].join(', ');
  return { text: `SELECT ${columns} FROM ${rows} ORDER BY ${order.join(', ')}${limitSql(query.limit)}`, values };
}

export function compileCount(tables: Tables, query: CountQuery, from?: Sql): Sql {
  const table = tables.get(query.table);
  const source = from ?? wholeTable(table);
  const values: SQLInputValue[] = [...source.values];
  const rows = `FROM ${source.text}${whereSql(filterSql(tables, table, query, values))}`;
  if (query.atMost === undefined) return { text: `SELECT count(*) ${rows}`, values };
  return { text: `SELECT count(*) FROM (SELECT 1 ${rows}${limitSql(query.atMost)})`, values };
}

/** For each group its values, then what each measure needs: see `measured`. */
export function compileAggregate(tables: Tables, query: AggregateQuery, from?: Sql): Sql {
  const table = tables.get(query.table);
  const source = from ?? wholeTable(table);
  const ways = new Ways(tables, table);
  const groups = (query.groupBy ?? []).map((path) => ways.to(path));
  const columns = [...groups, ...query.measures.flatMap((measure) => measureSql(ways, measure))];
  const values: SQLInputValue[] = [...source.values, ...ways.values];
  const rows = `FROM ${source.text}${ways.text}${whereSql(filterSql(tables, table, query, values))}`;
  const by = groups.length === 0 ? '' : ` GROUP BY ${groups.join(', ')} ORDER BY ${groups.join(', ')}`;
  return { text: `SELECT ${columns.join(', ')} ${rows}${by}${limitSql(query.limit)}`, values };
}

/** SQLite's sums end at 2^63: halves of 32 bits are added on their own, and fractions as they are. */
function measureSql(ways: Ways, { op, field, ...way }: AggregateQuery['measures'][number]): readonly string[] {
  const value = field === undefined ? '*' : ways.to({ field, ...way });
  if (op !== 'sum') return [`${op}(${value})`];
  const whole = (part: string) => `CAST(coalesce(sum(CASE typeof(${value}) WHEN 'integer' THEN ${value} ${part} END), 0) AS TEXT)`;
  return [whole('>> 32'), whole('& 4294967295'), `total(CASE typeof(${value}) WHEN 'real' THEN ${value} END)`];
}

/** What is read from a row that `compileAggregate` asked for. */
export function measured({ groupBy = [], measures }: AggregateQuery, columns: readonly (string | number | null)[]): AggregateRow {
  const rest = columns.slice(groupBy.length);
  const row = columns.slice(0, groupBy.length);
  for (const { op } of measures) {
    if (op !== 'sum') row.push(rest.shift() ?? null);
    else {
      const [high, low, fraction] = rest.splice(0, 3) as [string, string, number];
      const whole = BigInt(high) * 2n ** 32n + BigInt(low);
      row.push(fraction === 0 ? String(whole) : String(Number(whole) + fraction));
    }
  }
  return row;
}

const wholeTable = (table: Table): Sql => ({ text: quote(table.name), values: [] });

/** The values that rows have in a field. */
export function compileValues(tables: Tables, table: Table, field: string, where: Condition | undefined, from: Sql): Sql {
  const values: SQLInputValue[] = [...from.values];
  const filters = filterSql(tables, table, where === undefined ? {} : { where }, values);
  const value = table.expression(field);
  return { text: `SELECT DISTINCT ${value} FROM ${from.text}${whereSql([...filters, `${value} IS NOT NULL`])}`, values };
}

/** So many of the rows for which the condition holds, in no order, to look further in. Without a condition deleted ones, too. */
export function someOf(tables: Tables, table: Table, where: Condition | undefined, limit: number): Sql {
  const values: SQLInputValue[] = [];
  const filters = where === undefined ? [] : filterSql(tables, table, { where }, values);
  const name = quote(table.name);
  return { text: `(SELECT * FROM ${name}${whereSql(filters)}${limitSql(limit)}) AS ${name}`, values };
}

/** The table by what the index of another leads to, in its order. SQLite takes tables that are joined so one after the other. */
export function compileFollowing(tables: Tables, table: Table, { table: other, index, remote, where }: Following): Rows {
  const values: SQLInputValue[] = [];
  const filters = filterSql(tables, other, where === undefined ? {} : { where }, values);
  const found = `SELECT ${quote(remote)} AS ${LED} FROM ${quote(other.name)} INDEXED BY ${quote(index.name)}${whereSql(filters)}`;
  const [key = ''] = table.key;
  return { text: `(${found}) CROSS JOIN ${quote(table.name)} ON ${quote(table.name)}.${quote(key)} = ${LED}`, values, key: LED };
}

/** Written out: a bound one is part of the plan, and SQLite would plan anew whenever it is bound, which takes longer than the look itself. */
export const limitSql = (limit: number | undefined): string => {
  if (limit === undefined) return '';
  if (!Number.isSafeInteger(limit)) throw new StoreError(`${limit} is no number of rows`);
  return ` LIMIT ${limit}`;
};

const whereSql = (filters: readonly string[]): string => (filters.length === 0 ? '' : ` WHERE ${filters.join(' AND ')}`);

function filterSql(tables: Tables, table: Table, query: Pick<ListQuery, 'where' | 'deleted'>, values: SQLInputValue[]): string[] {
  const filters = table.isResource && query.deleted !== true ? ['"deletedAt" IS NULL'] : [];
  if (query.where !== undefined) filters.push(new Conditions(tables, values).sql(new TableSource(table, quote(table.name)), query.where));
  return filters;
}

interface Term {
  readonly sql: string;
  readonly descending: boolean;
  /** No row can lack it. */
  readonly isRequired: boolean;
}

function afterValues(table: Table, after: readonly (string | number | null)[], fields: number): SQLInputValue[] {
  const key = after[fields];
  if (after.length !== fields + 1 || (typeof key !== 'string' && typeof key !== 'number'))
    throw new StoreError(`a page of ${table.name} goes on after the values of ${fields} order fields and the key`);
  return [...after.slice(0, fields), ...table.splitKey(String(key))];
}

/** Rows strictly behind the given place: the first term lies behind, or it is equal and the rest lies behind. Nulls come first, descending last. */
function afterSql([term, ...rest]: readonly Term[], [value, ...others]: readonly SQLInputValue[]): Sql {
  if (term === undefined) return { text: '(FALSE)', values: [] };
  const { sql, descending, isRequired } = term;
  const tail = afterSql(rest, others);
  if (value === undefined || value === null)
    return { text: descending ? `(${sql} IS NULL AND ${tail.text})` : `(${sql} IS NOT NULL OR ${tail.text})`, values: tail.values };
  if (descending && !isRequired)
    return { text: `(${sql} < ? OR ${sql} IS NULL OR (${sql} = ? AND ${tail.text}))`, values: [value, value, ...tail.values] };
  const sign = descending ? '<' : '>';
  // The first bound says nothing new, but it lets SQLite start inside an index.
  return { text: `(${sql} ${sign}= ? AND (${sql} ${sign} ? OR ${tail.text}))`, values: [value, value, ...tail.values] };
}
