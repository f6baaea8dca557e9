import { CloudError } from '../errors.ts';
import type { AnyKind } from '../kind.ts';
import { type Registry, tableOf } from '../registry.ts';
import type { Condition, Store } from '../store.ts';

/** What a query asks of one kind, split by who asked: scope is what the caller sees anyway. */
export interface Asked {
  readonly kind: AnyKind;
  readonly where: readonly Condition[];
  readonly scope: Condition | undefined;
  /** Fields that are sorted, grouped or added up. */
  readonly fields: readonly string[];
}

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
  readonly #scopes: ReadonlySet<string> = new Set(['projectId', 'accountId']);

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
  async check({ kind, where, scope, fields }: Asked): Promise<readonly string[]> {
    const parts = where.flatMap(partsOf);
    const led = await Promise.all(parts.map((part) => this.#led(part, kind.name)));
    const wants = [
      ...new Set([
        ...led.filter(({ isLed }) => !isLed).flatMap((part) => part.wants),
        ...fields.filter((field) => !this.orders(kind, field)).map((field) => `${kind.name}.${field}`),
      ]),
    ];
    const leads = parts.filter((_, place) => led[place]?.isLed === true);
    const flagged = led.filter(({ isLed }) => isLed).flatMap((part) => part.wants);
    if (wants.length === 0) return flagged;
    if (await this.#hasFew(kind.name, [...leads, ...(scope === undefined ? [] : [scope])])) return leads.length > 0 ? flagged : wants;
    throw new CloudError(
      'needs_index',
      `This would look at more than ${this.#rowsMax} ${kind.plural} one by one, for there is no index of ${wants.join(', ')}: ask for something that has one, too.`,
      { params: { fields: wants, rowsMax: this.#rowsMax } },
    );
  }

  async #led(part: Condition, table: string): Promise<Led> {
    if ('and' in part) {
      const all = await Promise.all(part.and.map((each) => this.#led(each, table)));
      const found = all.filter(({ isLed }) => isLed);
      return found.length > 0
        ? { isLed: true, wants: found.flatMap(({ wants }) => wants) }
        : { isLed: false, wants: all.flatMap(({ wants }) => wants) };
    }
    if ('or' in part) {
      const all = await Promise.all(part.or.map((each) => this.#led(each, table)));
      const isLed = all.every((each) => each.isLed);
      return { isLed, wants: all.filter((each) => isLed || !each.isLed).flatMap(({ wants }) => wants) };
    }
    if ('not' in part) return { isLed: false, wants: (await this.#led(part.not, table)).wants };
    if ('exists' in part) return this.#exists(part.exists);
    if ('some' in part) return { isLed: false, wants: [`${table}.${part.some.field}`] };
    const name = `${table}.${part.field}`;
    const isLed = LEADING.has(part.op) && this.#leading.get(table)?.has(part.field) === true;
    return { isLed, wants: isLed ? [] : [name] };
  }

  /** Led from the other side when an index leads to rows there, or when there are few at all. */
  async #exists({ table, where }: Extract<Condition, { readonly exists: unknown }>['exists']): Promise<Led> {
    if (where === undefined) return { isLed: await this.#hasFew(table, []), wants: [] };
    const parts = partsOf(where);
    const isScope = (part: Condition) => 'field' in part && this.#scopes.has(part.field);
    const inner = await this.#led({ and: parts.filter((part) => !isScope(part)) }, table);
    if (inner.isLed) return inner;
    return { isLed: await this.#hasFew(table, parts.filter(isScope)), wants: inner.wants };
  }

  async #hasFew(table: string, and: readonly Condition[]): Promise<boolean> {
    return (await this.#store.count({ table, where: { and }, atMost: this.#rowsMax + 1 })) <= this.#rowsMax;
  }
}

const LEADING: ReadonlySet<string> = new Set(['=', 'in', '<', '<=', '>', '>=']);

const partsOf = (condition: Condition): readonly Condition[] => ('and' in condition ? condition.and.flatMap(partsOf) : [condition]);

/** What indexes begin with, once the project or account is given, as it is in every query of those who have one. */
function leadingFields(kind: AnyKind): ReadonlySet<string> {
  const { unique, indexes } = tableOf(kind);
  const firsts = [...unique, ...indexes].map((fields) => (fields[0] === `${kind.scope}Id` ? fields[1] : fields[0]));
  return new Set(['id', ...firsts.filter((field) => field !== undefined)]);
}
