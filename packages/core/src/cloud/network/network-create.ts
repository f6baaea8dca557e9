import { Type } from 'typebox';
import {
  CloudError,
  create,
  defineAction,
  defineDeletion,
  equals,
  FORWARD_ONLY,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  resourceName,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given, nameOr } from '../naming.ts';
import type { CloudServices } from '../services.ts';
import { type Cidr, overlaps, parseCidr } from './cidr.ts';
import { DOMAIN } from './domain-name.ts';
import { realizeGatewayOf } from './nat/nat-gateway-kept.ts';
import { blocksFor, blocksGone } from './nat/port-blocks.ts';
import { network } from './network.ts';
import { type NetworkContext, needReachable, networkReachable, realize } from './network-context.ts';
import { placeNetwork } from './network-place.ts';
import { invalid } from './refusal.ts';
import { subnet } from './subnet.ts';
import { refuseIpv6Mode, refuseOverlap, subnetInput, subnetRow } from './subnet-row.ts';
import { remakeLinks } from './vpc/peering-kept.ts';
import { isOvertaken, refuseRouted, vpcRanges } from './vpc/vpc-ranges.ts';

interface NetworkParams {
  readonly networkId: Id<'network'>;
  readonly subnetIds: readonly Id<'subnet'>[];
  readonly vpcId?: string;
}

const networkCreate = saga<NetworkContext, NetworkParams>('network.create', 1)
  .effect('realize', {
    do: async ({ ctx, params, call }) => remakeLinks(ctx, (await realize(ctx, params.networkId, call)).vpcId, call),
    undo: async ({ ctx, params, call, owe }) => {
      const row = await ctx.reader.get(network, params.networkId);
      await realizeGatewayOf(ctx, row, call);
      if (row.hostId !== undefined && !(await networkReachable(ctx, row)))
        owe({ task: 'network.delete', place: row.hostId, target: { networkId: row.id, driver: row.driver } });
      else await (await ctx.fabrics.of(row)).deleteNetwork(row.id, call);
      await remakeLinks(ctx, row.vpcId, call, params.subnetIds);
    },
  })
  .write('available', {
    do: ({ params }) => [
      transition(network, params.networkId, { from: 'creating', to: 'available' }),
      ...params.subnetIds.map((id) => transition(subnet, id, { from: 'creating', to: 'available' })),
    ],
    // From now on others build on it: it does not go under them because its gateway could not be told.
    undo: FORWARD_ONLY,
  })
  .effect('gateway', { do: ({ ctx, params, call }) => realizeGatewayOf(ctx, params, call), undo: NOTHING_TO_UNDO })
  .build();

export const createNetwork = (services: CloudServices, context: () => NetworkContext) =>
  defineAction({
    kind: network,
    verb: 'create',
    description: 'Makes a network with its subnets.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: Type.Optional(Type.String({ maxLength: 1024 })),
      driver: Type.Optional(Type.String({ description: 'Network strategy. Default: the first one installed that makes such networks.' })),
      mode: Type.Optional({
        ...network.schema.properties.mode,
        description: 'Default: the first that the driver makes, or what its VPC or physical network asks for.',
      }),
      hostId: Type.Optional(Type.String({ format: 'uuid', description: 'For a driver of scope `host`: where. Default: the idlest host.' })),
      vpcId: Type.Optional(Type.String({ format: 'uuid', description: 'Part of this VPC, and made by its driver.' })),
      physicalNetworkId: Type.Optional(Type.String({ format: 'uuid', description: 'A segment of this physical network; for operators.' })),
      vlanId: Type.Optional({
        ...network.schema.properties.vlanId,
        description: 'On the physical network; 0 is untagged. Default: the first that is free.',
      }),
      tunnelKey: Type.Optional({
        ...network.schema.properties.tunnelKey,
        description: 'On a physical network with an encapsulation. Default: one that is free.',
      }),
      mtuBytes: network.schema.properties.mtuBytes,
      domain: Type.Optional(Type.String({ maxLength: 253, pattern: '^[a-z0-9.-]+$' })),
      subnets: Type.Array(subnetInput, { minItems: 1, maxItems: 16 }),
    }),
    accept: async (request) => {
      const { id, input, projectId, mint, reader } = request;
      if (input.domain !== undefined && !new RegExp(DOMAIN).test(input.domain))
        throw invalid('/domain', 'This is no domain: each part of it has 1 to 63 letters, digits and inner hyphens.');
      const { fields, guards, vpc } = await placeNetwork(services, input, request);
      for (const [index, entry] of input.subnets.entries()) refuseIpv6Mode(services, fields.driver, entry, `/subnets/${index}`);
      const subnetIds = input.subnets.map(() => mint('subnet'));
      const rows = input.subnets.map((entry, index) =>
        subnetRow(entry, `/subnets/${index}`, { id: subnetIds[index] as Id<'subnet'>, projectId, networkId: id }, fields.mode),
      );
      const beside = vpc === undefined ? undefined : await vpcRanges(reader, vpc);
      refuseOverlap(rows, beside?.ranges);
      if (vpc !== undefined) await refuseRouted(reader, vpc.id, rows);
      if (fields.hostId !== undefined) await refuseOverlapOnHost(services.reader, fields.hostId, rows);
      const row = create(network, {
        ...{ id, projectId, name: nameOr(input.name, network, id), ...fields },
        ...(input.domain === undefined ? {} : { domain: input.domain }),
        ...(input.description === undefined ? {} : { description: input.description }),
      });
      const ranges = input.subnets.map(({ cidr }, index) => ({
        ...{ id: subnetIds[index] as Id<'subnet'>, cidr, projectId, pointer: `/subnets/${index}/cidr` },
      }));
      const blocks = await blocksFor(reader, fields, ranges, mint);
      return {
        params: { networkId: id, subnetIds, ...given({ vpcId: fields.vpcId }) } satisfies NetworkParams,
        statements: [...guards, ...(beside?.guards ?? []), row, ...rows.map((entry) => entry.statement), ...blocks],
      };
    },
    // A VLAN or a key that was taken meanwhile: another is chosen, or what was asked for is refused by name.
    refused: (failure, statement) => {
      const { reason, fields = [] } = failure;
      const isSegmentTaken =
        reason === 'exists' &&
        statement?.op === 'insert' &&
        statement.table === network.name &&
        (fields.includes('vlanId') || fields.includes('tunnelKey'));
      return isSegmentTaken || isOvertaken(failure, statement) ? 'again' : undefined;
    },
    saga: networkCreate,
    context,
    unwound: async (params) => [
      transition(network, params.networkId, { from: 'creating', to: 'deleted' }),
      ...params.subnetIds.map((subnetId) => transition(subnet, subnetId, { from: 'creating', to: 'deleted' })),
      ...(await blocksGone(services.reader, 'subnetId', params.subnetIds)),
    ],
  });

/** Networks of one host share its routes: an address range means one of them. */
async function refuseOverlapOnHost(
  reader: Reader,
  hostId: string,
  wanted: readonly { readonly cidr: Cidr; readonly pointer: string }[],
): Promise<void> {
  for (const other of await reader.list(network, equals('hostId', hostId)))
    for (const taken of await reader.list(subnet, equals('networkId', other.id))) {
      const range = parseCidr(taken.cidr);
      const clash = range === undefined ? undefined : wanted.find((entry) => overlaps(entry.cidr, range));
      if (clash !== undefined)
        throw new CloudError('conflict', `It overlaps with ${taken.cidr} of network ${other.name} on the same host.`, {
          pointer: clash.pointer,
        });
    }
}

/** Removes a network that this is owed for. One that is in use stays. */
export async function payNetworkRemoval(
  ctx: NetworkContext,
  { networkId, driver }: { readonly networkId: string; readonly driver: string },
  hostId: Id<'host'>,
  call: Call,
): Promise<void> {
  if ((await ctx.reader.find(network, networkId))?.state === 'available') return;
  await (await ctx.fabrics.of({ driver, hostId })).deleteNetwork(networkId, call);
}

interface RemoveParams {
  readonly networkId: Id<'network'>;
  readonly force: boolean;
}

/** Without force nothing begins while its host is out of reach. */
const networkQuiesce = saga<NetworkContext, RemoveParams>('network.quiesce', 1)
  .effect('reach', {
    do: async ({ ctx, params }) => {
      if (!params.force) await needReachable(ctx, await ctx.reader.get(network, params.networkId));
    },
    undo: NOTHING_TO_UNDO,
  })
  .build();

const networkRemove = saga<NetworkContext, RemoveParams>('network.remove', 1)
  .effect('delete', {
    do: async ({ ctx, params, call, owe }) => {
      const row = await ctx.reader.get(network, params.networkId);
      if (params.force && row.hostId !== undefined && !(await networkReachable(ctx, row)))
        owe({ task: 'network.delete', place: row.hostId, target: { networkId: row.id, driver: row.driver } });
      else await (await ctx.fabrics.of(row)).deleteNetwork(row.id, call);
    },
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params }) => [transition(network, params.networkId, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

export const networkDeletion = (context: () => NetworkContext) =>
  defineDeletion({
    kind: network,
    from: ['available'],
    quiesce: networkQuiesce,
    remove: networkRemove,
    context,
    params: (row: RowOf<typeof network>, { force }) => ({ networkId: row.id, force }),
  });
