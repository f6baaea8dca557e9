import { CloudError, equals, type RowOf } from '../../../kernel/index.ts';
import type { BackendSpec, HealthCheckSpec, ListenerSpec } from '../../../strategy/index.ts';
import { askingAddress } from '../addresses.ts';
import { isThere, type KeptKind } from '../kept.ts';
import { addressOf, attachedNic } from '../nat/bound-nic.ts';
import { elasticIp } from '../nat/elastic-ip.ts';
import type { NetworkContext } from '../network-context.ts';
import type { nic } from '../nic.ts';
import { subnet } from '../subnet.ts';
import { vpc } from '../vpc/vpc.ts';
import { backend } from './backend.ts';
import { listener } from './listener.ts';
import { loadBalancer } from './load-balancer.ts';

type Row = RowOf<typeof loadBalancer>;
type NicRow = RowOf<typeof nic>;

/** Its listeners with their backends, and the elastic IP that leads to it. */
export const keptLoadBalancer: KeptKind<typeof loadBalancer, 'loadBalancers'> = {
  kind: loadBalancer,
  sort: 'loadBalancers',
  fabric: async (ctx, row) => ctx.fabrics.of(await ctx.reader.get(vpc, row.vpcId)),
  spec: async (ctx, row, arriving) => {
    const listeners = (await ctx.reader.list(listener, equals('loadBalancerId', row.id))).filter((each) => isThere(each, row, arriving));
    const externalAddress = await leadingTo(ctx, row);
    return {
      ...{ id: row.id, owner: ctx.cloudId, vpcId: row.vpcId, address: row.address },
      ...(externalAddress === undefined ? {} : { externalAddress }),
      listeners: await Promise.all(listeners.toSorted(byId).map((each) => listenerSpec(ctx, row, each, arriving))),
    };
  },
};

const byId = (a: { readonly id: string }, b: { readonly id: string }): number => (a.id < b.id ? -1 : 1);

async function leadingTo({ reader }: NetworkContext, row: Row): Promise<string | undefined> {
  const [found] = await reader.list(elasticIp, equals('loadBalancerId', row.id), { limit: 1 });
  return found?.state === 'binding' || found?.state === 'bound' ? found.address : undefined;
}

async function listenerSpec(
  ctx: NetworkContext,
  row: Row,
  { id, protocol, port, healthCheck }: RowOf<typeof listener>,
  arriving: string | undefined,
): Promise<ListenerSpec> {
  const rows = (await ctx.reader.list(backend, equals('listenerId', id))).filter((each) => isThere(each, row, arriving));
  const found = await Promise.all(rows.toSorted(byId).map((each) => backendOf(ctx, row, each)));
  const backends = found.filter((each) => each !== undefined);
  // Where there is nobody else, or nobody is asked any more, to be held means nothing.
  const isDamped = healthCheck !== undefined && backends.some(({ spec, isHeld }) => spec.weight > 0 && !isHeld);
  return {
    ...{ id, protocol, port },
    backends: backends.map(({ spec, isHeld }) => (isDamped && isHeld ? { ...spec, weight: 0 } : spec)),
    ...(healthCheck === undefined ? {} : { healthCheck: { ...healthCheck, sources: await askingFrom(ctx, row, backends) } }),
  };
}

interface Found {
  readonly spec: BackendSpec;
  readonly nic: NicRow;
  readonly isHeld: boolean;
}

/** One whose NIC is on its way out, or in the trash, gets no connections. */
async function backendOf(
  ctx: NetworkContext,
  row: Row,
  { id, nicId, port, weight, state, heldUntil }: RowOf<typeof backend>,
): Promise<Found | undefined> {
  const target = await attachedNic(ctx, nicId);
  if (target === undefined && state === 'creating')
    throw new CloudError('conflict', 'The NIC is gone, or on its way out.', { pointer: '/nicId' });
  if (target === undefined) return undefined;
  const spec = { id, nicId, networkId: target.networkId, address: addressOf(target, row.address) ?? '', port, weight };
  return { spec, nic: target, isHeld: heldUntil !== undefined };
}

/** By network of the backends: where the cloud asks from there. */
async function askingFrom(ctx: NetworkContext, row: Row, backends: readonly Found[]): Promise<HealthCheckSpec['sources']> {
  const sources: Record<string, string> = {};
  for (const { nic: target } of backends) {
    const isSecond = addressOf(target, row.address) === target.ipv6Address;
    const place = await ctx.reader.get(subnet, (isSecond ? target.ipv6SubnetId : undefined) ?? target.subnetId);
    const source = askingAddress(place);
    if (source !== undefined) sources[target.networkId] = source;
  }
  return sources;
}
