import type { Call, NetworkDriver, NetworkFactory, PortSpec } from '@pileus/core/strategy';
import { Changes } from '../../packages/drivers-ovs/src/ovn/changes.ts';
import { compilePort } from '../../packages/drivers-ovs/src/ovn/compile/port.ts';
import type { Compiled } from '../../packages/drivers-ovs/src/ovn/compiled.ts';
import { marksOf } from '../../packages/drivers-ovs/src/ovn/marks.ts';
import { OvsdbClient, ovnNorthbound } from '../../packages/drivers-ovs/src/ovsdb/index.ts';
import type { PrivateCentral } from '../../packages/drivers-ovs/test/ovn/private-central.ts';

/** Changes that go together: those that came in one turn, or while the transaction before them was under way. */
interface Batch {
  readonly changes: Changes;
  readonly done: Promise<void>;
}

/**
 * The simulated driver, which writes the rows of ports into OVN's database as well: the same rows as our driver, those that come together in one transaction,
 * and waits for the answer. It looks at nothing, compares nothing and keeps no copy, so nothing that programs ports costs much less. What ports refer to our own
 * driver makes, which is gone by then.
 */
export function bareNetwork(name: string, simulated: NetworkFactory, central: PrivateCentral): NetworkFactory {
  return { ...simulated, name, open: (realm) => bareDriver(simulated.open(realm), central) };
}

function bareDriver(simulated: NetworkDriver, central: PrivateCentral): NetworkDriver {
  const client = new OvsdbClient({ database: ovnNorthbound, remotes: central.options.northbound });
  const { vpcs, securityGroups } = simulated;
  if (vpcs === undefined || securityGroups === undefined) throw new Error('the simulated driver has no VPCs');
  const ports = new Map<string, Compiled>();
  let underWay: Promise<unknown> = Promise.resolve();
  let next: Batch | undefined;
  const write = (change: (changes: Changes) => void): Promise<void> => {
    next ??= begin();
    change(next.changes);
    return next.done;
  };
  const begin = (): Batch => {
    const changes = new Changes();
    const done = underWay.then(async () => {
      next = undefined;
      await client.transact(changes.operations(client));
    });
    underWay = done.catch(() => {});
    return { changes, done };
  };
  const make = ourDriver(central);
  return {
    ...simulated,
    vpcs: {
      ...vpcs,
      ensure: async (spec, call) => {
        await vpcs.ensure(spec, call);
        await make(spec, (ovn) => ovn.vpcs?.ensure(spec, call));
      },
    },
    securityGroups: {
      ...securityGroups,
      ensure: async (spec, call) => {
        await securityGroups.ensure(spec, call);
        await make(spec, (ovn) => ovn.securityGroups?.ensure(spec, call));
      },
    },
    ensureNetwork: async (spec, call) => {
      await simulated.ensureNetwork(spec, call);
      await make(spec, (ovn) => ovn.ensureNetwork(spec, call));
    },
    ensurePort: async (spec: PortSpec, call: Call) => {
      // Who asks again asks for the same.
      if (!ports.has(spec.nicId)) {
        const compiled = compilePort(spec);
        ports.set(spec.nicId, compiled);
        await write((changes) => put(compiled, changes));
      }
      return simulated.ensurePort(spec, call);
    },
    deletePort: async (port, call) => {
      const compiled = ports.get(port.nicId);
      ports.delete(port.nicId);
      if (compiled !== undefined) await write((changes) => take(compiled, changes));
      await simulated.deletePort(port, call);
    },
    close: async () => {
      await client.close();
      await simulated.close();
    },
  };
}

/** Has our own driver make something, once, and closes it. */
function ourDriver(central: PrivateCentral): (spec: object, ensure: (ovn: NetworkDriver) => Promise<void> | undefined) => Promise<void> {
  const made = new Set<string>();
  return async (spec, ensure) => {
    const text = JSON.stringify(spec);
    if (made.has(text)) return;
    made.add(text);
    const ovn = central.open();
    try {
      await ensure(ovn);
    } finally {
      await ovn.close();
    }
  };
}

function put({ rows, object, owner }: Compiled, changes: Changes): void {
  for (const row of rows.values()) {
    changes.insert(row.table, row.uuid, { ...row.columns, external_ids: marksOf(row, object, owner) });
    for (const place of row.places) changes.member(place, row.uuid, true);
    for (const { place, key, values } of row.claims) changes.entry(place, key, values.join(' '));
  }
}

function take({ rows }: Compiled, changes: Changes): void {
  for (const { table, uuid, places, claims } of rows.values()) {
    for (const place of places) changes.member(place, uuid, false);
    for (const { place, key } of claims) changes.entry(place, key, undefined);
    changes.delete(table, uuid);
  }
}
