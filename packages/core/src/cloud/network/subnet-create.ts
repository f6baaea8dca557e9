import { Type } from 'typebox';
import {
  CloudError,
  create,
  defineAction,
  defineDeletion,
  expectState,
  FORWARD_ONLY,
  type Id,
  type RowOf,
  resourceName,
  revert,
  type Statement,
  saga,
  transition,
} from '../../kernel/index.ts';
import { nameOr } from '../naming.ts';
import { type Cidr, contains, formatAddress, overlaps, parseAddress, parseCidr } from './cidr.ts';
import { network } from './network.ts';
import { type NetworkContext, networkSpec, realize } from './network-context.ts';
import { subnet } from './subnet.ts';

export const subnetInput = Type.Object({
  name: Type.Optional(resourceName()),
  cidr: Type.String({ maxLength: 49, description: 'In canonical form, e.g. `10.10.0.0/24`.' }),
  gateway: Type.Optional(Type.String({ maxLength: 45, description: 'Default: the first address.' })),
  dnsServers: Type.Optional(Type.Array(Type.String({ maxLength: 45 }), { maxItems: 8, description: 'Default: the gateway.' })),
});
export interface SubnetInput {
  readonly name?: string;
  readonly cidr: string;
  readonly gateway?: string;
  readonly dnsServers?: string[];
}

const invalid = (pointer: string, message: string) => new CloudError('invalid_input', message, { pointer });
const SUBNET_ADDRESSES_MIN = 4n;

/** The row of a new subnet. @throws CloudError invalid_input, with pointers below `at` */
export function subnetRow(
  input: SubnetInput,
  at: string,
  owner: { readonly id: Id<'subnet'>; readonly projectId: Id<'project'>; readonly networkId: Id<'network'> },
): { readonly statement: Statement; readonly cidr: Cidr } {
  const cidr = parseCidr(input.cidr);
  if (cidr === undefined) throw invalid(`${at}/cidr`, 'This is no network in canonical form, such as 10.10.0.0/24 (host bits zero).');
  if (cidr.size < SUBNET_ADDRESSES_MIN) throw invalid(`${at}/cidr`, 'The network is too small: it needs at least four addresses.');
  const gateway = input.gateway ?? formatAddress(cidr.family, cidr.base + 1n);
  const parsed = parseAddress(gateway);
  if (parsed === undefined || !contains(cidr, parsed)) throw invalid(`${at}/gateway`, `The gateway is not in ${input.cidr}.`);
  for (const [index, server] of (input.dnsServers ?? []).entries())
    if (parseAddress(server) === undefined) throw invalid(`${at}/dnsServers/${index}`, 'This is no IP address.');
  const statement = create(subnet, {
    ...owner,
    name: nameOr(input.name, subnet, owner.id),
    cidr: input.cidr,
    gateway,
    dnsServers: input.dnsServers ?? [gateway],
    firstAddress: formatAddress(cidr.family, cidr.base + 1n),
    lastAddress: formatAddress(cidr.family, cidr.base + cidr.size - 2n),
  });
  return { statement, cidr };
}

/** @throws CloudError invalid_input when two of a network's subnets overlap */
export function refuseOverlap(subnets: readonly { readonly cidr: Cidr; readonly pointer: string }[]): void {
  for (const [index, entry] of subnets.entries())
    if (subnets.slice(0, index).some((other) => overlaps(other.cidr, entry.cidr)))
      throw invalid(entry.pointer, 'It overlaps with another subnet of the network.');
}

interface SubnetParams {
  readonly subnetId: Id<'subnet'>;
  readonly networkId: Id<'network'>;
}

const subnetCreate = saga<NetworkContext, SubnetParams>('subnet.create', 1)
  .effect('realize', {
    do: ({ ctx, params, call }) => realize(ctx, params.networkId, call),
    undo: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(network, params.networkId);
      const fabric = await ctx.fabrics.of(row);
      const spec = await networkSpec(ctx, row);
      await fabric.ensureNetwork({ ...spec, subnets: spec.subnets.filter((entry) => entry.id !== params.subnetId) }, call);
    },
  })
  .write('available', {
    do: ({ params }) => [transition(subnet, params.subnetId, { from: 'creating', to: 'available' })],
    undo: ({ params }) => [revert(subnet, params.subnetId, { from: 'available', to: 'creating' })],
  })
  .build();

export const createSubnet = (context: () => NetworkContext) =>
  defineAction({
    kind: subnet,
    verb: 'create',
    description: 'Adds a range of addresses to a network.',
    target: 'collection',
    input: Type.Object({ networkId: Type.String({ format: 'uuid' }), ...subnetInput.properties }),
    accept: async ({ id, input, projectId, reader }) => {
      const parent: RowOf<typeof network> = await reader.get(network, input.networkId, '/networkId');
      const others = (await reader.list(subnet, { field: 'networkId', op: '=', value: parent.id })).flatMap(
        (row) => parseCidr(row.cidr) ?? [],
      );
      const { statement, cidr } = subnetRow(input, '', { id, projectId, networkId: parent.id });
      refuseOverlap([...others.map((other) => ({ cidr: other, pointer: '' })), { cidr, pointer: '/cidr' }]);
      return {
        params: { subnetId: id, networkId: parent.id },
        statements: [expectState(network, parent.id, ['available']), statement],
        keys: [parent.id],
      };
    },
    saga: subnetCreate,
    context,
    unwound: (params) => [transition(subnet, params.subnetId, { from: 'creating', to: 'deleted' })],
  });

const subnetRemove = saga<NetworkContext, SubnetParams>('subnet.remove', 1)
  .effect('realize', {
    // When the whole network goes, its removal takes the ranges with it.
    do: async ({ ctx, params, call }) => {
      if ((await ctx.reader.get(network, params.networkId)).state !== 'deleting') await realize(ctx, params.networkId, call);
    },
    undo: FORWARD_ONLY,
  })
  .write('deleted', { do: ({ params }) => [transition(subnet, params.subnetId, { from: 'deleting', to: 'deleted' })], undo: FORWARD_ONLY })
  .build();

export const subnetDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: subnet,
    from: ['available'],
    remove: subnetRemove,
    context,
    params: (row: RowOf<typeof subnet>) => ({ subnetId: row.id, networkId: row.networkId }),
  });
