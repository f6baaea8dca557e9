import { Type } from 'typebox';
import {
  create,
  defineAction,
  defineDeletion,
  expectState,
  FORWARD_ONLY,
  NOTHING_TO_UNDO,
  type RowOf,
  resourceName,
  saga,
  updateAction,
} from '../../../kernel/index.ts';
import { given, nameOr } from '../../naming.ts';
import { type RowParams, rowCreate, rowTakenBack } from '../../row-only.ts';
import type { CloudServices } from '../../services.ts';
import { loadBalancer } from '../balancing/load-balancer.ts';
import { keptLoadBalancer } from '../balancing/load-balancer-kept.ts';
import { isIpv6 } from '../cidr.ts';
import { ensureKept, type KeptParams, removeKept } from '../kept.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { elasticIp } from './elastic-ip.ts';
import { holderOf } from './elastic-ip-bind.ts';
import { keptElasticIp } from './elastic-ip-kept.ts';
import { externalNetwork, externalSubnet } from './external.ts';
import { goneWith, keptFor } from './holder-removal.ts';
import { isAddressClash, notKept, reserve } from './reservation.ts';

const { properties } = elasticIp.schema;

interface CreateParams extends RowParams {
  readonly reservedAddressId: string;
}

export const createElasticIp = (services: CloudServices) =>
  defineAction({
    kind: elasticIp,
    verb: 'create',
    description: 'Gets an address of an external network for the project.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: properties.description,
      externalNetworkId: properties.externalNetworkId,
      subnetId: Type.Optional({
        ...properties.subnetId,
        description: 'Of the external network. Default: its first of IPv4, or of `address`.',
      }),
      address: Type.Optional({ ...properties.address, description: "Default: one that is free, and was nobody else's lately." }),
      distributed: Type.Optional({
        ...properties.distributed,
        description: "Whether packets leave from the machine's own host in place of the gateway's. Default: false.",
      }),
    }),
    accept: async ({ id, input, projectId, principal, reader, mint }) => {
      const external = await externalNetwork(reader, input.externalNetworkId, principal);
      const of = await externalSubnet(reader, external, { ...input, fields: { subnetId: 'subnetId', address: 'address' } });
      const asked = input.address === undefined ? undefined : { address: input.address, pointer: '/address' };
      const holder = { id: mint('reservedAddress'), projectId, elasticIpId: id };
      const kept = await reserve(services, of, holder, { asked, rests: true });
      const row = create(elasticIp, {
        ...{ id, projectId, name: nameOr(input.name, elasticIp, id), externalNetworkId: external.id },
        ...{ subnetId: of.id, address: kept.address, family: isIpv6(kept.address) ? 6 : 4, distributed: input.distributed ?? false },
        ...given({ description: input.description }),
      });
      return {
        params: { kind: elasticIp.name, id, reservedAddressId: kept.id } satisfies CreateParams,
        statements: [expectState(network, external.id, ['available']), row, ...kept.statements],
      };
    },
    refused: (_, statement) => (isAddressClash(statement) ? 'again' : undefined),
    saga: rowCreate,
    context: () => null,
    unwound: (params: RowParams) => [...rowTakenBack(params), notKept((params as CreateParams).reservedAddressId)],
  });

export const updateElasticIp = updateAction(elasticIp, ['description']);

interface RemoveParams extends KeptParams {
  /** What leads in by it, and is to do so no more. */
  readonly loadBalancerId?: string;
}

/** By itself it is unbound first; with the stack that has made it, it goes from what it is bound to. */
const elasticIpRemove = saga<NetworkContext, RemoveParams>('elasticIp.remove', 1)
  .effect('remove', {
    do: async ({ ctx, params: { id, loadBalancerId }, call }) => {
      await removeKept(keptElasticIp, ctx, id, call);
      const balancer = loadBalancerId === undefined ? undefined : await ctx.reader.find(loadBalancer, loadBalancerId);
      if (balancer?.state === 'available') await ensureKept(keptLoadBalancer, ctx, balancer.id, call);
    },
    undo: FORWARD_ONLY,
  })
  .effect('addresses', {
    do: async ({ ctx, params }) => ({ reservedIds: await keptFor(ctx.reader, 'elasticIpId', params.id) }),
    undo: NOTHING_TO_UNDO,
    needed: true,
  })
  .write('deleted', {
    do: ({ params, out }) => goneWith(elasticIp, params.id, out.addresses.reservedIds),
    undo: FORWARD_ONLY,
  })
  .build();

export const elasticIpDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: elasticIp,
    from: ['available'],
    heldBy: (row: RowOf<typeof elasticIp>, reader) => holderOf(row, reader),
    remove: elasticIpRemove,
    context,
    params: ({ id, loadBalancerId }): RemoveParams => ({ id, ...given({ loadBalancerId }) }),
    shares: ({ loadBalancerId }) => (loadBalancerId === undefined ? [] : [loadBalancerId]),
  });
