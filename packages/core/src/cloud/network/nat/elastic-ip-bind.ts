import { Type } from 'typebox';
import {
  both,
  CloudError,
  changeable,
  defineAction,
  equals,
  expectState,
  type Id,
  inWords,
  NOTHING_TO_UNDO,
  type Principal,
  type Reader,
  type RowOf,
  revert,
  type Statement,
  saga,
  transition,
} from '../../../kernel/index.ts';
import { given } from '../../naming.ts';
import type { CloudServices } from '../../services.ts';
import { loadBalancer } from '../balancing/load-balancer.ts';
import { parseAddress } from '../cidr.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { nic } from '../nic.ts';
import { invalid } from '../refusal.ts';
import { addressOf } from './bound-nic.ts';
import { isNotLedTo, refuseElsewhere, refuseLedTo } from './distributed.ts';
import { elasticIp } from './elastic-ip.ts';
import { type Bound, realizeBinding } from './elastic-ip-kept.ts';
import { natGateway } from './nat-gateway.ts';
import { gatewayOf } from './port-blocks.ts';

type Row = RowOf<typeof elasticIp>;
interface Binding extends Bound {
  readonly elasticIpId: Id<'elasticIp'>;
  readonly natGatewayId: Id<'natGateway'>;
  readonly distributed: boolean;
  /** As it was. */
  readonly wasDistributed: boolean;
}

const CLEARED = { nicId: null, loadBalancerId: null, natGatewayId: null } as const;
const boundTo = ({ nicId, loadBalancerId, natGatewayId }: Omit<Binding, 'elasticIpId' | 'distributed' | 'wasDistributed'>) =>
  ({ natGatewayId, ...given({ nicId, loadBalancerId }) }) as Pick<Row, 'natGatewayId' | 'nicId' | 'loadBalancerId'>;

/** What it is bound to is there when its turn comes, too: an operation ahead may have taken it away. */
const stillThere = ({ nicId, loadBalancerId, natGatewayId }: Binding): readonly Statement[] => [
  expectState(natGateway, natGatewayId, ['available']),
  ...(nicId === undefined ? [] : [expectState(nic, nicId as never, ['attached'])]),
  ...(loadBalancerId === undefined ? [] : [expectState(loadBalancer, loadBalancerId as never, ['available'])]),
];

const elasticIpBind = saga<NetworkContext, Binding>('elasticIp.bind', 1)
  // Undone last, when the rows are as they were.
  .effect('back', { do: () => undefined, undo: ({ ctx, params, call }) => realizeBinding(ctx, params.elasticIpId, params, call) })
  .write('binding', {
    do: ({ params }) => [
      ...stillThere(params),
      ...(params.distributed && params.nicId !== undefined ? isNotLedTo(params.nicId) : []),
      transition(elasticIp, params.elasticIpId, {
        ...{ from: 'available', to: 'binding' },
        set: { ...boundTo(params), distributed: params.distributed },
      }),
    ],
    undo: ({ params }) => [
      revert(elasticIp, params.elasticIpId, {
        ...{ from: 'binding', to: 'available' },
        set: { ...CLEARED, distributed: params.wasDistributed },
      }),
    ],
  })
  .effect('realize', {
    do: ({ ctx, params, call }) => realizeBinding(ctx, params.elasticIpId, params, call),
    undo: NOTHING_TO_UNDO,
  })
  .write('bound', {
    do: ({ params }) => [transition(elasticIp, params.elasticIpId, { from: 'binding', to: 'bound' })],
    undo: ({ params }) => [revert(elasticIp, params.elasticIpId, { from: 'bound', to: 'binding' })],
  })
  .build();

const elasticIpUnbind = saga<NetworkContext, Binding>('elasticIp.unbind', 1)
  .effect('back', { do: () => undefined, undo: ({ ctx, params, call }) => realizeBinding(ctx, params.elasticIpId, params, call) })
  .write('unbinding', {
    do: ({ params }) => [transition(elasticIp, params.elasticIpId, { from: 'bound', to: 'unbinding' })],
    undo: ({ params }) => [revert(elasticIp, params.elasticIpId, { from: 'unbinding', to: 'bound' })],
  })
  .effect('release', {
    do: ({ ctx, params, call }) => realizeBinding(ctx, params.elasticIpId, params, call),
    undo: NOTHING_TO_UNDO,
  })
  .write('available', {
    do: ({ params }) => [transition(elasticIp, params.elasticIpId, { from: 'unbinding', to: 'available', set: CLEARED })],
    undo: ({ params }) => [revert(elasticIp, params.elasticIpId, { from: 'available', to: 'unbinding', set: boundTo(params) })],
  })
  .build();

export const bindElasticIp = (services: CloudServices, context: () => NetworkContext) =>
  defineAction({
    kind: elasticIp,
    verb: 'bind',
    description: 'Binds the address to a NIC or a load balancer; machines that run are reached by it at once.',
    target: 'resource',
    input: Type.Object({
      nicId: Type.Optional(Type.String({ format: 'uuid' })),
      loadBalancerId: Type.Optional(Type.String({ format: 'uuid' })),
      distributed: Type.Optional(
        Type.Boolean({ description: "Whether packets leave from the machine's own host in place of the gateway's. Default: as it is." }),
      ),
    }),
    from: ['available'],
    heldBy: (row, reader) => holderOf(row, reader),
    satisfied: (row, input) => row.state === 'bound' && input !== undefined && isBoundSo(row, input),
    accept: async ({ row, input, principal, reader }) => {
      const { nicId, loadBalancerId } = input;
      if ((nicId === undefined) === (loadBalancerId === undefined)) throw invalid('', 'Give either a nicId or a loadBalancerId.');
      const vpcId =
        nicId === undefined
          ? await vpcOfBalancer(reader, row, loadBalancerId ?? '', principal)
          : await vpcOfNic(reader, row, nicId, principal);
      const gateway = await gatewayFor(reader, row, vpcId, nicId === undefined ? '/loadBalancerId' : '/nicId');
      const distributed = input.distributed ?? row.distributed;
      if (loadBalancerId !== undefined && input.distributed === true)
        throw invalid('/distributed', 'The address of a load balancer comes in through the gateway.');
      if (nicId !== undefined) await refuseBound(reader, row, 'nicId', nicId);
      if (loadBalancerId !== undefined) await refuseBound(reader, row, 'loadBalancerId', loadBalancerId);
      if (distributed && nicId !== undefined) {
        await refuseLedTo(reader, nicId);
        await refuseElsewhere({ fabrics: services.fabrics, reader }, nicId, row.externalNetworkId);
      }
      (await services.fabrics.of(await reader.get(network, row.externalNetworkId))).keeper(
        nicId === undefined ? 'loadBalancers' : 'elasticIps',
      );
      const params: Binding = {
        ...{ elasticIpId: row.id, natGatewayId: gateway.id, distributed, wasDistributed: row.distributed },
        ...given({ nicId, loadBalancerId }),
      };
      return { params, statements: [], keys: [gateway.id, nicId ?? loadBalancerId ?? ''] };
    },
    saga: elasticIpBind,
    context,
  });

export const unbindElasticIp = (context: () => NetworkContext) =>
  defineAction({
    kind: elasticIp,
    verb: 'unbind',
    description: 'Takes the address from what it is bound to; it stays with the project.',
    target: 'resource',
    input: Type.Object({}),
    from: ['bound'],
    satisfied: (row) => row.state === 'available',
    accept: ({ row: { id, nicId, loadBalancerId, natGatewayId, distributed } }) => {
      const target = nicId ?? loadBalancerId;
      if (target === undefined || natGatewayId === undefined) throw new CloudError('conflict', 'It is not bound any more.');
      const params: Binding = {
        elasticIpId: id,
        natGatewayId,
        distributed,
        wasDistributed: distributed,
        ...given({ nicId, loadBalancerId }),
      };
      return { params, statements: [], keys: [natGatewayId, target] };
    },
    saga: elasticIpUnbind,
    context,
  });

interface Asked {
  readonly nicId?: string;
  readonly loadBalancerId?: string;
  readonly distributed?: boolean;
}

/** Who asks again, not knowing what came of it, is told that it is done. */
const isBoundSo = (row: Row, { nicId, loadBalancerId, distributed = row.distributed }: Asked): boolean =>
  row.nicId === nicId && row.loadBalancerId === loadBalancerId && row.distributed === distributed;

/** Why nothing else can be done with it: what it is bound to. */
export async function holderOf(row: Row, reader: Reader): Promise<CloudError | undefined> {
  if (row.state !== 'bound') return undefined;
  const [kind, id] = row.nicId === undefined ? [loadBalancer, row.loadBalancerId ?? ''] : [nic, row.nicId];
  const holder = await reader.find(kind as typeof nic, id);
  return new CloudError('conflict', `It is bound to ${inWords(kind.name)} ${holder?.name ?? id}; unbind it first.`, {
    params: { state: row.state, kind: kind.name, id },
  });
}

async function vpcOfNic(reader: Reader, { address, family }: Row, nicId: string, principal: Principal): Promise<string> {
  const row = await changeable(reader, nic, nicId, principal, '/nicId');
  const { vpcId } = await reader.get(network, row.networkId);
  if (vpcId === undefined) throw new CloudError('conflict', 'The NIC is not in a VPC.', { pointer: '/nicId' });
  if (addressOf(row, address) === undefined)
    throw new CloudError('conflict', `The NIC has no IPv${family} address.`, { pointer: '/nicId' });
  return vpcId;
}

async function vpcOfBalancer(reader: Reader, { address }: Row, loadBalancerId: string, principal: Principal): Promise<string> {
  const row: RowOf<typeof loadBalancer> = await changeable(reader, loadBalancer, loadBalancerId, principal, '/loadBalancerId');
  if (parseAddress(row.address)?.family === parseAddress(address)?.family) return row.vpcId;
  throw new CloudError('conflict', `The load balancer listens at ${row.address}, which is of the other family than ${address}.`, {
    pointer: '/loadBalancerId',
    params: { address: row.address },
  });
}

/** What the address would come in through. @throws CloudError conflict */
async function gatewayFor(
  reader: Reader,
  { externalNetworkId, family }: Row,
  vpcId: string,
  pointer: string,
): Promise<RowOf<typeof natGateway>> {
  const gateway = await gatewayOf(reader, vpcId);
  if (gateway === undefined)
    throw new CloudError('conflict', 'Its VPC has no NAT gateway: no external address can come in.', { pointer, params: { vpcId } });
  if (gateway.externalNetworkId === externalNetworkId) {
    if ((family === 4 ? gateway.address : gateway.ipv6Address) !== undefined) return gateway;
    throw new CloudError(
      'conflict',
      `NAT gateway ${gateway.name} of its VPC has no IPv${family} address: nothing comes in by IPv${family}.`,
      {
        pointer,
        params: { vpcId, natGatewayId: gateway.id },
      },
    );
  }
  throw new CloudError('conflict', 'The NAT gateway of its VPC is on another external network than this address.', {
    pointer,
    params: { vpcId, natGatewayId: gateway.id, externalNetworkId: gateway.externalNetworkId },
  });
}

/** Two at once are told apart by the unique field. @throws CloudError conflict */
async function refuseBound(reader: Reader, { family }: Row, field: 'nicId' | 'loadBalancerId', id: string): Promise<void> {
  const [other] = await reader.list(elasticIp, both(equals(field, id), equals('family', family)), { limit: 1 });
  if (other === undefined) return;
  throw new CloudError('conflict', `Elastic IP ${other.name} is bound to it already.`, {
    pointer: `/${field}`,
    params: { elasticIpId: other.id, address: other.address },
  });
}
