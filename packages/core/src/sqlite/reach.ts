import type { Condition, ListQuery } from '../kernel/store.ts';
import type { Catalog } from '../store/table.ts';
import type { Sql } from './query.ts';
import { type IndexPlan, quote, type Table } from './table.ts';

/** Parts of the condition of which an index answers each: the field at its head has one of some values, and those behind it have one each. */
export function leadsOf(table: Table, { where, deleted }: Pick<ListQuery, 'where' | 'deleted'>): readonly Lead[] {
  if (deleted === true) return [];
  const parts = partsOf(where);
  const fixed = new Map(parts.flatMap((part) => ('op' in part && part.op === '=' ? [[part.field, part] as const] : [])));
  return parts
    .filter((part): part is Compared => 'op' in part && (part.op === '=' || part.op === 'in') && table.leadsIndex(part.field))
    .map((lead) => along(table, lead, fixed));
}

type Compared = Extract<Condition, { readonly field: string }>;
interface Lead {
  /** At the head of the index. */
  readonly field: string;
  readonly where: Condition;
}

/** With as much more as one index that it leads knows. */
function along(table: Table, lead: Compared, fixed: ReadonlyMap<string, Condition>): Lead {
  const ways = table.indexes.flatMap(({ fields: [first, ...rest] }) => {
    if (first !== lead.field) return [];
    const end = rest.findIndex((field) => !fixed.has(field));
    return [rest.slice(0, end < 0 ? rest.length : end).flatMap((field) => fixed.get(field) ?? [])];
  });
  const [longest = []] = ways.sort((one, other) => other.length - one.length);
  return { field: lead.field, where: longest.length === 0 ? lead : { and: [lead, ...longest] } };
}

/**
 * The table by an index in which the rows of the answer lie beside each other and in order, or which has one row at most: nothing but the answer is looked at
 * then. The index is named, so that this does not rest on what SQLite would choose.
 */
export function walkOf(table: Table, query: ListQuery): Sql | undefined {
  if (query.deleted === true) return undefined;
  const parts = partsOf(query.where);
  const fixed = new Set(parts.flatMap((part) => ('op' in part && part.op === '=' ? [part.field] : [])));
  const isInOrder = fixed.size === parts.length && isByKey(table, query);
  const index = table.indexes.find((plan) =>
    plan.isUnique ? plan.fields.every((field) => fixed.has(field)) : isInOrder && runs(plan, fixed, table),
  );
  return index === undefined ? undefined : { text: `${quote(table.name)} INDEXED BY ${quote(index.name)}`, values: [] };
}

/** How an index of another table leads to rows of this one. */
export interface Following {
  /** The part of the condition that it answers. */
  readonly part: Condition;
  readonly table: Table;
  readonly index: IndexPlan;
  /** The field there that names the rows here, each once. */
  readonly remote: string;
  readonly where: Condition | undefined;
}

/**
 * Looks into other tables of which an index names the rows here in order of their key: a page then looks at its own rows alone, and at those between that other
 * parts refuse, however many there are, as of what bears a tag.
 */
export function followingsOf(tables: Catalog<Table>, table: Table, query: ListQuery): readonly Following[] {
  if (query.deleted === true || table.key.length !== 1 || !isByKey(table, query)) return [];
  return partsOf(query.where).flatMap((part) => {
    if (!('exists' in part) || part.exists.local !== table.key[0]) return [];
    const { remote, where } = part.exists;
    const other = tables.get(part.exists.table);
    const fixed = new Set(partsOf(where).flatMap((each) => ('op' in each && each.op === '=' ? [each.field] : [])));
    const index = other.indexes.find(
      ({ isUnique, fields }) => isUnique && fields.at(-1) === remote && fields.slice(0, -1).every((field) => fixed.has(field)),
    );
    return index === undefined ? [] : [{ part, table: other, index, remote, where }];
  });
}

export const without = (where: Condition | undefined, part: Condition): Condition => ({
  and: partsOf(where).filter((each) => each !== part),
});

/** The table by the index that leads to the rows with one value of a field, which it holds in order of the key. */
export function indexOf(table: Table, field: string): Sql | undefined {
  const index = table.indexes.find(({ isUnique, fields }) => !isUnique && fields[0] === field && runsByKey(fields, table));
  return index === undefined ? undefined : { text: `${quote(table.name)} INDEXED BY ${quote(index.name)}`, values: [] };
}

const runsByKey = ([, ...rest]: readonly string[], { key }: Table): boolean => rest.every((field, place) => field === key[place]);

/** Whether the condition looks into other tables. */
export function looksElsewhere(where: Condition | undefined): boolean {
  if (where === undefined) return false;
  if ('and' in where) return where.and.some(looksElsewhere);
  if ('or' in where) return where.or.some(looksElsewhere);
  if ('not' in where) return looksElsewhere(where.not);
  return 'exists' in where;
}

/** Whether the index begins with these fields and goes on with the key. */
const runs = ({ fields }: IndexPlan, fixed: ReadonlySet<string>, { key }: Table): boolean =>
  fixed.size > 0 &&
  fields.length >= fixed.size &&
  fields.every((field, place) => (place < fixed.size ? fixed.has(field) : field === key[place - fixed.size]));

const isByKey = ({ key }: Table, { order = [] }: ListQuery): boolean =>
  order.length === 0 || (order.length === 1 && key.length === 1 && order[0]?.field === key[0] && order[0]?.via === undefined);

/** What must hold all together. */
function partsOf(where: Condition | undefined): readonly Condition[] {
  if (where === undefined) return [];
  return 'and' in where ? where.and.flatMap(partsOf) : [where];
}
