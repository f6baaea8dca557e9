import { CloudError } from '../errors.ts';
import type { AnyKind } from '../kind.ts';
import { type Registry, tableOf } from '../registry.ts';
import type { Condition, Store } from '../store.ts';

/** What a query asks of one kind, split by who asked: scope is what the caller sees anyway. */
export interface Asked {
  readonly kind: AnyKind;
  readonly where: readonly Condition[];
  readonly scope: Condition | undefined;
  /** What the caller sees of the kinds that the query leads to: each is part of a condition on one of them. */
  readonly scopes: ReadonlySet<Condition>;
  /** Fields that are sorted, grouped or added up. */
  readonly fields: readonly string[];
}

/** Where and how a condition is looked at. */
interface Look {
  readonly table: string;
  readonly scopes: ReadonlySet<Condition>;
  /** Whether the store may be asked how many rows there are. */
  readonly isCounting: boolean;
}

/** Rows of a table that a query has come to. */
interface From {
  readonly table: string;
  readonly where: readonly Condition[];
  readonly scopes: ReadonlySet<Condition>;
}

type Existence = Extract<Condition, { readonly exists: unknown }>['exists'];

/** Without an index a part of a query is a look at every row: known here as `kind.field`, the index it wants. */
interface Led {
  readonly isLed: boolean;
  readonly wants: readonly string[];
}

/**
 * Tells what a query will have to look at. Indexes lead to rows by equality and order of their first field, and from rows of one kind to those of another
 * along every ref.
 */
export class QueryReach {
  readonly #store: Pick<Store, 'count'>;
  readonly #rowsMax: number;
  readonly #leading = new Map<string, ReadonlySet<string>>();

  constructor(registry: Registry, store: Pick<Store, 'count'>, rowsMax: number) {
    this.#store = store;
    this.#rowsMax = rowsMax;
    for (const kind of registry.kinds()) this.#leading.set(kind.name, leadingFields(kind));
  }

  /** Whether an index has the rows of the kind in order of the field. */
  orders(kind: AnyKind, field: string): boolean {
    return this.#leading.get(kind.name)?.has(field) === true;
  }

  /**
   * The indexes that the query wants and goes without, for there are few rows to look at.
   * @throws CloudError `needs_index` naming them when there are too many
   */
  async check({ kind, where, scope, scopes, fields }: Asked): Promise<readonly string[]> {
    const parts = where.flatMap(partsOf);
    const unordered = fields.filter((field) => !this.orders(kind, field)).map((field) => `${kind.name}.${field}`);
    const table = kind.name;
    const scoped = scope === undefined ? [] : [scope];
    // First what is known without asking the store: mostly that is enough.
    const known = await this.#all(parts, { table, scopes, isCounting: false });
    if (known.wants.length + unordered.length === 0) return [];
    if (known.leads.length > 0 && (await this.#hasFew(table, [...known.leads, ...scoped])))
      return this.#near([], kind, parts, { table, where: [...known.leads, ...scoped], scopes });
    const { leads, flags, wants } = await this.#all(parts, { table, scopes, isCounting: true });
    const missing = [...new Set([...wants, ...unordered])];
    if (missing.length === 0) return flags;
    if (!(await this.#hasFew(table, [...leads, ...scoped]))) throw this.#needsIndex(kind, missing);
    return this.#near(leads.length > 0 ? flags : missing, kind, parts, { table, where: [...leads, ...scoped], scopes });
  }

  /** The flags, unless the few rows lead to too many elsewhere. @throws CloudError `needs_index` */
  async #near(flags: readonly string[], kind: AnyKind, parts: readonly Condition[], from: From): Promise<readonly string[]> {
    const far = (await Promise.all(parts.map((part) => this.#far(part, from)))).flat();
    if (far.length > 0) throw this.#needsIndex(kind, [...new Set(far)]);
    return flags;
  }

  /** What would be looked at in too many rows of other kinds, one by one, from these rows of this. */
  async #far(part: Condition, from: From): Promise<readonly string[]> {
    if ('and' in part || 'or' in part) {
      const parts = 'and' in part ? part.and : part.or;
      return (await Promise.all(parts.map((each) => this.#far(each, from)))).flat();
    }
    if ('not' in part) return this.#far(part.not, from);
    if (!('exists' in part)) return [];
    const { table, local, remote } = part.exists;
    const { asked, seen } = splitOf(part.exists, from.scopes);
    const { isLed, wants } = await this.#led({ and: asked }, { table, scopes: from.scopes, isCounting: false });
    if (isLed || asked.length === 0) return [];
    const reached: Condition = { exists: { table: from.table, local: remote, remote: local, where: { and: from.where } } };
    const where = [reached, ...seen];
    if (!(await this.#hasFew(table, where))) return wants;
    return (await Promise.all(asked.map((each) => this.#far(each, { table, where, scopes: from.scopes })))).flat();
  }

  #needsIndex(kind: AnyKind, fields: readonly string[]): CloudError {
    return new CloudError(
      'needs_index',
      `This would look at more than ${this.#rowsMax} rows one by one for these ${kind.plural}: there is no index of ${fields.join(', ')}. Ask for something that has one, too.`,
      { params: { fields: [...fields], rowsMax: this.#rowsMax } },
    );
  }

  async #all(parts: readonly Condition[], look: Look) {
    const led = await Promise.all(parts.map((part) => this.#led(part, look)));
    return {
      leads: parts.filter((_, place) => led[place]?.isLed === true),
      flags: led.filter(({ isLed }) => isLed).flatMap(({ wants }) => wants),
      wants: led.filter(({ isLed }) => !isLed).flatMap(({ wants }) => wants),
    };
  }

  async #led(part: Condition, look: Look): Promise<Led> {
    if ('and' in part) {
      const { leads, flags, wants } = await this.#all(part.and, look);
      return leads.length > 0 ? { isLed: true, wants: flags } : { isLed: false, wants };
    }
    if ('or' in part) {
      const { flags, wants, leads } = await this.#all(part.or, look);
      const isLed = leads.length === part.or.length;
      return { isLed, wants: isLed ? flags : wants };
    }
    if ('not' in part) {
      const { leads, flags, wants } = await this.#all([part.not], look);
      return { isLed: false, wants: leads.length > 0 ? [...flags, ...fieldsOf(part.not, look.table)] : wants };
    }
    if ('exists' in part) return this.#exists(part.exists, look);
    const isLed = 'op' in part && LEADING.has(part.op) && this.#leading.get(look.table)?.has(part.field) === true;
    return { isLed, wants: isLed ? [] : fieldsOf(part, look.table) };
  }

  /** Led from the other side when an index leads to rows there, or when there are few at all. */
  async #exists(existence: Existence, { scopes, isCounting }: Look): Promise<Led> {
    const { table } = existence;
    const { asked, seen } = splitOf(existence, scopes);
    const inner = await this.#led({ and: asked }, { table, scopes, isCounting });
    if (inner.isLed) return inner;
    return { isLed: isCounting && (await this.#hasFew(table, seen)), wants: inner.wants.length === 0 ? [`${table}.id`] : inner.wants };
  }

  async #hasFew(table: string, and: readonly Condition[]): Promise<boolean> {
    return (await this.#store.count({ table, where: { and }, atMost: this.#rowsMax + 1 })) <= this.#rowsMax;
  }
}

/** What is asked of the other kind, and what the caller sees of it. */
function splitOf(
  { where }: Existence,
  scopes: ReadonlySet<Condition>,
): { readonly asked: readonly Condition[]; readonly seen: readonly Condition[] } {
  const parts = where === undefined ? [] : 'and' in where && !scopes.has(where) ? where.and : [where];
  return { asked: parts.filter((part) => !scopes.has(part)), seen: parts.filter((part) => scopes.has(part)) };
}

/** What a part asks about. */
function fieldsOf(part: Condition, table: string): readonly string[] {
  if ('field' in part) return [`${table}.${part.field}`];
  if ('some' in part) return [`${table}.${part.some.field}`];
  if ('exists' in part) return [`${part.exists.table}.${part.exists.remote}`];
  if ('not' in part) return fieldsOf(part.not, table);
  return ('and' in part ? part.and : part.or).flatMap((each) => fieldsOf(each, table));
}

const LEADING: ReadonlySet<string> = new Set(['=', 'in', '<', '<=', '>', '>=']);

const partsOf = (condition: Condition): readonly Condition[] => ('and' in condition ? condition.and.flatMap(partsOf) : [condition]);

/** What indexes begin with, once the project or account is given, as it is in every query of those who have one. */
function leadingFields(kind: AnyKind): ReadonlySet<string> {
  const { unique, indexes } = tableOf(kind);
  const firsts = [...unique, ...indexes].map((fields) => (fields[0] === `${kind.scope}Id` ? fields[1] : fields[0]));
  return new Set(['id', ...firsts.filter((field) => field !== undefined)]);
}
