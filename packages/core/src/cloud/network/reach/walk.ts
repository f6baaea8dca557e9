import { both, equals, type RowOf } from '../../../kernel/index.ts';
import { loadBalancer } from '../balancing/load-balancer.ts';
import { network } from '../network.ts';
import { subnet } from '../subnet.ts';
import { peering } from '../vpc/peering.ts';
import { route } from '../vpc/route.ts';
import { vpc } from '../vpc/vpc.ts';
import { balanced } from './balance.ts';
import { arriving, leaving, type Packet } from './ends.ts';
import { type Facts, familyOf, isIn, type Station, type SubnetRow } from './facts.ts';
import { foreign, type Hop, passes, stops, unknown } from './hop.ts';
import { outwards } from './outside.ts';
import { type NextStep, nextStep } from './router.ts';

/** From a NIC, whoever has the address that it is sent to. `receiver`: the NIC that is meant, where one was named or found. */
export async function* walk(facts: Facts, station: Station, packet: Packet, receiver: Station | undefined): AsyncGenerator<Hop> {
  yield* leaving(facts, station, packet, receiver);
  yield* forward(facts, station, packet, receiver);
}

async function* forward(facts: Facts, station: Station, packet: Packet, receiver: Station | undefined): AsyncGenerator<Hop> {
  const { vpcId } = station.network;
  const apart = await notJoined(facts, station, receiver);
  if (apart !== undefined) {
    yield apart;
    return;
  }
  const own = await ownSubnets(facts, station);
  const near = own.find(({ cidr }) => isIn(cidr, packet.to));
  if (near !== undefined) {
    const told = await facts.told(subnet, near);
    yield passes('subnet', `${packet.to} is in the same subnet, ${told.name}: there is no router in between.`, told);
    yield* deliver(facts, near, packet);
  } else if (vpcId === undefined) yield* beyondNetwork(facts, station);
  else yield* through(facts, await facts.reader.get(vpc, vpcId), station, packet);
}

const ownSubnets = async (facts: Facts, { nic, network: { vpcId } }: Station): Promise<readonly SubnetRow[]> => {
  // Outside of VPCs there is no router between the subnets of a network.
  if (vpcId === undefined) return facts.reader.list(subnet, equals('networkId', nic.networkId));
  const ids = [nic.subnetId, ...(nic.ipv6SubnetId === undefined ? [] : [nic.ipv6SubnetId])];
  return Promise.all(ids.map((id) => facts.reader.get(subnet, id)));
};

/** Out of a network that is not part of a VPC. */
async function* beyondNetwork(facts: Facts, { network: place }: Station): AsyncGenerator<Hop> {
  const told = await facts.told(network, place);
  if (place.mode === 'isolated') yield stops('subnet', 'isolated', `Network ${told.name} is isolated: it leads nowhere else.`, told);
  else if (place.mode === 'nat')
    yield passes('outside', `Network ${told.name} reaches out through its host, with the host's address.`, told);
  else
    yield unknown(
      'physicalNetwork',
      'beyond',
      `Network ${told.name} is a segment of a physical network; what routes there is not the cloud's.`,
      told,
    );
}

/** Through the router of a VPC. */
async function* through(facts: Facts, row: RowOf<typeof vpc>, station: Station, packet: Packet): AsyncGenerator<Hop> {
  if (!(await facts.sees(vpc, row))) {
    yield unknown('router', 'not_told', 'What the router of the VPC does with it is for the owner of that to tell.');
    return;
  }
  const step = await nextStep(facts, row, packet.to);
  const told = await facts.told(vpc, row);
  const router = `The router of VPC ${told.name}`;
  if (step.type === 'nowhere') {
    const message = `${router} has no subnet, peering or route for ${packet.to}, and no NAT gateway that leads out by IPv${familyOf(packet.to)}.`;
    yield stops('router', 'no_route', message, told);
  } else if (step.type === 'subnet') {
    const to = await facts.told(subnet, step.subnet);
    yield passes('router', `${router} sends ${packet.to} to subnet ${to.name}.`, told, to);
    yield* deliver(facts, step.subnet, packet);
  } else if (step.type === 'peering') {
    const by = await facts.told(peering, step.peering);
    yield passes('peering', `${router} sends ${packet.to} to the peered VPC, by peering ${by.name}.`, told, by);
    yield* deliver(facts, step.subnet, packet);
  } else if (step.type === 'route') yield* along(facts, row, step, packet);
  else yield* outwards(facts, step.gateway, station, packet);
}

/** Who is elsewhere is reached by what joins the two, not by chance through what has the same addresses. */
async function notJoined(facts: Facts, { network: here }: Station, receiver: Station | undefined): Promise<Hop | undefined> {
  if (receiver === undefined || receiver.network.id === here.id) return undefined;
  const [vpcId, there] = [here.vpcId, receiver.network.vpcId];
  if (vpcId === undefined || there === undefined) {
    const [from, to] = [await facts.told(network, here), await facts.told(network, receiver.network)];
    return stops('subnet', 'other_network', `Nothing joins network ${from.name} with network ${to.name}.`, from);
  }
  if (vpcId === there) return undefined;
  const where = both(equals('vpcId', vpcId), equals('peerVpcId', there));
  const [row] = await facts.reader.list(peering, where, { limit: 1 });
  if (row?.state === 'active') return undefined;
  const { name } = await facts.told(vpc, await facts.reader.get(vpc, there));
  const other = { name, ids: { peerVpcId: there } };
  if (row === undefined) return stops('router', 'no_peering', `It is in VPC ${name}, and this VPC has no peering with that.`, other);
  const told = await facts.told(peering, row);
  const message = `Peering ${told.name} with VPC ${name} is ${row.state}: it is active when that VPC has a peering that names this one.`;
  return stops('peering', 'peering_pending', message, told, other);
}

/** Along a route that somebody has made. */
async function* along(
  facts: Facts,
  row: RowOf<typeof vpc>,
  { route: by }: Extract<NextStep, { type: 'route' }>,
  packet: Packet,
): AsyncGenerator<Hop> {
  const told = await facts.told(route, by);
  const { nextHop } = by;
  if (nextHop === undefined) {
    yield stops('route', 'blackhole_route', `Route ${told.name} (${by.destination}) drops packets for ${packet.to}.`, told);
    return;
  }
  const subnets = await facts.subnetsOf(await facts.networksOf(row.id));
  const at = subnets.find(({ cidr }) => isIn(cidr, nextHop));
  const [holder] = at === undefined ? [] : await facts.holders(at, nextHop);
  if (holder === undefined) {
    yield stops('route', 'next_hop_absent', `Route ${told.name} (${by.destination}) leads to ${nextHop}, which nobody has.`, told);
    return;
  }
  yield passes('route', `Route ${told.name} (${by.destination}) leads to ${nextHop}.`, told);
  if (await facts.seesNic(holder)) yield* arriving(facts, await facts.station(holder), packet);
  yield unknown('machine', 'beyond', `The machine at ${nextHop} has it now; what it does with it is its own affair.`, told);
}

/** Within the subnet that it is for. */
async function* deliver(facts: Facts, at: SubnetRow, packet: Packet): AsyncGenerator<Hop> {
  const { to } = packet;
  if (!(await facts.sees(subnet, at))) {
    yield foreign(to);
    return;
  }
  const told = await facts.told(subnet, at);
  if (to === at.gateway || to === at.serviceAddress) {
    yield unknown('subnet', 'beyond', `${to} is the cloud's own address in subnet ${told.name}.`, told);
    return;
  }
  const where = both(equals('subnetId', at.id), equals('address', to));
  const [balancer] = await facts.reader.list(loadBalancer, where, { limit: 1 });
  if (balancer !== undefined) {
    yield* balanced(facts, balancer, packet);
    return;
  }
  const holders = await facts.holders(at, to);
  const [holder] = holders;
  const seen = await Promise.all(holders.map((row) => facts.seesNic(row)));
  // Of what is another tenant's it is not even told whether it is there.
  if (holder === undefined ? !facts.owns(at) : seen.includes(false)) yield foreign(to);
  else if (holder === undefined) yield stops('subnet', 'nobody', `Nobody in subnet ${told.name} has ${to}.`, told);
  else if (holders.length > 1) {
    const message = `${holders.length} NICs may have ${to} (allowedAddresses); which of them has it now is for their machines to say.`;
    yield unknown('subnet', 'beyond', message, told);
  } else yield* arriving(facts, await facts.station(holder), packet);
}
