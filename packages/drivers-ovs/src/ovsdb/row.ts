/** How rows are typed: what may be written, asked and changed follows from the type of a row. */

declare const rowOf: unique symbol;

/** The uuid of a row of table `T`, in lower case. Any string may become one; that of another table may not. */
export type RowUuid<T extends string = string> = string & { readonly [rowOf]?: T };

/** A map column: no key is certain to be there. Keys that are numbers are written as numbers or as texts. */
export type ValueMapOf<V, K extends string = string> = { readonly [key in K]?: V };

/** What every row has. */
export interface Row {
  readonly _uuid: string;
}

/** The columns of a row. `_uuid` is none: it is chosen once. */
export type ColumnOf<R> = Exclude<keyof R & string, '_uuid'>;

/** What is left out has the default of its type: 0, `''`, `false`, nothing. */
export type NewRow<R> = { readonly [C in ColumnOf<R>]?: R[C] };

/** What is left out stays; `undefined` empties a column that may be empty. */
export type RowChanges<R> = { readonly [C in ColumnOf<R>]?: R[C] };

type Equality = '==' | '!=' | 'includes' | 'excludes';
type Order = '<' | '<=' | '>' | '>=';
type ConditionFunction<V> = [V] extends [number | undefined] ? Equality | Order : Equality;

/** `[column, function, value]` (RFC 7047, 5.1): for sets and maps `includes` asks for all members of `value`, `excludes` for none. */
export type Condition<R> = {
  readonly [C in keyof R & string]: readonly [column: C, is: ConditionFunction<R[C]>, value: R[C]];
}[keyof R & string];

export interface EveryRow {
  readonly everyRow: true;
}

/** In place of conditions, so that a list that happens to be empty never means all of a table. */
export const everyRow: EveryRow = { everyRow: true };

/** Which rows: the one with this uuid, those that meet all conditions, or every row. */
export type Where<R> = RowUuid | readonly [Condition<R>, ...Condition<R>[]] | EveryRow;

export type Arithmetic =
  | { readonly add: number }
  | { readonly subtract: number }
  | { readonly multiply: number }
  | { readonly divide: number }
  | { readonly modulo: number };

/** Deleted first, then inserted. */
export interface SetMutation<A> {
  readonly insert?: readonly A[];
  readonly delete?: readonly A[];
}

/** Deleted first, by key; then put, whatever the key had; then inserted where the key has nothing. */
export interface MapMutation<M> {
  readonly insert?: M;
  readonly put?: M;
  readonly delete?: readonly string[];
}

type AnyMutation = Arithmetic | SetMutation<number | string | boolean> | MapMutation<Readonly<Record<string, number | string | boolean>>>;

export type Mutation<V> = unknown extends V
  ? AnyMutation
  : [V] extends [number | undefined]
    ? Arithmetic
    : [V] extends [readonly (infer A)[]]
      ? SetMutation<A>
      : [V] extends [string | boolean | undefined]
        ? never
        : [V] extends [Readonly<Record<string, unknown>>]
          ? MapMutation<Partial<V>>
          : AnyMutation;

export type Mutations<R> = { readonly [C in ColumnOf<R> as Mutation<R[C]> extends never ? never : C]?: Mutation<R[C]> };
