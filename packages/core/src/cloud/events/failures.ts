import { Cursors, create, type Id, type JsonObject, type Statement, type StateReason, type Store, transition } from '../../kernel/index.ts';
import { isCallbacks, type Queued } from './queue.ts';
import type { Webhook } from './subscriptions.ts';
import { delivery, webhook } from './webhook.ts';

/** An event that is given up. */
export const deadLetter = (id: Id<'delivery'>, event: Queued, to: { readonly url: string; readonly urlQuery?: string }): Statement =>
  create(delivery, {
    id,
    name: `delivery-${id}`,
    projectId: event.projectId as Id<'project'>,
    ...(event.accountId === undefined ? {} : { accountId: event.accountId as Id<'account'> }),
    ...(isCallbacks(event.target) ? {} : { webhookId: event.target as Id<'webhook'> }),
    ...to,
    eventId: event.eventId,
    resourceKind: event.resourceKind,
    resourceId: event.resourceId,
    attempts: event.attempts,
    ...(event.lastError === undefined ? {} : { lastError: event.lastError }),
    event: JSON.parse(event.body) as JsonObject,
  });

/** Nothing more is kept for the webhook: what it misses is behind the cursor. */
export const failing = (hook: Webhook, stateReason: StateReason, missedAfter: string): Statement =>
  transition(webhook, hook.id, { from: 'available', to: 'failing', set: { stateReason, missedAfter } });

/** Behind all that has happened so far. */
export async function cursorBehind(store: Store): Promise<string> {
  const { newest } = await store.bounds();
  return new Cursors(store).text({ revision: newest, ordinal: 0 });
}
