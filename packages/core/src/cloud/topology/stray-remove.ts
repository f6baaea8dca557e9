import { Type } from 'typebox';
import {
  CloudError,
  defineAction,
  FORWARD_ONLY,
  type Hooks,
  type Id,
  NOTHING_TO_UNDO,
  oneOf,
  type Reader,
  saga,
  transition,
} from '../../kernel/index.ts';
import { rowDeletion } from '../row-only.ts';
import type { Hosts } from './hosts.ts';
import { strayRemoval } from './points.ts';
import { stray } from './stray.ts';

export interface StrayContext {
  readonly reader: Reader;
  readonly hosts: Pick<Hosts, 'reachable'>;
  readonly hooks: () => Pick<Hooks, 'collect'>;
}

const removeStray = saga<StrayContext, { readonly strayId: Id<'stray'> }>('stray.remove', 1)
  .write('deleting', {
    do: ({ params }) => [transition(stray, params.strayId, { from: 'quarantined', to: 'deleting' })],
    undo: ({ params }) => [transition(stray, params.strayId, { from: 'deleting', to: 'quarantined' })],
  })
  .effect('reach', {
    do: async ({ ctx, params }) => {
      const { hostId } = await ctx.reader.get(stray, params.strayId);
      if (!(await ctx.hosts.reachable(hostId))) throw new CloudError('unavailable', 'The host it was found on is out of reach.');
    },
    undo: NOTHING_TO_UNDO,
  })
  .effect('object', {
    do: async ({ ctx, params, call }) => {
      const { objectKind, objectId, hostId, place } = await ctx.reader.get(stray, params.strayId);
      const answers = await ctx.hooks().collect(strayRemoval, { objectKind, objectId, hostId, place, call });
      if (!answers.includes(true)) throw new CloudError('unsupported', `Nobody here knows how to remove ${oneOf(objectKind)}.`);
    },
    undo: FORWARD_ONLY,
  })
  .write('deleted', {
    do: ({ params }) => [transition(stray, params.strayId, { from: 'deleting', to: 'deleted' })],
    undo: FORWARD_ONLY,
  })
  .build();

/** The one way by which something unknown is destroyed: a person says so. */
export const strayRemove = (context: StrayContext) =>
  defineAction({
    kind: stray,
    verb: 'remove',
    description: 'Destroys the thing itself. It cannot be taken back.',
    target: 'resource',
    input: Type.Object({}),
    from: ['quarantined'],
    satisfied: (row) => row.state === 'deleted',
    accept: ({ id }) => ({ params: { strayId: id }, statements: [] }),
    saga: removeStray,
    context: () => context,
  });

/** Forgets the record alone; what it stands for stays, and the next look records it again. Comes with the deletion of its host. */
export const strayDeletion = rowDeletion(stray, ['quarantined']);
