import { Type } from 'typebox';
import {
  both,
  CloudError,
  change,
  defineAction,
  equals,
  expectState,
  type Id,
  isCloudError,
  NOTHING_TO_UNDO,
  type Reader,
  saga,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { given } from '../naming.ts';
import { copyIso, deprecationOf, ISO_COPY_TIMEOUT_MS, image, isoFor, isoSpec, volume } from '../storage/contract.ts';
import { type ComputeContext, type ComputeServices, hostOf, hypervisorOf, type InstanceRow } from './context.ts';
import { instance } from './instance.ts';
import { brief, SETTLE_TIMEOUT_MS, settleLate, suspectLate } from './late.ts';

interface AttachParams {
  readonly instanceId: Id<'instance'>;
  readonly imageId: Id<'image'>;
}
interface DetachParams {
  readonly instanceId: Id<'instance'>;
  readonly force: boolean;
}

/** The pool beside whose root disk the ISO lies. @throws CloudError conflict for a machine without one */
export async function isoPool(reader: Reader, { id, name }: Pick<InstanceRow, 'id' | 'name'>): Promise<Id<'pool'>> {
  const [root] = await reader.list(volume, both(equals('instanceId', id), equals('slot', 0)));
  if (root === undefined) throw new CloudError('conflict', `Instance ${name} has no root disk.`);
  return root.poolId;
}

async function insert(ctx: ComputeContext, { instanceId, imageId }: AttachParams, call: Call): Promise<void> {
  const row = await ctx.reader.get(instance, instanceId);
  const iso = await isoSpec(ctx, { imageId, poolId: await isoPool(ctx.reader, row), hostId: hostOf(row) }, call);
  try {
    await (await ctx.hosts.hypervisor(hostOf(row))).insertIso(instanceId, iso, call);
  } catch (error) {
    if (!isCloudError(error) || error.code !== 'conflict') throw error;
    throw new CloudError(
      'conflict',
      `Instance ${row.name} was started without a drive, or its guest keeps the tray shut: stop and start it.`,
      {
        cause: error,
      },
    );
  }
}

async function eject(ctx: ComputeContext, { instanceId, force }: DetachParams, call: Call): Promise<void> {
  try {
    await (await hypervisorOf(ctx, instanceId)).ejectIso(instanceId, force, call);
  } catch (error) {
    if (force || !isCloudError(error) || error.code !== 'conflict') throw error;
    throw new CloudError('conflict', 'The guest has locked the tray: let it unmount the ISO, or ask with `force`.', {
      pointer: '/force',
      cause: error,
    });
  }
}

interface Step {
  readonly ctx: ComputeContext;
  readonly params: { readonly instanceId: Id<'instance'> };
  readonly call: Call;
  readonly mayHaveBegun: boolean;
}

/** Changes what is in the drive, for good: what was asked before and may come late is taken back as long. */
async function changeDrive(
  { ctx, params: { instanceId }, call, mayHaveBegun }: Step,
  method: 'insertIso' | 'ejectIso',
  body: (call: Call) => Promise<void>,
  isUndo = false,
): Promise<void> {
  const hostId = hostOf(await ctx.reader.get(instance, instanceId));
  const opposite = { method: method === 'insertIso' ? 'ejectIso' : 'insertIso', machineId: instanceId } as const;
  suspectLate(ctx, mayHaveBegun, hostId, { method, machineId: instanceId });
  suspectLate(ctx, isUndo && mayHaveBegun, hostId, opposite);
  await body(brief(call));
  await settleLate(ctx, hostId, opposite, call, body);
}

export const isoAttach = saga<ComputeContext, AttachParams>('instance.attachIso', 1)
  .effect('ready', {
    timeoutMs: ISO_COPY_TIMEOUT_MS,
    // Decided at the head of the queue: what went before may have put one in. None for one that is there already.
    do: async ({ ctx, params: { instanceId, imageId }, call }) => {
      const row = await ctx.reader.get(instance, instanceId);
      if (row.isoImageId === imageId) return { isNew: false };
      await refuseTaken(ctx.reader, row);
      await copyIso(ctx, imageId, await isoPool(ctx.reader, row), call);
      return { isNew: true };
    },
    // The copy is a cache: the next machine finds it.
    undo: NOTHING_TO_UNDO,
  })
  // From here on the image is not deleted.
  .write('in', {
    do: ({ params: { instanceId, imageId }, out: { ready } }) =>
      !ready.isNew ? [] : [change(instance, instanceId, { isoImageId: imageId }), expectState(image, imageId, ['available'])],
    undo: ({ params: { instanceId }, out: { ready } }) => (!ready.isNew ? [] : [change(instance, instanceId, { isoImageId: null })]),
  })
  .effect('insert', {
    timeoutMs: SETTLE_TIMEOUT_MS,
    do: async (step) => {
      if (step.out.ready.isNew) await changeDrive(step, 'insertIso', (c) => insert(step.ctx, step.params, c));
    },
    // The image is deleted only when nothing can put it in any more.
    undo: async (step) => {
      const { instanceId } = step.params;
      if (step.out.ready.isNew) await changeDrive(step, 'ejectIso', (c) => eject(step.ctx, { instanceId, force: true }, c), true);
    },
  })
  .build();

export const isoDetach = saga<ComputeContext, DetachParams>('instance.detachIso', 1)
  .effect('ready', {
    do: async ({ ctx, params }) => ({ imageId: (await ctx.reader.get(instance, params.instanceId)).isoImageId ?? null }),
    undo: NOTHING_TO_UNDO,
  })
  .effect('eject', {
    timeoutMs: SETTLE_TIMEOUT_MS,
    do: async (step) => {
      if (step.out.ready.imageId !== null) await changeDrive(step, 'ejectIso', (c) => eject(step.ctx, step.params, c));
    },
    undo: async (step) => {
      const { imageId } = step.out.ready;
      const { instanceId } = step.params;
      if (imageId !== null) await changeDrive(step, 'insertIso', (c) => insert(step.ctx, { instanceId, imageId }, c), true);
    },
  })
  .write('out', {
    do: ({ params, out: { ready } }) => (ready.imageId === null ? [] : [change(instance, params.instanceId, { isoImageId: null })]),
    undo: NOTHING_TO_UNDO,
  })
  .build();

/** @throws CloudError conflict */
async function refuseTaken(reader: Reader, { name, isoImageId }: InstanceRow): Promise<void> {
  if (isoImageId === undefined) return;
  const there = await reader.find(image, isoImageId);
  throw new CloudError('conflict', `The drive of instance ${name} has ISO ${there?.name ?? isoImageId} in it; detach that first.`, {
    pointer: '/imageId',
    params: { isoImageId },
  });
}

const FROM = ['running', 'stopped', 'suspended'] as const;

export const isoActions = (services: ComputeServices) => [
  defineAction({
    kind: instance,
    verb: 'attachIso',
    description:
      'Puts an ISO into the drive of the machine; a running guest sees it at once. It stays there over restarts, until it is detached.',
    target: 'resource',
    input: Type.Object({ imageId: Type.String({ format: 'uuid', description: 'An image of format `iso`.' }) }),
    from: [...FROM],
    accept: async ({ row, input: { imageId }, principal, reader }) => {
      const iso = await isoFor(reader, principal, imageId, services.environment.clock, '/imageId');
      // What is known now is refused now; with an operation ahead the head of the queue decides.
      if (row.isoImageId !== iso.id && !services.kernel().holds(row.id)) await refuseTaken(reader, row);
      (await services.hosts.hypervisor(hostOf(row))).need('drive');
      (await services.pools.open(await isoPool(reader, row))).needImageAttach();
      return {
        params: { instanceId: row.id, imageId: iso.id },
        statements: [],
        keys: [],
        notes: given({ deprecatedImage: deprecationOf(iso) }),
      };
    },
    saga: isoAttach,
    context: () => services,
  }),
  defineAction({
    kind: instance,
    verb: 'detachIso',
    description: 'Empties the drive of the machine. A running guest that has locked the tray, as while it has the ISO mounted, refuses.',
    target: 'resource',
    input: Type.Object({
      force: Type.Optional(Type.Boolean({ description: 'Also when the guest has locked the tray. Default: false.' })),
    }),
    from: [...FROM],
    accept: async ({ row, input: { force } }) => {
      (await services.hosts.hypervisor(hostOf(row))).need('drive');
      return { params: { instanceId: row.id, force: force === true }, statements: [], keys: [] };
    },
    saga: isoDetach,
    context: () => services,
  }),
];
