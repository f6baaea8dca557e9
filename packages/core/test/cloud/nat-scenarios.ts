import type { Scenario } from '../../testing/index.ts';
import { made, routed, unpeopled } from './routed.ts';
import { on } from './scenario.ts';
import type { SmallCloud } from './small-cloud.ts';

const inVpc = async (at: SmallCloud) => void (await unpeopled(at));
const gateway = (at: SmallCloud, more: object = {}) => ({
  ...{ name: 'way-out', vpcId: made(at).vpcId, externalNetworkId: made(at).internetId },
  ...more,
});
const gatewayed = async (at: SmallCloud, more: object = {}, setUp = unpeopled) => {
  await setUp(at);
  const id = await at.sim.done('natGateway.create', gateway(at, more));
  gateways.set(at, id);
  return id;
};
/** Made before its external network had IPv6. */
const elder = async (at: SmallCloud) => {
  const id = await gatewayed(at);
  await at.sim.done('subnet.create', { name: 'six', networkId: made(at).internetId, cidr: '2001:db8::/64' });
  return id;
};
const ported = (at: SmallCloud) => gatewayed(at, { portsPerSubnet: 1024 });
const gateways = new WeakMap<SmallCloud, string>();
const gatewayId = (at: SmallCloud) => gateways.get(at) ?? '';

const elasticIp = (at: SmallCloud, more: object = {}) => ({ name: 'eip-1', externalNetworkId: made(at).internetId, ...more });
const eips = new WeakMap<SmallCloud, string>();
const elastic = async (at: SmallCloud, setUp = unpeopled) => {
  await gatewayed(at, {}, setUp);
  const id = await at.sim.done('elasticIp.create', elasticIp(at));
  eips.set(at, id);
  return id;
};
const unbound = (at: SmallCloud) => elastic(at, routed);
const bound = async (at: SmallCloud) => {
  const id = await unbound(at);
  await at.sim.done('elasticIp.bind', { nicId: made(at).nicId }, id);
  return id;
};
const balancers = new WeakMap<SmallCloud, string>();
const balancerId = (at: SmallCloud) => balancers.get(at) ?? '';
/** With a listener that has the machine for a backend. */
const balanced = async (at: SmallCloud) => {
  const { subnetId, nicId } = made(at);
  const loadBalancerId = await at.sim.done('loadBalancer.create', { name: 'lb-1', subnetId });
  balancers.set(at, loadBalancerId);
  const listenerId = await at.sim.done('listener.create', {
    ...{ name: 'web', loadBalancerId, protocol: 'tcp', port: 80 },
    healthCheck: { intervalSeconds: 5, timeoutSeconds: 2, successes: 2, failures: 3 },
  });
  const backendId = await at.sim.done('backend.create', { name: 'web-1', listenerId, nicId, weight: 3 });
  parts.set(at, { listenerId, backendId });
};
const parts = new WeakMap<SmallCloud, { readonly listenerId: string; readonly backendId: string }>();
const partsOf = (at: SmallCloud) => parts.get(at) ?? { listenerId: '', backendId: '' };
const withBalancer = async (at: SmallCloud) => {
  const id = await unbound(at);
  await balanced(at);
  return id;
};
const boundToBalancer = async (at: SmallCloud) => {
  const id = await withBalancer(at);
  await at.sim.done('elasticIp.bind', { loadBalancerId: balancerId(at) }, id);
  return id;
};
const forward = (at: SmallCloud) => ({
  ...{ name: 'ssh', natGatewayId: gatewayId(at), nicId: made(at).nicId, protocol: 'tcp', externalPort: 2222, port: 22 },
});
const forwarded = async (at: SmallCloud) => {
  await gatewayed(at, {}, routed);
  return at.sim.done('portForward.create', forward(at));
};
const ledFromOutside = async (at: SmallCloud) => {
  await bound(at);
  await at.sim.done('portForward.create', forward(at));
  return made(at).instanceId;
};
/** All that may lead to a machine at once. */
const led = async (at: SmallCloud) => {
  const id = await ledFromOutside(at);
  await balanced(at);
  return id;
};
const ledAndTrashed = async (at: SmallCloud) => {
  const id = await led(at);
  await at.sim.done('instance.delete', {}, id);
  return id;
};
const withTrash = { presets: { 'trash.retentionSeconds': 24 * 3600 } };
const kept = async (at: SmallCloud) => {
  await unpeopled(at);
  return at.sim.done('reservedAddress.create', { name: 'shared', subnetId: made(at).subnetId });
};

/** What is done to addresses and to what leads in and out of VPCs. */
export const natScenarios: readonly Scenario[] = [
  on('reservedAddress.create', inVpc, (at) => ({ name: 'shared', subnetId: made(at).subnetId })),
  on('reservedAddress.update', kept, () => ({ name: 'virtual' })),
  on('reservedAddress.delete', kept, () => ({})),
  on('natGateway.create', inVpc, (at) => gateway(at, { portsPerSubnet: 1024 })),
  on(
    'natGateway.create',
    async (at) => void (await dualInternet(at)),
    (at) => gateway(at),
    'of both families',
  ),
  on(
    'natGateway.update',
    (at) => gatewayed(at),
    () => ({ snat: false }),
  ),
  on(
    'natGateway.update',
    (at) => gatewayed(at),
    () => ({ portsPerSubnet: 2048 }),
    'to ports for each subnet',
  ),
  on('natGateway.update', ported, () => ({ portsPerSubnet: null }), 'to ports for all'),
  on(
    'natGateway.update',
    (at) => elder(at),
    () => ({ ipv6Address: '2001:db8::9' }),
    'to both families',
  ),
  on('natGateway.delete', ported, () => ({})),
  on('network.create', async (at) => void (await ported(at)), newNetwork, 'behind a gateway'),
  on('subnet.create', async (at) => void (await ported(at)), newSubnet, 'behind a gateway'),
  on('subnet.delete', secondSubnet, () => ({}), 'behind a gateway'),
  on('elasticIp.create', inVpc, (at) => elasticIp(at)),
  on(
    'elasticIp.update',
    (at) => elastic(at),
    () => ({ description: 'ours' }),
  ),
  on('elasticIp.bind', unbound, (at) => ({ nicId: made(at).nicId })),
  on('elasticIp.bind', withBalancer, (at) => ({ loadBalancerId: balancerId(at) }), 'to a load balancer'),
  on('elasticIp.unbind', bound, () => ({})),
  on('elasticIp.unbind', boundToBalancer, () => ({}), 'from a load balancer'),
  on(
    'elasticIp.delete',
    (at) => elastic(at),
    () => ({}),
  ),
  on('portForward.create', async (at) => void (await gatewayed(at, {}, routed)), forward),
  on('portForward.update', forwarded, () => ({ name: 'shell' })),
  on('portForward.delete', forwarded, () => ({})),
  on('instance.detachNic', led, (at) => ({ nicId: made(at).nicId }), 'that much leads to'),
  on('instance.delete', ledFromOutside, () => ({}), 'that is led to from outside'),
  on('instance.delete', led, () => ({}), 'that much leads to, into the trash', withTrash),
  on('instance.recover', ledAndTrashed, () => ({}), 'that much leads to', withTrash),
];

/** What is done to load balancers and their parts. */
export const balancingScenarios: readonly Scenario[] = [
  on('loadBalancer.create', inVpc, (at) => ({ name: 'lb-1', subnetId: made(at).subnetId })),
  on('loadBalancer.update', withNothingBound, () => ({ description: 'ours' })),
  on(
    'loadBalancer.delete',
    async (at) => boundToBalancer(at).then(() => balancerId(at)),
    () => ({}),
    'with an elastic IP',
  ),
  on(
    'listener.create',
    async (at) => void (await withNothingBound(at)),
    (at) => ({
      ...{ name: 'dns', loadBalancerId: balancerId(at), protocol: 'udp', port: 53 },
    }),
  ),
  on(
    'listener.update',
    async (at) => withNothingBound(at).then(() => partsOf(at).listenerId),
    () => ({ healthCheck: null }),
  ),
  on(
    'listener.delete',
    async (at) => withNothingBound(at).then(() => partsOf(at).listenerId),
    () => ({}),
  ),
  on(
    'backend.create',
    async (at) => void (await withNothingBound(at)),
    (at) => ({
      ...{ name: 'web-2', listenerId: partsOf(at).listenerId, nicId: made(at).nicId, port: 8080 },
    }),
  ),
  on(
    'backend.update',
    async (at) => withNothingBound(at).then(() => partsOf(at).backendId),
    () => ({ weight: 0 }),
  ),
  on(
    'backend.delete',
    async (at) => withNothingBound(at).then(() => partsOf(at).backendId),
    () => ({}),
  ),
];

async function withNothingBound(at: SmallCloud): Promise<string> {
  await routed(at);
  await balanced(at);
  return balancerId(at);
}

async function dualInternet(at: SmallCloud): Promise<void> {
  await inVpc(at);
  await at.sim.done('subnet.create', { name: 'internet6', networkId: made(at).internetId, cidr: '2001:db8::/64' });
}
function newNetwork(at: SmallCloud): object {
  return { name: 'second', vpcId: made(at).vpcId, subnets: [{ name: 'other', cidr: '10.2.0.0/24' }] };
}
function newSubnet(at: SmallCloud): object {
  return { name: 'other', networkId: made(at).networkId, cidr: '10.2.0.0/24' };
}
async function secondSubnet(at: SmallCloud): Promise<string> {
  await ported(at);
  return at.sim.done('subnet.create', newSubnet(at));
}
