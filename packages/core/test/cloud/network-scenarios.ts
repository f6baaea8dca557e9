import type { Scenario } from '../../testing/index.ts';
import { firewallScenarios } from './firewall-scenarios.ts';
import { namesScenarios } from './names-scenarios.ts';
import { balancingScenarios, natScenarios } from './nat-scenarios.ts';
import { on } from './scenario.ts';
import { extra, nothing, rowsOf, running } from './set-ups.ts';
import { machine, type SmallCloud } from './small-cloud.ts';

export const aVpc = (at: SmallCloud, name = 'vpc-1') => at.sim.done('vpc.create', { name });

const clusterOf = async (at: SmallCloud): Promise<string> => {
  const [row] = await at.sim.environment.complete(at.sim.kernel.reader.list(at.sim.kernel.registry.kind('cluster')));
  return (row as { id: string }).id;
};
export const physicalNetworkOf = async (at: SmallCloud) => ({
  ...{ name: 'cables-1', label: 'physnet1', role: 'tenant', firstVlanId: 100, lastVlanId: 199 },
  clusterId: await clusterOf(at),
});
const physical = async (at: SmallCloud) => at.sim.done('physicalNetwork.create', await physicalNetworkOf(at));

const subnets = [{ name: 'subnet-2', cidr: '10.8.0.0/24' }];
export const vpcNetwork = async (at: SmallCloud) => at.sim.done('network.create', { name: 'net-2', vpcId: await aVpc(at), subnets });
/** Made beside the target, for the input. */
const remembered = (setUp: (at: SmallCloud) => Promise<string>) => async (at: SmallCloud) => void extra.set(at, await setUp(at));
const runningBesideVpc = async (at: SmallCloud) => {
  await remembered(vpcNetwork)(at);
  return running(at);
};

/** Of the simulated switches: it has come back empty. */
const lostFabric = async (at: SmallCloud) => {
  await vpcNetwork(at);
  at.sim.world.fabric.kept.clear();
  at.sim.world.fabric.networks.clear();
  await at.sim.run(600_000);
  return String((await rowsOf(at, 'fabric'))[0]?.id);
};
const connected = async (at: SmallCloud): Promise<string> => {
  await vpcNetwork(at);
  return idOf(at, 'vpc', 'vpc-1');
};

const idOf = async (at: SmallCloud, kind: string, name: string): Promise<string> =>
  String((await rowsOf(at, kind)).find((row) => row.name === name)?.id);
const vpcSubnet = async (at: SmallCloud): Promise<string> => {
  await vpcNetwork(at);
  return idOf(at, 'subnet', 'subnet-2');
};
const networkOf = (at: SmallCloud): Promise<string> => idOf(at, 'network', 'net-2');
const sidesOf = async (at: SmallCloud) => ({ vpcId: await idOf(at, 'vpc', 'vpc-1'), peerVpcId: await idOf(at, 'vpc', 'vpc-2') });
const twoVpcs = async (at: SmallCloud) => {
  await vpcNetwork(at);
  await aVpc(at, 'vpc-2');
  return undefined;
};
const agreed = async (at: SmallCloud) => {
  await twoVpcs(at);
  const { vpcId, peerVpcId } = await sidesOf(at);
  await at.sim.done('peering.create', { name: 'theirs', vpcId: peerVpcId, peerVpcId: vpcId });
  return undefined;
};
const linked = async (at: SmallCloud) => {
  await agreed(at);
  return at.sim.done('peering.create', { name: 'ours', ...(await sidesOf(at)) });
};

const linkedPeer = async (at: SmallCloud) => {
  await linked(at);
  return (await sidesOf(at)).peerVpcId;
};

/** By cloud: what the set-up found out for the input. */
const clusters = new WeakMap<SmallCloud, object>();

/** What is done to VPCs, physical networks, and what belongs to them. */
export const networkScenarios: readonly Scenario[] = [
  on(
    'physicalNetwork.create',
    async (at) => void clusters.set(at, await physicalNetworkOf(at)),
    (at) => clusters.get(at) ?? {},
  ),
  on('physicalNetwork.update', physical, () => ({ description: 'the new switches' })),
  on('physicalNetwork.delete', physical, () => ({})),
  on('fabric.rebuild', lostFabric, () => ({})),
  on('vpc.create', nothing, () => ({ name: 'vpc-1' })),
  on('vpc.update', aVpc, () => ({ description: 'ours' })),
  on('vpc.delete', aVpc, () => ({})),
  on('network.create', remembered(aVpc), (at) => ({ name: 'net-2', vpcId: extra.get(at), subnets }), 'in a VPC'),
  on(
    'network.create',
    remembered(physical),
    (at) => ({ name: 'net-2', physicalNetworkId: extra.get(at), subnets }),
    'of a physical network',
  ),
  on('network.delete', vpcNetwork, () => ({}), 'in a VPC'),
  on('subnet.create', remembered(vpcNetwork), (at) => ({ name: 'subnet-3', networkId: extra.get(at), cidr: '10.9.0.0/24' }), 'in a VPC'),
  on('subnet.update', vpcSubnet, () => ({ name: 'renamed', dnsServers: ['9.9.9.9'] })),
  on('instance.create', remembered(vpcNetwork), (at) => machine(at, { nics: [{ networkId: extra.get(at) }] }), 'in a VPC'),
  on('instance.attachNic', runningBesideVpc, (at) => ({ networkId: extra.get(at) }), 'in a VPC'),
  on('route.create', remembered(connected), (at) => ({
    name: 'away',
    vpcId: extra.get(at),
    destination: '172.16.0.0/12',
    nextHop: '10.8.0.9',
  })),
  on(
    'route.delete',
    async (at) => at.sim.done('route.create', { name: 'away', vpcId: await connected(at), destination: '172.16.0.0/12' }),
    () => ({}),
  ),
  on('peering.create', twoVpcs, async (at) => ({ name: 'ours', ...(await sidesOf(at)) })),
  on('peering.create', agreed, async (at) => ({ name: 'ours', ...(await sidesOf(at)) }), 'that the other side has agreed to'),
  on('peering.update', linked, () => ({ sharesNames: true })),
  on('peering.delete', linked, () => ({})),
  on(
    'subnet.create',
    async (at) => void (await linked(at)),
    async (at) => ({ name: 'subnet-3', networkId: await networkOf(at), cidr: '10.9.0.0/24' }),
    'of a linked VPC',
  ),
  on('vpc.delete', linkedPeer, () => ({}), 'that is linked'),
  ...firewallScenarios,
  ...namesScenarios,
  ...natScenarios,
  ...balancingScenarios,
];
