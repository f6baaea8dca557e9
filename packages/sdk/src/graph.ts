/** What queries see of a kind. Generated for each; the way from one to the next is that of the server's graph. */
export interface AnyGraph {
  /** Fields of rows, deleted ones too. */
  readonly fields: object;
  /** Names of the fields that hold whole numbers. */
  readonly integers: string;
  /** Rows of other kinds, by the name of the way there. */
  readonly links: object;
}

type NameOf<T> = string & keyof T;
/** References that lead to one row each: those by a field of the row, e.g. `host` by `hostId`. */
type OneOf<G extends AnyGraph> = { readonly [K in NameOf<G['links']>]: `${K}Id` extends keyof G['fields'] ? K : never }[NameOf<G['links']>];
type Further<G extends AnyGraph, K extends keyof G['links']> = G['links'][K] extends AnyGraph ? G['links'][K] : never;
type TagPath<G extends AnyGraph> = 'tags' extends keyof G['links'] ? `tags.${string}` : never;

/** A field of the row, of one that up to two references lead to, e.g. `host.zone.name`, or the value of a tag, e.g. `tags.env`. */
export type PathOf<G extends AnyGraph, Steps extends readonly unknown[] = [1, 2]> =
  | NameOf<G['fields']>
  | TagPath<G>
  | (Steps extends readonly [unknown, ...infer Left]
      ? { readonly [K in OneOf<G>]: `${K}.${PathOf<Further<G, K>, Left>}` }[OneOf<G>]
      : never);

/** As `PathOf`, to whole numbers alone. */
export type IntegerPathOf<G extends AnyGraph, Steps extends readonly unknown[] = [1, 2]> =
  | G['integers']
  | (Steps extends readonly [unknown, ...infer Left]
      ? { readonly [K in OneOf<G>]: `${K}.${IntegerPathOf<Further<G, K>, Left>}` }[OneOf<G>]
      : never);

/** What a path leads to. */
export type ValueAt<G extends AnyGraph, P extends string> = P extends keyof G['fields']
  ? NonNullable<G['fields'][P]>
  : P extends `tags.${string}`
    ? string
    : P extends `${infer K}.${infer Rest}`
      ? K extends keyof G['links']
        ? ValueAt<Further<G, K>, Rest>
        : never
      : never;

/** What queries see of a kind that nobody generated types for. */
export interface LooseGraph {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly integers: string;
  readonly links: Readonly<Record<string, LooseGraph>>;
}

type Scalar = string | number | boolean;

/** A condition in the words of the server: what is sent. */
export type Filter =
  | { readonly field: string; readonly op: string; readonly value?: unknown }
  | { readonly has: string; readonly where?: Filter }
  | { readonly and: readonly Filter[] }
  | { readonly or: readonly Filter[] }
  | { readonly not: Filter };

/** A condition, made by `query().where(…)`. */
export class Condition {
  readonly filter: Filter;

  constructor(filter: Filter) {
    this.filter = filter;
  }

  and(...others: readonly Condition[]): Condition {
    return all(this, ...others);
  }

  or(...others: readonly Condition[]): Condition {
    return any(this, ...others);
  }

  not(): Condition {
    return new Condition({ not: this.filter });
  }
}

export const all = (...conditions: readonly Condition[]): Condition => new Condition({ and: conditions.map(({ filter }) => filter) });
export const any = (...conditions: readonly Condition[]): Condition => new Condition({ or: conditions.map(({ filter }) => filter) });

/** A time, so many milliseconds from when the query is answered; negative = ago. For fields that hold times. */
export interface FromNow {
  readonly nowPlusMs: number;
}
export const fromNow = (ms: number): FromNow => ({ nowPlusMs: ms });

/** What a field with one value can be asked. An absent field equals nothing, and is not unequal either. */
export interface Value<T> {
  eq(value: T): Condition;
  ne(value: T): Condition;
  in(values: readonly T[]): Condition;
  notIn(values: readonly T[]): Condition;
  isNull(): Condition;
  notNull(): Condition;
}
export interface Ordered<T> {
  lt(value: T): Condition;
  lte(value: T): Condition;
  gt(value: T): Condition;
  gte(value: T): Condition;
}
export interface Text {
  /** `%` stands for any text, `_` for one character. */
  like(pattern: string): Condition;
  notLike(pattern: string): Condition;
}

export interface List<E> {
  /** One of them is enough. */
  has(where?: (element: Element<E>) => Condition): Condition;
}
type Element<E> = [E] extends [Scalar] ? { readonly value: Term<E> } : Terms<E>;

export interface Entries<V> {
  /** The value under a key; keys are letters and digits here, `has` finds others. */
  at(key: string): Term<V>;
  has(where?: (entry: { readonly key: Term<string>; readonly value: Term<V> }) => Condition): Condition;
}

/** What nobody declared. */
export interface Untyped extends Value<Scalar> {
  at(key: string): Untyped;
}

export type Term<T> = unknown extends T
  ? Untyped
  : [T] extends [string]
    ? Value<T> & Ordered<string extends T ? T | FromNow : T> & Text
    : [T] extends [number]
      ? Value<T> & Ordered<T>
      : [T] extends [boolean]
        ? Value<boolean>
        : [T] extends [readonly (infer E)[]]
          ? Term<E> & List<E>
          : string extends keyof T
            ? Entries<T[string & keyof T]>
            : Terms<T>;
export type Terms<F> = { readonly [K in keyof F]-?: Term<NonNullable<F[K]>> };

/** Rows of another kind, reached from this one: of several, one is enough. */
export type Linked<G> = Row<G> & {
  has(where?: (row: Row<G>) => Condition): Condition;
};

/** A row as a condition sees it: its fields, and the ways from it to others. */
export type Row<G> = (G extends { readonly fields: infer F } ? Terms<F> : never) &
  (G extends { readonly links: infer L } ? { readonly [K in keyof L]: Linked<L[K]> } : never);

const OPERATORS: Readonly<Record<string, string>> = {
  ...{ eq: '=', ne: '!=', lt: '<', lte: '<=', gt: '>', gte: '>=', in: 'in', notIn: 'not in', like: 'like', notLike: 'not like' },
  ...{ isNull: 'null', notNull: 'not null' },
};

/** The row that a condition is written about. Whatever is read of it is a path; whatever is called makes a condition. */
export const rowOf = <G>(): Row<G> => pathTo([]) as Row<G>;

function pathTo(path: readonly string[]): unknown {
  return new Proxy(
    {},
    {
      get(_, name) {
        if (typeof name === 'symbol') return undefined;
        return path.length === 0 ? pathTo([name]) : memberOf(path, name);
      },
    },
  );
}

function memberOf(path: readonly string[], name: string): unknown {
  const field = path.join('.');
  const op = OPERATORS[name];
  if (name === 'at') return (key: string) => pathTo([...path, key]);
  if (name === 'has')
    return (where?: (row: unknown) => Condition) =>
      new Condition({ has: field, ...(where === undefined ? {} : { where: where(pathTo([])).filter }) });
  if (op === undefined) return pathTo([...path, name]);
  return (...given: readonly unknown[]) => new Condition({ field, op, ...(given.length === 0 ? {} : { value: given[0] }) });
}
