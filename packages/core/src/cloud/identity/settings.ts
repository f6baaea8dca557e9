import { Type } from 'typebox';
import { defineSetting } from '../../kernel/index.ts';

export const sessionHours = defineSetting({
  name: 'auth.sessionHours',
  description: 'How long who signs in may go on without doing it again. Sessions that are there already end when they would have.',
  schema: Type.Number({ minimum: 0.01, maximum: 87_600 }),
  default: 12,
});
