import { cluster, nic } from '../../src/cloud/index.ts';
import { equals, type Id } from '../../src/kernel/index.ts';
import type { SimCloud } from '../../testing/index.ts';
import { machine, type SmallCloud } from './small-cloud.ts';

/** An external network of the operator's. */
export async function internetOf(
  sim: SimCloud,
  more: { readonly name?: string; readonly cidr?: string; readonly ipv6?: string; readonly clusterId?: string } = {},
): Promise<string> {
  const { name = 'internet', cidr = '203.0.113.0/24', ipv6, clusterId } = more;
  const second = ipv6 === undefined ? [] : [{ name: `subnet6-of-${name}`, cidr: ipv6 }];
  const [place] = await sim.environment.complete(sim.kernel.reader.list(cluster));
  const cables = { name: `cables-of-${name}`, label: `phys-${name}`, role: 'external', clusterId: clusterId ?? place?.id };
  const physicalNetworkId = await sim.done('physicalNetwork.create', cables);
  return sim.done('network.create', { name, physicalNetworkId, subnets: [{ name: `subnet-of-${name}`, cidr }, ...second] });
}

/** A VPC with a machine in it, and an external network that it may be connected with. */
export interface Routed {
  readonly vpcId: string;
  readonly networkId: string;
  readonly subnetId: string;
  readonly internetId: string;
  readonly instanceId: string;
  readonly nicId: string;
}

export const subnetOf = async (sim: SimCloud, networkId: string): Promise<string> => {
  const rows = await sim.environment.complete(sim.kernel.reader.list(sim.kernel.registry.kind('subnet'), equals('networkId', networkId)));
  return (rows[0] as { id: string } | undefined)?.id ?? '';
};
export const nicOf = async (sim: SimCloud, instanceId: string): Promise<Id<'nic'>> => {
  const [row] = await sim.environment.complete(sim.kernel.reader.list(nic, equals('instanceId', instanceId)));
  if (row === undefined) throw new Error(`instance ${instanceId} has no NIC`);
  return row.id;
};

const known = new WeakMap<SmallCloud, Routed>();
/** What `routed` has made, for the input of a scenario. */
export function made(at: SmallCloud): Routed {
  const found = known.get(at);
  if (found === undefined) throw new Error('nothing was made yet');
  return found;
}

/** Without a machine each history of a crash matrix is half as long. */
export async function unpeopled(at: SmallCloud): Promise<Routed> {
  const internetId = await internetOf(at.sim);
  const vpcId = await at.sim.done('vpc.create', { name: 'vpc-1' });
  const networkId = await at.sim.done('network.create', { name: 'inside', vpcId, subnets: [{ name: 'inner', cidr: '10.1.0.0/24' }] });
  const all = { vpcId, networkId, subnetId: await subnetOf(at.sim, networkId), internetId, instanceId: '', nicId: '' };
  known.set(at, all);
  return all;
}

export async function routed(at: SmallCloud): Promise<Routed> {
  const empty = await unpeopled(at);
  const instanceId = await at.sim.done('instance.create', machine(at, { nics: [{ networkId: empty.networkId }] }));
  const all = { ...empty, instanceId, nicId: await nicOf(at.sim, instanceId) };
  known.set(at, all);
  return all;
}
