import { Type } from 'typebox';
import { defineKind, ref } from '../../kernel/index.ts';

const count = (description: string) => Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description }));

/** When it runs, in its row and in the inputs that change it. */
export const WHEN = {
  schedule: Type.String({
    maxLength: 128,
    examples: ['30 2 * * *', '@hourly', '@daily', '@weekly', '@monthly'],
    description:
      'Minute, hour, day of the month, month and day of the week, as cron has them, e.g. `30 2 * * *`; or `@hourly`, `@daily`, `@weekly`, `@monthly`.',
  }),
  timeZone: Type.String({ maxLength: 64, description: 'What the schedule is in, e.g. `Europe/Berlin`.' }),
};

/** What is kept of what it makes, of each volume. */
export const RETENTION = {
  keepCount: count('So many of each volume are kept at most: the newest. Default: all.'),
  keepDays: count('Older ones go, but never the last one that is left of a volume. Default: none.'),
};

export const backupPlan = defineKind({
  name: 'backupPlan',
  plural: 'backup-plans',
  description: 'Backs up volumes, or whole machines, again and again, and keeps some of what it has made.',
  scope: 'project',
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    volumeId: Type.Optional(ref('volume', 'cascade', { description: 'It backs up this volume;' })),
    instanceId: Type.Optional(ref('instance', 'cascade', { description: 'or all volumes of this machine;' })),
    tag: Type.Optional(
      Type.String({
        maxLength: 400,
        description: 'or all volumes with this tag: `key` or `key=value`; with `atOneInstant` all machines with it.',
      }),
    ),
    atOneInstant: Type.Optional(
      Type.Boolean({
        description: 'It makes sets: all disks of a machine as they are at one instant. Then `keepCount` is of sets of each machine.',
      }),
    ),
    storeId: ref('backupStore', 'restrict'),
    ...WHEN,
    ...RETENTION,
    verify: Type.Boolean({ description: 'Each backup is restored for a test as soon as it is made.' }),
    nextRunAt: Type.Optional(Type.String({ format: 'date-time', description: 'When it begins next.' })),
    lastRunAt: Type.Optional(Type.String({ format: 'date-time', description: 'When it has begun last.' })),
    lastRefusal: Type.Optional(
      Type.String({ description: 'Why the last time it has not asked for all backups, e.g. since the one before is still being copied.' }),
    ),
    recoveryPointAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'All that it backs up can be brought back as it was then, or later. Absent while that is not so for some of it.',
      }),
    ),
    recoverySeconds: Type.Optional(
      Type.Integer({ minimum: 0, description: 'What it took in the last tests to restore the volume that took longest.' }),
    ),
  }),
  states: { available: ['disabled', 'deleting', 'deleted'], disabled: ['available', 'deleting'], deleting: ['deleted'] },
  initial: 'available',
  indexed: ['nextRunAt'],
  quota: { backupPlans: 1 },
});
