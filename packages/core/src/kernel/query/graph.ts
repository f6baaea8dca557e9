import type { AnyKind } from '../kind.ts';
import type { Registry } from '../registry.ts';

export type ScalarType = 'string' | 'integer' | 'number' | 'boolean' | 'time';

/** What a field holds. */
export type Shape =
  /** `values`: all that it may be, where those are few. */
  | { readonly type: ScalarType; readonly values?: readonly string[] }
  | { readonly type: 'object'; readonly fields: ReadonlyMap<string, Shape> }
  | { readonly type: 'list'; readonly items: Shape }
  | { readonly type: 'map'; readonly values: Shape }
  /** Nobody declared what. */
  | { readonly type: 'any' };

/** An edge of the graph, seen from one of its ends: rows of `kind` that have in `remote` what this row has in `local`. */
export interface Link {
  readonly kind: AnyKind;
  readonly local: string;
  readonly remote: string;
}

export interface Place {
  readonly kind: AnyKind;
  readonly fields: ReadonlyMap<string, Shape>;
  readonly links: ReadonlyMap<string, Link>;
}

/** What can be asked about: the fields of each kind and the ways from it to others, both along its refs and against those of others. */
export class QueryGraph {
  readonly #places: ReadonlyMap<string, Place>;

  constructor(registry: Registry) {
    this.#places = new Map(
      registry.kinds().map((kind) => [kind.name as string, { kind, fields: fieldsOf(kind), links: linksOf(kind, registry) }]),
    );
  }

  place(kind: AnyKind): Place {
    const place = this.#places.get(kind.name);
    if (place === undefined) throw new Error(`unknown kind ${kind.name}`);
    return place;
  }
}

/** A kind's fields without those that are secret. */
export function fieldsOf(kind: AnyKind): ReadonlyMap<string, Shape> {
  const properties = Object.entries(kind.rowSchema.properties as Record<string, unknown>);
  return new Map(properties.filter(([field]) => !kind.secretFields.includes(field)).map(([field, schema]) => [field, shapeOf(schema)]));
}

/**
 * Forward by the field without `Id`, backward by the plural of the kind that refers, e.g. `host` and `nics` of an instance. Where a kind refers by several
 * fields its rows are called e.g. `nicsBySubnet`. To what is attached to resources of any kind it is its plural, e.g. `tags`. A field of the same name goes before.
 */
function linksOf(kind: AnyKind, registry: Registry): ReadonlyMap<string, Link> {
  const links = new Map<string, Link>();
  for (const { field, kind: to } of edgesOf(kind, registry))
    links.set(linkName(field), { kind: registry.kind(to), local: field, remote: 'id' });
  for (const other of registry.attachedTo(kind)) links.set(camel(other.plural), { kind: other, local: 'id', remote: 'resourceId' });
  for (const other of registry.kinds()) {
    const edges = edgesOf(other, registry).filter((edge) => edge.kind === kind.name);
    for (const { field } of edges) {
      const by = edges.length === 1 ? '' : `By${linkName(field).charAt(0).toUpperCase()}${linkName(field).slice(1)}`;
      const name = camel(other.plural) + by;
      if (!links.has(name)) links.set(name, { kind: other, local: 'id', remote: field });
    }
  }
  return links;
}

/** Its refs, and the project or account that its rows belong to. */
function edgesOf(kind: AnyKind, registry: Registry): readonly { readonly field: string; readonly kind: string }[] {
  const scope: string = kind.scope;
  const owner = scope === 'cloud' || !registry.kinds().some((other) => other.name === scope) ? [] : [{ field: `${scope}Id`, kind: scope }];
  const refs = kind.refs as readonly { readonly field: string; readonly kind: string }[];
  return [...refs, ...owner.filter(({ field }) => !refs.some((edge) => edge.field === field))];
}

const linkName = (field: string): string => field.replace(/Id$/, '');

const camel = (plural: string): string => plural.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

interface Schema {
  readonly type?: unknown;
  readonly format?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly unknown[];
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly patternProperties?: Readonly<Record<string, unknown>>;
  readonly items?: unknown;
}

export function shapeOf(schema: unknown): Shape {
  const { type, format, const: literal, enum: few, anyOf, properties, patternProperties, items } = schema as Schema;
  if (anyOf !== undefined) return unionOf(anyOf.map(shapeOf));
  const values = typeof literal === 'string' ? [literal] : few;
  if (values?.every((value) => typeof value === 'string') === true) return { type: 'string', values };
  if (type === 'string') return { type: format === 'date-time' ? 'time' : 'string' };
  if (Number.isInteger(literal)) return { type: 'integer' };
  if (type === 'integer' || type === 'number' || type === 'boolean') return { type };
  if (typeof literal === 'boolean') return { type: 'boolean' };
  if (type === 'array') return { type: 'list', items: items === undefined ? { type: 'any' } : shapeOf(items) };
  if (type !== 'object') return { type: 'any' };
  if (properties !== undefined)
    return { type: 'object', fields: new Map(Object.entries(properties).map(([name, each]) => [name, shapeOf(each)])) };
  const [each] = Object.values(patternProperties ?? {});
  return each === undefined ? { type: 'any' } : { type: 'map', values: shapeOf(each) };
}

/** Of one type, if all are. */
function unionOf(shapes: readonly Shape[]): Shape {
  const [first = { type: 'any' } as Shape] = shapes;
  if (!shapes.every(({ type }) => type === first.type && type !== 'object')) return { type: 'any' };
  if (first.type !== 'string') return first;
  const values = shapes.map((shape) => (shape.type === 'string' ? shape.values : undefined));
  return values.every((few) => few !== undefined) ? { type: 'string', values: values.flat() } : { type: 'string' };
}
