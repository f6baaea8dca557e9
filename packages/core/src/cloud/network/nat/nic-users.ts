import { both, equals, FORWARD_ONLY, type Id, type Reader, type Statement, saga, transition } from '../../../kernel/index.ts';
import type { Call, LoadBalancerSpec } from '../../../strategy/index.ts';
import { backend } from '../balancing/backend.ts';
import { loadBalancer } from '../balancing/load-balancer.ts';
import { keptLoadBalancer } from '../balancing/load-balancer-kept.ts';
import { ensureKept, removeKept } from '../kept.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { elasticIp } from './elastic-ip.ts';
import { keptElasticIp } from './elastic-ip-kept.ts';
import { portForward } from './port-forward.ts';
import { keptPortForward } from './port-forward-verbs.ts';

/** What leads to a NIC from elsewhere. */
export interface NicUsers {
  readonly elasticIpIds: readonly string[];
  readonly portForwardIds: readonly string[];
  readonly backendIds: readonly string[];
}

/** A NIC, and where it is. */
interface Port {
  readonly nicId: string;
  readonly networkId: string;
}

interface Found {
  readonly elasticIps: readonly string[];
  readonly portForwards: readonly string[];
  readonly backends: readonly { readonly id: string; readonly loadBalancerId: string }[];
}

/** What an operation further back has announced is not among it: that finds the NIC gone. */
async function usersOf(reader: Reader, { nicId, networkId }: Port): Promise<Found> {
  // Elsewhere nothing leads to machines, and nobody pays for looking.
  if ((await reader.find(network, networkId))?.vpcId === undefined) return { elasticIps: [], portForwards: [], backends: [] };
  const of = equals('nicId', nicId);
  const made = both(of, equals('state', 'available'));
  return {
    elasticIps: (await reader.list(elasticIp, of)).map(({ id }) => id),
    portForwards: (await reader.list(portForward, made)).map(({ id }) => id),
    backends: await reader.list(backend, made),
  };
}

/** Keys of an operation that changes what leads to the NIC. */
export async function keysOfNicUsers(reader: Reader, port: Port): Promise<readonly string[]> {
  const { elasticIps, portForwards, backends } = await usersOf(reader, port);
  return [...elasticIps, ...portForwards, ...backends.flatMap(({ id, loadBalancerId }) => [id, loadBalancerId])];
}

const balancersOf = ({ backends }: Found): readonly string[] => [...new Set(backends.map(({ loadBalancerId }) => loadBalancerId))];

/**
 * Makes all that leads to a NIC equal to the rows: to a NIC that is on its way out leads nothing, to one that is back from the trash all that did before, but for
 * elastic IPs, which were let go of.
 */
export async function realizeNicUsers(ctx: NetworkContext, port: Port, call: Call): Promise<NicUsers> {
  const users = await usersOf(ctx.reader, port);
  for (const id of users.elasticIps) await ensureKept(keptElasticIp, ctx, id, call);
  for (const id of users.portForwards) await ensureKept(keptPortForward, ctx, id, call);
  for (const id of balancersOf(users)) if (await isBalancing(ctx, id)) await ensureKept(keptLoadBalancer, ctx, id, call);
  return { elasticIpIds: users.elasticIps, portForwardIds: users.portForwards, backendIds: users.backends.map(({ id }) => id) };
}

/** After its machine has moved: whether packets of an elastic IP leave from its own host depends on which that is. */
export async function followMove(ctx: NetworkContext, nicId: string, call: Call): Promise<void> {
  const distributed = both(equals('nicId', nicId), equals('distributed', true));
  for (const { id } of await ctx.reader.list(elasticIp, distributed)) await ensureKept(keptElasticIp, ctx, id, call);
}

const isBalancing = async ({ reader }: NetworkContext, id: string): Promise<boolean> =>
  (await reader.find(loadBalancer, id))?.state === 'available';

/** Whatever its row says, nothing leads to the NIC. */
async function leaveNic(ctx: NetworkContext, port: Port, call: Call): Promise<void> {
  const users = await usersOf(ctx.reader, port);
  for (const id of users.portForwards) await removeKept(keptPortForward, ctx, id, call);
  for (const id of balancersOf(users)) {
    const row = await ctx.reader.get(loadBalancer, id);
    const spec = await keptLoadBalancer.spec(ctx, row);
    if (spec !== undefined)
      await (await keptLoadBalancer.fabric(ctx, row)).keeper('loadBalancers').ensure(withoutNic(spec, port.nicId), call);
  }
}

const withoutNic = (spec: LoadBalancerSpec, nicId: string): LoadBalancerSpec => ({
  ...spec,
  listeners: spec.listeners.map((each) => {
    const backends = each.backends.filter((one) => one.nicId !== nicId);
    const asked = new Set(backends.map(({ networkId }) => networkId));
    const { healthCheck } = each;
    if (healthCheck === undefined) return { ...each, backends };
    const sources = Object.fromEntries(Object.entries(healthCheck.sources).filter(([networkId]) => asked.has(networkId)));
    return { ...each, backends, healthCheck: { ...healthCheck, sources } };
  }),
});

/** Before a NIC goes, or into the trash: its row says so already. */
export const nicQuiesce = saga<NetworkContext, Port>('nic.quiesce', 1)
  .effect('users', { do: async ({ ctx, params, call }) => void (await realizeNicUsers(ctx, params, call)), undo: FORWARD_ONLY })
  .build();

/** Out of the trash. */
export const nicBack = saga<NetworkContext, Port>('nic.back', 1)
  .effect('users', {
    do: async ({ ctx, params, call }) => void (await realizeNicUsers(ctx, params, call)),
    undo: ({ ctx, params, call }) => leaveNic(ctx, params, call),
  })
  .build();

/** Lets go of a NIC that is gone: what is nothing without it goes, too. */
export const letGoOfNic = ({ elasticIpIds, portForwardIds, backendIds }: NicUsers): readonly Statement[] => [
  ...elasticIpIds.map((id) =>
    transition(elasticIp, id as Id<'elasticIp'>, {
      ...{ from: ['binding', 'bound', 'unbinding'], to: 'available' },
      set: { nicId: null, natGatewayId: null },
    }),
  ),
  ...portForwardIds.map((id) => transition(portForward, id as Id<'portForward'>, { from: 'available', to: 'deleted' })),
  ...backendIds.map((id) => transition(backend, id as Id<'backend'>, { from: 'available', to: 'deleted' })),
];
