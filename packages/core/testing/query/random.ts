import type { AnyKind } from '../../src/kernel/kind.ts';
import type { Filter, Operand } from '../../src/kernel/query/ast.ts';
import { type Place, QueryGraph, type Shape } from '../../src/kernel/query/graph.ts';
import { type Dice, KEYS, type QueryWorld, valuesFor } from './world.ts';

const PATTERNS = ['%', 'a%', '%b', '_', '%\\%', 'x\\_y', '%*%', '', "it's", '01900000%'];

interface Leaf {
  readonly path: string;
  readonly shape: Shape;
}

/** Any filter that the grammar and the kinds allow. */
export class RandomQueries {
  readonly graph: QueryGraph;
  readonly #world: QueryWorld;
  readonly #dice: Dice;

  constructor(world: QueryWorld, dice: Dice) {
    this.graph = new QueryGraph(world.registry);
    this.#world = world;
    this.#dice = dice;
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
    const { path, shape } = dice.one(this.leaves(place.kind).filter((leaf) => wanted(leaf.shape)));
    return { path: [...names, path].join('.'), shape };
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
    const next = this.graph.place(link.kind);
    const inner = depth > 1 && this.#dice.chance(0.4) && next.links.size > 0 ? this.#along(next, depth - 1) : this.#within(next);
    return prefixed(name, inner);
  }

  /** Something about a field of the row, or about what lies in it. */
  #within(place: Place): Filter {
    const [name, shape] = this.#dice.one([...place.fields]);
    return this.about(name, shape);
  }

  about(path: string, shape: Shape): Filter {
    const dice = this.#dice;
    switch (shape.type) {
      case 'object': {
        const [name, part] = dice.one([...shape.fields]);
        return dice.chance(0.15) ? { field: path, op: dice.chance(0.5) ? 'null' : 'not null' } : this.about(`${path}.${name}`, part);
      }
      case 'list':
        if (dice.chance(0.15)) return { field: path, op: dice.chance(0.5) ? 'null' : 'not null' };
        if (dice.chance(0.4)) return { has: path, ...(dice.chance(0.8) ? { where: this.#element(shape.items) } : {}) };
        return shape.items.type === 'object' ? this.about(path, shape.items) : this.#compared(path, shape.items);
      case 'map':
        if (dice.chance(0.5)) return { has: path, ...(dice.chance(0.8) ? { where: this.#entry(shape.values) } : {}) };
        return this.about(`${path}.${dice.one(['a', 'path', 'none'])}`, shape.values);
      case 'any':
        return this.#compared(path + dice.one(['.a', '.deep.a', '.none']), shape);
      default:
        return this.#compared(path, shape);
    }
  }

  #element(items: Shape): Filter {
    if (items.type !== 'object') return this.#compared('value', items);
    const [name, part] = this.#dice.one([...items.fields]);
    return this.about(name, part);
  }

  #entry(values: Shape): Filter {
    const key: Filter = { field: 'key', op: '=', value: this.#dice.one(KEYS) };
    return this.#dice.chance(0.4) ? key : { and: [key, this.#compared('value', values)] };
  }

  #compared(field: string, shape: Shape): Filter {
    const dice = this.#dice;
    const values = valuesFor(shape, this.#world.ids);
    const value = (): Operand => dice.one(values);
    const ordered = shape.type === 'any' ? (['=', '!='] as const) : (['=', '!=', '<', '<=', '>', '>='] as const);
    const roll = dice.next();
    if (roll < 0.15) return { field, op: dice.chance(0.5) ? 'null' : 'not null' };
    if (roll < 0.3) return { field, op: dice.chance(0.5) ? 'in' : 'not in', value: Array.from({ length: 1 + dice.below(3) }, value) };
    if (roll < 0.4 && shape.type === 'string') return { field, op: dice.chance(0.5) ? 'like' : 'not like', value: dice.one(PATTERNS) };
    return { field, op: dice.one(ordered), value: value() };
  }
}

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

const literal = (value: Operand): string => (typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value));
