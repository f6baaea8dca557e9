import type { Call } from '../../../strategy/index.ts';
import { loadBalancer } from '../balancing/load-balancer.ts';
import { keptLoadBalancer } from '../balancing/load-balancer-kept.ts';
import { ensureKept, type KeptKind } from '../kept.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { addressOf, attachedNic } from './bound-nic.ts';
import { leavesItself } from './distributed.ts';
import { elasticIp } from './elastic-ip.ts';

/** Bound to a NIC it is an object of its own; bound to a load balancer it is part of that one. */
export const keptElasticIp: KeptKind<typeof elasticIp, 'elasticIps'> = {
  kind: elasticIp,
  sort: 'elasticIps',
  fabric: async (ctx, row) => ctx.fabrics.of(await ctx.reader.get(network, row.externalNetworkId)),
  spec: async (ctx, { id, state, address, nicId, natGatewayId, externalNetworkId, ...row }) => {
    if ((state !== 'binding' && state !== 'bound') || nicId === undefined || natGatewayId === undefined) return undefined;
    const port = await attachedNic(ctx, nicId);
    if (port === undefined) return undefined;
    const { vpcId = '' } = await ctx.reader.get(network, port.networkId);
    const nicAddress = addressOf(port, address) ?? '';
    // The machine may have moved since to a host that is not connected: there it is reached through the gateway.
    const distributed = row.distributed && (await leavesItself(ctx, nicId, externalNetworkId));
    return { id, owner: ctx.cloudId, vpcId, gatewayId: natGatewayId, externalAddress: address, nicId, nicAddress, distributed };
  },
};

/** What an elastic IP is bound to, at most one of the two. */
export interface Bound {
  readonly nicId?: string;
  readonly loadBalancerId?: string;
}

/** Makes what the binding leads through equal to its rows, whichever way that changes it. */
export async function realizeBinding(ctx: NetworkContext, elasticIpId: string, { loadBalancerId }: Bound, call: Call): Promise<void> {
  if (loadBalancerId === undefined) await ensureKept(keptElasticIp, ctx, elasticIpId, call);
  // One that is gone, or on its way out, takes with it what led to it.
  else if ((await ctx.reader.find(loadBalancer, loadBalancerId))?.state === 'available')
    await ensureKept(keptLoadBalancer, ctx, loadBalancerId, call);
}
