import { Type } from 'typebox';
import type { Callbacks, Plugin } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { deliveryActions, deliveryDeletion } from './delivery-actions.ts';
import { Dispatcher } from './dispatcher.ts';
import { startExpiry } from './expiry.ts';
import type { PostUrl } from './post-url.ts';
import { TABLES } from './queue.ts';
import { CALLBACK_PURPOSE, Sender } from './sender.ts';
import { derivedSecret } from './signature.ts';
import { refuseCallback } from './target.ts';
import { delivery, webhook } from './webhook.ts';
import { webhookActions, webhookDeletion } from './webhook-actions.ts';

export { isPublicAddress } from './addresses.ts';
export type { Post, PostUrl } from './post-url.ts';
export { delivery, webhook } from './webhook.ts';

/** Tells the outside of changes: webhooks, and callbacks of single requests. */
export function events(services: CloudServices, postUrl: PostUrl): Plugin {
  const sender = new Sender(services, postUrl);
  const dispatcher = new Dispatcher(services, sender);
  const context = { dispatcher, services };
  const callbacks: Callbacks = {
    refuse: (url) => refuseCallback(url, services.config.webhookUrls),
    prepare: (url) => dispatcher.expecting(url),
    forget: (operationId) => dispatcher.forget(operationId),
  };
  return {
    id: 'events',
    version: '0.1.0',
    kinds: [webhook, delivery],
    actions: [...webhookActions(context), ...deliveryActions(context)],
    deletions: [webhookDeletion(context), deliveryDeletion],
    tables: TABLES,
    callbacks,
    endpoints: [
      {
        type: 'value',
        method: 'GET',
        path: '/callbacks/secret',
        summary: 'What callbacks of this project are signed with (Standard Webhooks).',
        permission: 'callback.secret',
        scope: 'project',
        answer: Type.Object({ secret: Type.String() }),
        handle: async ({ principal }) => ({ secret: derivedSecret(services.secrets.derived(CALLBACK_PURPOSE(principal.projectId))) }),
      },
    ],
    start: async () => {
      await sender.start();
      await dispatcher.start();
      const stopExpiry = startExpiry(services);
      return async () => {
        await stopExpiry();
        await dispatcher.stop();
        await sender.stop();
      };
    },
  };
}
