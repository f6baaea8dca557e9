import type { Operation } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';
import type { Mirror, Touched } from './mirror.ts';

interface Listed {
  readonly machines: readonly { readonly id: string; readonly host: string }[];
  readonly stored: readonly { readonly id: string; readonly kind: string; readonly pool: string }[];
}

/**
 * A host or pool that is deleted is empty then of all that was in it when its deletion began. What lands there later is nobody's any more: nobody looks there
 * until the place is registered again. One that is forced may leave things where nobody gets.
 */
export class Emptied {
  readonly #sim: SimCloud;
  readonly #mirror: Mirror;
  readonly #planted: ReadonlySet<string>;
  readonly #say: (problem: string) => void;
  readonly #before = new Map<string, ReadonlySet<string>>();

  constructor(sim: SimCloud, mirror: Mirror, planted: ReadonlySet<string>, say: (problem: string) => void) {
    this.#sim = sim;
    this.#mirror = mirror;
    this.#planted = planted;
    this.#say = say;
  }

  committed(touched: readonly Touched[]): void {
    for (const { table, id, before, after } of touched) {
      if (table !== 'host' && table !== 'pool') continue;
      const name = String((after ?? before)?.name);
      if (after?.state === 'deleting' && before?.state !== 'deleting') this.#before.set(id, new Set(this.#things(table, id, name)));
      if (after !== undefined || before?.state !== 'deleting' || this.#isForced(touched)) continue;
      for (const thing of this.#things(table, id, name))
        if (this.#before.get(id)?.has(thing) === true) this.#say(`${table} ${id} is deleted, and ${thing} is left in it`);
    }
  }

  /** By one that is at work, or has ended with this commit. */
  #isForced(touched: readonly Touched[]): boolean {
    const ended = touched.flatMap(({ table, after }) =>
      table === 'operation' && after !== undefined ? [after as unknown as Operation] : [],
    );
    return [...this.#mirror.unfinished.values(), ...ended].some(
      ({ action, forced, state }) => forced === true && state !== 'queued' && action.endsWith('.delete'),
    );
  }

  #things(table: 'host' | 'pool', id: string, name: string): readonly string[] {
    const { machines, stored } = JSON.parse(this.#sim.world.snapshot('simulated-cloud')) as Listed;
    return table === 'host'
      ? machines.filter((each) => each.host === name && !this.#planted.has(each.id)).map((each) => `machine ${each.id}`)
      : stored.filter(({ pool }) => poolIdOf(pool) === id).map((each) => `${each.kind} ${each.id}`);
  }
}

/** Pools of hosts are told as `host/pool`. */
export const poolIdOf = (place: string): string => place.slice(place.lastIndexOf('/') + 1);
