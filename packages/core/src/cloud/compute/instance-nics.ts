import { Type } from 'typebox';
import { CloudError, defineAction, type Id, NOTHING_TO_UNDO, type RowOf, revert, saga, transition } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { deletePort, isNicClash, nic, nicLimits, nicPlace, nicRow, type PortParams } from '../network/contract.ts';
import { type ComputeContext, type ComputeServices, nicSpec, nicsOf } from './context.ts';
import { instance } from './instance.ts';
import { freeSlot, NICS_MAX } from './slots.ts';

interface NicParams {
  readonly instanceId: Id<'instance'>;
  readonly hostId: Id<'host'>;
  readonly hostname: string;
  readonly port: PortParams;
}

export const nicAttach = saga<ComputeContext, NicParams>('instance.attachNic', 1)
  .effect('plug', {
    do: async ({ ctx, params, call }) => {
      const spec = await nicSpec(ctx, await ctx.reader.get(nic, params.port.nicId), params.hostname, call);
      await (await ctx.hosts.hypervisor(params.hostId)).attachNic(params.instanceId, spec, call);
    },
    undo: async ({ ctx, params, call }) => {
      await (await ctx.hosts.hypervisor(params.hostId)).detachNic(params.instanceId, params.port.nicId, call);
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
      await (await ctx.hosts.hypervisor(params.hostId)).detachNic(params.instanceId, params.port.nicId, call);
    },
    undo: async ({ ctx, params, call }) => {
      const spec = await nicSpec(ctx, await ctx.reader.get(nic, params.port.nicId), params.hostname, call);
      await (await ctx.hosts.hypervisor(params.hostId)).attachNic(params.instanceId, spec, call);
    },
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
    accept: async ({ row, input, projectId, reader, mint }) => {
      const place = await nicPlace(reader, input, '', projectId);
      if (place.network.hostId !== undefined && place.network.hostId !== row.hostId)
        throw new CloudError('conflict', 'The network is on another host.', {
          pointer: '/networkId',
          params: { networkHost: place.network.hostId, instanceHost: row.hostId },
        });
      (await services.hosts.hypervisor(row.hostId)).need('hotplug');
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
        params: { instanceId: row.id, hostId: row.hostId, hostname: row.hostname, port: made.params },
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
      (await services.hosts.hypervisor(row.hostId)).need('hotplug');
      const { id: nicId, networkId, mac, address, slot } = port;
      return {
        params: { instanceId: row.id, hostId: row.hostId, hostname: row.hostname, port: { nicId, networkId, mac, address, slot } },
        statements: [],
        keys: [nicId],
      };
    },
    saga: nicDetach,
    context: () => services,
  }),
];
