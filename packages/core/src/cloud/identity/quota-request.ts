import { Type } from 'typebox';
import { defineKind, ref } from '../../kernel/index.ts';
import { limitChanges } from './quota-limits.ts';

const text = (description: string) => Type.Optional(Type.String({ maxLength: 1024, description }));

/** Somebody asks for other limits; who may grant them says yes or no. */
export const quotaRequest = defineKind({
  name: 'quotaRequest',
  plural: 'quota-requests',
  description: 'A request for other limits: approved, it sets them, for good or until a day; denied, it says why.',
  scope: 'account',
  schema: Type.Object({
    inProjectId: Type.Optional(ref('project', 'cascade', { description: 'Whose limits. Absent: those of the account.' })),
    limits: limitChanges(),
    reason: text('Why they are asked for.'),
    expiresAt: Type.Optional(Type.String({ format: 'date-time', description: 'When the limits go back to what they were.' })),
    requestedBy: Type.String({ description: 'Who asked.' }),
    decidedBy: Type.Optional(Type.String({ description: 'Who approved or denied it.' })),
    decidedAt: Type.Optional(Type.String({ format: 'date-time' })),
    answer: text('What that one had to say.'),
    before: Type.Optional(limitChanges({ description: 'The limits before they were granted; `null` = none.' })),
  }),
  states: {
    requested: ['applied', 'denied', 'deleting', 'deleted'],
    applied: ['expired', 'deleting'],
    denied: ['deleting'],
    expired: ['deleting'],
    deleting: ['deleted'],
  },
  initial: 'requested',
  indexed: ['state', 'expiresAt'],
});
