import { CloudError } from '../errors.ts';
import type { AnyKind } from '../kind.ts';
import type { Condition } from '../store.ts';
import { TAG, TAG_KEY, TAG_VALUE } from '../tags/names.ts';
import { COMPARISONS_MAX, type Comparing, FILTER_DEPTH_MAX, type Filter, PATH_MAX } from './ast.ts';
import { fieldsOf, type Link, type Place, type QueryGraph, type Shape } from './graph.ts';
import { wrongFilter } from './tokens.ts';
import { operandValue, type Scalar } from './values.ts';

export interface CompileContext {
  readonly graph: Pick<QueryGraph, 'place'>;
  /** What the caller sees of a kind he is led to. @throws CloudError when he may not read it at all */
  readonly visible: (kind: AnyKind) => Condition | undefined;
  readonly nowMs: number;
}

type Ordered = Extract<Filter, { readonly op: '=' | '!=' | '<' | '<=' | '>' | '>=' }>;

/** Where a path begins: at a row of a kind, or at an element of a list or a value of a map. */
type Start = Place | { readonly element: Shape; readonly isMap: boolean };

/** What a path has led to within a row: `field` as the store names it. */
interface Found {
  readonly field: string;
  readonly shape: Shape;
}

/**
 * The condition that a filter means for rows of the kind. What is looked up in other kinds is looked up among the rows that the caller sees.
 * @throws CloudError `invalid_input` for an unknown field, or one of another type, and what `visible` throws
 */
export const compileFilter = (filter: Filter, kind: AnyKind, context: CompileContext): Condition =>
  new Compiler(context).condition(context.graph.place(kind), filter);

/**
 * The same for fields of the row alone, and for its tags where their kind is given: all of them, whoever asks. What was said of time is as of when it was read.
 */
export function compileOwn(filter: Filter, fields: ReadonlyMap<string, Shape>, tags?: AnyKind): Condition {
  const links: readonly [string, Link][] = tags === undefined ? [] : [[tags.plural, { kind: tags, local: 'id', remote: 'resourceId' }]];
  const place: Place = { kind: { name: 'the row' } as AnyKind, fields, links: new Map(links) };
  const ofTags = (kind: AnyKind): Place => ({ kind, fields: fieldsOf(kind), links: new Map() });
  return new Compiler({ graph: { place: ofTags }, visible: () => undefined, nowMs: Number.NaN }).condition(place, filter);
}

/** The field of the row itself that a path leads to. @throws CloudError `invalid_input` when it leads elsewhere, or to what has parts */
export function ownField(path: string, kind: AnyKind, graph: Pick<QueryGraph, 'place'>, parameter: string): Found {
  const place = graph.place(kind);
  const [first = '', ...rest] = path.split('.');
  let shape = place.fields.get(first);
  for (const name of rest) shape = shape === undefined ? undefined : partOf(shape, name);
  if (shape !== undefined && isName(path)) return { field: path, shape };
  throw wrongPath(path, place, parameter);
}

export const wrongPath = (path: string, { kind, fields }: Place, parameter: string): CloudError =>
  new CloudError(
    'invalid_input',
    `The parameter ${parameter} names ${path}, which is no field of ${kind.name}; there is ${[...fields.keys()].join(', ')}.`,
    { params: { parameter, field: path, fields: [...fields.keys()] } },
  );

/** Whether it is names with dots between: nothing else may reach a store. */
export const isName = (path: string): boolean => path.split('.').every((name) => /^[A-Za-z][A-Za-z0-9]*$/.test(name));

class Compiler {
  readonly #context: CompileContext;
  #depth = 0;
  #comparisons = 0;

  constructor(context: CompileContext) {
    this.#context = context;
  }

  condition(start: Start, filter: Filter): Condition {
    this.#depth += 1;
    if (this.#depth > FILTER_DEPTH_MAX) throw wrongFilter('is nested too deeply');
    try {
      if ('and' in filter) return { and: filter.and.map((part) => this.condition(start, part)) };
      if ('or' in filter) return { or: filter.or.map((part) => this.condition(start, part)) };
      if ('not' in filter) return { not: this.condition(start, filter.not) };
      this.#comparisons += 1;
      if (this.#comparisons > COMPARISONS_MAX) throw wrongFilter(`has more than ${COMPARISONS_MAX} comparisons`);
      if ('has' in filter) return this.#has(start, filter);
      return this.#along(start, pathOf(filter.field), (found) => this.#comparison(found, filter));
    } finally {
      this.#depth -= 1;
    }
  }

  #has(start: Start, { has, where }: Extract<Filter, { readonly has: string }>): Condition {
    const path = pathOf(has);
    const inner = (next: Start) => (where === undefined ? undefined : this.condition(next, where));
    const link = this.#linkAtEnd(start, path, inner);
    if (link !== undefined) return link;
    return this.#along(start, path, ({ field, shape }) => this.#some(field, shape, has, inner));
  }

  /** Undefined when the path ends at a field. */
  #linkAtEnd(start: Start, path: readonly string[], inner: (next: Start) => Condition | undefined): Condition | undefined {
    const [name = '', ...rest] = path;
    if (!('kind' in start) || start.fields.has(name) || !start.links.has(name)) return undefined;
    return this.#follow(start, name, (next) => {
      if (rest.length === 0) return inner(next);
      return (
        this.#linkAtEnd(next, rest, inner) ?? this.#along(next, rest, ({ field, shape }) => this.#some(field, shape, rest.join('.'), inner))
      );
    });
  }

  #some(field: string, shape: Shape, path: string, inner: (next: Start) => Condition | undefined): Condition {
    const element = shape.type === 'list' ? shape.items : shape.type === 'map' ? shape.values : shape.type === 'any' ? shape : undefined;
    if (element === undefined) throw wrongFilter(`asks has(${path}), but ${path} is neither a list nor leads to others`);
    const where = inner({ element, isMap: shape.type !== 'list' });
    return { some: { field, ...(where === undefined ? {} : { where }) } };
  }

  #follow(place: Place, name: string, inner: (next: Place) => Condition | undefined): Condition {
    const link = place.links.get(name);
    if (link === undefined) throw unknownField(name, place);
    const { kind, local, remote } = link;
    const visible = this.#context.visible(kind);
    const parts = [inner(this.#context.graph.place(kind)), visible].filter((part) => part !== undefined);
    const where = parts.length <= 1 ? parts[0] : { and: parts };
    return { exists: { table: kind.name, local, remote, ...(where === undefined ? {} : { where }) } };
  }

  /** Leads `then` to the end of the path: through other kinds, and into elements of lists, of which one is enough. */
  #along(start: Start, path: readonly string[], then: (found: Found) => Condition): Condition {
    const [name = '', ...rest] = path;
    if (!('kind' in start)) return this.#within(elementAt(start, name), rest, then);
    const shape = start.fields.get(name);
    if (shape !== undefined) return this.#within({ field: name, shape }, rest, then);
    const link = start.links.get(name);
    if (link === undefined) throw unknownField(name, start);
    const [key] = rest;
    if (link.kind.name === TAG && key !== undefined && rest.length === 1 && !this.#context.graph.place(link.kind).fields.has(key))
      return this.#tagged(start, name, key, then);
    if (rest.length === 0)
      throw wrongFilter(`compares ${name}, which leads to ${link.kind.plural}: name a field of theirs (${name}.id), or ask has(${name})`);
    return this.#follow(start, name, (next) => this.#along(next, rest, then));
  }

  /** `tags.env` is the value of the tag `env`. */
  #tagged(place: Place, name: string, key: string, then: (found: Found) => Condition): Condition {
    const keyed: Condition = { field: TAG_KEY, op: '=', value: key };
    const value = then({ field: TAG_VALUE, shape: { type: 'string' } });
    if ('op' in value && value.op === 'null') return { not: this.#follow(place, name, () => keyed) };
    return this.#follow(place, name, () => ({ and: [keyed, value] }));
  }

  #within({ field, shape }: Found, path: readonly string[], then: (found: Found) => Condition): Condition {
    const [name, ...rest] = path;
    if (name === undefined) return then({ field, shape });
    if (shape.type === 'list')
      return { some: { field, where: this.#within(elementAt({ element: shape.items, isMap: false }, name), rest, then) } };
    const part = partOf(shape, name);
    if (part === undefined)
      throw wrongFilter(
        `asks for ${name} in ${field}, which has ${shape.type === 'object' ? [...shape.fields.keys()].join(', ') : 'no parts'}`,
      );
    return this.#within({ field: field === '$' ? name : `${field}.${name}`, shape: part }, rest, then);
  }

  #comparison({ field, shape }: Found, filter: Comparing): Condition {
    if (!('value' in filter)) return { field, op: filter.op };
    if (shape.type === 'list') return { some: { field, where: this.#comparison({ field: '$', shape: shape.items }, filter) } };
    if (shape.type === 'object' || shape.type === 'map') throw wrongFilter(`compares ${filter.field}, which has parts: name one of them`);
    const present: Condition = { field, op: 'not null' };
    const value = (given: Parameters<typeof operandValue>[0]): Scalar =>
      operandValue(given, shape.type, { path: filter.field, field, nowMs: this.#context.nowMs });
    const whole = (given: Parameters<typeof operandValue>[0]): Scalar => oneOf(value(given), shape, filter.field);
    switch (filter.op) {
      case 'like':
      case 'not like': {
        if (shape.type !== 'string' && shape.type !== 'time')
          throw wrongFilter(`compares ${filter.field} with like, which takes text only`);
        const like: Condition = { field, op: 'like', value: filter.value };
        return filter.op === 'like' ? like : { and: [present, { not: like }] };
      }
      case 'in':
      case 'not in': {
        const among: Condition = { field, op: 'in', value: filter.value.map(whole) };
        return filter.op === 'in' ? among : { and: [present, { not: among }] };
      }
      case '=':
        return { field, op: '=', value: whole(filter.value) };
      case '!=':
        return this.#ordered({ field, shape }, filter, whole(filter.value));
      default:
        return this.#ordered({ field, shape }, filter, value(filter.value));
    }
  }

  #ordered({ field, shape }: Found, { op, field: path }: Ordered, value: Scalar): Condition {
    if (shape.type !== 'any') return { field, op, value };
    // Whatever is there: only what is equal can be told.
    if (op !== '!=') throw wrongFilter(`compares ${path} with ${op}, but nobody declared what it holds: it takes =, !=, in and is null`);
    return { and: [{ field, op: 'not null' }, { not: { field, op: '=', value } }] };
  }
}

/** Nothing ever equals what the field cannot be: a slip, which an empty answer would hide. @throws CloudError `invalid_input` */
function oneOf(value: Scalar, shape: Shape, path: string): Scalar {
  if (shape.type !== 'string' || shape.values === undefined || shape.values.includes(String(value))) return value;
  throw new CloudError(
    'invalid_input',
    `The filter compares ${path} with ${JSON.stringify(value)}; it is one of ${shape.values.join(', ')}.`,
    {
      params: { parameter: 'filter', field: path, values: shape.values },
    },
  );
}

function pathOf(text: string): readonly string[] {
  const path = text.split('.');
  if (path.length > PATH_MAX) throw wrongFilter(`has a path of more than ${PATH_MAX} fields`);
  for (const name of path) if (!isName(name)) throw wrongFilter(`names ${JSON.stringify(text)}, which is no path of fields`);
  return path;
}

/** Of a list's element its own fields, or `value`; of a map's entry `key` and `value`. */
function elementAt({ element, isMap }: Exclude<Start, Place>, name: string): Found {
  if (isMap && name === 'key') return { field: '$key', shape: { type: 'string' } };
  if (name === 'value' && (isMap || element.type !== 'object')) return { field: '$', shape: element };
  const part = isMap ? undefined : partOf(element, name);
  if (part === undefined) {
    const there = isMap ? 'key and value' : element.type === 'object' ? [...element.fields.keys()].join(', ') : 'value';
    throw wrongFilter(`names ${name} of an element, which has ${there}`);
  }
  return { field: name, shape: part };
}

/** What lies under a name within what a field holds. */
export function partOf(shape: Shape, name: string): Shape | undefined {
  if (shape.type === 'object') return shape.fields.get(name);
  if (shape.type === 'map') return shape.values;
  return shape.type === 'any' ? shape : undefined;
}

const names = (place: Place): string => [...place.fields.keys(), ...place.links.keys()].join(', ');

function unknownField(name: string, place: Place): CloudError {
  return new CloudError('invalid_input', `There is no field ${name} of ${place.kind.name}; there is ${names(place)}.`, {
    params: { parameter: 'filter', field: name, fields: [...place.fields.keys()] },
  });
}
