import { Type } from 'typebox';
import {
  CloudError,
  change,
  changeable,
  create,
  defineAction,
  defineDeletion,
  FORWARD_ONLY,
  type Id,
  NOTHING_TO_UNDO,
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
import { type NetworkContext, needReachable, networkReachable, networkSpec, realize } from './network-context.ts';
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
  const first = cidr.base + 1n;
  const last = cidr.base + cidr.size - 2n;
  const gateway = input.gateway === undefined ? { family: cidr.family, value: first } : parseAddress(input.gateway);
  if (gateway === undefined || !contains(cidr, gateway)) throw invalid(`${at}/gateway`, `The gateway is not in ${input.cidr}.`);
  if (gateway.value < first || gateway.value > last)
    throw invalid(`${at}/gateway`, "The first and the last address of a network are nobody's.");
  const dnsServers = (input.dnsServers ?? []).map((text, index) => {
    const server = parseAddress(text);
    if (server === undefined) throw invalid(`${at}/dnsServers/${index}`, 'This is no IP address.');
    return formatAddress(server.family, server.value);
  });
  const gatewayText = formatAddress(gateway.family, gateway.value);
  const statement = create(subnet, {
    ...owner,
    name: nameOr(input.name, subnet, owner.id),
    cidr: input.cidr,
    gateway: gatewayText,
    dnsServers: input.dnsServers === undefined ? [gatewayText] : dnsServers,
    firstAddress: formatAddress(cidr.family, first),
    lastAddress: formatAddress(cidr.family, last),
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
      // A host that comes back is given its networks as their rows are then.
      if (!(await networkReachable(ctx, row))) return;
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
    accept: async ({ id, input, projectId, principal, reader }) => {
      const parent: RowOf<typeof network> = await changeable(reader, network, input.networkId, principal, '/networkId');
      const others = (await reader.list(subnet, { field: 'networkId', op: '=', value: parent.id })).flatMap(
        (row) => parseCidr(row.cidr) ?? [],
      );
      const { statement, cidr } = subnetRow(input, '', { id, projectId, networkId: parent.id });
      refuseOverlap([...others.map((other) => ({ cidr: other, pointer: '' })), { cidr, pointer: '/cidr' }]);
      return {
        params: { subnetId: id, networkId: parent.id },
        // The network changes with its subnets: of two accepted side by side the second is decided again, and sees the first.
        statements: [change(network, parent.id, {}, { generation: parent.generation, state: 'available' }), statement],
        keys: [parent.id],
      };
    },
    saga: subnetCreate,
    context,
    unwound: (params) => [transition(subnet, params.subnetId, { from: 'creating', to: 'deleted' })],
  });

const subnetRemove = saga<NetworkContext, SubnetParams>('subnet.remove', 1)
  .effect('reach', {
    do: async ({ ctx, params }) => {
      const row = await ctx.reader.get(network, params.networkId);
      if (row.state !== 'deleting') await needReachable(ctx, row);
    },
    undo: NOTHING_TO_UNDO,
  })
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
