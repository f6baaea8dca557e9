import { Type } from 'typebox';
import {
  CloudError,
  changeable,
  create,
  defineAction,
  defineDeletion,
  expectState,
  type RowOf,
  resourceName,
  transition,
  updateAction,
} from '../../../kernel/index.ts';
import { given, nameOr } from '../../naming.ts';
import type { CloudServices } from '../../services.ts';
import { type KeptParams, keptCreation } from '../kept.ts';
import { holderRemoval } from '../nat/holder-removal.ts';
import { isAddressClash, notKept, reserve } from '../nat/reservation.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { subnet } from '../subnet.ts';
import { vpc } from '../vpc/vpc.ts';
import { loadBalancer } from './load-balancer.ts';
import { keptLoadBalancer } from './load-balancer-kept.ts';

const { properties } = loadBalancer.schema;

interface CreateParams extends KeptParams {
  readonly reservedAddressId: string;
}

export const createLoadBalancer = (services: CloudServices, context: () => NetworkContext) =>
  defineAction({
    kind: loadBalancer,
    verb: 'create',
    description: 'Makes a load balancer with an address in a subnet; its listeners come after it.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: properties.description,
      subnetId: properties.subnetId,
      address: Type.Optional({ ...properties.address, description: 'Default: one that is free in the subnet.' }),
    }),
    accept: async ({ id, input, projectId, principal, reader, mint }) => {
      const place = await changeable(reader, subnet, input.subnetId, principal, '/subnetId');
      const { vpcId } = await reader.get(network, place.networkId);
      if (vpcId === undefined) throw new CloudError('conflict', 'The subnet is not in a VPC.', { pointer: '/subnetId' });
      (await services.fabrics.of(await reader.get(vpc, vpcId))).keeper('loadBalancers');
      const asked = input.address === undefined ? undefined : { address: input.address, pointer: '/address' };
      const kept = await reserve(services, place, { id: mint('reservedAddress'), projectId, loadBalancerId: id }, { asked });
      const row = create(loadBalancer, {
        ...{ id, projectId, name: nameOr(input.name, loadBalancer, id), vpcId, subnetId: place.id, address: kept.address },
        ...given({ description: input.description }),
      });
      return {
        params: { id, reservedAddressId: kept.id } satisfies CreateParams,
        statements: [expectState(vpc, vpcId, ['available']), row, ...kept.statements],
      };
    },
    refused: (_, statement) => (isAddressClash(statement) ? 'again' : undefined),
    saga: keptCreation<typeof loadBalancer, 'loadBalancers', CreateParams>(keptLoadBalancer),
    context,
    unwound: ({ id, reservedAddressId }) => [
      transition(loadBalancer, id as never, { from: 'creating', to: 'deleted' }),
      notKept(reservedAddressId),
    ],
  });

export const updateLoadBalancer = updateAction(loadBalancer, ['description']);

export const loadBalancerDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: loadBalancer,
    from: ['available'],
    remove: holderRemoval(keptLoadBalancer, 'loadBalancerId'),
    context,
    params: (row: RowOf<typeof loadBalancer>): KeptParams => ({ id: row.id }),
  });
