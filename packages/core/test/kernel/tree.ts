import { expect } from 'chai';
import { Type } from 'typebox';
import {
  type AnyKind,
  CloudError,
  create,
  defineAction,
  defineDeletion,
  defineKind,
  FORWARD_ONLY,
  NOTHING_TO_UNDO,
  type Plugin,
  type RowBase,
  ref,
  revert,
  saga,
} from '../../src/kernel/index.ts';
import { Script } from './script.ts';
import { SimKernel } from './sim-kernel.ts';

const states = {
  made: ['idle'],
  idle: ['used', 'kept', 'deleting'],
  used: ['idle', 'deleting'],
  kept: ['idle'],
  deleting: ['deleted'],
} as const;
const base = { description: 'Of a tree.', scope: 'project', states, initial: 'made' } as const;
const site = defineKind({ ...base, name: 'site', plural: 'sites', schema: Type.Object({}) });
export const rack = defineKind({
  ...base,
  name: 'rack',
  plural: 'racks',
  schema: Type.Object({ siteId: ref('site', 'cascade'), rackId: Type.Optional(ref('rack', 'cascade')) }),
});
const disk = defineKind({
  ...base,
  name: 'disk',
  plural: 'disks',
  schema: Type.Object({ rackId: Type.Optional(ref('rack', 'detach', { ownedIf: 'own' })), own: Type.Optional(Type.Boolean()) }),
  detached: { rackId: { from: ['used'], to: 'idle' } },
});
export const lease = defineKind({ ...base, name: 'lease', plural: 'leases', schema: Type.Object({ rackId: ref('rack', 'restrict') }) });
const kinds: readonly AnyKind[] = [site, rack, disk, lease];

interface Params {
  readonly kind: string;
  readonly id: string;
  readonly name: string;
  readonly force: boolean;
  readonly leasedId?: string;
}
const quiesce = saga<Script, Params>('tree.quiesce', 1)
  .effect('look', { do: async ({ ctx, params, call }) => void (await ctx.play(`look ${params.name}`, call)), undo: NOTHING_TO_UNDO })
  .build();
const remove = saga<Script, Params>('tree.remove', 1)
  .effect('remove', {
    do: async ({ ctx, params, call }) => void (await ctx.play(`${params.force ? 'force' : 'remove'} ${params.name}`, call)),
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params }) => [
      revert({ name: params.kind } as AnyKind, params.id as never, { from: 'deleting' as never, to: 'deleted' as never }),
    ],
    undo: FORWARD_ONLY,
  })
  .build();
const plant = saga<Script, null>('tree.plant', 1).build();

const tree = (world: Script): Plugin => ({
  id: 'tree',
  version: '1',
  kinds,
  actions: kinds.map((kind) =>
    defineAction({
      kind,
      verb: 'create',
      description: 'Plants it.',
      target: 'collection',
      input: Type.Object({ row: Type.Unsafe<object>({ type: 'object' }) }),
      accept: ({ id, input, projectId }) => ({
        params: null,
        statements: [create(kind, { id, projectId, state: 'idle', ...input.row } as never)],
      }),
      saga: plant,
      context: () => world,
    }),
  ),
  deletions: kinds.map((kind) =>
    defineDeletion({
      kind,
      from: ['idle', 'used'],
      quiesce,
      remove,
      context: () => world,
      params: (row: RowBase & { readonly rackId?: string }, { force }) => ({
        ...{ kind: kind.name as string, id: row.id as string, name: row.name, force },
        ...(kind === lease && row.rackId !== undefined ? { leasedId: row.rackId } : {}),
      }),
      shares: ({ leasedId }) => (leasedId === undefined ? [] : [leasedId]),
      alone: async ({ name }) => (name === 'first' ? new CloudError('conflict', 'The first goes with its site.') : undefined),
    }),
  ),
});

/** A site, and how to plant more below it. */
export async function planted() {
  const world = new Script();
  const sim = await new SimKernel({ plugins: () => [tree(world)] }).start();
  world.timers = sim.environment.timers;
  const add = async (kind: string, name: string, fields: object = {}) => {
    const row = await sim.done({ action: `${kind}.create`, input: { row: { name, ...fields } } });
    expect(row.state).to.equal('succeeded');
    return row.resourceId;
  };
  const siteId = await add('site', 'site');
  return { sim, world, add, siteId, left: () => kinds.flatMap((kind) => sim.rows(kind.name)).map((row) => `${row.name} ${row.state}`) };
}
export const deleting = (kind: string, resourceId: string, input: object = {}) => ({ action: `${kind}.delete`, resourceId, input });
