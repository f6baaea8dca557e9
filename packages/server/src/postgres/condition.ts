import { type Condition, StoreError } from '@pileus/core/kernel';
import type { Catalog } from '@pileus/core/store';
import { doubleArray, textArray } from './arrays.ts';
import { type Existence, type Looks, NO_LOOKS, partsOf } from './looks.ts';
import { ElementSource, elementsSql, type Operand, type Parameters, type Source, TableSource } from './operand.ts';
import { type PgTable, plainText, quote, scalar, toNumber } from './table.ts';

const COMPARISONS = { '=': '=', '!=': '<>', '<': '<', '<=': '<=', '>': '>', '>=': '>=' } as const;

const isTextOnly = ({ number }: Operand): boolean => number === undefined;

type Element = Extract<Condition, { readonly some: unknown }>['some'];

/** Conditions of one statement. */
export class Conditions {
  readonly #tables: Catalog<PgTable>;
  readonly #parameters: Parameters;
  readonly #looks: Looks;
  #sources = 0;

  constructor(tables: Catalog<PgTable>, parameters: Parameters, looks: Looks = NO_LOOKS) {
    this.#tables = tables;
    this.#parameters = parameters;
    this.#looks = looks;
  }

  /**
   * A comparison with an absent field is false, and `not` is plain negation: `not (a = 1)` holds for a row without `a`. SQL's unknown does the same once
   * each negation reads "is not true", for `and` and `or` never turn unknown into true.
   */
  sql(source: Source, condition: Condition): string {
    if ('and' in condition) return this.#join(source, condition.and, 'AND');
    if ('or' in condition) return this.#join(source, condition.or, 'OR');
    if ('not' in condition) return `(${this.sql(source, condition.not)} IS NOT TRUE)`;
    if ('exists' in condition) return this.#exists(source, condition.exists);
    if ('some' in condition) return this.#some(source, condition.some);
    const operand = source.operand(condition.field);
    switch (condition.op) {
      case 'null':
        return `(${operand.isNull})`;
      case 'not null':
        return `(NOT ${operand.isNull})`;
      case 'in':
        // Of a list PostgreSQL takes it that it has ten values, and rather walks through all rows in order than look for so many.
        if (condition.value.length === 1) return comparisonSql(operand, { op: '=', value: condition.value[0] as Scalar }, this.#parameters);
        return inSql(operand, condition.value.map(scalar), this.#parameters);
      case 'like':
        return operand.text === undefined ? '(FALSE)' : `(${operand.text} LIKE ${this.#parameters.add(likePattern(condition.value))})`;
      default:
        return comparisonSql(operand, condition, this.#parameters);
    }
  }

  #join(source: Source, parts: readonly Condition[], word: 'AND' | 'OR'): string {
    if (parts.length === 0) return word === 'AND' ? '(TRUE)' : '(FALSE)';
    return `(${parts.map((part) => this.sql(source, part)).join(` ${word} `)})`;
  }

  /**
   * What lies there is found once, and by it the rows here, or it is looked up row by row, by the index of the reference. Where nobody has decided, it is found if an index
   * leads to it, and else PostgreSQL decides.
   * "Is true" says nothing new, but keeps PostgreSQL from turning it into a join: of several it would have to know how large they are, which for a while it does not.
   * Of an `EXISTS` it may read all that lies there into memory, before the first row of a page; of a value that depends on the row it cannot.
   */
  #exists(source: Source, existence: Existence): string {
    const { table: name, local, remote, where } = existence;
    const look = this.#looks.get(existence);
    if (look === 'followed') return '(TRUE)';
    const alias = this.#name();
    const table = this.#tables.get(name);
    const joined = new TableSource(table, alias);
    const from = `${table.sqlName} AS ${alias}`;
    const filters = [...(table.isResource ? ['"deletedAt" IS NULL'] : []), ...(where === undefined ? [] : [this.sql(joined, where)])];
    const [here, there] = [source.operand(local, true), joined.operand(remote)];
    const isFound = look === 'found' || (look === undefined && where !== undefined && this.#isLed(where, table));
    if (isFound && here.text !== undefined && there.text !== undefined && isTextOnly(here) && isTextOnly(there))
      return `(${here.text} = ANY (ARRAY(SELECT ${there.text} FROM ${from} WHERE ${filters.join(' AND ')})))`;
    const rows = `FROM ${from} WHERE ${[equalSql(there, here), ...filters].join(' AND ')}`;
    return look === undefined ? `((EXISTS (SELECT 1 ${rows})) IS TRUE)` : `((SELECT TRUE ${rows} LIMIT 1) IS TRUE)`;
  }

  /** Whether an index of one field, a unique one, or another led look finds the rows. What many rows share, as their owner, leads to too many. */
  #isLed(where: Condition, table: PgTable): boolean {
    const parts = partsOf(where);
    const fixed = new Set(parts.flatMap((part) => ('op' in part && (part.op === '=' || part.op === 'in') ? [part.field] : [])));
    return (
      table.key.every((field) => fixed.has(field)) ||
      table.indexes.some(
        ({ isUnique, fields, rows }) =>
          rows !== 'deleted' && (isUnique || fields.length === 1) && fields.every((field) => fixed.has(field)),
      ) ||
      parts.some(
        (part) =>
          'exists' in part && part.exists.where !== undefined && this.#isLed(part.exists.where, this.#tables.get(part.exists.table)),
      )
    );
  }

  /**
   * A join that leads from what a look follows to the rows of the table, those behind a key if it is given: it says what the condition then leaves out. `OFFSET 0`
   * keeps PostgreSQL from beginning at the other end.
   */
  join({ key: [key = ''] }: PgTable, after?: string | number): string {
    const joins = [...this.#looks].flatMap(([{ table: name, remote, where }, look]) => {
      if (look !== 'followed') return [];
      const alias = this.#name();
      const table = this.#tables.get(name);
      const filters = [
        ...(table.isResource ? ['"deletedAt" IS NULL'] : []),
        ...(where === undefined ? [] : [this.sql(new TableSource(table, alias), where)]),
        ...(after === undefined ? [] : [`${quote(remote)} > ${this.#parameters.add(plainText(String(after)))}`]),
      ];
      const way = `SELECT ${quote(remote)} AS _at FROM ${table.sqlName} AS ${alias} WHERE ${filters.join(' AND ')} ORDER BY 1 NULLS FIRST OFFSET 0`;
      return [` JOIN (${way}) AS way ON ${quote(key)} = way._at`];
    });
    return joins.join('');
  }

  #some(source: Source, { field, where }: Element): string {
    const alias = this.#name();
    const filter = where === undefined ? '' : ` WHERE ${this.sql(new ElementSource(alias), where)}`;
    return `(EXISTS (SELECT 1 FROM ${elementsSql(source.json(field))} AS ${alias}${filter}))`;
  }

  #name(): string {
    this.#sources += 1;
    return `j${this.#sources}`;
  }
}

/** Texts equal texts, and numbers numbers; of what nobody declared either may be the one that is there. */
function equalSql(a: Operand, b: Operand): string {
  const pairs = [
    ...(a.text === undefined || b.text === undefined ? [] : [`${a.text} = ${b.text}`]),
    ...(a.number === undefined || b.number === undefined ? [] : [`${a.number} = ${b.number}`]),
  ];
  return pairs.length === 0 ? '(FALSE)' : `(${pairs.join(' OR ')})`;
}

type Comparison = Pick<Extract<Condition, { op: keyof typeof COMPARISONS }>, 'op' | 'value'>;
type Scalar = Comparison['value'];

function comparisonSql(operand: Operand, { op, value }: Comparison, parameters: Parameters): string {
  const sign = COMPARISONS[op];
  if (sign === undefined) throw new StoreError(`unknown comparison ${JSON.stringify(op)}`);
  const plain = scalar(value);
  if (op === '=' && operand.column !== undefined) return `(${operand.column} = ${parameters.add(jsonOf(plain))}::jsonb)`;
  const isNumber = operand.text === undefined || (operand.number !== undefined && typeof plain === 'number');
  if (!isNumber) return `(${operand.text} ${sign} ${parameters.add(plainText(String(plain)))})`;
  const number = toNumber(plain);
  return number === null ? '(FALSE)' : `(${operand.number} ${sign} ${parameters.add(String(number))})`;
}

function inSql({ text, number, column }: Operand, values: readonly (string | number | null)[], parameters: Parameters): string {
  if (column !== undefined) return `(${column} = ANY (${parameters.add(textArray(values.map(jsonOf)))}::text[]::jsonb[]))`;
  const isBoth = text !== undefined && number !== undefined;
  const texts = isBoth ? values.filter((value) => typeof value === 'string') : values;
  const numbers = isBoth ? values.filter((value) => typeof value === 'number') : values;
  const parts = [
    ...(text === undefined ? [] : [`${text} = ANY (${parameters.add(textArray(texts.map((value) => plainText(String(value)))))}::text[])`]),
    ...(number === undefined ? [] : [`${number} = ANY (${parameters.add(doubleArray(numbers.map(toNumber)))}::float8[])`]),
  ];
  return `(${parts.join(' OR ')})`;
}

const jsonOf = (value: string | number | null): string => JSON.stringify(typeof value === 'string' ? plainText(value) : value);

/** PostgreSQL refuses a pattern that ends within an escape; here a backslash at the end is a backslash. */
function likePattern(like: string): string {
  const pattern = plainText(like);
  const atEnd = /\\*$/.exec(pattern)?.[0].length ?? 0;
  return atEnd % 2 === 0 ? pattern : `${pattern}\\`;
}
