import type { Row } from './row.ts';

/** What changed in a replica: the rows before and after. */
export type Change<S> = { readonly [N in keyof S & string]: TableChange<N, S[N]> }[keyof S & string];

export type TableChange<N extends string, R> =
  | { readonly table: N; readonly uuid: string; readonly kind: 'insert'; readonly before: undefined; readonly row: R }
  | {
      readonly table: N;
      readonly uuid: string;
      readonly kind: 'modify';
      readonly before: R;
      readonly row: R;
      readonly columns: readonly string[];
    }
  | { readonly table: N; readonly uuid: string; readonly kind: 'delete'; readonly before: R; readonly row: undefined };

/** A change of some table. */
export type AnyChange = TableChange<string, Row>;
