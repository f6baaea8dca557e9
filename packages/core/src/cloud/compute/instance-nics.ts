import { Type } from 'typebox';
import { CloudError, defineAction, type Id, NOTHING_TO_UNDO, type RowOf, revert, saga, transition, usable } from '../../kernel/index.ts';
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
  refuseUnconnected,
} from '../network/contract.ts';
import { host } from '../topology/contract.ts';
import { type ComputeContext, type ComputeServices, hostOf, type InstanceRow, nicSpec, nicsOf, unlessGone } from './context.ts';
import { instance } from './instance.ts';
import { brief, SETTLE_TIMEOUT_MS, settleLate, suspectLate } from './late.ts';
import { freeSlot, NICS_MAX } from './slots.ts';

interface NicParams {
  readonly instanceId: Id<'instance'>;
  readonly port: PortParams;
}

interface Step {
  readonly ctx: ComputeContext;
  readonly params: NicParams;
  readonly call: Call;
  readonly mayHaveBegun: boolean;
}

const asked = (method: 'attachNic' | 'detachNic', { instanceId, port }: NicParams) =>
  ({ method, machineId: instanceId, partId: port.nicId }) as const;

/** An unplugging that may come late would take it out again. */
async function plug({ ctx, params, call, mayHaveBegun }: Step): Promise<void> {
  const { instanceId, port } = params;
  const row = await ctx.reader.get(instance, instanceId);
  const hostId = hostOf(row);
  suspectLate(ctx, mayHaveBegun, hostId, asked('attachNic', params));
  const attach = async (c: Call) => {
    const spec = await nicSpec(ctx, await ctx.reader.get(nic, port.nicId), row, c);
    await (await ctx.hosts.hypervisor(hostId)).attachNic(instanceId, spec, c);
  };
  await attach(brief(call));
  await settleLate(ctx, hostId, asked('detachNic', params), call, attach);
}

/** Its port and address are another's only when no plugging can come late any more. */
async function unplug({ ctx, params, call, mayHaveBegun }: Step, isUndo = false): Promise<void> {
  const { instanceId, port } = params;
  const hostId = hostOf(await ctx.reader.get(instance, instanceId));
  suspectLate(ctx, mayHaveBegun, hostId, asked('detachNic', params));
  suspectLate(ctx, isUndo && mayHaveBegun, hostId, asked('attachNic', params));
  const detach = async (c: Call) => (await ctx.hosts.hypervisor(hostId)).detachNic(instanceId, port.nicId, c);
  const detachOnce = (c: Call) => (isUndo ? unlessGone(ctx, instanceId, c, () => detach(c)) : detach(c));
  await detachOnce(brief(call));
  await settleLate(ctx, hostId, asked('attachNic', params), call, detachOnce);
}

/** @throws CloudError conflict */
async function refuseElsewhere(
  ctx: Pick<ComputeContext, 'fabrics' | 'reader'>,
  to: RowOf<typeof network>,
  row: InstanceRow,
): Promise<void> {
  const { reader } = ctx;
  const { hostId, physicalNetworkId } = to;
  if (physicalNetworkId !== undefined) {
    const at = await reader.get(host, hostOf(row));
    if ((await clusterOf(reader, [to])) !== at.clusterId)
      throw new CloudError('conflict', 'The network is that of another cluster.', { pointer: '/networkId' });
    await refuseUnconnected(ctx, to, at, '/networkId');
  }
  if (hostId === undefined || hostId === row.hostId) return;
  throw new CloudError('conflict', 'The network is on another host.', {
    pointer: '/networkId',
    params: { networkHost: hostId, instanceHost: row.hostId ?? null },
  });
}

export const nicAttach = saga<ComputeContext, NicParams>('instance.attachNic', 1)
  .effect('plug', {
    timeoutMs: SETTLE_TIMEOUT_MS,
    do: async (step) => {
      const { ctx, params, call } = step;
      const row = await ctx.reader.get(instance, params.instanceId);
      await refuseElsewhere(ctx, await ctx.reader.get(network, params.port.networkId), row);
      await plug(step);
      if (params.port.awaited === true && row.state === 'running') await portsReady(ctx, [params.port], brief(call));
    },
    undo: async (step) => {
      await unplug(step, true);
      await deletePort(step.ctx, step.params.port, brief(step.call));
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
    timeoutMs: SETTLE_TIMEOUT_MS,
    do: (step) => unplug(step),
    undo: async (step) => {
      const { ctx, params, call } = step;
      suspectLate(ctx, step.mayHaveBegun, hostOf(await ctx.reader.get(instance, params.instanceId)), asked('detachNic', params));
      await unlessGone(ctx, params.instanceId, brief(call), () => plug(step));
    },
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
      await refuseElsewhere({ fabrics: services.fabrics, reader }, place.network, row);
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
