import { instance, instanceStarting } from '@pileus/core';
import {
  both,
  type Condition,
  defineSystemTag,
  type Endpoint,
  equals,
  type HookBinding,
  type KernelServices,
  lacks,
  onGate,
  readPermission,
  systemTagValues,
  visibleRows,
} from '@pileus/core/kernel';
import { Type } from 'typebox';
import { scrapeTarget } from './target.ts';

/** On an instance type, by the operator: its machines are not to run unwatched. */
export const scrapeRequired = defineSystemTag({
  name: 'scrape.required',
  description: 'Machines of this type start only while metrics are collected from them.',
  kinds: ['instanceType'],
  value: Type.Boolean(),
  adminOnly: true,
  affects: [{ kind: 'instance', by: 'instanceTypeId' }],
});

/** Refuses to start a machine that has to be collected from, and is not. */
export const watchedStart = ({ reader }: KernelServices): HookBinding =>
  onGate(instanceStarting, async ({ row }) => {
    if (row === undefined) return undefined;
    const [isRequired] = await systemTagValues(reader, scrapeRequired, row.instanceTypeId);
    if (isRequired !== true) return undefined;
    const active = both(equals('instanceId', row.id), equals('state', 'active'));
    if ((await reader.list(scrapeTarget, active, { limit: 1 })).length > 0) return undefined;
    return { reason: 'not_watched', message: `Machines of this type need an active scrape target to start; ${row.name} has none.` };
  });

const SHOWN_MAX = 100;

const watched: Condition = {
  exists: { table: scrapeTarget.name, local: 'id', remote: 'instanceId', where: equals('state', 'active') },
};

/** Which machines of the caller's project nobody looks at. */
export const coverage = ({ reader, store }: KernelServices): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/scrape-coverage',
  summary: 'How many machines of the project metrics are collected from, and which are left out.',
  permission: readPermission(scrapeTarget),
  answer: Type.Object({
    machines: Type.Integer({ minimum: 0 }),
    watched: Type.Integer({ minimum: 0 }),
    unwatched: Type.Array(Type.Object({ id: Type.String({ format: 'uuid' }), name: Type.String() }), {
      description: `The first ${SHOWN_MAX}.`,
    }),
  }),
  handle: async ({ principal }) => {
    const permission = readPermission(instance);
    if (!principal.allows(permission)) throw lacks(permission, principal);
    // Whatever a plugin reads for somebody, it reads as he may see it.
    const visible = visibleRows(instance, principal) ?? { and: [] };
    const table = instance.name;
    const [machines, covered, without] = await Promise.all([
      store.count({ table, where: visible }),
      store.count({ table, where: both(visible, watched) }),
      reader.list(instance, both(visible, { not: watched }), { limit: SHOWN_MAX }),
    ]);
    return { machines, watched: covered, unwatched: without.map(({ id, name }) => ({ id, name })) };
  },
});
