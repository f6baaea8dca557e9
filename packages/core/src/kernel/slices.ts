import type { Timers } from './environment.ts';
import type { AnyKind, RowOf } from './kind.ts';
import type { Reader } from './reader.ts';
import type { Condition } from './store.ts';

/** Rows parsed or compared in one turn of the event loop: a millisecond or less. */
const SLICE = 64;

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
