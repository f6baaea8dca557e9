import { randomUUID } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { NetworkDriver } from '../../packages/core/src/strategy/index.ts';
import { ovnDriver } from '../../packages/drivers-ovs/src/ovn/driver.ts';
import { Northbound } from '../../packages/drivers-ovs/src/ovn/northbound.ts';
import { Southbound } from '../../packages/drivers-ovs/src/ovn/southbound.ts';
import { OvsdbClient, ovnNorthbound } from '../../packages/drivers-ovs/src/ovsdb/index.ts';
import { PrivateCentral } from '../../packages/drivers-ovs/test/ovn/private-central.ts';
import { call, groupSpec, idOf, OWNER, portSpec, routedSpec, vpcSpec } from '../../packages/drivers-ovs/test/ovn/specs.ts';
import { type Bench, inFlight, median, type Row } from './harness.ts';

const { Logical_Switch, Logical_Switch_Port, Port_Group } = ovnNorthbound.tables;
const AT_ONCE = 50;
const PORTS = 500;
const ROUNDS = 5;
const CHANGES = 200;
const SIZES = [10, 10_000] as const;
const BITS = 8;

const addressOf = (index: number): string => `10.0.${index >> BITS}.${index & 255}`;

/** A VPC with one network and one group, and the driver that keeps it. */
class Ground implements AsyncDisposable {
  readonly driver: NetworkDriver;
  readonly northbound: Northbound;
  readonly central: PrivateCentral;

  private constructor(central: PrivateCentral) {
    const { northbound, southbound } = central.options;
    this.central = central;
    this.northbound = new Northbound(northbound, { cloudId: OWNER, epoch: 1 });
    this.driver = ovnDriver(this.northbound, new Southbound(southbound), {
      bridge: 'br-int',
      mtu: { overlayBytes: 1442, providerBytes: 1500 },
      gatewayProbeMs: 400,
    });
  }

  static async lay(options: { readonly northd: boolean }): Promise<Ground> {
    const ground = new Ground(await PrivateCentral.start(options));
    await ground.driver.vpcs?.ensure(vpcSpec('vpc'), call());
    await ground.driver.ensureNetwork(routedSpec('net', 'vpc', '10.0.0.0/16'), call());
    await ground.driver.securityGroups?.ensure(ground.group(80), call());
    return ground;
  }

  /** Everybody reaches one port of everybody. */
  group(port: number) {
    return groupSpec('group', [
      {
        id: idOf('rule'),
        direction: 'inbound',
        family: 4,
        protocol: 'tcp',
        ports: { first: port, last: port },
        remote: { securityGroupId: idOf('group') },
      },
    ]);
  }

  port(name: string, index: number, more: object = {}): Promise<unknown> {
    const place = { vpcId: idOf('vpc'), securityGroupIds: [idOf('group')], ...more };
    return this.driver.ensurePort(portSpec(name, 'net', addressOf(index), place), call(120_000));
  }

  /** As machines have them: with a name, both ways. */
  named(name: string, index: number): Promise<unknown> {
    return this.port(name, index, { hostname: name, domain: 'vpc.internal' });
  }

  async fill(count: number): Promise<void> {
    await inFlight(AT_ONCE, 0, count, (index) => this.named(`port-${index}`, index + 256).then(() => undefined));
  }

  async empty(prefix: string, count: number): Promise<void> {
    await inFlight(AT_ONCE, 0, count, (index) =>
      this.driver.deletePort({ nicId: idOf(`${prefix}-${index}`), networkId: idOf('net') }, call(120_000)),
    );
  }

  /** The same rows through the bare client, a transaction each. */
  async bare(count: number): Promise<number> {
    await using client = new OvsdbClient({ database: ovnNorthbound, remotes: this.central.options.northbound });
    await client.ready();
    const ids = Array.from({ length: count }, () => randomUUID());
    const startedMs = performance.now();
    await inFlight(AT_ONCE, 0, count, async (index) => {
      const id = ids[index] ?? '';
      await client.transact([
        Logical_Switch_Port.insert({ name: id, addresses: [`52:54:00:00:00:01 ${addressOf(index)}`] }, id),
        Logical_Switch.mutate(idOf('net'), { ports: { insert: [id] } }),
        Port_Group.mutate(idOf('group'), { ports: { insert: [id] } }),
      ]);
    });
    const perSecond = count / ((performance.now() - startedMs) / 1000);
    for (let at = 0; at < count; at += 100) {
      const some = ids.slice(at, at + 100);
      await client.transact([
        Logical_Switch.mutate(idOf('net'), { ports: { delete: some } }),
        Port_Group.mutate(idOf('group'), { ports: { delete: some } }),
      ]);
    }
    return perSecond;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.driver.close();
    await this.central[Symbol.asyncDispose]();
  }
}

/** Ports that the driver has in OVN's database a second, beside the same rows through the bare client. */
async function programmed(): Promise<Row> {
  await using ground = await Ground.lay({ northd: true });
  const [ours, floors] = [[] as number[], [] as number[]];
  const [took, cpu] = [[] as number[], [] as number[]];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    const startedMs = performance.now();
    await inFlight(AT_ONCE, 0, PORTS, async (index) => {
      const askedMs = performance.now();
      await ground.port(`round-${round}-${index}`, index + 256);
      took.push(performance.now() - askedMs);
    });
    ours.push(PORTS / ((performance.now() - startedMs) / 1000));
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1000 / PORTS);
    await ground.empty(`round-${round}`, PORTS);
    floors.push(await ground.bare(PORTS));
  }
  const [value, floor] = [median(ours), median(floors)];
  return { id: 'ovn.ports', value, unit: '1/s', cpuMs: median(cpu), p50: median(took), floor, ratio: value / floor };
}

interface Cost {
  readonly cpuMs: number;
  readonly changes: number;
  readonly heapBytes: number;
}

/** What one change costs in a VPC of so many ports, with names: a port gets another address, the group another rule. */
async function changed(size: number): Promise<Cost> {
  await using ground = await Ground.lay({ northd: false });
  await ground.fill(size);
  const heapBytes = await heapOfReplica(ground);
  const sent = ground.northbound.sent.changes;
  const before = process.cpuUsage();
  for (let index = 0; index < CHANGES; index += 1) {
    await ground.named('port-0', 60_000 + (index % 2));
    await ground.driver.securityGroups?.ensure(ground.group(1000 + index), call());
  }
  const { user, system } = process.cpuUsage(before);
  return { cpuMs: (user + system) / 1000 / (2 * CHANGES), changes: (ground.northbound.sent.changes - sent) / (2 * CHANGES), heapBytes };
}

/** By how much the heap grows when a second driver takes the database over. */
async function heapOfReplica(ground: Ground): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  const other = new Northbound(ground.central.options.northbound, { cloudId: OWNER, epoch: 1 });
  try {
    await other.inventory.ready({ timeoutMs: 60_000 });
    collect();
    return process.memoryUsage().heapUsed - before;
  } finally {
    await other[Symbol.asyncDispose]();
  }
}

export const ovnBench: Bench = {
  ids: ['ovn.ports', 'ovn.change.cpu', 'ovn.change.rows', 'ovn.replica'],
  async run(wants) {
    const rows: Row[] = [];
    if (wants('ovn.ports')) rows.push(await programmed());
    if (!['ovn.change.cpu', 'ovn.change.rows', 'ovn.replica'].some(wants)) return rows;
    const [small, large] = [await changed(SIZES[0]), await changed(SIZES[1])];
    rows.push({ id: 'ovn.change.cpu', value: large.cpuMs, unit: 'ms', floor: small.cpuMs, ratio: large.cpuMs / small.cpuMs });
    rows.push({ id: 'ovn.change.rows', value: large.changes, unit: 'rows', floor: small.changes, ratio: large.changes / small.changes });
    rows.push({ id: 'ovn.replica', value: large.heapBytes / 2 ** 20, unit: 'MiB' });
    return rows;
  },
};
