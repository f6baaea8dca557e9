import { Type } from 'typebox';
import {
  CloudError,
  defineAction,
  type Id,
  NOTHING_TO_UNDO,
  type Reader,
  type RowOf,
  revert,
  saga,
  transition,
  usable,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import {
  availableMembers,
  clusterOf,
  deletePort,
  isNicClash,
  keysOfNicUsers,
  letGoOfNic,
  network,
  nic,
  nicInput,
  nicLimits,
  nicMoves,
  nicPlace,
  nicRow,
  type PortParams,
  portOf,
  portsReady,
  realizeNicUsers,
  refuseLost,
} from '../network/contract.ts';
import { host } from '../topology/contract.ts';
import {
  type ComputeContext,
  type ComputeServices,
  hostOf,
  hypervisorOf,
  type InstanceRow,
  nicSpec,
  nicsOf,
  unlessGone,
} from './context.ts';
import { instance } from './instance.ts';
import { freeSlot, NICS_MAX } from './slots.ts';

interface NicParams {
  readonly instanceId: Id<'instance'>;
  readonly port: PortParams;
}

async function plug(ctx: ComputeContext, { instanceId, port }: NicParams, call: Call): Promise<void> {
  const row = await ctx.reader.get(instance, instanceId);
  const spec = await nicSpec(ctx, await ctx.reader.get(nic, port.nicId), row, call);
  await (await ctx.hosts.hypervisor(hostOf(row))).attachNic(instanceId, spec, call);
}

/** @throws CloudError conflict */
async function refuseElsewhere(reader: Reader, to: RowOf<typeof network>, row: InstanceRow): Promise<void> {
  const { hostId, physicalNetworkId } = to;
  if (physicalNetworkId !== undefined && (await clusterOf(reader, [to])) !== (await reader.get(host, hostOf(row))).clusterId)
    throw new CloudError('conflict', 'The network is that of another cluster.', { pointer: '/networkId' });
  if (hostId === undefined || hostId === row.hostId) return;
  throw new CloudError('conflict', 'The network is on another host.', {
    pointer: '/networkId',
    params: { networkHost: hostId, instanceHost: row.hostId ?? null },
  });
}

export const nicAttach = saga<ComputeContext, NicParams>('instance.attachNic', 1)
  .effect('plug', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(instance, params.instanceId);
      await refuseElsewhere(ctx.reader, await ctx.reader.get(network, params.port.networkId), row);
      await plug(ctx, params, call);
      if (params.port.awaited === true && row.state === 'running') await portsReady(ctx, [params.port], call);
    },
    undo: async ({ ctx, params, call }) => {
      const { instanceId, port } = params;
      await unlessGone(ctx, instanceId, call, async () => (await hypervisorOf(ctx, instanceId)).detachNic(instanceId, port.nicId, call));
      await deletePort(ctx, params.port, call);
    },
  })
  .write('attached', {
    do: ({ params }) => nicMoves(params.port, transition, { from: 'creating', to: 'attached' }),
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const nicDetach = saga<ComputeContext, NicParams>('instance.detachNic', 1)
  // Undone last, when the NIC is there again: what led to it does so as before.
  .effect('back', {
    do: () => undefined,
    undo: async ({ ctx, params, call }) => void (await realizeNicUsers(ctx, params.port, call)),
  })
  .write('deleting', {
    do: ({ params }) => [transition(nic, params.port.nicId, { from: 'attached', to: 'deleting' })],
    undo: ({ params }) => [revert(nic, params.port.nicId, { from: 'deleting', to: 'attached' })],
  })
  .effect('unplug', {
    do: async ({ ctx, params, call }) => {
      await (await hypervisorOf(ctx, params.instanceId)).detachNic(params.instanceId, params.port.nicId, call);
    },
    undo: ({ ctx, params, call }) => unlessGone(ctx, params.instanceId, call, () => plug(ctx, params, call)),
  })
  .effect('port', {
    do: async ({ ctx, params, call }) => {
      const users = await realizeNicUsers(ctx, params.port, call);
      await deletePort(ctx, params.port, call);
      return { memberIds: await availableMembers(ctx.reader, params.port.nicId), users };
    },
    // The undo before this one makes the port anew.
    undo: NOTHING_TO_UNDO,
  })
  .write('deleted', {
    do: ({ params, out: { port } }) => [
      ...letGoOfNic(port.users),
      ...nicMoves({ ...params.port, ...port }, transition, { from: 'deleting', to: 'deleted' }),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const nicActions = (services: ComputeServices) => [
  defineAction({
    kind: instance,
    verb: 'attachNic',
    description: 'Gives the machine another NIC; a running guest sees it at once.',
    target: 'resource',
    input: Type.Object({
      ...nicInput,
      limits: Type.Optional(nicLimits),
    }),
    from: ['running', 'stopped', 'suspended'],
    accept: async ({ row, input, projectId, principal, reader, mint }) => {
      const place = await nicPlace(reader, input, '', principal);
      await refuseElsewhere(reader, place.network, row);
      await refuseLost(services, [place.network]);
      (await services.hosts.hypervisor(hostOf(row))).need('hotplug');
      const id = mint('nic');
      const slot = freeSlot(
        (await nicsOf(services, row.id)).map((entry) => entry.slot),
        NICS_MAX,
        'NICs',
      );
      const made = await nicRow(place, given({ id, instanceId: row.id, projectId, slot, limits: input.limits }) as never, {
        ...services,
        reader,
        mint,
      });
      return {
        params: { instanceId: row.id, port: made.params },
        statements: made.statements,
        keys: [id],
      };
    },
    refused: (failure, statement) => (isNicClash(failure, statement) ? 'again' : undefined),
    saga: nicAttach,
    context: () => services,
    unwound: ({ port }) => nicMoves(port, transition, { from: 'creating', to: 'deleted' }),
  }),
  defineAction({
    kind: instance,
    verb: 'detachNic',
    description: 'Takes a NIC from the machine; its address is free again.',
    target: 'resource',
    input: Type.Object({ nicId: Type.String({ format: 'uuid' }) }),
    from: ['running', 'stopped', 'suspended'],
    accept: async ({ row, input, principal, reader }) => {
      const port: RowOf<typeof nic> = await usable(reader, nic, input.nicId, principal, '/nicId');
      if (port.instanceId !== row.id) throw new CloudError('conflict', 'The NIC belongs to another machine.', { pointer: '/nicId' });
      (await services.hosts.hypervisor(hostOf(row))).need('hotplug');
      return {
        params: { instanceId: row.id, port: portOf(port) },
        statements: [],
        keys: [port.id, ...(await keysOfNicUsers(reader, portOf(port)))],
      };
    },
    saga: nicDetach,
    context: () => services,
  }),
];
