import {
  type AnyKind,
  defineDeletion,
  FORWARD_ONLY,
  type Id,
  NOTHING_TO_UNDO,
  type RowBase,
  revert,
  type Statement,
  saga,
  transition,
} from '../kernel/index.ts';

/** Kinds that are nothing but a row (a zone, a cluster): what their acceptance writes is all there is to do. */
export interface RowParams {
  readonly kind: string;
  readonly id: string;
  /** Counters that begin and end with the row. */
  readonly counters?: readonly string[];
}

const named = (kind: string): AnyKind => ({ name: kind }) as AnyKind;

/** A counter at 0 without a limit is as if it had never been. */
const forgotten = (counters: readonly string[] = []): readonly Statement[] =>
  counters.map((counter) => ({ op: 'limit', counter, limit: null }));

/** Accepted is done. */
export const rowCreate = saga<null, RowParams>('row.create', 1).build();

/** The `unwound` of an action that runs `rowCreate`. */
export const rowTakenBack = ({ kind, id, counters }: RowParams): readonly Statement[] => [
  revert(named(kind), id as never, { from: 'available', to: 'deleted' }),
  ...forgotten(counters),
];

/** A move of the row along its state machine, and nothing else. */
export const rowMove = saga<null, RowParams & { readonly from: readonly string[]; readonly to: string }>('row.move', 1)
  .write('move', {
    do: ({ params: { kind, id, from, to } }) => [revert(named(kind), id as never, { from, to })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const rowRemove = saga<null, RowParams>('row.remove', 1)
  .write('deleted', {
    do: ({ params: { kind, id, counters } }) => [
      revert(named(kind), id as never, { from: 'deleting', to: 'deleted' }),
      ...forgotten(counters),
    ],
    undo: FORWARD_ONLY,
  })
  .build();

/** Deletion of a kind that is nothing but a row. */
export function rowDeletion<K extends AnyKind>(kind: K, from: readonly string[], counters: (row: RowBase) => readonly string[] = () => []) {
  // The table of the kind is checked once, here: the saga knows the kind by name only.
  transition(kind, '' as Id<never>, { from: 'deleting' as never, to: 'deleted' as never });
  return defineDeletion({
    kind,
    from,
    remove: rowRemove,
    context: () => null,
    params: (row: RowBase): RowParams => ({ kind: kind.name, id: row.id, counters: counters(row) }),
  });
}
