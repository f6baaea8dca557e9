import type { Id } from './id.ts';
import type { Json, JsonObject } from './json.ts';
import type { AnyKind, NameOf, RowOf, StateOf } from './kind.ts';
import type { Reader } from './reader.ts';
import type { Expect, Statement } from './store.ts';

type Fields<K> = Partial<
  Omit<RowOf<K>, 'id' | 'state' | 'generation' | 'revision' | 'createdAt' | 'updatedAt' | 'deletedAt' | 'schemaVersion'>
>;
type Clearable<T> = { readonly [K in keyof T]?: T[K] | null };

/** From which states to which, and what changes with it. */
interface Move<K extends AnyKind> {
  readonly from: StateOf<K> | readonly StateOf<K>[];
  readonly to: StateOf<K>;
  readonly set?: Clearable<Fields<K>>;
  readonly expect?: Expect;
}

/** A new row in the kind's initial state (or the one given). */
export function create<K extends AnyKind>(
  kind: K,
  row: Omit<RowOf<K>, 'state' | 'generation' | 'revision' | 'createdAt' | 'updatedAt' | 'schemaVersion'> & { readonly state?: StateOf<K> },
): Statement {
  return {
    op: 'insert',
    table: kind.name,
    row: { state: kind.initial, schemaVersion: kind.schemaVersion, ...(row as unknown as JsonObject) },
  };
}

/** Moves a row along its state machine, from one of the states given. @throws Error when the table of the kind has no such move. */
export function transition<K extends AnyKind>(kind: K, id: Id<NameOf<K>>, move: Move<K>): Statement {
  const from = (typeof move.from === 'string' ? [move.from] : move.from) as readonly string[];
  for (const state of from)
    if (state !== move.to && !(kind.states[state] ?? []).includes(move.to))
      throw new Error(`kind ${kind.name} has no move from ${state} to ${String(move.to)}`);
  return revert(kind, id, move);
}

/** The same without regard to the state machine: for undo, which goes back where the table only leads on. */
export function revert<K extends AnyKind>(kind: K, id: Id<NameOf<K>>, move: Move<K>): Statement {
  return {
    op: 'update',
    table: kind.name,
    key: id,
    set: { ...(move.set as JsonObject | undefined), state: move.to as Json, ...(move.to === 'deleted' ? { deletedAt: true } : {}) },
    expect: { ...move.expect, state: move.from as Json },
  };
}

/** Changes fields of a live row. */
export function change<K extends AnyKind>(kind: K, id: Id<NameOf<K>>, set: Clearable<Fields<K>>, expect: Expect = {}): Statement {
  return { op: 'update', table: kind.name, key: id, set: set as JsonObject, expect: { deletedAt: null, ...expect } };
}

/**
 * Takes back what an acceptance has noted in the row of its resource. That may be gone when the turn of the operation comes: what was ahead of it has deleted it, or was
 * its making and has failed.
 */
export async function unnote<K extends AnyKind>(
  reader: Reader,
  kind: K,
  id: Id<NameOf<K>>,
  set: Clearable<Fields<K>>,
): Promise<readonly Statement[]> {
  const row = await reader.find(kind, id);
  return row === undefined || row.deletedAt !== undefined ? [] : [change(kind, id, set)];
}

/** Guards that a row is live and in one of the states. */
export function expectState<K extends AnyKind>(kind: K, id: Id<NameOf<K>>, states: readonly StateOf<K>[], expect: Expect = {}): Statement {
  return { op: 'expect', table: kind.name, key: id, expect: { ...expect, state: states as readonly Json[] as Json } };
}

/** Guards that a row is there and is not being deleted: what refers to it from now on its deletion finds. */
export const expectStanding = ({ name, states }: AnyKind, id: string): Statement => ({
  op: 'expect',
  table: name,
  key: id,
  expect: { state: Object.keys(states).filter((state) => state !== 'deleting' && state !== 'deleted') },
});

export const adjust = (counter: string, by: number): Statement => ({ op: 'adjust', counter, by });
