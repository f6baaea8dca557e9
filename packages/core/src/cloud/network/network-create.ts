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
  revert,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { nameOr } from '../naming.ts';
import type { CloudServices } from '../services.ts';
import { host } from '../topology/contract.ts';
import { type Cidr, overlaps, parseCidr } from './cidr.ts';
import { network } from './network.ts';
import { type NetworkContext, needReachable, networkReachable, realize } from './network-context.ts';
import { subnet } from './subnet.ts';
import { refuseOverlap, subnetInput, subnetRow } from './subnet-create.ts';

interface NetworkParams {
  readonly networkId: Id<'network'>;
  readonly subnetIds: readonly Id<'subnet'>[];
}

const networkCreate = saga<NetworkContext, NetworkParams>('network.create', 1)
  .effect('realize', {
    do: ({ ctx, params, call }) => realize(ctx, params.networkId, call),
    undo: async ({ ctx, params, call, owe }) => {
      const row = await ctx.reader.get(network, params.networkId);
      if (row.hostId !== undefined && !(await networkReachable(ctx, row)))
        owe({ task: 'network.delete', place: row.hostId, target: { networkId: row.id, driver: row.driver } });
      else await (await ctx.fabrics.of(row)).deleteNetwork(row.id, call);
    },
  })
  .write('available', {
    do: ({ params }) => [
      transition(network, params.networkId, { from: 'creating', to: 'available' }),
      ...params.subnetIds.map((id) => transition(subnet, id, { from: 'creating', to: 'available' })),
    ],
    undo: ({ params }) => [
      revert(network, params.networkId, { from: 'available', to: 'creating' }),
      ...params.subnetIds.map((id) => revert(subnet, id, { from: 'available', to: 'creating' })),
    ],
  })
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
      driver: Type.Optional(Type.String({ description: 'Network strategy. Default: the first one installed.' })),
      mode: Type.Optional(Type.Union([Type.Literal('nat'), Type.Literal('isolated')], { description: 'Default: nat.' })),
      hostId: Type.Optional(Type.String({ format: 'uuid', description: 'For a driver of scope `host`: where. Default: the idlest host.' })),
      domain: Type.Optional(Type.String({ maxLength: 253, pattern: '^[a-z0-9.-]+$' })),
      subnets: Type.Array(subnetInput, { minItems: 1, maxItems: 16 }),
    }),
    accept: async ({ id, input, projectId, mint, attempt }) => {
      const driver = input.driver ?? services.kernel().registry.strategyNames('network')[0];
      if (driver === undefined) throw new CloudError('unsupported', 'No network driver is installed.');
      const { scope } = services.fabrics.factory(driver);
      if (scope !== 'host' && input.hostId !== undefined)
        throw new CloudError('invalid_input', `Networks of ${driver} are not bound to a host.`, { pointer: '/hostId' });
      const hostId = scope === 'host' ? await chooseHost(services, input.hostId, attempt) : undefined;
      const subnetIds = input.subnets.map(() => mint('subnet'));
      const rows = input.subnets.map((entry, index) => ({
        ...subnetRow(entry, `/subnets/${index}`, { id: subnetIds[index] as Id<'subnet'>, projectId, networkId: id }),
        pointer: `/subnets/${index}/cidr`,
      }));
      refuseOverlap(rows);
      if (hostId !== undefined) await refuseOverlapOnHost(services.reader, hostId, rows);
      const row = create(network, {
        id,
        projectId,
        name: nameOr(input.name, network, id),
        driver,
        scope,
        mode: input.mode ?? 'nat',
        ...(hostId === undefined ? {} : { hostId }),
        ...(input.domain === undefined ? {} : { domain: input.domain }),
        ...(input.description === undefined ? {} : { description: input.description }),
      });
      // The host may not be on its way out when the network lands on it.
      const guard =
        hostId === undefined ? [] : [{ op: 'expect', table: host.name, key: hostId, expect: { state: ['enabled', 'disabled'] } } as const];
      return { params: { networkId: id, subnetIds }, statements: [...guard, row, ...rows.map((entry) => entry.statement)] };
    },
    saga: networkCreate,
    context,
    unwound: (params) => [
      transition(network, params.networkId, { from: 'creating', to: 'deleted' }),
      ...params.subnetIds.map((subnetId) => transition(subnet, subnetId, { from: 'creating', to: 'deleted' })),
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

async function chooseHost(services: CloudServices, asked: string | undefined, attempt: number): Promise<Id<'host'>> {
  const request = { vcpus: 0, memoryBytes: 0, volumes: [], attempt };
  if (asked === undefined) return (await services.placement.place(request, services.reader)).hostId as Id<'host'>;
  return (await services.reader.get(host, asked, '/hostId')).id;
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
