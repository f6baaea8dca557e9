import { Type } from 'typebox';
import { defineAction, FORWARD_ONLY, type Id, NOTHING_TO_UNDO, saga, transition } from '../../../kernel/index.ts';
import type { NetworkContext } from '../network-context.ts';
import { fabric } from './fabric.ts';

interface RebuildParams {
  readonly fabricId: Id<'fabric'>;
  readonly driver: string;
  readonly life: string;
}

const FIRST = 1;

const fabricRebuild = saga<NetworkContext, RebuildParams>('fabric.rebuild', 1)
  .effect('mark', {
    do: async ({ ctx, params: { driver, life }, call }) => (await ctx.fabrics.of({ driver })).mark({ life, serial: FIRST }, call),
    // As long as the row tells of another life the fabric is lost.
    undo: NOTHING_TO_UNDO,
  })
  .write('ready', {
    do: ({ params: { fabricId, life } }) => [
      transition(fabric, fabricId, { from: 'lost', to: 'ready', set: { life, serial: FIRST, stateReason: null } }),
    ],
    undo: FORWARD_ONLY,
  })
  .effect('known', {
    do: async ({ ctx, params }) => (await ctx.fabrics.of(params)).forgetContinuity(),
    undo: FORWARD_ONLY,
  })
  .build();

export const rebuildFabric = (context: () => NetworkContext) =>
  defineAction({
    kind: fabric,
    verb: 'rebuild',
    description:
      'Takes a fabric that is lost into use as it is now: with the next look all that belongs there is made anew, and what does not is removed or quarantined.',
    target: 'resource',
    input: Type.Object({}),
    from: ['lost'],
    satisfied: ({ state }) => state === 'ready',
    accept: ({ row, mint }) => ({ params: { fabricId: row.id, driver: row.driver, life: mint('fabric') }, statements: [] }),
    saga: fabricRebuild,
    context,
  });
