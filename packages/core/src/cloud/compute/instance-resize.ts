import { Type } from 'typebox';
import { CloudError, change, defineAction, type Id, NOTHING_TO_UNDO, saga } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { hostCapacity } from '../placement/contract.ts';
import { type ComputeContext, type ComputeServices, prepareMachine } from './context.ts';
import { instance } from './instance.ts';
import { instanceType } from './instance-type.ts';

interface Size {
  readonly vcpus: number;
  readonly memoryBytes: number;
}
interface ResizeParams {
  readonly instanceId: Id<'instance'>;
  readonly hostId: Id<'host'>;
  readonly before: Size;
  readonly after: Size;
  readonly max: Size;
  readonly live: boolean;
}

/** A running machine grows at once; a stopped one is defined with the new size. */
async function apply(ctx: ComputeContext, params: ResizeParams, size: Size, call: Call): Promise<void> {
  const hypervisor = await ctx.hosts.hypervisor(params.hostId);
  if (params.live) {
    if (params.before.vcpus !== params.after.vcpus) await hypervisor.setVcpus(params.instanceId, size.vcpus, call);
    if (params.before.memoryBytes !== params.after.memoryBytes) await hypervisor.setMemory(params.instanceId, size.memoryBytes, call);
    return;
  }
  const row = await ctx.reader.get(instance, params.instanceId);
  await hypervisor.define(await prepareMachine(ctx, { ...row, ...size, ...maxima(params, size) }, call), call);
}

/** What a machine can grow to while it runs is never less than what it has. */
const maxima = ({ max }: ResizeParams, size: Size) => ({
  vcpusMax: Math.max(max.vcpus, size.vcpus),
  memoryBytesMax: Math.max(max.memoryBytes, size.memoryBytes),
});

export const instanceResize = saga<ComputeContext, ResizeParams>('instance.resize', 1)
  .effect('apply', {
    do: async ({ ctx, params, call }) => {
      const { hostId, vcpus, memoryBytes } = await ctx.reader.get(instance, params.instanceId);
      if (hostId !== params.hostId || vcpus !== params.before.vcpus || memoryBytes !== params.before.memoryBytes)
        throw new CloudError('conflict', 'The machine has changed since this was asked; ask again.');
      await apply(ctx, params, params.after, call);
    },
    // Back to what its row says, which is what it was unless another came first.
    undo: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(instance, params.instanceId);
      if (row.hostId === params.hostId) await apply(ctx, params, row, call);
    },
  })
  .write('resized', {
    do: ({ params }) => [
      change(
        instance,
        params.instanceId,
        { ...params.after, ...maxima(params, params.after) },
        {
          vcpus: params.before.vcpus,
          memoryBytes: params.before.memoryBytes,
          state: params.live ? 'running' : ['stopped', 'crashed'],
        },
      ),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

/** The difference, as a reservation: never below nothing for the part that shrinks. */
const difference = ({ hostId, before, after }: ResizeParams, sign: 1 | -1) =>
  hostCapacity(hostId, { vcpus: after.vcpus - before.vcpus, memoryBytes: after.memoryBytes - before.memoryBytes }, sign);

export const resizeAction = (services: ComputeServices) =>
  defineAction({
    kind: instance,
    verb: 'resize',
    description: 'Gives the machine more processors or memory while it runs (up to its maxima), or any size while it is stopped.',
    target: 'resource',
    input: Type.Object({
      vcpus: Type.Optional(instanceType.schema.properties.vcpus),
      memoryBytes: Type.Optional(instanceType.schema.properties.memoryBytes),
    }),
    from: ['running', 'stopped', 'crashed'],
    accept: async ({ row, input }) => {
      // What goes before in the queue may change the size or stop the machine: then the guard of the write finds it, and this one unwinds.
      const before = { vcpus: row.vcpus, memoryBytes: row.memoryBytes };
      const after = { vcpus: input.vcpus ?? before.vcpus, memoryBytes: input.memoryBytes ?? before.memoryBytes };
      const live = row.state === 'running';
      const hypervisor = await services.hosts.hypervisor(row.hostId);
      if (live) {
        hypervisor.need('resize');
        if (after.vcpus > row.vcpusMax)
          throw new CloudError('unsupported', `It can grow to ${row.vcpusMax} processors while it runs; stop it for more.`, {
            pointer: '/vcpus',
          });
        if (after.memoryBytes > row.memoryBytesMax)
          throw new CloudError('unsupported', `It can grow to ${row.memoryBytesMax} bytes of memory while it runs; stop it for more.`, {
            pointer: '/memoryBytes',
          });
        if (after.vcpus < before.vcpus || after.memoryBytes < before.memoryBytes)
          throw new CloudError('unsupported', 'A running machine only grows; stop it to shrink it.');
      }
      const max = { vcpus: row.vcpusMax, memoryBytes: row.memoryBytesMax };
      const params = { instanceId: row.id, hostId: row.hostId, before, after, max, live };
      return { params, statements: difference(params, 1) };
    },
    saga: instanceResize,
    context: () => services,
    unwound: (params) => difference(params, -1),
  });

interface SharesParams {
  readonly instanceId: Id<'instance'>;
  readonly hostId: Id<'host'>;
  readonly after: number;
}
const SHARES_DEFAULT = 1024;

/** With `shares` undefined those of the row, which is changed last. */
const applyShares = async (ctx: ComputeContext, params: SharesParams, shares: number | undefined, call: Call): Promise<void> => {
  const row = await ctx.reader.get(instance, params.instanceId);
  if (row.state === 'running' || row.state === 'suspended')
    await (await ctx.hosts.hypervisor(params.hostId)).setCpuShares(params.instanceId, shares ?? row.cpuShares ?? SHARES_DEFAULT, call);
};

export const instanceSetCpuShares = saga<ComputeContext, SharesParams>('instance.setCpuShares', 1)
  .effect('apply', {
    do: ({ ctx, params, call }) => applyShares(ctx, params, params.after, call),
    undo: ({ ctx, params, call }) => applyShares(ctx, params, undefined, call),
  })
  .write('changed', { do: ({ params }) => [change(instance, params.instanceId, { cpuShares: params.after })], undo: NOTHING_TO_UNDO })
  .build();

export const cpuSharesAction = (services: ComputeServices) =>
  defineAction({
    kind: instance,
    verb: 'setCpuShares',
    description: 'Changes the weight of the machine against others of its host, at once where it runs.',
    target: 'resource',
    input: Type.Object({ cpuShares: Type.Integer({ minimum: 2, maximum: 262_144 }) }),
    from: ['running', 'suspended', 'stopped', 'crashed'],
    accept: async ({ row, input }) => {
      if (row.state === 'running' || row.state === 'suspended') (await services.hosts.hypervisor(row.hostId)).need('cpuShares');
      return { params: { instanceId: row.id, hostId: row.hostId, after: input.cpuShares }, statements: [] };
    },
    saga: instanceSetCpuShares,
    context: () => services,
  });
