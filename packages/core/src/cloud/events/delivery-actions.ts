import { Type } from 'typebox';
import { defineAction, type Id, NOTHING_TO_UNDO, type RowOf, saga, transition } from '../../kernel/index.ts';
import { rowDeletion } from '../row-only.ts';
import type { CloudServices } from '../services.ts';
import type { Dispatcher } from './dispatcher.ts';
import { callbacksOf } from './queue.ts';
import { delivery } from './webhook.ts';

interface Context {
  readonly dispatcher: Dispatcher;
  readonly services: CloudServices;
}

/** Queued twice it is sent twice, as it may be: its id is the same. */
const deliveryReplay = saga<Context, { readonly id: Id<'delivery'> }>('delivery.replay', 1)
  .effect('queue', {
    do: async ({ ctx, params }) => ctx.dispatcher.again(queuedOf(await ctx.services.reader.get(delivery, params.id))),
    undo: NOTHING_TO_UNDO,
  })
  .write('deleted', {
    do: ({ params }) => [transition(delivery, params.id, { from: 'dead', to: 'deleted' })],
    undo: NOTHING_TO_UNDO,
  })
  .build();

function queuedOf({ webhookId, url, eventId, projectId, accountId, resourceKind, resourceId, event }: RowOf<typeof delivery>) {
  return {
    ...{ eventId, projectId: projectId ?? '', resourceKind, resourceId, body: JSON.stringify(event) },
    ...(accountId === undefined ? {} : { accountId }),
    ...(webhookId === undefined ? { target: callbacksOf(projectId ?? ''), url } : { target: webhookId }),
  };
}

export const deliveryActions = (context: Context) => [
  defineAction({
    kind: delivery,
    verb: 'replay',
    description: 'Sends the event again, after what is waiting. It is a delivery no longer then.',
    target: 'resource',
    input: Type.Object({}),
    from: ['dead'],
    accept: ({ row }) => ({ params: { id: row.id }, statements: [] }),
    saga: deliveryReplay,
    context: () => context,
  }),
];

export const deliveryDeletion = rowDeletion(delivery, ['dead']);
