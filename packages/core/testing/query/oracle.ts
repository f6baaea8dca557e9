import type { Principal, Registry } from '../../src/kernel/index.ts';
import type { Json, JsonObject } from '../../src/kernel/json.ts';
import type { AnyKind } from '../../src/kernel/kind.ts';
import type { Comparing, Filter, Operand } from '../../src/kernel/query/ast.ts';
import { compares, holds, isLike, OPERATORS, type Plain, plainOf, type Scalar } from './meaning.ts';
import { NOW_MS, type QueryWorld } from './world.ts';

/** A row of a kind, an element of a list, or an entry of a map. */
interface Node {
  readonly kind?: AnyKind;
  readonly value: Json;
  readonly key?: string;
  /** Declared as a list: an absent one has no elements, where what is absent otherwise has absent parts. */
  readonly isList?: boolean;
  /** A list, or an element of one, whose elements have fields: `value` is one of those, or none. */
  readonly hasFields?: boolean;
}

/** Rows of the kind `to` that have in `there` what a row has in `here`. */
interface Way {
  readonly to: AnyKind;
  readonly here: string;
  readonly there: string;
}

/**
 * What filters mean, read off the rows themselves: every way a path can go is gone, and one that holds is enough. It knows nothing of conditions, plans or
 * indexes; queries must answer the same.
 */
export class Oracle {
  readonly #world: QueryWorld;
  readonly #ways = new Map<string, readonly Way[]>();
  readonly #registry: Registry;
  readonly #principal: Principal & { readonly allProjects: boolean };

  constructor(world: QueryWorld, principal: Principal & { readonly allProjects: boolean }) {
    this.#world = world;
    this.#registry = world.registry;
    this.#principal = principal;
  }

  /** What the caller sees of a kind. */
  visible(kind: AnyKind, deleted = false): readonly JsonObject[] {
    const limit = this.#principal.limits?.(`${kind.name}.read`);
    return (this.#world.rows.get(kind.name) ?? []).filter(
      (row) =>
        (deleted || row.deletedAt === undefined) &&
        (this.#principal.allProjects || this.#isOwn(kind, row) || this.#isShared(kind, row)) &&
        (kind.operatorsIf === undefined || this.#principal.allows('project.any') || row[kind.operatorsIf] === false) &&
        (limit === undefined || holds(row, limit, () => [])),
    );
  }

  #isOwn(kind: AnyKind, row: JsonObject): boolean {
    if (kind.scope === 'project') return row.projectId === this.#principal.projectId;
    return kind.scope === 'cloud' || row.accountId === this.#principal.accountId;
  }

  #isShared({ name, shareable, refs }: AnyKind, row: JsonObject): boolean {
    const by = typeof shareable === 'string' ? shareable : 'id';
    const resourceKind = by === 'id' ? name : refs.find(({ field }: { readonly field: string }) => field === by)?.kind;
    const { projectId, accountId } = this.#principal;
    return (
      shareable !== undefined &&
      (this.#world.rows.get('share') ?? []).some(
        (share) =>
          share.deletedAt === undefined &&
          share.resourceKind === resourceKind &&
          share.resourceId === row[by] &&
          [projectId as string, accountId, 'all'].includes(String(share.audience)),
      )
    );
  }

  rows(kind: AnyKind, filters: readonly Filter[], deleted: boolean): readonly JsonObject[] {
    return this.visible(kind, deleted).filter((row) => filters.every((filter) => this.#holds({ kind, value: row }, filter)));
  }

  /** What a path leads to that leads to one row at most; null when there is none. */
  valueOf(kind: AnyKind, row: JsonObject, path: string): Plain {
    return plainOf(this.#reach([{ kind, value: row }], path.split('.'), true)[0]?.value);
  }

  #holds(node: Node, filter: Filter): boolean {
    if ('and' in filter) return filter.and.every((part) => this.#holds(node, part));
    if ('or' in filter) return filter.or.some((part) => this.#holds(node, part));
    if ('not' in filter) return !this.#holds(node, filter.not);
    if ('has' in filter) {
      const { has, where } = filter;
      return this.#reach([node], has.split('.'))
        .flatMap((at) => (at.kind === undefined ? entriesOf(at) : [at]))
        .some((at) => where === undefined || this.#holds(at, where));
    }
    return this.#reach([node], filter.field.split('.')).some(({ value }) => compared(value, filter));
  }

  /** @param isOne of what belongs to no project each may bear a tag once: where one value is asked for, it is that of the project at work */
  #reach(nodes: readonly Node[], path: readonly string[], isOne = false): readonly Node[] {
    const [name, ...rest] = path;
    if (name === undefined) return nodes;
    return nodes.flatMap((node) => {
      const next = this.#step(node, name);
      const [key] = rest;
      const isTag = name === 'tags' && node.kind !== undefined && !(name in node.kind.rowSchema.properties) && rest.length === 1;
      if (!isTag || key === undefined || key in this.#registry.kind('tag').rowSchema.properties) return this.#reach(next, rest, isOne);
      const { projectId } = this.#principal;
      const tags = next.map(({ value }) => value as JsonObject).filter((tag) => tag.key === key && (!isOne || tag.projectId === projectId));
      // Who does not bear it has none: that is null, as of a field that is absent.
      return tags.length === 0 ? [{ value: null }] : tags.map(({ value = null }) => ({ value }));
    });
  }

  #step(node: Node, name: string): readonly Node[] {
    if (node.kind !== undefined && !(name in node.kind.rowSchema.properties))
      return this.#linked(node.kind, node.value as JsonObject, name);
    if (node.key !== undefined && name === 'key') return [{ value: node.key }];
    // What stands for an element or an entry is the value itself, until one of its fields is named.
    const { hasFields = false } = node;
    if (node.kind === undefined && name === 'value' && !hasFields && !(isObject(node.value) && 'value' in node.value))
      return [{ value: node.value }];
    if (Array.isArray(node.value)) return node.value.flatMap((value) => this.#step({ value, hasFields }, name));
    if (node.isList === true && node.value === null) return [];
    const { type, items } = (node.kind?.rowSchema.properties[name] ?? {}) as {
      readonly type?: string;
      readonly items?: { readonly type?: string };
    };
    const value = isObject(node.value) ? (node.value[name] ?? null) : null;
    return [{ value, isList: type === 'array', hasFields: items?.type === 'object' }];
  }

  #linked(kind: AnyKind, row: JsonObject, name: string): readonly Node[] {
    const known = `${kind.name}.${name}`;
    const ways = this.#ways.get(known) ?? this.#waysOf(kind, name);
    this.#ways.set(known, ways);
    return ways.flatMap(({ to, here, there }) =>
      this.visible(to)
        .filter((other) => row[here] !== undefined && other[there] === row[here])
        .map((value) => ({ kind: to, value })),
    );
  }

  #waysOf(kind: AnyKind, name: string): readonly Way[] {
    const forward = edgesOf(kind).find(({ field }) => field === `${name}Id`);
    if (forward !== undefined) return [{ to: this.#registry.kind(forward.kind), here: forward.field, there: 'id' }];
    const attached = this.#registry.attachedKinds().find(({ plural }) => camel(plural) === name);
    if (attached !== undefined && this.#registry.takesAttached(kind)) return [{ to: attached, here: 'id', there: 'resourceId' }];
    return this.#registry.kinds().flatMap((to) => {
      const edges = edgesOf(to).filter((each) => each.kind === kind.name);
      const [only] = edges;
      if (edges.length === 1 && only !== undefined) return camel(to.plural) === name ? [{ to, here: 'id', there: only.field }] : [];
      const edge = edges.find((each) => `${camel(to.plural)}By${titled(each.field)}` === name);
      return edge === undefined ? [] : [{ to, here: 'id', there: edge.field }];
    });
  }
}

const camel = (plural: string): string => plural.replaceAll(/-(.)/g, (_: string, letter: string) => letter.toUpperCase());

const titled = (field: string): string => field.charAt(0).toUpperCase() + field.slice(1).replace(/Id$/, '');

const edgesOf = (kind: AnyKind): readonly { readonly field: string; readonly kind: string }[] => {
  const refs = kind.refs as readonly { readonly field: string; readonly kind: string }[];
  const owner =
    kind.scope === 'cloud' || refs.some(({ field }) => field === `${kind.scope}Id`) ? [] : [{ field: `${kind.scope}Id`, kind: kind.scope }];
  return [...refs, ...owner];
};

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

function entriesOf({ value, hasFields = false }: Node): readonly Node[] {
  if (Array.isArray(value)) return value.map((each) => ({ value: each, hasFields }));
  return isObject(value) ? Object.entries(value).map(([key, each]) => ({ key, value: each as Json })) : [];
}

function compared(value: Json, filter: Comparing): boolean {
  if (!('value' in filter)) return (value === null) === (filter.op === 'null');
  if (Array.isArray(value)) return value.some((each) => compared(each, filter));
  if (value === null) return false;
  // What nobody declared may have parts: it is there, and equals nothing.
  if (typeof value === 'object') return filter.op === '!=' || filter.op === 'not in';
  if (filter.op === 'like' || filter.op === 'not like')
    return (typeof value === 'string' && isLike(value, filter.value)) === (filter.op === 'like');
  const ofTime = typeof value === 'string' && TIME.test(value);
  const here: Scalar = ofTime ? Date.parse(value) : value;
  const given = (operand: Operand): Scalar => {
    if (typeof operand !== 'object') return ofTime && typeof operand === 'string' ? Date.parse(operand) : operand;
    return 'nowPlusMs' in operand ? NOW_MS + operand.nowPlusMs : operand.durationMs / msOf(filter.field);
  };
  const { op } = filter;
  if (op === 'in' || op === 'not in') return filter.value.some((operand) => compares(here, '=', given(operand))) === (op === 'in');
  return OPERATORS.includes(op) && compares(here, op, given(filter.value as Operand));
}

/** As rows have times; no other text of these worlds looks so. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Milliseconds in one of the unit that a field's name ends with. */
export function msOf(field: string): number {
  const unit = /(Ms|Seconds|Minutes|Hours|Days)$/.exec(field)?.[0];
  return { Ms: 1, Seconds: 1e3, Minutes: 6e4, Hours: 3.6e6, Days: 8.64e7 }[unit ?? ''] ?? Number.NaN;
}
