import { Type } from 'typebox';
import {
  CloudError,
  change,
  changeable,
  defineAction,
  defineDeletion,
  FORWARD_ONLY,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  saga,
  transition,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import type { CloudServices } from '../services.ts';
import { realizeGatewayOf } from './nat/nat-gateway-kept.ts';
import { blocksFor, blocksGone } from './nat/port-blocks.ts';
import { network } from './network.ts';
import { type NetworkContext, needReachable, networkReachable, realize } from './network-context.ts';
import { subnet } from './subnet.ts';
import { refuseIpv6Mode, refuseOverlap, subnetInput, subnetRow } from './subnet-row.ts';
import { remakeLinks } from './vpc/peering-kept.ts';
import { routesThrough } from './vpc/route-create.ts';
import { vpc } from './vpc/vpc.ts';
import { isOvertaken, networkRanges, refuseRouted, vpcRanges } from './vpc/vpc-ranges.ts';

interface SubnetParams {
  readonly subnetId: Id<'subnet'>;
  readonly networkId: Id<'network'>;
}
interface CreateParams extends SubnetParams {
  readonly vpcId?: string;
}

const subnetCreate = saga<NetworkContext, CreateParams>('subnet.create', 1)
  .effect('realize', {
    do: async ({ ctx, params, call }) => {
      const { vpcId } = await realize(ctx, params.networkId, call, { arriving: params.subnetId });
      await remakeLinks(ctx, vpcId, call);
    },
    undo: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(network, params.networkId);
      // A host that comes back is given its networks as their rows are then.
      if (!(await networkReachable(ctx, row))) return;
      await realizeGatewayOf(ctx, row, call);
      await realize(ctx, params.networkId, call);
      await remakeLinks(ctx, row.vpcId, call, [params.subnetId]);
    },
  })
  .write('available', {
    do: ({ params }) => [transition(subnet, params.subnetId, { from: 'creating', to: 'available' })],
    // From now on machines may be in it: it does not go under them because its gateway could not be told.
    undo: FORWARD_ONLY,
  })
  .effect('gateway', { do: ({ ctx, params, call }) => realizeGatewayOf(ctx, params, call), undo: NOTHING_TO_UNDO })
  .build();

export const createSubnet = (services: CloudServices, context: () => NetworkContext) =>
  defineAction({
    kind: subnet,
    verb: 'create',
    description: 'Adds a range of addresses to a network.',
    target: 'collection',
    input: Type.Object({ networkId: Type.String({ format: 'uuid' }), ...subnetInput.properties }),
    accept: async ({ id, input, projectId, principal, reader, mint }) => {
      const parent = await changeable(reader, network, input.networkId, principal, '/networkId');
      if (parent.state !== 'available')
        throw new CloudError('conflict', `Network ${parent.name} is ${parent.state}.`, {
          pointer: '/networkId',
          params: { state: parent.state },
        });
      refuseIpv6Mode(services, parent.driver, input, '');
      const row = subnetRow(input, '', { id, projectId, networkId: parent.id }, parent.mode);
      const { ranges, guards } = await besides(reader, parent);
      refuseOverlap([row], ranges);
      if (parent.vpcId !== undefined) await refuseRouted(reader, parent.vpcId, [row]);
      const blocks = await blocksFor(reader, parent, [{ id, cidr: input.cidr, projectId, pointer: '/cidr' }], mint);
      return {
        params: { subnetId: id, networkId: parent.id, ...given({ vpcId: parent.vpcId }) } satisfies CreateParams,
        // The network changes with its subnets, and its VPC: of two accepted side by side the second is decided again, and sees the first.
        statements: [
          change(network, parent.id, {}, { generation: parent.generation, state: 'available' }),
          ...guards,
          row.statement,
          ...blocks,
        ],
        keys: [parent.id],
      };
    },
    refused: (failure, statement) => (isOvertaken(failure, statement) ? 'again' : undefined),
    saga: subnetCreate,
    context,
    unwound: async ({ subnetId }) => [
      transition(subnet, subnetId, { from: 'creating', to: 'deleted' }),
      ...(await blocksGone(services.reader, 'subnetId', [subnetId])),
    ],
  });

/** What a new subnet of the network may not overlap with. */
const besides = async (reader: Reader, { id, vpcId }: RowOf<typeof network>) =>
  vpcId === undefined ? { ranges: await networkRanges(reader, id), guards: [] } : vpcRanges(reader, await reader.get(vpc, vpcId));

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
      const row = await ctx.reader.get(network, params.networkId);
      await realizeGatewayOf(ctx, row, call);
      if (row.state !== 'deleting') await realize(ctx, params.networkId, call);
      await remakeLinks(ctx, row.vpcId, call);
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
    // The network is made anew without it: a change of another of its subnets that came in between would be lost.
    shares: ({ networkId }) => [networkId],
    alone: async (row, reader) => {
      const { vpcId } = await reader.get(network, row.networkId);
      const [through] = vpcId === undefined ? [] : await routesThrough(reader, row, vpcId);
      if (through === undefined) return undefined;
      return new CloudError('in_use', `The route ${through.name} leads through the subnet ${row.name}.`, {
        params: { routeId: through.id },
      });
    },
  });
