import { Type } from 'typebox';
import {
  CloudError,
  change,
  create,
  defineAction,
  defineDeletion,
  equals,
  expectState,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  resourceName,
  revert,
  type Statement,
  saga,
  transition,
} from '../../../kernel/index.ts';
import { given, nameOr } from '../../naming.ts';
import type { CloudServices } from '../../services.ts';
import type { Asked } from '../addresses.ts';
import { ensureKept, type KeptParams, keptRemoval, removeKept } from '../kept.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import type { subnet } from '../subnet.ts';
import { ownVpc } from '../vpc/own-vpc.ts';
import type { vpc } from '../vpc/vpc.ts';
import { vpcChanges } from '../vpc/vpc-ranges.ts';
import { externalNetwork, externalSubnet, firstOf } from './external.ts';
import { natGateway, natPortBlock } from './nat-gateway.ts';
import { keptGateway, refuseUncarried } from './nat-gateway-kept.ts';
import { blockGone, freeBlocks, newBlock, type Ports, sourcesOf, takenPorts } from './port-blocks.ts';
import { isAddressClash, notKept, reserve } from './reservation.ts';

const { properties } = natGateway.schema;

interface CreateParams extends KeptParams {
  readonly reservedAddressId: string;
  readonly ipv6ReservedAddressId?: string;
  readonly blockIds: readonly string[];
}

const gatewayCreate = saga<NetworkContext, CreateParams>('natGateway.create', 1)
  .effect('realize', {
    do: ({ ctx, params, call }) => ensureKept(keptGateway, ctx, params.id, call),
    undo: ({ ctx, params, call }) => removeKept(keptGateway, ctx, params.id, call),
  })
  .write('available', {
    do: ({ params }) => [transition(natGateway, params.id as never, { from: 'creating', to: 'available' })],
    undo: ({ params }) => [revert(natGateway, params.id as never, { from: 'available', to: 'creating' })],
  })
  // Once more: a subnet that came or went meanwhile did not find it yet.
  .effect('subnets', { do: ({ ctx, params, call }) => ensureKept(keptGateway, ctx, params.id, call), undo: NOTHING_TO_UNDO })
  .build();

/** @throws CloudError name_taken, as the unique key would, in words */
async function refuseSecond(reader: Reader, { id, name }: RowOf<typeof vpc>): Promise<void> {
  const [other] = await reader.list(natGateway, equals('vpcId', id), { limit: 1 });
  if (other !== undefined)
    throw new CloudError('name_taken', `VPC ${name} has a NAT gateway already: ${other.name}.`, {
      pointer: '/vpcId',
      params: { field: 'vpcId', kind: natGateway.name },
    });
}

export const createNatGateway = (services: CloudServices, context: () => NetworkContext) =>
  defineAction({
    kind: natGateway,
    verb: 'create',
    description: 'Connects a VPC with an external network.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      vpcId: properties.vpcId,
      externalNetworkId: properties.externalNetworkId,
      subnetId: Type.Optional({ ...properties.subnetId, description: 'Of the external network. Default: its first of IPv4.' }),
      address: Type.Optional({ ...properties.address, description: 'Its own on the external network. Default: one that is free.' }),
      ipv6SubnetId: Type.Optional({
        ...properties.ipv6SubnetId,
        description: 'Of the external network. Default: its first of IPv6, if it has one.',
      }),
      ipv6Address: Type.Optional({
        ...properties.ipv6Address,
        description: 'Its own in IPv6. Default: one that is free, if the network has IPv6.',
      }),
      snat: Type.Optional({
        ...properties.snat,
        description: 'Whether machines without an elastic IP reach out with its address. Default: true.',
      }),
      portsPerSubnet: properties.portsPerSubnet,
    }),
    accept: async ({ id, input, projectId, principal, reader, mint }) => {
      const owner = await ownVpc(reader, input.vpcId, principal);
      await refuseSecond(reader, owner);
      const external = await externalNetwork(reader, input.externalNetworkId, principal);
      const places = await sidesOf(reader, external, input);
      if (external.driver !== owner.driver)
        throw new CloudError('conflict', `The network is one of ${external.driver}, the VPC one of ${owner.driver}.`, {
          pointer: '/externalNetworkId',
        });
      (await services.fabrics.of(owner)).keeper('gateways');
      await refuseUncarried({ fabrics: services.fabrics, reader }, external);
      const keep = ({ subnet: of, asked }: Side) =>
        reserve(services, of, { id: mint('reservedAddress'), projectId, natGatewayId: id }, { asked, rests: true });
      const kept = await keep(places.ipv4);
      const kept6 = places.ipv6 === undefined ? undefined : await keep(places.ipv6);
      const blocks = await firstBlocks(reader, { id, projectId, vpcId: owner.id, length: input.portsPerSubnet }, mint);
      const row = create(natGateway, {
        ...{ id, projectId, name: nameOr(input.name, natGateway, id), vpcId: owner.id, externalNetworkId: external.id },
        ...{ subnetId: places.ipv4.subnet.id, address: kept.address, snat: input.snat ?? true },
        ...given({ ipv6SubnetId: places.ipv6?.subnet.id, ipv6Address: kept6?.address, portsPerSubnet: input.portsPerSubnet }),
      });
      return {
        params: {
          ...{ id, reservedAddressId: kept.id, blockIds: blocks.map((block) => block.id) },
          ...given({ ipv6ReservedAddressId: kept6?.id }),
        } satisfies CreateParams,
        statements: [
          // A VPC changes with its subnets: of a gateway and a subnet side by side the second is decided again, and sees the first.
          vpcChanges(owner),
          expectState(network, external.id, ['available']),
          row,
          ...kept.statements,
          ...(kept6?.statements ?? []),
          ...blocks.map(({ statement }) => statement),
        ],
        keys: [owner.id],
      };
    },
    refused: (_, statement) => (isAddressClash(statement) ? 'again' : undefined),
    saga: gatewayCreate,
    context,
    unwound: ({ id, reservedAddressId, ipv6ReservedAddressId, blockIds }) => [
      transition(natGateway, id as never, { from: 'creating', to: 'deleted' }),
      notKept(reservedAddressId),
      ...(ipv6ReservedAddressId === undefined ? [] : [notKept(ipv6ReservedAddressId)]),
      ...blockIds.map(blockGone),
    ],
  });

interface Side {
  readonly subnet: RowOf<typeof subnet>;
  readonly asked: Asked | undefined;
}

interface AskedSides {
  readonly subnetId?: string;
  readonly address?: string;
  readonly ipv6SubnetId?: string;
  readonly ipv6Address?: string;
}

/** Where it is on the external network: in IPv4, and in IPv6 where there is such a subnet. @throws CloudError not_found, invalid_input */
async function sidesOf(
  reader: Reader,
  external: RowOf<typeof network>,
  { subnetId, address, ipv6SubnetId, ipv6Address }: AskedSides,
): Promise<{ readonly ipv4: Side; readonly ipv6?: Side }> {
  const side = async (family: 4 | 6, named: Pick<AskedSides, 'subnetId' | 'address'>, fields: { subnetId: string; address: string }) => ({
    subnet: await externalSubnet(reader, external, { family, ...named, fields }),
    asked: named.address === undefined ? undefined : { address: named.address, pointer: `/${fields.address}` },
  });
  const ipv4 = await side(4, given({ subnetId, address }), { subnetId: 'subnetId', address: 'address' });
  const isAsked = ipv6SubnetId !== undefined || ipv6Address !== undefined;
  if (!isAsked && (await firstOf(reader, external, 6)) === undefined) return { ipv4 };
  const named = given({ subnetId: ipv6SubnetId, address: ipv6Address });
  return { ipv4, ipv6: await side(6, named, { subnetId: 'ipv6SubnetId', address: 'ipv6Address' }) };
}

interface FirstBlocks {
  readonly id: Id<'natGateway'>;
  readonly projectId: Id<'project'>;
  readonly vpcId: string;
  readonly length: number | undefined;
}

/** Of the subnets that are there. */
async function firstBlocks(
  reader: Reader,
  { id, projectId, vpcId, length }: FirstBlocks,
  mint: (kind: 'natPortBlock') => Id<'natPortBlock'>,
): Promise<readonly { readonly id: string; readonly statement: Statement }[]> {
  if (length === undefined) return [];
  const subnets = await sourcesOf(reader, vpcId);
  const ports = freeBlocks(subnets.length, length, [], '/portsPerSubnet');
  return subnets.map(({ id: subnetId }, index) => {
    const blockId = mint('natPortBlock');
    return { id: blockId, statement: newBlock({ id: blockId, natGatewayId: id, subnetId, projectId }, ports[index] as Ports) };
  });
}

interface Settings {
  readonly snat?: boolean;
  readonly portsPerSubnet?: number | null;
  readonly name?: string;
}
interface MovedBlock extends Ports {
  readonly id: string;
  readonly before: Ports;
}
interface UpdateParams extends KeptParams {
  readonly projectId: string;
  /** As it was when ports were chosen. */
  readonly generation?: number;
  readonly set: Settings;
  readonly before: Settings;
  readonly moved: readonly MovedBlock[];
  readonly made: readonly (Ports & { readonly id: string; readonly subnetId: string })[];
  /** No subnet has ports of its own any more. */
  readonly gone: readonly string[];
}

const settings = (id: string, set: Settings, generation?: number): Statement =>
  change(natGateway, id as never, set as never, { state: 'available', ...(generation === undefined ? {} : { generation }) });
const ports = ({ firstPort, lastPort }: Ports): Ports => ({ firstPort, lastPort });

const gatewayUpdate = saga<NetworkContext, UpdateParams>('natGateway.update', 1)
  // Undone last, when the rows are as they were.
  .effect('back', { do: () => undefined, undo: ({ ctx, params, call }) => ensureKept(keptGateway, ctx, params.id, call) })
  .write('set', {
    do: ({ params: { id, set, generation, moved, made, projectId } }) => [
      settings(id, set, generation),
      ...moved.map((block) => change(natPortBlock, block.id as never, ports(block))),
      ...made.map((block) => newBlock({ id: block.id as never, natGatewayId: id, subnetId: block.subnetId, projectId }, ports(block))),
    ],
    undo: ({ params: { id, before, moved, made } }) => [
      settings(id, before),
      ...moved.map((block) => change(natPortBlock, block.id as never, block.before)),
      ...made.map((block) => blockGone(block.id)),
    ],
  })
  .effect('realize', { do: ({ ctx, params, call }) => ensureKept(keptGateway, ctx, params.id, call), undo: NOTHING_TO_UNDO })
  .write('free', { do: ({ params }) => params.gone.map(blockGone), undo: NOTHING_TO_UNDO })
  .build();

export const updateNatGateway = (context: () => NetworkContext) =>
  defineAction({
    kind: natGateway,
    verb: 'update',
    description: 'Changes name, snat, portsPerSubnet of the natGateway.',
    target: 'resource',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      snat: Type.Optional(properties.snat),
      portsPerSubnet: Type.Optional(Type.Union([Type.Integer({ minimum: 64, maximum: 16_384 }), Type.Null()])),
    }),
    from: ['available'],
    accept: async ({ row, input, reader, mint }) => {
      if (Object.keys(input).length === 0) throw new CloudError('invalid_input', 'Nothing to change was given.', { pointer: '' });
      const { id, projectId, generation, name, snat, portsPerSubnet = null } = row;
      const blocks = await blocksAfter(reader, row, input.portsPerSubnet, mint);
      const before = { name, snat, portsPerSubnet };
      const kept = Object.fromEntries(Object.keys(input).map((field) => [field, before[field as keyof typeof before]]));
      const asSeen = input.portsPerSubnet === undefined ? {} : { generation };
      const params: UpdateParams = { id, projectId: projectId ?? '', ...asSeen, set: input, before: kept, ...blocks };
      return { params, statements: [], keys: [row.vpcId] };
    },
    saga: gatewayUpdate,
    context,
  });

async function blocksAfter(
  reader: Reader,
  row: RowOf<typeof natGateway>,
  length: number | null | undefined,
  mint: (kind: 'natPortBlock') => Id<'natPortBlock'>,
): Promise<Pick<UpdateParams, 'moved' | 'made' | 'gone'>> {
  if (length === undefined || length === (row.portsPerSubnet ?? null)) return { moved: [], made: [], gone: [] };
  const { blocks, forwards } = await takenPorts(reader, row.id);
  if (length === null) return { moved: [], made: [], gone: blocks.map(({ id }) => id) };
  const subnets = await sourcesOf(reader, row.vpcId);
  const free = freeBlocks(subnets.length, length, forwards, '/portsPerSubnet');
  const placed = subnets.map(({ id: subnetId }, index) => {
    const block = blocks.find((other) => other.subnetId === subnetId);
    return { subnetId, block, ...(free[index] as Ports) };
  });
  return {
    moved: placed.flatMap(({ block, ...to }) => (block === undefined ? [] : [{ id: block.id, ...ports(to), before: ports(block) }])),
    made: placed.flatMap(({ block, subnetId, ...to }) =>
      block === undefined ? [{ id: mint('natPortBlock'), subnetId, ...ports(to) }] : [],
    ),
    gone: [],
  };
}

interface RemoveParams extends KeptParams {
  readonly vpcId: string;
}

export const natGatewayDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: natGateway,
    from: ['available'],
    remove: keptRemoval<typeof natGateway, 'gateways', RemoveParams>(keptGateway),
    context,
    params: (row: RowOf<typeof natGateway>): RemoveParams => ({ id: row.id, vpcId: row.vpcId }),
    shares: ({ vpcId }) => [vpcId],
  });
