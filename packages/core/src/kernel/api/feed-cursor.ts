import { hash } from 'node:crypto';
import { CloudError } from '../errors.ts';
import type { JsonObject } from '../json.ts';

/** A place in the change feed: behind the `ordinal`-th change (from 0) of the revision. */
export interface Cursor {
  readonly revision: number;
  readonly ordinal: number;
}

/** How much of a cursor names the history that it is a place in. */
const MARK_LENGTH = 8;

/** Cursors as callers have them: `<revision>.<ordinal>.<mark>`. The mark is of the store's incarnation: after a restore the same revisions tell of other changes. */
export class Cursors {
  readonly #mark: string;

  constructor({ incarnation }: { readonly incarnation: string }) {
    this.#mark = hash('sha256', incarnation, 'hex').slice(0, MARK_LENGTH);
  }

  text({ revision, ordinal }: Cursor): string {
    return `${revision}.${ordinal}.${this.#mark}`;
  }

  /** The place that a text means, which may leave out the mark. @throws CloudError `invalid_input`, or `gone` for one of another history */
  parse(text: string): Cursor {
    const [, revision, ordinal, mark = this.#mark] = /^(\d{1,15})\.(\d{1,9})(?:\.([0-9a-f]{8}))?$/.exec(text) ?? [];
    if (revision === undefined)
      throw new CloudError('invalid_input', 'The cursor is not one of this feed.', { params: { parameter: 'after' } });
    if (mark !== this.#mark) throw this.gone('of another history: the store was restored from a backup since');
    return { revision: Number(revision), ordinal: Number(ordinal) };
  }

  gone(why: string, params: JsonObject = {}): CloudError {
    return new CloudError('gone', `The cursor is ${why}. List again and watch from there.`, { params: { parameter: 'after', ...params } });
  }
}
