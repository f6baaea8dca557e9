import { Type } from 'typebox';
import { defineSetting } from '../../../kernel/index.ts';
import { FLAP_WINDOW_MS, HOLD_MS_MAX } from './damping.ts';

const HOUR_SECONDS = HOLD_MS_MAX / 1000;

export const flapsMax = defineSetting({
  name: 'loadBalancers.flapsMax',
  description: `How often a backend may go out within ${FLAP_WINDOW_MS / 60_000} minutes, by its health check; once more, and it is held out for a while. 0: none is.`,
  schema: Type.Integer({ minimum: 0, maximum: 100 }),
  default: 3,
});

export const holdSeconds = defineSetting({
  name: 'loadBalancers.holdSeconds',
  description: 'How long a backend that flaps is held out the first time. Each further time is twice as long, up to an hour.',
  schema: Type.Integer({ minimum: 1, maximum: HOUR_SECONDS }),
  default: 60,
});
