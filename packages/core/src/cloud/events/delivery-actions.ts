import { Type } from 'typebox';
import {
  defineAction,
  defineDeletion,
  FORWARD_ONLY,
  forgetSealed,
  type Id,
  NOTHING_TO_UNDO,
  type RowOf,
  type Statement,
  saga,
  transition,
} from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import type { Dispatcher } from './dispatcher.ts';
import { callbacksOf } from './queue.ts';
import { joined } from './target.ts';
import { delivery } from './webhook.ts';

interface Context {
  readonly dispatcher: Dispatcher;
  readonly services: CloudServices;
}

/** Queued twice it is sent twice, as it may be: its id is the same. */
const deliveryReplay = saga<Context, DeliveryParams>('delivery.replay', 1)
  .effect('queue', {
    do: async ({ ctx: { dispatcher, services }, params }) => {
      const row = await services.reader.get(delivery, params.id);
      const query = row.urlQuery === undefined ? undefined : await services.secrets.open(row.urlQuery);
      await dispatcher.again(queuedOf(row, query));
    },
    undo: NOTHING_TO_UNDO,
  })
  .write('deleted', {
    do: ({ params }) => [transition(delivery, params.id, { from: 'dead', to: 'deleted' }), ...forgotten(params)],
    undo: NOTHING_TO_UNDO,
  })
  .build();

const deliveryRemove = saga<null, DeliveryParams>('delivery.remove', 1)
  .write('deleted', {
    do: ({ params }) => [transition(delivery, params.id, { from: 'deleting', to: 'deleted' }), ...forgotten(params)],
    undo: FORWARD_ONLY,
  })
  .build();

type Delivery = RowOf<typeof delivery>;

interface DeliveryParams {
  readonly id: Id<'delivery'>;
  readonly urlQuery?: string;
}

const paramsOf = ({ id, urlQuery }: Delivery): DeliveryParams => ({ id, ...(urlQuery === undefined ? {} : { urlQuery }) });

const forgotten = ({ urlQuery }: DeliveryParams): readonly Statement[] => (urlQuery === undefined ? [] : [forgetSealed(urlQuery)]);

function queuedOf({ webhookId, url, eventId, projectId, accountId, resourceKind, resourceId, event }: Delivery, query: string | undefined) {
  return {
    ...{ eventId, projectId: projectId ?? '', resourceKind, resourceId, body: JSON.stringify(event) },
    ...(accountId === undefined ? {} : { accountId }),
    ...(webhookId === undefined ? { target: callbacksOf(projectId ?? '', url), url: joined(url, query) } : { target: webhookId }),
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
    accept: ({ row }) => ({ params: paramsOf(row), statements: [] }),
    saga: deliveryReplay,
    context: () => context,
  }),
];

export const deliveryDeletion = defineDeletion({
  kind: delivery,
  from: ['dead'],
  remove: deliveryRemove,
  context: () => null,
  params: paramsOf,
});
