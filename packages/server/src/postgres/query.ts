import {
  type AggregateQuery,
  type AggregateRow,
  type Condition,
  type FieldPath,
  type ListQuery,
  type PlacedRow,
  StoreError,
} from '@pileus/core/kernel';
import { Catalog, ROW } from '@pileus/core/store';
import { Conditions } from './condition.ts';
import type { Use } from './facts.ts';
import { type Counting, type Looks, NO_LOOKS, partsOf } from './looks.ts';
import type { Sql, SqlRow } from './message.ts';
import { type Operand, Parameters, TableSource } from './operand.ts';
import { type PgTable, plainText, quote, scalar, toNumber } from './table.ts';
import { Ways } from './ways.ts';

type Tables = Catalog<PgTable>;

export const listSql = (tables: Tables, query: ListQuery, looks: Looks = NO_LOOKS): Sql => rowsSql(tables, query, looks, () => []);

/** For each row what `placed` reads. */
export const placedSql = (tables: Tables, query: ListQuery, looks: Looks): Sql =>
  rowsSql(tables, query, looks, (ordered) => ordered.flatMap(({ operand }) => bothOf(operand)));

function rowsSql(tables: Tables, query: ListQuery, looks: Looks, further: (ordered: readonly Ordered[]) => readonly string[]): Sql {
  const table = tables.get(query.table);
  const parameters = new Parameters();
  const ways = new Ways(tables, table, parameters);
  const own = new TableSource(table);
  const ordered: Ordered[] = [
    ...(query.order ?? []).map((path) => ({ ...path, operand: ways.to(path), descending: path.descending === true })),
    ...table.key.map((field) => ({ field, operand: own.operand(field), descending: false })),
  ];
  const terms = ordered.flatMap((each) => termsOf(table, each));
  const behind = query.after === undefined ? [] : [afterSql(terms, afterValues(table, ordered, query.after), parameters)];
  // A field that comes again changes nothing, but would keep PostgreSQL from taking the order of an index for it.
  const distinct = terms.filter((term, place) => terms.findIndex((other) => other.sql === term.sql) === place);
  // In the very order of what is followed, although no key is NULL: else PostgreSQL would sort once more.
  const isFollowed = [...looks.values()].includes('followed');
  const order = distinct.map(
    ({ sql, descending, required }) => sql + (descending ? ' DESC' : '') + nulls(descending, required && !isFollowed),
  );
  const rows = rowsOf(tables, table, query, { parameters, looks, ways: ways.text, behind });
  const limit = query.limit === undefined ? '' : ` LIMIT ${parameters.add(String(query.limit))}`;
  const columns = [ROW, ...further(ordered)].join(', ');
  return { text: `SELECT ${columns} ${rows} ORDER BY ${order.join(', ')}${limit}`, values: parameters.values };
}

/** What is read from a row that `placedSql` asked for. */
export function placed(table: PgTable, [text, ...columns]: SqlRow): PlacedRow {
  const values: (string | number | null)[] = [];
  for (let at = 0; at < columns.length; at += 2) values.push(eitherOf(columns[at] ?? null, columns[at + 1] ?? null));
  const key = values.splice(-table.key.length);
  return { text: text ?? '', place: [...values, key.join('/')] };
}

/** Of what `bothOf` asked for. */
const eitherOf = (text: string | null, number: string | null): string | number | null => (number === null ? text : Number(number));

export function countSql(tables: Tables, query: Counting, looks: Looks): Sql {
  const table = tables.get(query.table);
  const parameters = new Parameters();
  const { along, atMost, where } = query;
  const walked = along === undefined || where === undefined ? undefined : walkedSql(table, along, partsOf(where), parameters);
  const rows = walked ?? rowsOf(tables, table, query, { parameters, looks });
  const text =
    atMost === undefined
      ? `SELECT count(*) ${rows}`
      : `SELECT count(*) FROM (SELECT 1 ${rows} LIMIT ${parameters.add(String(atMost))}) AS counted`;
  return { text, values: parameters.values };
}

/**
 * Live rows along an index. With `=` PostgreSQL may prefer another index for what it holds to be as many rows, and pass over all that lies before those that count:
 * only this index has them in this order.
 */
function walkedSql(table: PgTable, along: readonly string[], fixed: readonly Condition[], parameters: Parameters): string {
  const values = new Map(fixed.flatMap((part) => ('op' in part && part.op === '=' ? [[part.field, String(part.value)] as const] : [])));
  const fields = along.slice(0, values.size);
  const columns = `(${fields.map(quote).join(', ')})`;
  const given = `(${fields.map((field) => parameters.add(plainText(values.get(field) ?? ''))).join(', ')})`;
  const live = table.isResource ? '"deletedAt" IS NULL AND ' : '';
  const order = along.map((field) => quote(field) + nulls(false, table.isRequired(field)));
  return `FROM ${table.sqlName} WHERE ${live}${columns} >= ${given} AND ${columns} <= ${given} ORDER BY ${order.join(', ')}`;
}

/** For each group its values, each as text and as a number, then what each measure needs: see `measured`. */
export function aggregateSql(tables: Tables, query: AggregateQuery, looks: Looks): Sql {
  const table = tables.get(query.table);
  const parameters = new Parameters();
  const ways = new Ways(tables, table, parameters);
  const groups = (query.groupBy ?? []).flatMap((path) => bothOf(ways.to(path)));
  const columns = [
    ...groups,
    ...query.measures.flatMap(({ op, field, ...way }) => (field === undefined ? ['count(*)'] : measureSql(op, ways.to({ field, ...way })))),
  ];
  const rows = rowsOf(tables, table, query, { parameters, looks, ways: ways.text });
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
  const ofGroup = () => eitherOf(...pair());
  const ofMeasure = ({ op, field }: AggregateQuery['measures'][number]) => {
    if (op === 'count' || field === undefined) return Number(rest.shift());
    const [first, second] = pair();
    if (op === 'sum') return Number(second) === 0 ? first : String(Number(first) + Number(second));
    const isText = second === null || (op === 'max' && first !== null);
    return isText ? first : Number(second);
  };
  return [...groupBy.map(ofGroup), ...measures.map(ofMeasure)];
}

/** Up to `limit` live rows that have the values. */
export function usersSql({ table, where: wanted }: Use, limit: number): Sql {
  const parameters = new Parameters();
  const and = Object.entries(wanted).map(([field, value]) => ({ field, op: '=', value: scalar(value) ?? '' }) as const);
  const rows = rowsOf(new Catalog([table]), table, { where: { and } }, { parameters, looks: NO_LOOKS });
  return { text: `SELECT ${ROW} ${rows} LIMIT ${parameters.add(String(limit))}`, values: parameters.values };
}

const nulls = (descending: boolean, required: boolean): string => (required ? '' : descending ? ' NULLS LAST' : ' NULLS FIRST');

interface Reading {
  readonly parameters: Parameters;
  readonly looks: Looks;
  /** Joins to what the rows are ordered or grouped by. */
  readonly ways?: string;
  /** That the rows lie behind a place. */
  readonly behind?: readonly string[];
}

/** Where a statement reads its rows, from `FROM` on. */
function rowsOf(
  tables: Tables,
  table: PgTable,
  query: Pick<ListQuery, 'where' | 'deleted' | 'after'>,
  { parameters, looks, ways = '', behind = [] }: Reading,
): string {
  const conditions = new Conditions(tables, parameters, looks);
  const filters = [
    ...(table.isResource && query.deleted !== true ? ['"deletedAt" IS NULL'] : []),
    ...(query.where === undefined ? [] : [conditions.sql(new TableSource(table), query.where)]),
    ...behind,
  ];
  const where = filters.length === 0 ? '' : ` WHERE ${filters.join(' AND ')}`;
  return `FROM ${table.sqlName}${conditions.join(table, query.after?.at(-1) ?? undefined)}${ways}${where}`;
}

interface Term {
  readonly sql: string;
  readonly descending: boolean;
  /** No row can lack it. */
  readonly required: boolean;
  readonly type: 'text' | 'number';
}

interface Ordered extends FieldPath {
  readonly operand: Operand;
  readonly descending: boolean;
}

/** Text first: it is NULL for a number, and so a number comes before a text, and what is absent before both. */
function termsOf(table: PgTable, { field, via, operand: { text, number }, descending }: Ordered): Term[] {
  const required = via === undefined && table.columns.has(field) && table.isRequired(field);
  return [
    ...(text === undefined ? [] : [{ sql: text, descending, required, type: 'text' } as const]),
    ...(number === undefined ? [] : [{ sql: number, descending, required, type: 'number' } as const]),
  ];
}

/** The place to go on behind: a value for each term. */
function afterValues(table: PgTable, ordered: readonly Ordered[], after: NonNullable<ListQuery['after']>): (string | null)[] {
  const fields = ordered.length - table.key.length;
  const key = after[fields];
  if (after.length !== fields + 1 || (typeof key !== 'string' && typeof key !== 'number'))
    throw new StoreError(`a page of ${table.name} goes on after the values of ${fields} order fields and the key`);
  const values = [...after.slice(0, fields), ...table.splitKey(String(key))];
  return ordered.flatMap(({ operand }, index) => placeOf(operand, values[index] ?? null));
}

function placeOf({ text, number }: Operand, value: string | number | null): (string | null)[] {
  const asText = (of: string | number | null) => (of === null ? null : plainText(String(of)));
  const asNumber = (of: string | number | null) => {
    const found = toNumber(of);
    return found === null ? null : String(found);
  };
  if (number === undefined) return [asText(value)];
  if (text === undefined) return [asNumber(value)];
  return typeof value === 'number' ? [null, asNumber(value)] : [asText(value), null];
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
