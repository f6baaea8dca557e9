import type { Timers } from './environment.ts';
import type { AnyKind, RowBase, RowOf } from './kind.ts';
import type { Reader } from './reader.ts';
import type { Condition } from './store.ts';

/** Rows parsed or compared in one turn of the event loop: a millisecond or less. */
const SLICE = 64;
/** Ids in one query. */
const NAMED_AT_ONCE = 100;

/**
 * Cuts long background work of the processor, such as comparing all machines of a host with their rows, into slices between which the event loop turns. One for all
 * of a kernel: in each turn only one of them goes on, however many looks are under way, so that what they hold up together stays short too.
 */
export class Slices {
  readonly #timers: Timers;
  readonly #waiting: (() => void)[] = [];

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** One after another, `perTurn` in one turn where each is little work. What throws ends it. */
  async each<T>(items: readonly T[], body: (item: T) => void | Promise<void>, perTurn = SLICE): Promise<void> {
    for (const [index, item] of items.entries()) {
      if (index > 0 && index % perTurn === 0) await this.turn();
      const done = body(item);
      if (done !== undefined) await done;
    }
  }

  /** What `Reader.list` answers. */
  async list<K extends AnyKind>(reader: Reader, kind: K, where?: Condition): Promise<readonly RowOf<K>[]> {
    const rows: RowOf<K>[] = [];
    await this.each(await reader.texts(kind, where), (text) => void rows.push(JSON.parse(text) as RowOf<K>));
    return rows;
  }

  /** Rows by their ids, deleted ones included; what is not there is not in the answer. A hundred a query: each asked for alone is a way to the store and back. */
  async named<K extends AnyKind>(reader: Reader, kind: K, ids: readonly string[]): Promise<ReadonlyMap<string, RowOf<K>>> {
    const rows = new Map<string, RowOf<K>>();
    for (let from = 0; from < ids.length; from += NAMED_AT_ONCE) {
      if (from > 0) await this.turn();
      const where: Condition = { field: 'id', op: 'in', value: ids.slice(from, from + NAMED_AT_ONCE) };
      for (const row of await reader.list(kind, where, { deleted: true })) rows.set((row as RowBase).id, row);
    }
    return rows;
  }

  /** Lets the event loop turn, between two parts of long work. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) this.#next();
    });
  }

  #next(): void {
    this.#timers.after(0, () => {
      this.#waiting.shift()?.();
      if (this.#waiting.length > 0) this.#next();
    });
  }
}
