import { Type } from 'typebox';
import {
  CloudError,
  changeable,
  defineAction,
  defineDeletion,
  FORWARD_ONLY,
  type RowOf,
  resourceName,
  saga,
  transition,
  updateAction,
} from '../../../kernel/index.ts';
import { given } from '../../naming.ts';
import { type RowParams, rowCreate } from '../../row-only.ts';
import type { CloudServices } from '../../services.ts';
import { network } from '../network.ts';
import { subnet } from '../subnet.ts';
import { isAddressClash, notKept, reserve } from './reservation.ts';
import { holdsReserved, reservedAddress } from './reserved-address.ts';

const { properties } = reservedAddress.schema;

export const createReservedAddress = (services: CloudServices) =>
  defineAction({
    kind: reservedAddress,
    verb: 'create',
    description: 'Keeps an address of a subnet from NICs, e.g. for machines that share it.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      subnetId: properties.subnetId,
      address: Type.Optional({ ...properties.address, description: 'Default: one that is free.' }),
    }),
    accept: async ({ id, input, projectId, principal, reader }) => {
      const of = await changeable(reader, subnet, input.subnetId, principal, '/subnetId');
      if (!holdsReserved(await reader.get(network, of.networkId)))
        throw new CloudError('unsupported', 'Addresses are kept in VPCs and provider networks.', { pointer: '/subnetId' });
      const asked = input.address === undefined ? undefined : { address: input.address, pointer: '/address' };
      const { statements } = await reserve(services, of, { id, projectId, ...given({ name: input.name }) }, { asked });
      return { params: { kind: reservedAddress.name, id } satisfies RowParams, statements };
    },
    refused: (_, statement) => (isAddressClash(statement) ? 'again' : undefined),
    saga: rowCreate,
    context: () => null,
    unwound: ({ id }: RowParams) => [notKept(id)],
  });

export const updateReservedAddress = updateAction(reservedAddress, []);

type Row = RowOf<typeof reservedAddress>;
interface RemoveParams {
  readonly id: Row['id'];
  readonly isHeld: boolean;
}

/** What it is of takes it along when nothing answers there any more. */
const reservedAddressRemove = saga<null, RemoveParams>('reservedAddress.remove', 1)
  .write('deleted', {
    do: ({ params: { id, isHeld } }) => (isHeld ? [] : [transition(reservedAddress, id, { from: 'deleting', to: 'deleted' })]),
    undo: FORWARD_ONLY,
  })
  .build();

export const reservedAddressDeletion = defineDeletion({
  kind: reservedAddress,
  from: ['available'],
  remove: reservedAddressRemove,
  context: () => null,
  params: (row: Row): RemoveParams => ({ id: row.id, isHeld: holderOf(row) !== undefined }),
  alone: async (row: Row) => heldBack(row),
});

const holderOf = ({ natGatewayId, elasticIpId, loadBalancerId }: Row) =>
  Object.entries({ natGateway: natGatewayId, elasticIp: elasticIpId, loadBalancer: loadBalancerId }).find(([, id]) => id !== undefined);

/** It goes with what it is of. */
function heldBack(row: Row): CloudError | undefined {
  const { address } = row;
  const holder = holderOf(row);
  if (holder === undefined) return undefined;
  const [kind, id] = holder;
  return new CloudError('conflict', `${address} is the address of ${kind} ${id}, and goes with it.`, { params: { kind, id: id ?? null } });
}
