import { Type } from 'typebox';
import { defineKind, ref, secret } from '../../kernel/index.ts';
import { SECRET_PATTERN } from './signature.ts';

const names = (description: string) => Type.Array(Type.String({ minLength: 1, maxLength: 63 }), { minItems: 1, maxItems: 64, description });

export const EVENT_TYPES = ['created', 'updated', 'deleted'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What a webhook is told of, in its row and in the input that makes it. */
export const WANTS = {
  kinds: names('Kinds whose changes it is told of, e.g. `instance`; for operators also those of the cloud, e.g. `pool`.'),
  states: Type.Optional(names('Only of rows that are in one of these states after the change, e.g. `running`.')),
  when: Type.Optional(
    Type.String({
      maxLength: 2048,
      description: 'Only of rows for which this holds after the change, in the language of lists; over fields of the one kind.',
    }),
  ),
  types: Type.Optional(
    Type.Array(Type.Unsafe<EventType>({ type: 'string', enum: [...EVENT_TYPES] }), {
      minItems: 1,
      maxItems: 3,
      description: 'Default: all.',
    }),
  ),
};

export const URL_FIELD = Type.String({
  maxLength: 2048,
  description: 'Where events are sent, by POST. HTTPS, unless the configuration allows it. Without a query: that is `urlQuery`.',
});

/** What receivers want of a URL beside its path is a token as a rule. */
export const QUERY_FIELD = secret({
  maxLength: 2048,
  description: 'What is sent behind the `?` of the URL, e.g. `token=…`: kept sealed, as the secret is.',
});

export const SECRET_FIELD = secret({
  format: 'password',
  description: 'What events are signed with (Standard Webhooks): `whsec_` and 24 to 64 random bytes as base64.',
  maxLength: 128,
});

export const webhook = defineKind({
  name: 'webhook',
  plural: 'webhooks',
  description:
    "A place outside that is told of changes in its project, and an operator's also of the cloud: signed CloudEvents, at least once, in order for each resource.",
  scope: 'project',
  schema: Type.Object({
    url: URL_FIELD,
    ...WANTS,
    secret: SECRET_FIELD,
    urlQuery: Type.Optional(QUERY_FIELD),
    missedAfter: Type.Optional(
      Type.String({ description: 'Nothing behind this cursor was sent while it was failing; `replay` with it sends that.' }),
    ),
    description: Type.Optional(Type.String({ maxLength: 1024 })),
  }),
  states: {
    available: ['disabled', 'failing', 'deleting', 'deleted'],
    disabled: ['available', 'deleting'],
    /** It has not taken what it was sent for so long that no more is kept for it. */
    failing: ['available', 'disabled', 'deleting'],
    deleting: ['deleted'],
  },
  initial: 'available',
  quota: { webhooks: 1 },
});

export const delivery = defineKind({
  name: 'delivery',
  plural: 'deliveries',
  description: 'An event that could not be delivered however often it was tried. `replay` tries again.',
  scope: 'project',
  schema: Type.Object({
    webhookId: Type.Optional(ref('webhook', 'cascade', { description: 'Absent for a callback.' })),
    accountId: Type.Optional(Type.String({ format: 'uuid', description: 'Of what it tells of, where its row says so.' })),
    url: Type.String({ description: 'Without its query.' }),
    urlQuery: Type.Optional(secret({ description: 'Of a callback: what is behind the `?` of its URL.' })),
    eventId: Type.String({ description: 'The same each time that it is sent.' }),
    resourceKind: Type.String(),
    resourceId: Type.String(),
    attempts: Type.Integer({ minimum: 0 }),
    lastError: Type.Optional(Type.String({ description: 'Why the last attempt failed.' })),
    event: Type.Unsafe<Record<string, unknown>>({ type: 'object', description: 'As it was sent: CloudEvents 1.0.' }),
  }),
  states: { dead: ['deleting', 'deleted'], deleting: ['deleted'] },
  initial: 'dead',
  indexed: ['eventId', 'resourceId'],
});

export { SECRET_PATTERN };
