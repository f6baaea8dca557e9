import { Type } from 'typebox';
import { changeable, defineAction, resourceName, saga } from '../../../kernel/index.ts';
import type { StorageContext } from '../removal.ts';
import { volume } from '../volume.ts';
import { snapshot } from './snapshot.ts';
import { dropOrOwe, refuseUnkept, snapshotRows, take, type WantedSnapshot } from './snapshot-rows.ts';

/** The point in time of a snapshot whose row is there in `creating`, by an operation that holds the key of its volume, or of its content for a system one. Also runs inside other sagas. */
export const takeSnapshot = saga<StorageContext, WantedSnapshot>('snapshot.create', 1)
  .effect('image', {
    do: ({ ctx, params, call }) => take(ctx, params, call),
    undo: (step) => dropOrOwe(step, step.params),
  })
  .write('available', {
    do: ({ params, out }) => snapshotRows.taken(params, out.image),
    undo: ({ params, out }) => snapshotRows.untaken(params, out.image),
  })
  .build();

export const snapshotCreate = (context: StorageContext) =>
  defineAction({
    kind: snapshot,
    verb: 'create',
    description:
      'Takes a snapshot of a volume, whether a machine uses it or not. Of one that runs it has what a loss of power would leave.',
    target: 'collection',
    input: Type.Object({
      name: Type.Optional(resourceName()),
      description: snapshot.schema.properties.description,
      volumeId: Type.String({ format: 'uuid' }),
    }),
    accept: async ({ id, input: { volumeId, ...named }, principal, reader }) => {
      const row = await changeable(reader, volume, volumeId, principal, '/volumeId');
      await refuseUnkept(context, row, '/volumeId');
      return {
        params: snapshotRows.wanted(row, { id }),
        statements: snapshotRows.insert(row, { ...named, id }),
        keys: [row.id],
      };
    },
    saga: takeSnapshot,
    context: () => context,
    unwound: (params) => [snapshotRows.takeBack(params)],
  });
