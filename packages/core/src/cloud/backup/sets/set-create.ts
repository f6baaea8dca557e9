import { Type } from 'typebox';
import {
  AWAITS_PARTS,
  bindSaga,
  CloudError,
  change,
  changeable,
  create,
  defineAction,
  equals,
  expectState,
  type Id,
  NOTHING_TO_UNDO,
  type RowOf,
  resourceName,
  saga,
  transition,
  usable,
} from '../../../kernel/index.ts';
import { instance } from '../../compute/contract.ts';
import { given, nameOr } from '../../naming.ts';
import { disksOf, needContents, refuseUnkept, snapshot, snapshotGroup, volume } from '../../storage/contract.ts';
import { backup } from '../backup.ts';
import { backupPlan } from '../backup-plan.ts';
import { planInput, storeInput } from '../input.ts';
import { storeFor } from '../store-choice.ts';
import { backupSet } from './backup-set.ts';
import { carryOut, removed, type SetContext, type SetPart, stopped } from './parts.ts';

interface CreateSetParams {
  readonly setId: Id<'backupSet'>;
  readonly projectId: Id<'project'>;
  readonly instanceId: Id<'instance'>;
  readonly storeId: Id<'backupStore'>;
  /** Of the set, where it was given: its backups are called after it. */
  readonly name?: string;
  /** The operation that takes the snapshots. */
  readonly takeId: Id<'operation'>;
}

interface CopyParams {
  readonly projectId: Id<'project'>;
  readonly part: SetPart;
}

/** In the place of a step: a backup of one of the disks. */
export const copyDisk = saga<SetContext, CopyParams>('backupSet.copy', 1)
  .effect('backup', {
    ...AWAITS_PARTS,
    do: async ({ params, ...step }) => {
      await carryOut({ ...step, ...params }, params.part);
    },
    undo: async ({ params, ...step }) => {
      const at = { ...step, ...params };
      if ((await stopped(at, params.part)) !== undefined) await removed(at, backup, params.part.resourceId);
    },
  })
  .build();

const PARALLEL = 2;

/**
 * The machine is held for as long as its snapshots take, and goes on while those are copied, which takes long. They go when that is done, and with everything else where
 * it fails: either there is a set with a backup of each disk, or there is nothing.
 */
export const createSet = saga<SetContext, CreateSetParams>('backupSet.create', 1)
  .effect('instant', {
    ...AWAITS_PARTS,
    do: async ({ params, ...step }) => {
      const { projectId, instanceId, takeId } = params;
      const part = { operationId: takeId, action: 'instance.snapshot', resourceId: instanceId, input: {} };
      const { notes } = await carryOut({ ...step, projectId }, part);
      return copies(step.ctx, params, notes?.snapshotGroupId as Id<'snapshotGroup'>);
    },
    undo: async ({ params, ...step }) => {
      const at = { ...step, ...params };
      const taken = await stopped(at, { operationId: params.takeId });
      if (taken !== undefined) await removed(at, snapshotGroup, taken.notes?.snapshotGroupId as string);
    },
  })
  .subs('copies', {
    limit: PARALLEL,
    run: ({ ctx, params: { projectId }, out }) => [out.instant.copies.map(({ part }) => bindSaga(copyDisk, ctx, { projectId, part }))],
  })
  .effect('apart', {
    ...AWAITS_PARTS,
    do: async ({ params, out, ...step }) => {
      await removed({ ...step, ...params }, snapshotGroup, out.instant.groupId);
      const row = await step.ctx.reader.find(instance, params.instanceId);
      return { isThere: row !== undefined && row.deletedAt === undefined };
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('available', {
    do: ({ params: { setId, instanceId }, out: { instant, apart } }) => [
      ...instant.copies.flatMap(({ part, slot }) => {
        const id = part.resourceId as Id<'backup'>;
        return [expectState(backup, id, ['available']), change(backup, id, { setId, ...given({ slot }) })];
      }),
      ...(apart?.isThere === true ? [change(instance, instanceId, { backedUpAt: instant.takenAt })] : []),
      transition(backupSet, setId, {
        from: 'creating',
        to: 'available',
        set: {
          takenAt: instant.takenAt,
          ...given({ consistency: instant.consistency, instanceId: apart?.isThere === true ? instanceId : undefined }),
        },
      }),
    ],
    undo: NOTHING_TO_UNDO,
  })
  .build();

/** What there is to copy, with the ids that this is known by however often it is begun. @throws CloudError conflict when somebody has deleted it already */
async function copies({ reader, ids }: SetContext, { storeId, name }: CreateSetParams, groupId: Id<'snapshotGroup'>) {
  const taken = await reader.list(snapshot, equals('groupId', groupId));
  const [first] = taken;
  if (first === undefined) throw new CloudError('conflict', 'The snapshots that it was to be made of were deleted.');
  const { consistency } = await reader.get(snapshotGroup, groupId);
  const disks = await Promise.all(
    taken.map(async ({ id: snapshotId, volumeId }) => {
      const { slot } = await reader.get(volume, volumeId);
      const input = { snapshotId, storeId, ...given({ name: nameOfDisk(name, slot ?? 0) }) };
      const part: SetPart = { operationId: ids.mint('operation'), action: 'backup.create', resourceId: ids.mint('backup'), input };
      return { part, ...given({ slot }) };
    }),
  );
  return { groupId, takenAt: first.createdAt, ...given({ consistency }), copies: disks };
}

/** Room for a hyphen and two digits in a name of 63 characters. */
const STEM_MAX = 60;
export const nameOfDisk = (name: string | undefined, slot: number): string | undefined =>
  name === undefined ? undefined : `${name.slice(0, STEM_MAX).replace(/-+$/, '')}-${slot}`;

const MADE = ['running', 'suspended', 'stopped', 'crashed'] as const;

/** Before anything is begun. @throws CloudError unsupported, conflict */
async function refuseUnfit(context: SetContext, { id, name, state }: RowOf<typeof instance>): Promise<void> {
  if (!MADE.some((each) => each === state))
    throw new CloudError('conflict', `Instance ${name} is ${state}.`, { pointer: '/instanceId', params: { state, allowed: [...MADE] } });
  for (const row of await disksOf(context.reader, [id])) {
    await refuseUnkept(context, row, '/instanceId');
    await needContents(context, row, '/instanceId');
  }
}

export const setCreate = (context: SetContext) =>
  defineAction({
    kind: backupSet,
    verb: 'create',
    description:
      'Backs up all disks of a machine as they are at one instant, by snapshots that go when it is made. The machine stands still for these alone, not while they are copied.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: backupSet.schema.properties.description,
      instanceId: Type.String({ format: 'uuid', description: 'The machine.' }),
      storeId: storeInput,
      planId: planInput,
    }),
    accept: async ({ id, input, projectId, principal, reader, mint }) => {
      const of = await changeable(reader, instance, input.instanceId, principal, '/instanceId');
      const plan = input.planId === undefined ? undefined : await usable(reader, backupPlan, input.planId, principal, '/planId');
      const store = await storeFor(reader, input.storeId);
      await refuseUnfit(context, of);
      return {
        params: {
          ...{ setId: id, projectId, instanceId: of.id, storeId: store.id, takeId: mint('operation') },
          ...given({ name: input.name }),
        },
        statements: [
          create(backupSet, {
            ...given({ description: input.description, planId: plan?.id }),
            ...{ id, projectId, name: nameOr(input.name, backupSet, id), instanceName: of.name },
          }),
        ],
      };
    },
    saga: createSet,
    context: () => context,
    unwound: ({ setId }) => [transition(backupSet, setId, { from: 'creating', to: 'deleted' })],
  });
