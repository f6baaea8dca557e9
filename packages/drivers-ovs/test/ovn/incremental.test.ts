import { expect } from 'chai';
import fc from 'fast-check';
import { OWN_COLUMNS } from '../../src/ovn/compiled.ts';
import { readMarks } from '../../src/ovn/marks.ts';
import { everyRow, type Operation } from '../../src/ovsdb/index.ts';
import { NorthboundWorld, type OpenedDriver } from './northbound-world.ts';
import { OBJECTS } from './objects.ts';
import { call } from './specs.ts';

const RUNS = process.env.PILEUS_FULL === '1' ? 300 : 40;

/** Shapes of the objects that are there, by name. */
type There = Map<string, number>;

/** A change, if things as they are allow it. */
async function change(world: OpenedDriver, there: There, at: number, shape: number): Promise<void> {
  const object = OBJECTS[at % OBJECTS.length];
  if (object === undefined) return;
  if (shape < 0) {
    if (OBJECTS.some(({ name, needs }) => there.has(name) && needs.includes(object.name))) return;
    await object.remove(world.driver, call());
    there.delete(object.name);
  } else if (object.needs.every((name) => there.has(name))) {
    await object.ensure(world.driver, shape, call());
    there.set(object.name, shape);
  }
}

describe('rows after many changes', function () {
  this.timeout(240_000);
  let world: NorthboundWorld;
  let opened: OpenedDriver;

  before(async () => {
    world = await NorthboundWorld.start();
    // Its switch runs in user space, so that it is not the host which bounds what machines send.
    await world.central.addChassis('host-1', { datapath: 'netdev' });
    opened = world.open();
  });
  after(() => world?.[Symbol.asyncDispose]());

  const ensureAll = async (there: There): Promise<void> => {
    for (const object of OBJECTS) {
      const shape = there.get(object.name);
      if (shape !== undefined) await object.ensure(opened.driver, shape, call());
    }
  };

  const steps = fc.array(fc.tuple(fc.nat(OBJECTS.length - 1), fc.integer({ min: -1, max: 3 })), { maxLength: 60 });
  /** All is there at first, so that most changes are possible. */
  const first = fc.array(fc.nat(3), { minLength: OBJECTS.length, maxLength: OBJECTS.length });

  it('are those of the objects compiled anew, and nothing is sent when all are ensured again', async () => {
    await fc.assert(
      fc.asyncProperty(first, steps, async (shapes, changes) => {
        await world.empty();
        const there: There = new Map();
        for (const [at, shape] of shapes.entries()) await change(opened, there, at, shape);
        for (const [at, shape] of changes) await change(opened, there, at, shape);
        const incremental = await world.picture();
        const { sent } = opened.northbound;
        await ensureAll(there);
        expect(opened.northbound.sent).to.deep.equal(sent, 'nothing was to be sent');
        await world.empty();
        await ensureAll(there);
        expect(incremental).to.deep.equal(await world.picture());
      }),
      { numRuns: RUNS },
    );
  });

  it('are repaired, whatever somebody has done to them, and what is not ours stays', async () => {
    const tables = [
      'Logical_Switch',
      'Logical_Switch_Port',
      'Logical_Router_Port',
      'Port_Group',
      'DNS',
      'ACL',
      'NAT',
      'Load_Balancer',
      'DHCP_Options',
      'QoS',
      'Logical_Router',
      'Logical_Router_Policy',
      'Logical_Router_Static_Route',
      'Load_Balancer_Group',
      'Load_Balancer_Health_Check',
      'HA_Chassis',
      'HA_Chassis_Group',
      'Address_Set',
    ] as const;
    const foreign = { external_ids: { somebody: 'else' } };
    await fc.assert(
      fc.asyncProperty(
        first,
        fc.array(fc.tuple(fc.nat(tables.length - 1), fc.nat(30), fc.boolean()), { minLength: 1, maxLength: 4 }),
        async (shapes, damages) => {
          await world.empty();
          const there: There = new Map();
          for (const [at, shape] of shapes.entries()) await change(opened, there, at, shape);
          await world.client.transact([
            world.table('Logical_Switch').insert({ name: 'theirs', ...foreign }),
            world.table('DNS').insert(foreign),
          ]);
          const before = await unranked(world);
          for (const [at, which, isDeleted] of damages) await damage(world, tables[at] ?? 'ACL', which, isDeleted);
          await ensureAll(there);
          expect(await unranked(world)).to.deep.equal(before);
        },
      ),
      { numRuns: RUNS },
    );
  });

  it('are all gone when all objects are removed, in whatever shapes they were', async () => {
    await world.empty();
    const there: There = new Map();
    for (let shape = 0; shape < 4; shape += 1) for (const at of OBJECTS.keys()) await change(opened, there, at, shape);
    expect(there.size).to.equal(OBJECTS.length);
    for (const at of [...OBJECTS.keys()].reverse()) await change(opened, there, at, -1);
    expect(Object.values(await world.picture()).flat()).to.deep.equal([]);
  });
});

/** Without the ranks of who may carry gateways: whoever is found to be the first stays so. */
async function unranked(world: NorthboundWorld): Promise<object> {
  const { HA_Chassis = [], ...others } = await world.picture();
  return { ...others, HA_Chassis: HA_Chassis.map((row) => ({ ...(row as object), priority: undefined })) };
}

const EMPTIED: Readonly<Record<string, object>> = {
  Logical_Switch: { name: 'spoiled', acls: [], dns_records: [], ports: [], qos_rules: [] },
  Logical_Switch_Port: { addresses: [], port_security: [], dhcpv4_options: undefined },
  Logical_Router: { options: {}, ports: [], nat: [], policies: [], static_routes: [], load_balancer: [], load_balancer_group: [] },
  Logical_Router_Port: { networks: ['192.0.2.200/24'], mac: '02:00:00:00:00:01', ha_chassis_group: undefined },
  Logical_Router_Policy: { match: '0', action: 'drop' },
  Logical_Router_Static_Route: { nexthop: '192.0.2.202', output_port: undefined },
  Port_Group: { ports: [], acls: [] },
  Address_Set: { addresses: [] },
  DNS: { records: {} },
  ACL: { match: '0', priority: 1 },
  NAT: { external_ip: '192.0.2.201' },
  Load_Balancer: { vips: {}, health_check: [] },
  Load_Balancer_Group: { load_balancer: [] },
  Load_Balancer_Health_Check: { options: {} },
  HA_Chassis: { priority: 1 },
  HA_Chassis_Group: { ha_chassis: [] },
  DHCP_Options: { options: {} },
  QoS: { bandwidth: {}, match: '0' },
};

/** Deletes a row of ours with all references to it, or empties what it says and what it refers to, so that what is left of that alone goes, too. */
async function damage(world: NorthboundWorld, name: string, which: number, isDeleted: boolean): Promise<void> {
  const table = world.table(name);
  const [rows] = await world.client.transact([table.select(everyRow)]);
  const ours = rows.filter((row) => readMarks(row) !== undefined);
  const row = ours[which % (ours.length || 1)];
  if (row === undefined) return;
  const emptied = EMPTIED[name] ?? expect.fail(`nothing of ${name} to empty`);
  if (!isDeleted) return void (await world.client.transact([table.update(String(row._uuid), emptied)]));
  await world.client.transact([...(await unreferring(world, String(row._uuid))), table.delete(String(row._uuid))]);
}

/** What takes a row out of everything that refers to it. */
async function unreferring(world: NorthboundWorld, uuid: string): Promise<readonly Operation<unknown>[]> {
  const tables = Object.keys(OWN_COLUMNS).map((name) => world.table(name));
  const all = await world.client.transact(tables.map((table) => table.select(everyRow)));
  return tables.flatMap((table, at) =>
    (all[at] ?? []).flatMap((row) =>
      Object.entries(row).flatMap(([column, value]) => {
        if (Array.isArray(value) && value.includes(uuid)) return [table.mutate(String(row._uuid), { [column]: { delete: [uuid] } })];
        return value === uuid && column === 'ha_chassis_group' ? [table.update(String(row._uuid), { [column]: undefined })] : [];
      }),
    ),
  );
}
