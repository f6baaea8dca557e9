import type { Action } from '../action.ts';
import type { CloudError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import type { AnyKind, RowBase, StateOf } from '../kind.ts';
import type { Reader } from '../reader.ts';
import type { AnySaga, Saga } from '../saga/definition.ts';

/** A row that goes with another though none of its fields refers to that. */
export interface Taken {
  readonly kind: AnyKind;
  readonly row: RowBase;
  /** Ids of others taken along, which it goes before. */
  readonly before: readonly string[];
}

/**
 * How a kind is deleted. Its states include `deleting`, which the cascade sets before anything else, so that nothing new can attach itself.
 * `quiesce` runs before the row's children go (stop the machine), `remove` after; the last write of `remove` moves the row to `deleted`.
 * Both only go on once they have begun to destroy (FORWARD_ONLY).
 */
export interface Deletion {
  readonly kind: AnyKind;
  readonly from: readonly string[];
  readonly heldBy?: Action['heldBy'];
  readonly quiesce?: AnySaga;
  readonly remove: AnySaga;
  readonly trash?: { readonly to?: string; readonly set?: JsonObject; readonly back?: AnySaga; readonly withOwner?: true };
  readonly context: () => unknown;
  readonly params: (row: RowBase, request: { readonly force: boolean }) => JsonObject;
  readonly shares?: (params: JsonObject) => readonly string[];
  readonly alone?: (row: RowBase, reader: Reader) => Promise<CloudError | undefined>;
  readonly takes?: (row: RowBase) => Promise<readonly Taken[]>;
}

export interface DeletionSpec<K extends AnyKind, R extends RowBase, C, P extends object> {
  readonly kind: K;
  readonly from: readonly string[];
  /** As in `ActionSpec`. */
  readonly heldBy?: (row: R, reader: Reader) => Promise<CloudError | undefined>;
  readonly quiesce?: Saga<C, P>;
  readonly remove: Saga<C, P>;
  /**
   * The kind takes part in the trash: where that is kept, a deletion ends behind `quiesce`, and the row is `trashed`. Its states include that, its fields
   * `trash`. When it is recovered the row goes back to its state, or to `to`, with `set`; then `back` brings what `quiesce` has taken away, and undoes that.
   * `withOwner`: it goes there only with what owns it; deleted by itself it is gone.
   */
  readonly trash?: { readonly to?: StateOf<K>; readonly set?: JsonObject; readonly back?: Saga<C, P>; readonly withOwner?: true };
  readonly context: () => C;
  /** What both sagas go by. Asked again after the row is marked: of what that changes (its state) it must not depend. */
  readonly params: (row: R, request: { readonly force: boolean }) => P;
  /** Further keys of the operation, and of its recovery: what these change and other operations change, too, e.g. the object that it is a part of. */
  readonly shares?: (params: P) => readonly string[];
  /** Why it cannot be deleted by itself. With what owns it, it goes all the same. */
  readonly alone?: (row: R, reader: Reader) => Promise<CloudError | undefined>;
  /** What it takes along beside what refers to it: only what the caller may delete by itself. */
  readonly takes?: (row: R) => Promise<readonly Taken[]>;
}
export const defineDeletion = <K extends AnyKind, R extends RowBase, C, P extends object>(spec: DeletionSpec<K, R, C, P>): Deletion =>
  spec as unknown as Deletion;
