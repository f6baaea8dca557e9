import { Type } from 'typebox';
import {
  CloudError,
  change,
  create,
  defineAction,
  defineDeletion,
  equals,
  expectState,
  FORWARD_ONLY,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  resourceName,
  type Statement,
  saga,
  transition,
} from '../../../kernel/index.ts';
import type { Call } from '../../../strategy/index.ts';
import { given, nameOr } from '../../naming.ts';
import type { CloudServices } from '../../services.ts';
import { ensureKept, type KeptParams, removeKept } from '../kept.ts';
import { network } from '../network.ts';
import type { NetworkContext } from '../network-context.ts';
import { subnet } from '../subnet.ts';
import { ownVpc } from '../vpc/own-vpc.ts';
import type { vpc } from '../vpc/vpc.ts';
import { isOvertaken, vpcChanges } from '../vpc/vpc-ranges.ts';
import { externalNetwork } from './external.ts';
import { holderRemoval } from './holder-removal.ts';
import { natGateway, natPortBlock } from './nat-gateway.ts';
import { keptGateway, refuseUncarried } from './nat-gateway-kept.ts';
import { furtherSides, type KeptSides, keepSides, newSides } from './nat-gateway-sides.ts';
import { besideSubnet, blockGone, blocksGone, freeBlocks, newBlock, type Ports, sourcesOf, takenPorts } from './port-blocks.ts';
import { portForward } from './port-forward.ts';
import { keptPortForward } from './port-forward-verbs.ts';
import { isAddressClash, notKept } from './reservation.ts';

const { properties } = natGateway.schema;

interface CreateParams extends KeptParams {
  readonly reservedIds: readonly string[];
}

const gatewayCreate = saga<NetworkContext, CreateParams>('natGateway.create', 1)
  .effect('realize', {
    do: ({ ctx, params, call }) => ensureKept(keptGateway, ctx, params.id, call),
    undo: ({ ctx, params, call }) => removeKept(keptGateway, ctx, params.id, call),
  })
  .write('available', {
    do: ({ params }) => [transition(natGateway, params.id as never, { from: 'creating', to: 'available' })],
    // From now on others lead in through it: it does not go under them because a subnet could not be told.
    undo: FORWARD_ONLY,
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
      subnetId: Type.Optional({
        ...properties.subnetId,
        description: 'Of the external network. Default: its first of IPv4, if it has one.',
      }),
      address: Type.Optional({
        ...properties.address,
        description: 'Its own in IPv4 on the external network. Default: one that is free, if the network has IPv4.',
      }),
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
      const sides = await newSides(reader, external, input);
      if (input.portsPerSubnet !== undefined) refuseBlocks(sides.some(({ family }) => family === 4));
      if (external.driver !== owner.driver)
        throw new CloudError('conflict', `The network is one of ${external.driver}, the VPC one of ${owner.driver}.`, {
          pointer: '/externalNetworkId',
        });
      (await services.fabrics.of(owner)).keeper('gateways');
      await refuseUncarried({ fabrics: services.fabrics, reader }, external);
      const kept = await keepSides(services, sides, { projectId, natGatewayId: id }, mint);
      const blocks = await firstBlocks(reader, { id, projectId, vpcId: owner.id, length: input.portsPerSubnet }, mint);
      const row = create(natGateway, {
        ...{ id, projectId, name: nameOr(input.name, natGateway, id), vpcId: owner.id, externalNetworkId: external.id },
        ...kept.fields,
        ...{ snat: input.snat ?? true, ...given({ portsPerSubnet: input.portsPerSubnet }) },
      });
      return {
        params: { id, reservedIds: kept.reservedIds } satisfies CreateParams,
        statements: [
          // A VPC changes with its subnets: of a gateway and a subnet side by side the second is decided again, and sees the first.
          vpcChanges(owner),
          expectState(network, external.id, ['available']),
          row,
          ...kept.statements,
          ...blocks,
        ],
        keys: [owner.id],
      };
    },
    refused: (failure, statement) =>
      isAddressClash(statement) || isOvertaken(failure, statement) || isSubnetGone(statement) ? 'again' : undefined,
    saga: gatewayCreate,
    context,
    unwound: async ({ id, reservedIds }) => [
      transition(natGateway, id as never, { from: 'creating', to: 'deleted' }),
      ...reservedIds.map(notKept),
      ...(await blocksGone(services.reader, 'natGatewayId', [id])),
    ],
  });

/** @throws CloudError conflict */
function refuseBlocks(hasIpv4: boolean): void {
  if (hasIpv4) return;
  throw new CloudError('conflict', 'Blocks of ports are of IPv4, which the gateway has not.', { pointer: '/portsPerSubnet' });
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
): Promise<readonly Statement[]> {
  if (length === undefined) return [];
  const subnets = await sourcesOf(reader, vpcId);
  const ports = freeBlocks(subnets.length, length, [], '/portsPerSubnet');
  return subnets.flatMap(({ id: subnetId }, index) => [
    besideSubnet(subnetId),
    newBlock({ id: mint('natPortBlock'), natGatewayId: id, subnetId, projectId }, ports[index] as Ports),
  ]);
}

const isSubnetGone = (statement: Statement | undefined): boolean => statement?.op === 'expect' && statement.table === subnet.name;

interface Settings {
  readonly snat?: boolean;
  readonly portsPerSubnet?: number | null;
  readonly name?: string;
}
/** Where it is on the external network, in a family that it did not have; null where it is taken back. */
type Sides = { readonly [F in keyof KeptSides['fields']]?: string | null };
interface MovedBlock extends Ports {
  readonly id: string;
  readonly before: Ports;
}
interface UpdateParams extends KeptParams {
  readonly projectId: string;
  /** As it was when ports were chosen. */
  readonly generation?: number;
  readonly set: Settings & Sides;
  readonly before: Settings & Sides;
  /** Of addresses that it gets. */
  readonly reservedIds?: readonly string[];
  readonly moved: readonly MovedBlock[];
  readonly made: readonly (Ports & { readonly id: string; readonly subnetId: string })[];
  /** No subnet has ports of its own any more. */
  readonly gone: readonly string[];
}

/** Addresses are given to a gateway that has none yet: of two that ask, the second is refused. */
const settings = (id: string, set: Settings & Sides, generation?: number): Statement => {
  const lacks = Object.fromEntries(
    (['address', 'ipv6Address'] as const).flatMap((field) => (typeof set[field] === 'string' ? [[field, null]] : [])),
  );
  return change(natGateway, id as never, set as never, {
    state: 'available',
    ...lacks,
    ...(generation === undefined ? {} : { generation }),
  });
};
async function realizeSet(ctx: NetworkContext, { id, reservedIds }: UpdateParams, call: Call): Promise<void> {
  await ensureKept(keptGateway, ctx, id, call);
  if (reservedIds === undefined) return;
  // Forwarded ports lead in by each family that both ends have.
  const forwards = await ctx.reader.list(portForward, equals('natGatewayId', id));
  for (const each of forwards) if (each.state === 'available') await ensureKept(keptPortForward, ctx, each.id, call);
}
/** One that has gone meanwhile is as good. */
const movedBack = ({ id, before }: MovedBlock): Statement => ({
  op: 'update',
  table: natPortBlock.name,
  key: id,
  set: { ...before },
  expect: {},
});
const ports = ({ firstPort, lastPort }: Ports): Ports => ({ firstPort, lastPort });

const gatewayUpdate = saga<NetworkContext, UpdateParams>('natGateway.update', 1)
  // Undone last, when the rows are as they were.
  .effect('back', { do: () => undefined, undo: ({ ctx, params, call }) => realizeSet(ctx, params, call) })
  .write('set', {
    do: ({ params: { id, set, generation, moved, made, projectId } }) => [
      settings(id, set, generation),
      ...moved.map((block) => change(natPortBlock, block.id as never, ports(block))),
      ...made.map(({ subnetId }) => besideSubnet(subnetId as Id<'subnet'>)),
      ...made.map((block) => newBlock({ id: block.id as never, natGatewayId: id, subnetId: block.subnetId, projectId }, ports(block))),
    ],
    undo: ({ params: { id, before, moved, made } }) => [
      settings(id, before),
      ...moved.map((block) => movedBack(block)),
      ...made.map((block) => blockGone(block.id)),
    ],
  })
  .effect('realize', { do: ({ ctx, params, call }) => realizeSet(ctx, params, call), undo: NOTHING_TO_UNDO })
  .write('free', { do: ({ params }) => params.gone.map(blockGone), undo: NOTHING_TO_UNDO })
  .build();

export const updateNatGateway = (services: CloudServices, context: () => NetworkContext) =>
  defineAction({
    kind: natGateway,
    verb: 'update',
    description: 'Changes name, snat, portsPerSubnet of the natGateway, and gives it an address in a family in which it has none.',
    target: 'resource',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      snat: Type.Optional(properties.snat),
      portsPerSubnet: Type.Optional(Type.Union([Type.Integer({ minimum: 64, maximum: 16_384 }), Type.Null()])),
      subnetId: Type.Optional({ ...properties.subnetId, description: 'Of the external network, for a gateway that has no IPv4 yet.' }),
      address: Type.Optional({
        ...properties.address,
        description: 'For a gateway that has no IPv4 yet. Default: one of `subnetId` that is free.',
      }),
      ipv6SubnetId: Type.Optional({
        ...properties.ipv6SubnetId,
        description: 'Of the external network, for a gateway that has no IPv6 yet.',
      }),
      ipv6Address: Type.Optional({
        ...properties.ipv6Address,
        description: 'For a gateway that has no IPv6 yet. Default: one of `ipv6SubnetId` that is free.',
      }),
    }),
    from: ['available'],
    accept: async ({ row, input, principal, reader, mint }) => {
      if (Object.keys(input).length === 0) throw new CloudError('invalid_input', 'Nothing to change was given.', { pointer: '' });
      const { id, projectId, generation, name, snat, portsPerSubnet = null } = row;
      const { subnetId, address, ipv6SubnetId, ipv6Address, ...rest } = input;
      const asked = given({ subnetId, address, ipv6SubnetId, ipv6Address });
      const isMore = Object.keys(asked).length > 0;
      const external = isMore ? await externalNetwork(reader, row.externalNetworkId, principal) : undefined;
      const further = external === undefined ? [] : await furtherSides(reader, row, external, asked);
      if (typeof rest.portsPerSubnet === 'number') refuseBlocks(row.address !== undefined || further.some(({ family }) => family === 4));
      const kept = await keepSides(services, further, { projectId: row.projectId as Id<'project'>, natGatewayId: id }, mint);
      const blocks = await blocksAfter(reader, row, rest.portsPerSubnet, mint);
      const before = { name, snat, portsPerSubnet };
      const was = Object.fromEntries(Object.keys(rest).map((field) => [field, before[field as keyof typeof before]]));
      const lacked = Object.fromEntries(Object.keys(kept.fields).map((field) => [field, null]));
      const asSeen = rest.portsPerSubnet === undefined ? {} : { generation };
      const params: UpdateParams = {
        ...{ id, projectId: projectId ?? '', ...asSeen, ...blocks },
        set: { ...rest, ...kept.fields },
        before: { ...was, ...lacked },
        ...(kept.reservedIds.length === 0 ? {} : { reservedIds: kept.reservedIds }),
      };
      return { params, statements: kept.statements, keys: [row.vpcId] };
    },
    refused: (_, statement) => (isAddressClash(statement) ? 'again' : undefined),
    saga: gatewayUpdate,
    context,
    unwound: ({ reservedIds = [] }) => reservedIds.map(notKept),
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
    remove: holderRemoval<typeof natGateway, 'gateways', RemoveParams>(keptGateway, 'natGatewayId'),
    context,
    params: (row: RowOf<typeof natGateway>): RemoveParams => ({ id: row.id, vpcId: row.vpcId }),
    shares: ({ vpcId }) => [vpcId],
  });
