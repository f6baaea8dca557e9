import { Type } from 'typebox';
import {
  bytesText,
  CloudError,
  change,
  defineAction,
  type Id,
  NOTHING_TO_UNDO,
  quotaGrowth,
  quotaReleased,
  type Statement,
  saga,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { hostCapacity } from '../placement/contract.ts';
import type { Hypervisor } from '../topology/contract.ts';
import { type ComputeContext, type ComputeServices, hostOf, type InstanceRow, prepareMachine } from './context.ts';
import { instance } from './instance.ts';
import { instanceType } from './instance-type.ts';

interface Size {
  readonly vcpus: number;
  readonly memoryBytes: number;
}
interface ResizeParams {
  readonly instanceId: Id<'instance'>;
  /** Where the difference is reserved. */
  readonly hostId: Id<'host'>;
  readonly before: Size;
  readonly after: Size;
  /** What it grows by, taken when it was accepted. */
  readonly quota?: readonly Statement[];
}

/** What a machine can grow to while it runs is never less than what it has. */
const maxima = (row: InstanceRow, size: Size) => ({
  vcpusMax: Math.max(row.vcpusMax, size.vcpus),
  memoryBytesMax: Math.max(row.memoryBytesMax, size.memoryBytes),
});

/** A machine that is on changes its size at once, within its maxima. */
export async function resizeLive(hypervisor: Hypervisor, id: string, from: Size, to: Size, call: Call): Promise<void> {
  if (from.vcpus !== to.vcpus) await hypervisor.setVcpus(id, to.vcpus, call);
  if (from.memoryBytes !== to.memoryBytes) await hypervisor.setMemory(id, to.memoryBytes, call);
}

/** One that does not run is defined with its new size. */
async function redefine(ctx: ComputeContext, hypervisor: Hypervisor, row: InstanceRow, size: Size, call: Call): Promise<void> {
  await hypervisor.define(await prepareMachine(ctx, { ...row, ...size, ...maxima(row, size) }, call), call);
}

export const instanceResize = saga<ComputeContext, ResizeParams>('instance.resize', 1)
  .effect('apply', {
    // By what the machine is at the head of the queue: what went before may have started, stopped, resized or moved it.
    do: async ({ ctx, params: { instanceId, hostId, before, after }, call }) => {
      const row = await ctx.reader.get(instance, instanceId);
      if (row.hostId !== hostId || row.vcpus !== before.vcpus || row.memoryBytes !== before.memoryBytes)
        throw new CloudError('conflict', 'The machine has changed since this was asked; ask again.');
      const hypervisor = await ctx.hosts.hypervisor(hostId);
      if (row.state === 'running') {
        refuseLive(hypervisor, row, after);
        await resizeLive(hypervisor, instanceId, before, after, call);
      } else await redefine(ctx, hypervisor, row, after, call);
      return { state: row.state, ...maxima(row, after) };
    },
    // Back to what its row says, where there is something to take back: by what it is now, since it may have gone down or come up by itself.
    undo: async ({ ctx, params: { instanceId }, call }) => {
      const row = await ctx.reader.get(instance, instanceId);
      const hypervisor = await ctx.hosts.hypervisor(hostOf(row));
      const seen = await hypervisor.inspect(instanceId, call);
      if (seen === undefined) return;
      if (seen.power === 'running' || seen.power === 'paused') await resizeLive(hypervisor, instanceId, seen, row, call);
      else await redefine(ctx, hypervisor, row, row, call);
    },
  })
  .write('resized', {
    do: ({ params: { instanceId, hostId, before, after, quota }, out: { apply } }) => [
      change(
        instance,
        instanceId,
        { ...after, vcpusMax: apply.vcpusMax, memoryBytesMax: apply.memoryBytesMax },
        { ...before, state: apply.state === 'running' ? 'running' : ['stopped', 'crashed'] },
      ),
      ...hostCapacity(hostId, growth(after, before), -1),
      ...quotaReleased(quota),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

/** @throws CloudError unsupported */
function refuseLive(hypervisor: Hypervisor, row: InstanceRow, after: Size): void {
  hypervisor.need('resize');
  if (after.vcpus > row.vcpusMax)
    throw new CloudError('unsupported', `It can grow to ${row.vcpusMax} processors while it runs; stop it for more.`, {
      pointer: '/vcpus',
    });
  if (after.memoryBytes > row.memoryBytesMax)
    throw new CloudError('unsupported', `It can grow to ${bytesText(row.memoryBytesMax)} of memory while it runs; stop it for more.`, {
      pointer: '/memoryBytes',
    });
  const shrinks = after.vcpus < row.vcpus ? '/vcpus' : '/memoryBytes';
  if (after.vcpus < row.vcpus || after.memoryBytes < row.memoryBytes)
    throw new CloudError('unsupported', 'A running machine only grows; stop it to shrink it.', { pointer: shrinks });
}

const growth = (from: Size, to: Size): Size => ({
  vcpus: Math.max(0, to.vcpus - from.vcpus),
  memoryBytes: Math.max(0, to.memoryBytes - from.memoryBytes),
});

/** What it grows by is reserved when it is accepted. What it shrinks by is free only when it has. */
const capacity = ({ hostId, before, after }: ResizeParams, sign: 1 | -1) => hostCapacity(hostId, growth(before, after), sign);

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
      const before = { vcpus: row.vcpus, memoryBytes: row.memoryBytes };
      const after = { vcpus: input.vcpus ?? before.vcpus, memoryBytes: input.memoryBytes ?? before.memoryBytes };
      // With an operation ahead it may not run by then: the head of the queue decides.
      if (row.state === 'running' && !services.kernel().holds(row.id)) refuseLive(await services.hosts.hypervisor(hostOf(row)), row, after);
      const quota = quotaGrowth(instance, row, after);
      const params = { instanceId: row.id, hostId: hostOf(row), before, after, quota };
      return {
        params,
        // What it grows by is reserved where it is: a migration may end between the look at its row and this.
        statements: [
          { op: 'expect', table: instance.name, key: row.id, expect: { hostId: params.hostId } },
          ...capacity(params, 1),
          ...quota,
        ],
      };
    },
    saga: instanceResize,
    context: () => services,
    unwound: (params) => [...capacity(params, -1), ...quotaReleased(params.quota)],
  });

interface SharesParams {
  readonly instanceId: Id<'instance'>;
  readonly after: number;
}
export const SHARES_DEFAULT = 1024;

/** With `shares` undefined those of the row, which is changed last. */
const applyShares = async (ctx: ComputeContext, { instanceId }: SharesParams, shares: number | undefined, call: Call): Promise<void> => {
  const row = await ctx.reader.get(instance, instanceId);
  if (shares !== undefined && shares === row.cpuShares) return;
  if (row.state === 'running' || row.state === 'suspended')
    await (await ctx.hosts.hypervisor(hostOf(row))).setCpuShares(instanceId, shares ?? row.cpuShares ?? SHARES_DEFAULT, call);
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
    input: Type.Object({ cpuShares: Type.Integer({ minimum: 2, maximum: 10_000 }) }),
    from: ['running', 'suspended', 'stopped', 'crashed'],
    accept: async ({ row, input }) => {
      if (row.state === 'running' || row.state === 'suspended') (await services.hosts.hypervisor(hostOf(row))).need('cpuShares');
      return { params: { instanceId: row.id, after: input.cpuShares }, statements: [] };
    },
    saga: instanceSetCpuShares,
    context: () => services,
  });
