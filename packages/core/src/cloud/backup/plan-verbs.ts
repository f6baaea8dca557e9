import { type TSchema, Type } from 'typebox';
import {
  CloudError,
  change,
  create,
  defineAction,
  expectStanding,
  expectState,
  type Id,
  NOTHING_TO_UNDO,
  type Principal,
  type Reader,
  resourceName,
  type Statement,
  saga,
  timestamp,
  transition,
  usable,
} from '../../kernel/index.ts';
import { instance } from '../compute/contract.ts';
import { given, nameOr } from '../naming.ts';
import { rowCreate, rowTakenBack } from '../row-only.ts';
import { volume } from '../storage/contract.ts';
import { backupPlan, RETENTION, WHEN } from './backup-plan.ts';
import { backupStore } from './backup-store.ts';
import type { BackupContext } from './context.ts';
import { storeInput } from './input.ts';
import { nextTime } from './schedule.ts';
import { storeFor } from './store-choice.ts';

const TAG = /^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,126}(=.{0,255})?$/;
const { properties } = backupPlan.schema;
const uuid = (description: string) => Type.Optional(Type.String({ format: 'uuid', description }));

/** @throws CloudError unless it is one of the three, and there */
async function subject(
  reader: Reader,
  principal: Principal,
  input: { volumeId?: string; instanceId?: string; tag?: string; atOneInstant?: boolean },
) {
  const [one, another] = (['volumeId', 'instanceId', 'tag'] as const).filter((field) => input[field] !== undefined);
  if (one === undefined || another !== undefined)
    throw new CloudError('invalid_input', 'Give what it backs up: a volume, a machine, or a tag.', {
      pointer: `/${another ?? 'volumeId'}`,
    });
  if (input.volumeId !== undefined && input.atOneInstant === true)
    throw new CloudError('invalid_input', 'Of one volume there is nothing to have at one instant: give a machine, or a tag of machines.', {
      pointer: '/atOneInstant',
    });
  if (input.volumeId !== undefined) return { volumeId: (await usable(reader, volume, input.volumeId, principal, '/volumeId')).id };
  if (input.instanceId !== undefined)
    return { instanceId: (await usable(reader, instance, input.instanceId, principal, '/instanceId')).id };
  if (!TAG.test(input.tag ?? '')) throw new CloudError('invalid_input', 'A tag is `key` or `key=value`.', { pointer: '/tag' });
  return given({ tag: input.tag });
}

const standing = ({
  volumeId,
  instanceId,
}: {
  readonly volumeId?: string;
  readonly instanceId?: string;
  readonly tag?: string;
}): readonly Statement[] => [
  ...(volumeId === undefined ? [] : [expectStanding(volume, volumeId)]),
  ...(instanceId === undefined ? [] : [expectStanding(instance, instanceId)]),
];

const setPlan = saga<null, { readonly id: Id<'backupPlan'>; readonly set: object }>('backupPlan.update', 1)
  .write('set', { do: ({ params: { id, set } }) => [change(backupPlan, id, set)], undo: NOTHING_TO_UNDO })
  .build();

const enablePlan = saga<null, { readonly id: Id<'backupPlan'>; readonly nextRunAt: string }>('backupPlan.enable', 1)
  .write('enabled', {
    do: ({ params: { id, nextRunAt } }) => [transition(backupPlan, id, { from: 'disabled', to: 'available', set: { nextRunAt } })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const disablePlan = saga<null, { readonly id: Id<'backupPlan'> }>('backupPlan.disable', 1)
  .write('disabled', {
    do: ({ params: { id } }) => [transition(backupPlan, id, { from: 'available', to: 'disabled', set: { nextRunAt: null } })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

export const planCreate = ({ environment }: BackupContext) =>
  defineAction({
    kind: backupPlan,
    verb: 'create',
    description: 'Makes a plan, which backs up a volume, a machine or what has a tag whenever its schedule says.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: properties.description,
      volumeId: uuid('It backs up this volume;'),
      instanceId: uuid('or all volumes of this machine;'),
      tag: properties.tag,
      atOneInstant: properties.atOneInstant,
      storeId: storeInput,
      schedule: WHEN.schedule,
      timeZone: Type.Optional({ ...WHEN.timeZone, default: 'UTC' }),
      ...RETENTION,
      verify: Type.Optional(Type.Boolean({ description: 'Restore each backup for a test as soon as it is made. Default: false.' })),
    }),
    accept: async ({ id, input, projectId, principal, reader }) => {
      const when = { schedule: input.schedule, timeZone: input.timeZone ?? 'UTC' };
      const nextRunAt = nextTime(when, environment.clock.nowMs());
      const about = await subject(reader, principal, given(input));
      const store = await storeFor(reader, input.storeId);
      const kept = given({
        atOneInstant: input.atOneInstant,
        keepCount: input.keepCount,
        keepDays: input.keepDays,
        description: input.description,
      });
      const row = { ...about, ...when, ...kept, id, projectId, storeId: store.id, verify: input.verify ?? false, nextRunAt };
      return {
        params: { kind: backupPlan.name, id },
        statements: [
          expectState(backupStore, store.id, ['available']),
          ...standing(about),
          create(backupPlan, { ...row, name: nameOr(input.name, backupPlan, id) }),
        ],
      };
    },
    saga: rowCreate,
    context: () => null,
    unwound: rowTakenBack,
  });

const clearable = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

export const planUpdate = ({ environment }: BackupContext) =>
  defineAction({
    kind: backupPlan,
    verb: 'update',
    description: 'Changes when it runs, and what is kept of what it makes.',
    target: 'resource',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: clearable(properties.description),
      schedule: Type.Optional(WHEN.schedule),
      timeZone: Type.Optional(WHEN.timeZone),
      keepCount: clearable(RETENTION.keepCount),
      keepDays: clearable(RETENTION.keepDays),
      verify: Type.Optional(properties.verify),
    }),
    accept: ({ id, row, input }) => {
      if (Object.keys(input).length === 0) throw new CloudError('invalid_input', 'Nothing to change was given.', { pointer: '' });
      const when = { schedule: input.schedule ?? row.schedule, timeZone: input.timeZone ?? row.timeZone };
      const nextRunAt = nextTime(when, environment.clock.nowMs());
      const isMoved = row.state === 'available' && (when.schedule !== row.schedule || when.timeZone !== row.timeZone);
      return { params: { id, set: { ...input, ...(isMoved ? { nextRunAt } : {}) } }, statements: [] };
    },
    saga: setPlan,
    context: () => null,
  });

export const planEnable = ({ environment }: BackupContext) =>
  defineAction({
    kind: backupPlan,
    verb: 'enable',
    description: 'Lets it run again, from the next time of its schedule on.',
    target: 'resource',
    input: Type.Object({}),
    from: ['disabled', 'available'],
    satisfied: ({ state }) => state === 'available',
    accept: ({ id, row }) => ({ params: { id, nextRunAt: nextTime(row, environment.clock.nowMs()) }, statements: [] }),
    saga: enablePlan,
    context: () => null,
  });

export const planDisable = defineAction({
  kind: backupPlan,
  verb: 'disable',
  description: 'Makes no more backups. What it has made stays as long as it says.',
  target: 'resource',
  input: Type.Object({}),
  from: ['available', 'disabled'],
  satisfied: ({ state }) => state === 'disabled',
  accept: ({ id }) => ({ params: { id }, statements: [] }),
  saga: disablePlan,
  context: () => null,
});

export const planRun = ({ environment }: BackupContext) =>
  defineAction({
    kind: backupPlan,
    verb: 'run',
    description: 'Has it run within a minute, beside its schedule.',
    target: 'resource',
    input: Type.Object({}),
    from: ['available'],
    accept: ({ id }) => ({ params: { id, set: { nextRunAt: timestamp(environment.clock) } }, statements: [] }),
    saga: setPlan,
    context: () => null,
  });
