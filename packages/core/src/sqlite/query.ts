import type { SQLInputValue } from 'node:sqlite';
import type { AggregateQuery, AggregateRow, Condition, CountQuery, ListQuery } from '../kernel/store.ts';
import { StoreError } from '../kernel/store-error.ts';
import { type Catalog, ROW } from '../store/table.ts';
import { Conditions, TableSource } from './condition.ts';
import { quote, type Table } from './table.ts';

export interface Sql {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
}

type Tables = Catalog<Table>;

/** Answers are looked for in `from`: the whole table, or a part of it that holds them all. */
export function compileList(tables: Tables, query: ListQuery, from?: Sql): Sql {
  const table = tables.get(query.table);
  const source = from ?? wholeTable(table);
  const values: SQLInputValue[] = [...source.values];
  const terms = [
    ...(query.order ?? []).map(({ field, descending }) => ({ field, descending: descending === true })),
    ...table.key.map((field) => ({ field, descending: false })),
  ];
  const filters = filterSql(tables, table, query, values);
  if (query.after !== undefined) {
    const after = afterSql(table, terms, afterValues(table, query.after, terms.length - table.key.length));
    filters.push(after.text);
    values.push(...after.values);
  }
  // A field that comes again changes nothing, but would keep SQLite from taking the order of an index for it.
  const distinct = terms.filter(({ field }, place) => terms.findIndex((other) => other.field === field) === place);
  const order = distinct.map(({ field, descending }) => `${table.expression(field)}${descending ? ' DESC' : ''}`);
  const limit = query.limit === undefined ? '' : ' LIMIT ?';
  if (query.limit !== undefined) values.push(query.limit);
  return { text: `SELECT ${ROW} FROM ${source.text}${whereSql(filters)} ORDER BY ${order.join(', ')}${limit}`, values };
}

export function compileCount(tables: Tables, query: CountQuery, from?: Sql): Sql {
  const table = tables.get(query.table);
  const source = from ?? wholeTable(table);
  const values: SQLInputValue[] = [...source.values];
  const rows = `FROM ${source.text}${whereSql(filterSql(tables, table, query, values))}`;
  if (query.atMost === undefined) return { text: `SELECT count(*) ${rows}`, values };
  return { text: `SELECT count(*) FROM (SELECT 1 ${rows} LIMIT ?)`, values: [...values, query.atMost] };
}

/** For each group its values, then what each measure needs: see `measured`. */
export function compileAggregate(tables: Tables, query: AggregateQuery, from?: Sql): Sql {
  const table = tables.get(query.table);
  const source = from ?? wholeTable(table);
  const values: SQLInputValue[] = [...source.values];
  const groups = (query.groupBy ?? []).map((field) => table.expression(field));
  const columns = [...groups, ...query.measures.flatMap((measure) => measureSql(table, measure))];
  const rows = `FROM ${source.text}${whereSql(filterSql(tables, table, query, values))}`;
  const by = groups.length === 0 ? '' : ` GROUP BY ${groups.join(', ')} ORDER BY ${groups.join(', ')}`;
  const limit = query.limit === undefined ? '' : ' LIMIT ?';
  if (query.limit !== undefined) values.push(query.limit);
  return { text: `SELECT ${columns.join(', ')} ${rows}${by}${limit}`, values };
}

/** SQLite's sums end at 2^63: halves of 32 bits are added on their own, and fractions as they are. */
function measureSql(table: Table, { op, field }: AggregateQuery['measures'][number]): readonly string[] {
  const value = field === undefined ? '*' : table.expression(field);
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
  return { text: `(SELECT * FROM ${name}${whereSql(filters)} LIMIT ?) AS ${name}`, values: [...values, limit] };
}

const whereSql = (filters: readonly string[]): string => (filters.length === 0 ? '' : ` WHERE ${filters.join(' AND ')}`);

function filterSql(tables: Tables, table: Table, query: Pick<ListQuery, 'where' | 'deleted'>, values: SQLInputValue[]): string[] {
  const filters = table.isResource && query.deleted !== true ? ['"deletedAt" IS NULL'] : [];
  if (query.where !== undefined) filters.push(new Conditions(tables, values).sql(new TableSource(table, quote(table.name)), query.where));
  return filters;
}

interface Term {
  readonly field: string;
  readonly descending: boolean;
}

function afterValues(table: Table, after: readonly (string | number | null)[], fields: number): SQLInputValue[] {
  const key = after[fields];
  if (after.length !== fields + 1 || (typeof key !== 'string' && typeof key !== 'number'))
    throw new StoreError(`a page of ${table.name} goes on after the values of ${fields} order fields and the key`);
  return [...after.slice(0, fields), ...table.splitKey(String(key))];
}

/** Rows strictly behind the given place: the first term lies behind, or it is equal and the rest lies behind. Nulls come first, descending last. */
function afterSql(table: Table, [term, ...rest]: readonly Term[], [value, ...others]: readonly SQLInputValue[]): Sql {
  if (term === undefined) return { text: '(FALSE)', values: [] };
  const field = table.expression(term.field);
  const tail = afterSql(table, rest, others);
  if (value === undefined || value === null)
    return {
      text: term.descending ? `(${field} IS NULL AND ${tail.text})` : `(${field} IS NOT NULL OR ${tail.text})`,
      values: tail.values,
    };
  if (term.descending && !table.isRequired(term.field))
    return { text: `(${field} < ? OR ${field} IS NULL OR (${field} = ? AND ${tail.text}))`, values: [value, value, ...tail.values] };
  const sign = term.descending ? '<' : '>';
  // The first bound says nothing new, but it lets SQLite start inside an index.
  return { text: `(${field} ${sign}= ? AND (${field} ${sign} ? OR ${tail.text}))`, values: [value, value, ...tail.values] };
}
