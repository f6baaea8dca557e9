import type { Condition, CountQuery, ListQuery } from '@pileus/core/kernel';
import type { Catalog } from '@pileus/core/store';
import type { PgTable } from './table.ts';

/** What another table has is found once and the rows here by it, where both are so few. */
export const FEW_ROWS = 1000;
/** Where what was found leads nowhere, as where something else may hold instead, each row here is compared with all of it. */
const SHORT_LIST = 100;

export type Existence = Extract<Condition, { readonly exists: unknown }>['exists'];

/**
 * How a look into another table is taken: what lies there is `found` once, or `followed` in the order of an index there, which is that of the rows here, or it is
 * `probed` for each row here, where these are few. Of others PostgreSQL decides, which can read all that lies there into memory: where many rows come into question
 * and only the last of them hold, that takes less than to probe each. Every way gives the same answer, whatever has changed since the rows were counted.
 */
type Look = 'found' | 'followed' | 'probed';
export type Looks = ReadonlyMap<Existence, Look>;

export const NO_LOOKS: Looks = new Map();

/** `along`: the columns of an index that begins with the fields that the condition fixes. */
export interface Counting extends CountQuery {
  readonly along?: readonly string[] | undefined;
}

/** Answers how many rows there are, of which `looks` says how to find them. */
type Count = (query: Counting, looks: Looks) => Promise<number>;

/**
 * Counts, up to a bound, what indexes lead to in other tables and here, and decides by that: PostgreSQL estimates, and one plan that it keeps serves a tag that
 * three machines bear and one that all bear. Asks nothing where no other table is looked into.
 * @param isPage whether some rows are wanted: who wants all may have a whole table read
 */
export async function looksOf(
  tables: Catalog<PgTable>,
  query: Pick<ListQuery, 'table' | 'where' | 'deleted' | 'order'>,
  { isPage, count }: { readonly isPage: boolean; readonly count: Count },
): Promise<Looks> {
  if (query.where === undefined || existencesIn(query.where).length === 0) return NO_LOOKS;
  const looking = new Looking(tables, isPage, count);
  await looking.decide(query, query.where);
  return looking.looks;
}

class Looking {
  readonly looks = new Map<Existence, Look>();
  readonly #tables: Catalog<PgTable>;
  readonly #isPage: boolean;
  readonly #count: Count;

  constructor(tables: Catalog<PgTable>, isPage: boolean, count: Count) {
    this.#tables = tables;
    this.#isPage = isPage;
    this.#count = count;
  }

  /** Decides on every look of a condition, those of the fewest rows first. */
  async decide({ table: name, deleted, order = [] }: Pick<ListQuery, 'table' | 'deleted' | 'order'>, where: Condition): Promise<void> {
    const table = this.#tables.get(name);
    const sized = await this.#sized(where);
    const few = sized.map(({ size }) => size).filter((size) => size <= FEW_ROWS);
    // Where few are found elsewhere it does not matter how many there are here, as long as there are more.
    const most = this.#isPage && few.length > 0 ? Math.max(...few) : FEW_ROWS;
    const rows = await this.#choose(table, { where, withDeleted: deleted === true, sized, most });
    const [look, ...more] = sized.filter(({ existence }) => !this.looks.has(existence));
    // Of two, what both have may come last of all, which is found sooner once one of them is read into memory.
    if (look === undefined || more.length > 0 || !this.#isPage || rows <= FEW_ROWS || order.length > 0) return;
    if (isPart(look.existence, where) && this.#isNamed(table, look.existence)) this.looks.set(look.existence, 'followed');
  }

  /** Whether an index there names the rows here in the order of their key, each once: a page then ends with its last row, wherever in that order these lie. */
  #isNamed({ key }: PgTable, { table: name, local, remote, where = { and: [] } }: Existence): boolean {
    if (key.length > 1 || key[0] !== local) return false;
    const table = this.#tables.get(name);
    const fixed = partsOf(where).flatMap((each) => ('op' in each && each.op === '=' ? [each.field] : []));
    return table.uniques.some(({ fields }) => fields.at(-1) === remote && fields.slice(0, -1).every((field) => fixed.includes(field)));
  }

  /** Decides likewise, and answers among how many rows an index, or what was found elsewhere, has those that the condition holds for. */
  async #sizeOf({ table, where = { and: [] } }: Existence): Promise<number> {
    return this.#choose(this.#tables.get(table), { where, withDeleted: false, sized: await this.#sized(where), most: FEW_ROWS });
  }

  async #sized(where: Condition): Promise<readonly Sized[]> {
    const sized = await Promise.all(existencesIn(where).map(async (existence) => ({ existence, size: await this.#sizeOf(existence) })));
    return sized.sort((one, other) => one.size - other.size || 0);
  }

  async #choose(table: PgTable, { where, withDeleted, sized, most }: Choice): Promise<number> {
    const parts = partsOf(where);
    let rows = withDeleted ? Number.POSITIVE_INFINITY : await this.#fewest(table, parts, most);
    for (const { existence, size } of sized) {
      const leads = isPart(existence, where) && (withDeleted ? table.key[0] === existence.local : table.leadsIndex(existence.local));
      const reached = leads && size < rows && size <= FEW_ROWS ? await this.#reached(table, existence, size) : Number.POSITIVE_INFINITY;
      if (reached <= FEW_ROWS || (size < rows && size <= SHORT_LIST)) this.looks.set(existence, 'found');
      else if (rows <= FEW_ROWS) this.looks.set(existence, 'probed');
      rows = Math.min(rows, reached);
    }
    return rows;
  }

  /** How many rows here those that were found there lead to. */
  async #reached(table: PgTable, existence: Existence, size: number): Promise<number> {
    if (table.key.length === 1 && table.key[0] === existence.local) return size;
    const looks = new Map([...this.looks, [existence, 'found']] as const);
    return this.#atMost({ table: table.name, where: { exists: existence } }, FEW_ROWS, looks);
  }

  /** Of the indexes that lead to rows the one that leads to fewest. */
  async #fewest(table: PgTable, parts: readonly Condition[], most: number): Promise<number> {
    const leads = leadsOf(table, parts);
    if (leads.some(({ isUnique }) => isUnique)) return 1;
    const sizes = await Promise.all(leads.map(({ and, along }) => this.#atMost({ table: table.name, where: { and }, along }, most)));
    return Math.min(Number.POSITIVE_INFINITY, ...sizes);
  }

  async #atMost(counting: Omit<Counting, 'atMost'>, most: number, looks: Looks = this.looks): Promise<number> {
    const count = await this.#count({ ...counting, atMost: most + 1 }, looks);
    return count > most ? Number.POSITIVE_INFINITY : count;
  }
}

interface Sized {
  readonly existence: Existence;
  readonly size: number;
}

interface Choice {
  readonly where: Condition;
  readonly withDeleted: boolean;
  readonly sized: readonly Sized[];
  readonly most: number;
}

interface Lead {
  readonly isUnique: boolean;
  readonly and: readonly Compared[];
  readonly along: readonly string[] | undefined;
}

type Compared = Extract<Condition, { readonly op: unknown }>;

/** What a condition says of the fields that each index begins with: that the first has one of some values, and those behind it one each. */
function leadsOf(table: PgTable, parts: readonly Condition[]): readonly Lead[] {
  const compared = parts.filter((part): part is Compared => 'op' in part && (part.op === '=' || part.op === 'in'));
  const fixed = new Map(compared.filter(({ op }) => op === '=').map((part) => [part.field, part]));
  const first = new Map(compared.map((part) => [part.field, part]));
  const indexes = [{ fields: table.key, columns: table.key, isUnique: true }, ...table.indexes.filter(({ rows }) => rows !== 'deleted')];
  const leads = indexes.flatMap(({ fields: [head = '', ...rest], columns, isUnique }): Lead[] => {
    const lead = fixed.get(head) ?? first.get(head);
    if (lead === undefined) return [];
    const end = rest.findIndex((field) => !fixed.has(field));
    const more = rest.slice(0, end < 0 ? rest.length : end).flatMap((field) => fixed.get(field) ?? []);
    const and = [lead, ...more];
    const isText = (part: Compared) => part.op === '=' && typeof part.value === 'string' && table.columns.get(part.field) === 'text';
    return [{ isUnique: isUnique && lead.op === '=' && more.length === rest.length, and, along: and.every(isText) ? columns : undefined }];
  });
  // What says more leads to no more rows.
  return leads.filter(
    ({ and }, place) =>
      !leads.some(
        (other, at) => at !== place && and.every((part) => other.and.includes(part)) && (other.and.length > and.length || at < place),
      ),
  );
}

/** What must hold all together. */
export const partsOf = (where: Condition): readonly Condition[] => ('and' in where ? where.and.flatMap(partsOf) : [where]);

const isPart = (existence: Existence, where: Condition): boolean =>
  partsOf(where).some((part) => 'exists' in part && part.exists === existence);

/** The looks into other tables from the rows themselves, not those that begin elsewhere. */
function existencesIn(where: Condition): readonly Existence[] {
  if ('and' in where) return where.and.flatMap(existencesIn);
  if ('or' in where) return where.or.flatMap(existencesIn);
  if ('not' in where) return existencesIn(where.not);
  return 'exists' in where ? [where.exists] : [];
}
