import type { Keeper, NetworkObject } from '@pileus/core/strategy';
import { Bounds } from './bounds.ts';
import type { Compiled, OwnTable, Sort } from './compiled.ts';
import type { Inventory } from './inventory.ts';
import type { Northbound } from './northbound.ts';

export interface KeeperOptions<S extends NetworkObject> {
  readonly sort: Sort;
  /** Where those of others would be, which are listed without a mark. */
  readonly table?: OwnTable;
  /** @throws DriverError invalid, before anything is sent */
  readonly check: (spec: S) => void;
  readonly compile: (spec: S, bounds: Bounds) => Compiled | Promise<Compiled>;
  /** What refuses it as things are. @throws DriverError */
  readonly refuse?: (spec: S, inventory: Inventory) => void;
}

/** A keeper of objects that are rows of the northbound database. */
export function keeperOf<S extends NetworkObject>(
  northbound: Northbound,
  { sort, table, check, compile, refuse }: KeeperOptions<S>,
): Keeper<S> {
  return {
    ensure: async (spec, call) => {
      const bounds = new Bounds(call);
      check(spec);
      await northbound.ensure(await compile(spec, bounds), bounds, (inventory) => refuse?.(spec, inventory));
    },
    remove: (id, call) => northbound.remove(`${sort}/${id}`, new Bounds(call)),
    list: async (call) => {
      await northbound.look(new Bounds(call));
      const ours = northbound.inventory.objects(sort);
      return table === undefined ? ours : [...ours, ...foreign(northbound.inventory, table)];
    },
  };
}

/** Rows of a table that are not ours. */
export function foreign(inventory: Inventory, table: OwnTable): readonly { readonly id: string }[] {
  const rows: Iterable<{ readonly _uuid: string }> = inventory.tables[table];
  return [...rows].filter(({ _uuid }) => inventory.marks(_uuid) === undefined).map(({ _uuid }) => ({ id: _uuid }));
}
