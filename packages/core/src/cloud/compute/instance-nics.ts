import { Type } from 'typebox';
import { CloudError, defineAction, type Id, NOTHING_TO_UNDO, type RowOf, revert, saga, transition } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { deletePort, isNicClash, network, nic, nicLimits, nicPlace, nicRow, type PortParams } from '../network/contract.ts';
import { type ComputeContext, type ComputeServices, hostOf, hypervisorOf, type InstanceRow, nicSpec, nicsOf } from './context.ts';
import { instance } from './instance.ts';
import { freeSlot, NICS_MAX } from './slots.ts';

interface NicParams {
  readonly instanceId: Id<'instance'>;
  readonly port: PortParams;
}

async function plug(ctx: ComputeContext, { instanceId, port }: NicParams, call: Call): Promise<void> {
  const row = await ctx.reader.get(instance, instanceId);
  const spec = await nicSpec(ctx, await ctx.reader.get(nic, port.nicId), row.hostname, call);
  await (await ctx.hosts.hypervisor(hostOf(row))).attachNic(instanceId, spec, call);
}

/** @throws CloudError conflict */
function refuseElsewhere({ hostId }: RowOf<typeof network>, row: InstanceRow): void {
  if (hostId === undefined || hostId === row.hostId) return;
  throw new CloudError('conflict', 'The network is on another host.', {
    pointer: '/networkId',
    params: { networkHost: hostId, instanceHost: row.hostId ?? null },
  });
}

export const nicAttach = saga<ComputeContext, NicParams>('instance.attachNic', 1)
  .effect('plug', {
    do: async ({ ctx, params, call }) => {
      refuseElsewhere(await ctx.reader.get(network, params.port.networkId), await ctx.reader.get(instance, params.instanceId));
      await plug(ctx, params, call);
    },
    undo: async ({ ctx, params, call }) => {
      await (await hypervisorOf(ctx, params.instanceId)).detachNic(params.instanceId, params.port.nicId, call);
      await deletePort(ctx, params.port, call);
    },
  })
  .write('attached', {
    do: ({ params }) => [transition(nic, params.port.nicId, { from: 'creating', to: 'attached' })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const nicDetach = saga<ComputeContext, NicParams>('instance.detachNic', 1)
  .write('deleting', {
    do: ({ params }) => [transition(nic, params.port.nicId, { from: 'attached', to: 'deleting' })],
    undo: ({ params }) => [revert(nic, params.port.nicId, { from: 'deleting', to: 'attached' })],
  })
  .effect('unplug', {
    do: async ({ ctx, params, call }) => {
      await (await hypervisorOf(ctx, params.instanceId)).detachNic(params.instanceId, params.port.nicId, call);
    },
    undo: ({ ctx, params, call }) => plug(ctx, params, call),
  })
  .effect('port', {
    do: ({ ctx, params, call }) => deletePort(ctx, params.port, call),
    // The undo before this one makes the port anew.
    undo: NOTHING_TO_UNDO,
  })
  .write('deleted', {
    do: ({ params }) => [transition(nic, params.port.nicId, { from: 'deleting', to: 'deleted' })],
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
      networkId: Type.Optional(Type.String({ format: 'uuid' })),
      subnetId: Type.Optional(Type.String({ format: 'uuid' })),
      address: Type.Optional(Type.String({ maxLength: 45 })),
      limits: Type.Optional(nicLimits),
    }),
    from: ['running', 'stopped', 'suspended'],
    accept: async ({ row, input, projectId, principal, reader, mint }) => {
      const place = await nicPlace(reader, input, '', principal);
      refuseElsewhere(place.network, row);
      (await services.hosts.hypervisor(hostOf(row))).need('hotplug');
      const id = mint('nic');
      const slot = freeSlot(
        (await nicsOf(services, row.id)).map((entry) => entry.slot),
        NICS_MAX,
        'NICs',
      );
      const made = await nicRow(place, given({ id, instanceId: row.id, projectId, slot, limits: input.limits }) as never, {
        addresses: services.addresses,
        reader,
        random: services.environment.random,
      });
      return {
        params: { instanceId: row.id, port: made.params },
        statements: made.statements,
        keys: [id],
      };
    },
    refused: (failure, statement) => (failure.reason === 'exists' && isNicClash(statement) ? 'again' : undefined),
    saga: nicAttach,
    context: () => services,
    unwound: ({ port }) => [transition(nic, port.nicId, { from: 'creating', to: 'deleted' })],
  }),
  defineAction({
    kind: instance,
    verb: 'detachNic',
    description: 'Takes a NIC from the machine; its address is free again.',
    target: 'resource',
    input: Type.Object({ nicId: Type.String({ format: 'uuid' }) }),
    from: ['running', 'stopped', 'suspended'],
    accept: async ({ row, input, reader }) => {
      const port: RowOf<typeof nic> = await reader.get(nic, input.nicId, '/nicId');
      if (port.instanceId !== row.id) throw new CloudError('conflict', 'The NIC belongs to another machine.', { pointer: '/nicId' });
      (await services.hosts.hypervisor(hostOf(row))).need('hotplug');
      const { id: nicId, networkId, mac, address, slot } = port;
      return {
        params: { instanceId: row.id, port: { nicId, networkId, mac, address, slot } },
        statements: [],
        keys: [nicId],
      };
    },
    saga: nicDetach,
    context: () => services,
  }),
];
