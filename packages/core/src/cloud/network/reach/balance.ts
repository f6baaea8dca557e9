import { both, equals, type RowOf } from '../../../kernel/index.ts';
import { backend } from '../balancing/backend.ts';
import { listener } from '../balancing/listener.ts';
import { loadBalancer } from '../balancing/load-balancer.ts';
import { nic } from '../nic.ts';
import { addressLike, arriving, type Packet } from './ends.ts';
import type { Facts } from './facts.ts';
import { flowText, foreign, type Hop, passes, stops } from './hop.ts';

/** Through a load balancer: there is a way if there is one to any backend that gets connections. */
export async function* balanced(facts: Facts, row: RowOf<typeof loadBalancer>, packet: Packet): AsyncGenerator<Hop> {
  const told = await facts.told(loadBalancer, row);
  if (!(await facts.sees(loadBalancer, row))) {
    yield foreign(packet.to);
    return;
  }
  const { protocol, port } = packet.flow;
  const listeners = await facts.reader.list(listener, both(equals('loadBalancerId', row.id), equals('state', 'available')));
  const on = listeners.find((each) => each.protocol === protocol && each.port === port);
  if (on === undefined) {
    const what = flowText(packet.flow);
    yield stops('loadBalancer', 'no_listener', `Load balancer ${told.name} has no listener for ${what}.`, told);
    return;
  }
  const by = await facts.told(listener, on);
  const backends = await facts.reader.list(backend, both(equals('listenerId', on.id), equals('state', 'available')));
  const weighty = backends.filter(({ weight }) => weight > 0);
  const serving = weighty.filter(({ heldUntil }) => heldUntil === undefined);
  const ways = await Promise.all((serving.length === 0 ? weighty : serving).map((each) => wayTo(facts, each, packet)));
  const open = ways.find(({ isOpen }) => isOpen);
  const count = ways.filter(({ isOpen }) => isOpen).length;
  const message = `Listener ${by.name} of load balancer ${told.name}: ${count} of ${ways.length} backends that get connections can be reached.`;
  if (open === undefined) {
    const [first] = ways;
    const why = first?.hops.at(-1)?.message;
    yield stops('loadBalancer', 'no_backend', why === undefined ? message : `${message} ${why}`, told, by);
    return;
  }
  yield passes('loadBalancer', message, told, by);
  yield* open.hops;
}

interface Way {
  readonly hops: readonly Hop[];
  readonly isOpen: boolean;
}

async function wayTo(facts: Facts, { nicId, port }: RowOf<typeof backend>, packet: Packet): Promise<Way> {
  const station = await facts.station(await facts.reader.get(nic, nicId));
  const to = addressLike(station, packet.to) ?? station.nic.address;
  const hops: Hop[] = [];
  for await (const hop of arriving(facts, station, { ...packet, to, flow: { ...packet.flow, port } })) {
    hops.push(hop);
    if (hop.outcome === 'stops') break;
  }
  return { hops, isOpen: hops.every(({ outcome }) => outcome !== 'stops') };
}
