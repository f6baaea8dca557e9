import { announce, bindSaga, CloudError, defineAction, type Id, NOTHING_TO_UNDO, revert, saga, transition } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { deletePort, ensureNewPort, isNicClash, nicMoves, portsReady } from '../network/contract.ts';
import { isPlaceTaken } from '../placement/contract.ts';
import { attachment, type MachineDisk, makeDisk, placeIso, removeOrOwe, volume } from '../storage/contract.ts';
import { type ComputeContext, type ComputeServices, prepareMachine } from './context.ts';
import { instance } from './instance.ts';
import { type CreateParams, placeAgain } from './instance-accept.ts';
import { instanceInput } from './instance-input.ts';
import { acceptCreate, takeBackCreate } from './instance-wait.ts';
import { machineCleanup, releaseDisks } from './machine-cleanup.ts';
import { instanceCreated, instanceCreating } from './points.ts';
import { asDiskOf, attachmentRow, forget, opening, refuseCrowd } from './shared-disks.ts';

const BOOT_TIMEOUT_MS = 120_000;

export const instanceCreate = saga<ComputeContext, CreateParams>('instance.create', 1)
  .each('existing', {
    light: true,
    items: ({ params }) => params.existing,
    limit: 4,
    // Who was ahead in its queue may have taken it.
    do: async ({ ctx, item: { volumeId } }) => {
      const row = await ctx.reader.get(volume, volumeId);
      if (row.state !== 'available') throw new CloudError('conflict', `Volume ${row.name} is ${row.state}.`, { params: { volumeId } });
      await refuseCrowd(ctx, row);
    },
    undo: NOTHING_TO_UNDO,
  })
  .subs('volumes', {
    limit: 4,
    run: ({ ctx, params }) => [
      [
        ...params.volumes.map(({ volumeId, poolId, sizeBytes, imageId, encryptionKey }) =>
          bindSaga(makeDisk, ctx, given({ volumeId, poolId, sizeBytes, imageId, encryptionKey }) as never),
        ),
        // It lies beside the root disk.
        ...(params.isoImageId === undefined
          ? []
          : params.volumes.slice(0, 1).map(({ poolId }) => bindSaga(placeIso, ctx, { imageId: params.isoImageId as Id<'image'>, poolId }))),
      ],
    ],
  })
  .each('ports', {
    light: true,
    items: ({ params }) => params.nics,
    limit: 4,
    do: async ({ ctx, params, item, call }) => {
      await ensureNewPort(ctx, item, params, call);
    },
    undo: ({ ctx, item, call, owe }) => deletePort(ctx, item, call, owe),
  })
  .effect('define', {
    do: async ({ ctx, params, call }) => {
      const row = await ctx.reader.get(instance, params.instanceId);
      const spec = await prepareMachine(ctx, row, call, { volumes: [...params.volumes, ...params.existing], nics: params.nics });
      await (await ctx.hosts.hypervisor(params.hostId)).define(spec, call);
    },
    undo: async (step) => {
      const { ctx, params } = step;
      await machineCleanup(ctx, params, step);
      const disks = [...params.volumes, ...params.existing].map((entry) => entry.volumeId);
      await releaseDisks(ctx, params, disks, step);
      const root = params.volumes.find((entry) => entry.slot === 0);
      if (root !== undefined) await removeOrOwe(step, 'seed.delete', root.poolId, params.instanceId);
    },
  })
  .effect('start', {
    timeoutMs: BOOT_TIMEOUT_MS,
    do: async ({ ctx, params, call }) => {
      if (!params.start) return;
      const hypervisor = await ctx.hosts.hypervisor(params.hostId);
      const shared = await sharedWith(ctx, params);
      await opening(ctx, params.instanceId, shared, call, () => hypervisor.power('start', params.instanceId, call));
      const awaited = params.nics.filter((port) => port.awaited === true);
      if (awaited.length > 0) await portsReady(ctx, awaited, call);
    },
    undo: async ({ ctx, params, call }) => {
      // Out of reach: the removal that is owed for the step before takes a running machine too.
      if (await ctx.hosts.reachable(params.hostId))
        await (await ctx.hosts.hypervisor(params.hostId)).power('powerOff', params.instanceId, call);
      await forget(ctx, params.instanceId, await sharedWith(ctx, params), call);
    },
  })
  .write('ready', {
    do: ({ params, operationId }) => [
      announce(instanceCreated, `${operationId}/created`, { instanceId: params.instanceId, hostId: params.hostId }),
      transition(instance, params.instanceId, { from: 'creating', to: params.start ? 'running' : 'stopped' }),
      ...params.nics.flatMap((entry) => nicMoves(entry, transition, { from: 'creating', to: 'attached' })),
      ...params.volumes.map(({ volumeId, owned }) =>
        transition(volume, volumeId, { from: 'creating', to: 'attached', set: { deleteWithInstance: owned } }),
      ),
      ...params.existing.flatMap(({ volumeId, slot, shared }) =>
        shared === undefined
          ? [transition(volume, volumeId, { from: 'available', to: 'attached', set: { instanceId: params.instanceId, slot } })]
          : attachmentRow(shared, { volumeId, instanceId: params.instanceId, slot }),
      ),
    ],
    undo: ({ params }) => [
      revert(instance, params.instanceId, { from: params.start ? 'running' : 'stopped', to: 'creating' }),
      ...params.nics.flatMap((entry) => nicMoves(entry, revert, { from: 'attached', to: 'creating' })),
      ...params.volumes.map(({ volumeId }) =>
        revert(volume, volumeId, { from: 'attached', to: 'creating', set: { deleteWithInstance: true } }),
      ),
      ...params.existing.map(({ volumeId, shared }) =>
        shared === undefined
          ? revert(volume, volumeId, { from: 'attached', to: 'available', set: { instanceId: null, slot: null } })
          : revert(attachment, shared.attachmentId, { from: 'attached', to: 'deleted' }),
      ),
    ],
  })
  .build();

const sharedWith = ({ reader }: ComputeContext, { existing }: CreateParams): Promise<readonly MachineDisk[]> =>
  Promise.all(
    existing.flatMap(({ volumeId, shared }) =>
      shared === undefined ? [] : [reader.get(volume, volumeId).then((row) => asDiskOf(row, shared))],
    ),
  );

export const createInstance = (services: ComputeServices) =>
  defineAction({
    kind: instance,
    verb: 'create',
    description:
      'Makes a machine from an image, or with an empty root disk and an ISO to install from, with its disks and NICs, and starts it.',
    target: 'collection',
    input: instanceInput,
    gate: instanceCreating,
    accept: (request) => acceptCreate(services, request),
    refused: (failure, statement) => (isPlaceTaken(statement) || isNicClash(failure, statement) ? 'again' : undefined),
    saga: instanceCreate,
    context: () => services,
    unwound: takeBackCreate,
    again: (failed) => placeAgain(services, failed.params, failed.error.code, failed.attempt),
  });
