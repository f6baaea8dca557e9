import { saga } from '../saga/definition.ts';
import type { Statement } from '../store.ts';

export interface ChangeParams {
  /** What takes it back. */
  readonly undo: readonly Statement[];
}

/** Accepted is done: all that there is to tags are rows. */
export const changeTags = saga<null, ChangeParams>('tags.change', 1).build();

export const changedBack = ({ undo }: ChangeParams): readonly Statement[] => undo;
