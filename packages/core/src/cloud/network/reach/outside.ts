import { both, equals, type RowOf } from '../../../kernel/index.ts';
import { loadBalancer } from '../balancing/load-balancer.ts';
import { elasticIp } from '../nat/elastic-ip.ts';
import { natGateway } from '../nat/nat-gateway.ts';
import { portForward } from '../nat/port-forward.ts';
import { nic } from '../nic.ts';
import { balanced } from './balance.ts';
import { addressLike, arriving, type Packet } from './ends.ts';
import { addressesOf, type Facts, familyOf, type Station } from './facts.ts';
import { flowText, type Hop, passes, stops } from './hop.ts';
import { type GatewayRow, gatewayAddress } from './router.ts';

type ElasticIpRow = RowOf<typeof elasticIp>;

/** Out of a VPC: with the NIC's own elastic IP, or with the address of the gateway. */
export async function* outwards(facts: Facts, gateway: GatewayRow, { nic: row }: Station, packet: Packet): AsyncGenerator<Hop> {
  const told = await facts.told(natGateway, gateway);
  const own = await elasticIpOf(facts, row.id, packet.to);
  let from = gatewayAddress(gateway, packet.to) ?? '';
  if (own?.state === 'bound') {
    const by = await facts.told(elasticIp, own);
    from = own.address;
    yield passes('elasticIp', `It leaves with the address of elastic IP ${by.name}, ${own.address}.`, by, told);
  } else if (gateway.snat) yield passes('natGateway', `It leaves with the address of NAT gateway ${told.name}, ${from}.`, told);
  else {
    const which = `an elastic IP of IPv${familyOf(packet.to)}`;
    const message = `NAT gateway ${told.name} does not let out machines without ${which}, and NIC ${row.name} has none.`;
    yield stops('natGateway', 'no_snat', message, told);
    return;
  }
  const { sender: _, ...beyond } = packet;
  // From out there it comes back in, if the address is one of ours.
  if ((await elasticIpAt(facts, packet.to)) !== undefined || (await gatewayAt(facts, packet.to)) !== undefined)
    yield* inwards(facts, { ...beyond, from });
  else yield passes('outside', `${packet.to} is outside of the cloud.`);
}

async function elasticIpAt(facts: Facts, address: string): Promise<ElasticIpRow | undefined> {
  const rows = await facts.reader.list(elasticIp, equals('address', address));
  for (const row of rows) if (await facts.sees(elasticIp, row)) return row;
  return undefined;
}

/** The one that is bound to a NIC in the family of another address, or is about to be. */
async function elasticIpOf(facts: Facts, nicId: string, like: string): Promise<ElasticIpRow | undefined> {
  const [row] = await facts.reader.list(elasticIp, both(equals('nicId', nicId), equals('family', familyOf(like))), { limit: 1 });
  return row;
}

async function gatewayAt(facts: Facts, address: string): Promise<GatewayRow | undefined> {
  const rows = await facts.reader.list(natGateway, equals(familyOf(address) === 4 ? 'address' : 'ipv6Address', address));
  for (const row of rows) if (await facts.sees(natGateway, row)) return row;
  return undefined;
}

/** From outside to an address of an external network. */
export async function* inwards(facts: Facts, packet: Packet): AsyncGenerator<Hop> {
  const bound = await elasticIpAt(facts, packet.to);
  if (bound !== undefined) {
    yield* throughElasticIp(facts, bound, packet);
    return;
  }
  const gateway = await gatewayAt(facts, packet.to);
  if (gateway === undefined) {
    yield stops('outside', 'no_way_in', `No elastic IP and no NAT gateway of the project has the address ${packet.to}.`);
    return;
  }
  const told = await facts.told(natGateway, gateway);
  const { protocol, port } = packet.flow;
  const forwards = await facts.reader.list(portForward, both(equals('natGatewayId', gateway.id), equals('state', 'available')));
  const by = forwards.find((each) => each.protocol === protocol && each.externalPort === port);
  if (by === undefined)
    yield stops('natGateway', 'no_port_forward', `NAT gateway ${told.name} does not forward ${flowText(packet.flow)}.`, told);
  else yield* forwarded(facts, by, packet);
}

/** From outside to a NIC that is named: by its elastic IP, or by a port that is forwarded to the one asked for. */
export async function* inwardsTo(facts: Facts, station: Station, packet: Packet): AsyncGenerator<Hop> {
  const bound = await elasticIpOf(facts, station.nic.id, packet.to);
  if (bound?.state === 'bound') {
    yield* throughElasticIp(facts, bound, packet);
    return;
  }
  const forwards = await forwardsTo(facts, station, packet.to);
  const by = forwards.find(({ protocol, port }) => protocol === packet.flow.protocol && port === packet.flow.port);
  const told = await facts.told(nic, station.nic);
  if (by !== undefined) yield* forwarded(facts, by, packet);
  else {
    const message = `NIC ${told.name} has no elastic IP, and no NAT gateway forwards a port to its ${flowText(packet.flow)}.`;
    yield stops('outside', 'no_way_in', message, told);
  }
}

/** The ports that lead to a NIC in the family of an address of its own. */
async function forwardsTo(facts: Facts, { nic: { id } }: Station, like: string): Promise<readonly RowOf<typeof portForward>[]> {
  const rows = await facts.reader.list(portForward, both(equals('nicId', id), equals('state', 'available')));
  const leads = rows.map(async (row) => gatewayAddress(await facts.reader.get(natGateway, row.natGatewayId), like) !== undefined);
  const isLeading = await Promise.all(leads);
  return rows.filter((_, at) => isLeading[at]);
}

async function* throughElasticIp(facts: Facts, row: ElasticIpRow, packet: Packet): AsyncGenerator<Hop> {
  const told = await facts.told(elasticIp, row);
  if (row.state === 'bound' && row.loadBalancerId !== undefined) {
    const balancer = await facts.reader.get(loadBalancer, row.loadBalancerId);
    yield passes('elasticIp', `Elastic IP ${told.name} (${row.address}) is bound to load balancer ${balancer.name}.`, told);
    yield* balanced(facts, balancer, { ...packet, to: balancer.address });
  } else if (row.state === 'bound' && row.nicId !== undefined) {
    const station = await facts.station(await facts.reader.get(nic, row.nicId));
    yield passes('elasticIp', `Elastic IP ${told.name} (${row.address}) is bound to NIC ${station.nic.name}.`, told);
    yield* arriving(facts, station, { ...packet, to: addressLike(station, row.address) ?? station.nic.address });
  } else yield stops('elasticIp', 'elastic_ip_unbound', `Elastic IP ${told.name} (${row.address}) is bound to nothing.`, told);
}

async function* forwarded(facts: Facts, by: RowOf<typeof portForward>, packet: Packet): AsyncGenerator<Hop> {
  const told = await facts.told(portForward, by);
  const station = await facts.station(await facts.reader.get(nic, by.nicId));
  const family = familyOf(packet.from);
  const to = addressesOf(station.nic).find((address) => familyOf(address) === family);
  if (to === undefined) {
    const why = `NIC ${station.nic.name}, to which ${told.name} forwards the port, has no IPv${family} address.`;
    yield stops('portForward', 'no_port_forward', why, told);
    return;
  }
  const message = `Port ${by.externalPort} of the NAT gateway is forwarded to port ${by.port} of NIC ${station.nic.name}, by ${told.name}.`;
  yield passes('portForward', message, told);
  yield* arriving(facts, station, { ...packet, to, flow: { ...packet.flow, port: by.port } });
}
