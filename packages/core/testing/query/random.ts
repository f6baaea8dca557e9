import type { JsonObject } from '../../src/kernel/json.ts';
import type { AnyKind } from '../../src/kernel/kind.ts';
import type { Filter, Operand } from '../../src/kernel/query/ast.ts';
import { type Place, QueryGraph, type Shape } from '../../src/kernel/query/graph.ts';
import { type At, Literals } from './literals.ts';
import { type Dice, KEYS, type QueryWorld } from './world.ts';

interface Leaf {
  readonly path: string;
  readonly shape: Shape;
}

const TEXT: Shape = { type: 'string' };
const TAGS = 'tags';

/** Any filter that the grammar and the kinds allow. */
export class RandomQueries {
  readonly graph: QueryGraph;
  /** Whether order and groups may go by tags: who sees those of several projects may see several of one name. */
  byTag = true;
  readonly #dice: Dice;
  readonly #literals: Literals;

  /** @param rowsOf what who asks sees of a kind: most comparisons are with what is there */
  constructor({ registry, ids }: Pick<QueryWorld, 'registry' | 'ids'>, dice: Dice, rowsOf: (kind: AnyKind) => readonly JsonObject[]) {
    this.graph = new QueryGraph(registry);
    this.#dice = dice;
    this.#literals = new Literals(dice, rowsOf, ids);
  }

  filter(kind: AnyKind, depth = 3): Filter {
    return this.#filter(this.graph.place(kind), depth);
  }

  /** The fields of the row itself that have one value. */
  leaves(kind: AnyKind): readonly Leaf[] {
    return [...this.graph.place(kind).fields].flatMap(([name, shape]) => leavesOf(name, shape));
  }

  /** A field with one value: of the row, or of one that references lead to. */
  leaf(kind: AnyKind, wanted: (shape: Shape) => boolean = () => true): Leaf {
    const dice = this.#dice;
    const names: string[] = [];
    let place = this.graph.place(kind);
    while (dice.chance(0.4) && names.length < 3) {
      const ways = [...place.links].filter(([name, { remote }]) => remote === 'id' && !place.fields.has(name));
      const leads = ways.filter(([, link]) => this.leaves(link.kind).some(({ shape }) => wanted(shape)));
      if (leads.length === 0) break;
      const [name, link] = dice.one(leads);
      names.push(name);
      place = this.graph.place(link.kind);
    }
    const key = this.byTag && wanted(TEXT) && place.links.has(TAGS) && dice.chance(0.1) ? this.#tag(place) : undefined;
    const { path, shape } = key ?? dice.one(this.leaves(place.kind).filter((leaf) => wanted(leaf.shape)));
    return { path: [...names, path].join('.'), shape };
  }

  /** The value of a tag that some row bears. */
  #tag(place: Place): Leaf | undefined {
    const { kind } = place.links.get(TAGS) as { readonly kind: AnyKind };
    const { fields } = this.graph.place(kind);
    const keys = this.#literals.texts({ kind, path: ['key'] }).filter((key) => /^[A-Za-z][A-Za-z0-9]*$/.test(key) && !fields.has(key));
    return keys.length === 0 ? undefined : { path: `${TAGS}.${this.#dice.one(keys)}`, shape: TEXT };
  }

  #filter(place: Place, depth: number): Filter {
    const dice = this.#dice;
    const roll = dice.next();
    if (depth > 0 && roll < 0.14) return { not: this.#filter(place, depth - 1) };
    if (depth > 0 && roll < 0.34) {
      const parts = Array.from({ length: 1 + dice.below(3) }, () => this.#filter(place, depth - 1));
      return roll < 0.24 ? { and: parts } : { or: parts };
    }
    if (depth > 0 && roll < 0.5 && place.links.size > 0) {
      const [name, link] = dice.one([...place.links]);
      const where = dice.chance(0.8) ? { where: this.#filter(this.graph.place(link.kind), depth - 1) } : {};
      return { has: name, ...where };
    }
    if (depth > 0 && roll < 0.7 && place.links.size > 0) return this.#along(place, depth);
    return this.#within(place);
  }

  /** A comparison some ways further. */
  #along(place: Place, depth: number): Filter {
    const [name, link] = this.#dice.one([...place.links]);
    const tag = name === TAGS && this.#dice.chance(0.5) ? this.#tag(place) : undefined;
    if (tag !== undefined) return this.#compared({ kind: link.kind, path: ['value'] }, TEXT, tag.path);
    const next = this.graph.place(link.kind);
    const inner = depth > 1 && this.#dice.chance(0.4) && next.links.size > 0 ? this.#along(next, depth - 1) : this.#within(next);
    return prefixed(name, inner);
  }

  /** Something about a field of the row, or about what lies in it. */
  #within({ kind, fields }: Place): Filter {
    const [name, shape] = this.#dice.one([...fields]);
    return this.about(kind, name, shape);
  }

  /** Something about a field of the kind. */
  about(kind: AnyKind, name: string, shape: Shape): Filter {
    return this.#about({ kind, path: [name] }, shape, name);
  }

  /** @param said the path from where the filter begins: an element of a list has its own */
  #about(at: At, shape: Shape, said: string): Filter {
    const dice = this.#dice;
    switch (shape.type) {
      case 'object': {
        const [name, part] = dice.one([...shape.fields]);
        return dice.chance(0.15) ? this.#presence(said) : this.#about(within(at, name), part, `${said}.${name}`);
      }
      case 'list':
        if (dice.chance(0.15)) return this.#presence(said);
        if (dice.chance(0.4)) return { has: said, ...(dice.chance(0.8) ? { where: this.#element(at, shape.items) } : {}) };
        return shape.items.type === 'object' ? this.#about(at, shape.items, said) : this.#compared(at, shape.items, said);
      case 'map': {
        if (dice.chance(0.5)) return { has: said, ...(dice.chance(0.8) ? { where: this.#entry(at, shape.values) } : {}) };
        const key = dice.one(['a', 'path', 'none']);
        return this.#about(within(at, key), shape.values, `${said}.${key}`);
      }
      case 'any': {
        const path = dice.one([['a'], ['deep', 'a'], ['none']]);
        return this.#compared(within(at, ...path), shape, [said, ...path].join('.'));
      }
      default:
        return this.#compared(at, shape, said);
    }
  }

  #presence(field: string): Filter {
    return { field, op: this.#dice.chance(0.5) ? 'null' : 'not null' };
  }

  #element(at: At, items: Shape): Filter {
    if (items.type !== 'object') return this.#compared(at, items, 'value');
    const [name, part] = this.#dice.one([...items.fields]);
    return this.#about(within(at, name), part, name);
  }

  #entry(at: At, values: Shape): Filter {
    const key: Filter = { field: 'key', op: '=', value: this.#dice.one(KEYS) };
    return this.#dice.chance(0.4) ? key : { and: [key, this.#compared(within(at, '*'), values, 'value')] };
  }

  #compared(at: At, shape: Shape, field: string): Filter {
    const dice = this.#dice;
    const ordered = shape.type === 'any' ? (['=', '!='] as const) : (['=', '!=', '<', '<=', '>', '>='] as const);
    const roll = dice.next();
    if (roll < 0.12) return this.#presence(field);
    if (roll < 0.3) {
      const value = Array.from({ length: 1 + dice.below(3) }, () => this.#literals.value(at, shape, true));
      return { field, op: dice.chance(0.5) ? 'in' : 'not in', value };
    }
    if (roll < 0.45 && shape.type === 'string')
      return { field, op: dice.chance(0.5) ? 'like' : 'not like', value: this.#literals.pattern(at) };
    const op = dice.one(ordered);
    return { field, op, value: this.#literals.value(at, shape, op === '=' || op === '!=') };
  }
}

const within = ({ kind, path }: At, ...names: readonly string[]): At => ({ kind, path: [...path, ...names] });

export function leavesOf(path: string, shape: Shape): readonly Leaf[] {
  if (shape.type === 'object') return [...shape.fields].flatMap(([name, part]) => leavesOf(`${path}.${name}`, part));
  return ['list', 'map', 'any'].includes(shape.type) ? [] : [{ path, shape }];
}

const prefixed = (name: string, filter: Filter): Filter => {
  if ('has' in filter) return { ...filter, has: `${name}.${filter.has}` };
  return 'field' in filter ? { ...filter, field: `${name}.${filter.field}` } : filter;
};

/** The filter as a caller writes it in a URL. */
export function filterText(filter: Filter): string {
  if ('and' in filter) return joined(filter.and, 'and');
  if ('or' in filter) return joined(filter.or, 'or');
  if ('not' in filter) return `not (${filterText(filter.not)})`;
  if ('has' in filter) return `has(${filter.has}${filter.where === undefined ? '' : `: ${filterText(filter.where)}`})`;
  const { field, op } = filter;
  if (!('value' in filter)) return `${field} is ${op}`;
  const { value } = filter;
  return `${field} ${op} ${Array.isArray(value) ? `(${value.map(literal).join(', ')})` : literal(value as Operand)}`;
}

const joined = (parts: readonly Filter[], word: string): string => parts.map((part) => `(${filterText(part)})`).join(` ${word} `);

/** Sizes and times by the largest unit that they are whole in. */
function literal(value: Operand): string {
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  if (typeof value === 'number') return inUnits(value, SIZES, '');
  if (typeof value === 'boolean') return String(value);
  if ('durationMs' in value) return inUnits(value.durationMs, DURATIONS, 'ms');
  const { nowPlusMs } = value;
  return `now ${nowPlusMs < 0 ? '-' : '+'} ${inUnits(Math.abs(nowPlusMs), DURATIONS, 'ms')}`;
}

type Units = readonly (readonly [name: string, factor: number])[];
const SIZES: Units = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['KiB', 1024],
  ['kB', 1000],
];
const DURATIONS: Units = [
  ['w', 604_800_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
];

function inUnits(value: number, units: Units, else_: string): string {
  const [name, factor] = units.find(([, each]) => value !== 0 && value % each === 0) ?? [else_, 1];
  return `${value / factor}${name}`;
}
