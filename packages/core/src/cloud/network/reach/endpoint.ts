import type { Static } from 'typebox';
import type { Endpoint } from '../../../kernel/index.ts';
import { explainReach, reachAnswer } from './answer.ts';
import { type FactsServices, PERMISSION } from './facts.ts';
import { questionOf, reachQuestion } from './question.ts';

export const reachEndpoint = (services: FactsServices): Endpoint => ({
  type: 'value',
  method: 'POST',
  path: '/reachability/explain',
  summary: 'Answers whether one NIC or address can open a connection to another, what it meets on its way, and what stops it.',
  permission: PERMISSION,
  scope: 'project',
  body: reachQuestion,
  answer: reachAnswer,
  handle: ({ principal, body }) => explainReach(services, principal, questionOf(body as Static<typeof reachQuestion>)),
});
