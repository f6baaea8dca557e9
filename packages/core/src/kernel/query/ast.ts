/**
 * A condition as callers write it: over paths along the graph, e.g. `nics.subnet.cidr`, not yet checked against any kind. Filter texts, the JSON of queries and
 * the SDK's builder all come to this.
 */
export type Filter =
  | { readonly field: string; readonly op: '=' | '!=' | '<' | '<=' | '>' | '>='; readonly value: Operand }
  | { readonly field: string; readonly op: 'in' | 'not in'; readonly value: readonly Operand[] }
  | { readonly field: string; readonly op: 'like' | 'not like'; readonly value: string }
  | { readonly field: string; readonly op: 'null' | 'not null' }
  /** Some of what the path leads to: rows of another kind, elements of a list, values of a map. Paths in `where` begin there. */
  | { readonly has: string; readonly where?: Filter }
  | { readonly and: readonly Filter[] }
  | { readonly or: readonly Filter[] }
  | { readonly not: Filter };

/** What a field is compared with. `now` is a time, so many milliseconds from now; a duration is turned to the unit of the field, e.g. `timeoutMs`. */
export type Operand = string | number | boolean | { readonly nowPlusMs: number } | { readonly durationMs: number };

export type Comparing = Extract<Filter, { readonly field: string }>;

export interface Measure {
  readonly op: 'sum' | 'min' | 'max';
  readonly field: string;
}

/** What is asked of a kind's rows. */
export interface Query {
  /** All must hold. */
  readonly where: readonly Filter[];
  /** Paths of the fields to answer; absent = whole rows. */
  readonly fields?: readonly string[];
  readonly sort: readonly { readonly field: string; readonly descending: boolean }[];
  /** 0 = no rows, for who wants a count alone. */
  readonly limit: number;
  /** Cursor of the page before. */
  readonly after?: string;
  readonly deleted: boolean;
  /** How many there are, however many are answered. */
  readonly count: boolean;
  /** With `groupBy` or `measures` groups are answered in the place of rows. */
  readonly groupBy: readonly string[];
  readonly measures: readonly Measure[];
}

export const FILTER_DEPTH_MAX = 32;
export const COMPARISONS_MAX = 100;
export const PATH_MAX = 12;
