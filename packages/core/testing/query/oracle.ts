import type { Principal, Registry } from '../../src/kernel/index.ts';
import type { Json, JsonObject } from '../../src/kernel/json.ts';
import type { AnyKind } from '../../src/kernel/kind.ts';
import type { Comparing, Filter } from '../../src/kernel/query/ast.ts';
import { compareValues, matches } from '../../src/kernel/query/matches.ts';
import type { QueryWorld } from './world.ts';

type Scalar = string | number | boolean;

/** A row of a kind, an element of a list, or an entry of a map. */
interface Node {
  readonly kind?: AnyKind;
  readonly value: Json;
  readonly key?: string;
  /** Declared as a list: an absent one has no elements, where what is absent otherwise has absent parts. */
  readonly isList?: boolean;
}

/**
 * What filters mean, read off the rows themselves: every way a path can go is gone, and one that holds is enough. It knows nothing of conditions, plans or
 * indexes; queries must answer the same.
 */
export class Oracle {
  readonly #world: QueryWorld;
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
        (limit === undefined || matches(row, limit)),
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
  valueOf(kind: AnyKind, row: JsonObject, path: string): Json {
    return this.#reach([{ kind, value: row }], path.split('.'))[0]?.value ?? null;
  }

  #holds(node: Node, filter: Filter): boolean {
    if ('and' in filter) return filter.and.every((part) => this.#holds(node, part));
    if ('or' in filter) return filter.or.some((part) => this.#holds(node, part));
    if ('not' in filter) return !this.#holds(node, filter.not);
    if ('has' in filter) {
      const { has, where } = filter;
      return this.#reach([node], has.split('.'))
        .flatMap((at) => (at.kind === undefined ? entriesOf(at.value) : [at]))
        .some((at) => where === undefined || this.#holds(at, where));
    }
    return this.#reach([node], filter.field.split('.')).some(({ value }) => compared(value, filter));
  }

  #reach(nodes: readonly Node[], path: readonly string[]): readonly Node[] {
    const [name, ...rest] = path;
    if (name === undefined) return nodes;
    return this.#reach(
      nodes.flatMap((node) => this.#step(node, name)),
      rest,
    );
  }

  #step(node: Node, name: string): readonly Node[] {
    if (node.kind !== undefined && !(name in node.kind.rowSchema.properties))
      return this.#linked(node.kind, node.value as JsonObject, name);
    if (node.key !== undefined && name === 'key') return [{ value: node.key }];
    // What stands for an element or an entry is the value itself, until one of its fields is named.
    if (node.kind === undefined && name === 'value' && !(isObject(node.value) && 'value' in node.value)) return [{ value: node.value }];
    if (Array.isArray(node.value)) return node.value.flatMap((value) => this.#step({ value }, name));
    if (node.isList === true && node.value === null) return [];
    const isList = (node.kind?.rowSchema.properties[name] as { readonly type?: string } | undefined)?.type === 'array';
    return [{ value: isObject(node.value) ? (node.value[name] ?? null) : null, isList }];
  }

  #linked(kind: AnyKind, row: JsonObject, name: string): readonly Node[] {
    const forward = edgesOf(kind).find(({ field }) => field === `${name}Id`);
    const to = forward === undefined ? undefined : this.#registry.kind(forward.kind);
    if (to !== undefined)
      return this.visible(to)
        .filter(({ id }) => row[`${name}Id`] === id)
        .map((value) => ({ kind: to, value }));
    const attached = this.#registry.attachedKinds().find(({ plural }) => camel(plural) === name);
    if (attached !== undefined && this.#registry.takesAttached(kind))
      return this.visible(attached)
        .filter(({ resourceId }) => resourceId === row.id)
        .map((value) => ({ kind: attached, value }));
    return this.#registry.kinds().flatMap((other) => {
      const edge = edgesOf(other).find((each) => each.kind === kind.name);
      const plural = camel(other.plural);
      const edges = edgesOf(other).filter((each) => each.kind === kind.name);
      const field =
        edges.length === 1
          ? plural === name
            ? edge?.field
            : undefined
          : edges.find((each) => `${plural}By${titled(each.field)}` === name)?.field;
      if (field === undefined) return [];
      return this.visible(other)
        .filter((each) => each[field] === row.id)
        .map((value) => ({ kind: other, value }));
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

function entriesOf(value: Json): readonly Node[] {
  if (Array.isArray(value)) return value.map((each) => ({ value: each }));
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
  if (filter.op === 'in' || filter.op === 'not in')
    return filter.value.some((each) => compareValues(value, each as Scalar) === 0) === (filter.op === 'in');
  const order = compareValues(value, filter.value as Scalar);
  return { '=': order === 0, '!=': order !== 0, '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[filter.op];
}

/** Character by character, without regular expressions. */
function isLike(text: string, pattern: string): boolean {
  const letters = [...text];
  const signs: { readonly sign: string; readonly literal: boolean }[] = [];
  const given = [...pattern];
  for (let at = 0; at < given.length; at += 1) {
    const escaped = given[at] === '\\' && at + 1 < given.length;
    if (escaped) at += 1;
    signs.push({ sign: given[at] ?? '', literal: escaped });
  }
  const from = (letter: number, sign: number): boolean => {
    const wanted = signs[sign];
    if (wanted === undefined) return letter === letters.length;
    if (!wanted.literal && wanted.sign === '%') return from(letter, sign + 1) || (letter < letters.length && from(letter + 1, sign));
    if (letter === letters.length) return false;
    return ((!wanted.literal && wanted.sign === '_') || wanted.sign === letters[letter]) && from(letter + 1, sign + 1);
  };
  return from(0, 0);
}
