import { Type } from 'typebox';
import { defineSetting } from '../../../kernel/index.ts';

const WEEK_SECONDS = 7 * 24 * 3600;

export const elasticIpReuseSeconds = defineSetting({
  name: 'network.elasticIpReuseSeconds',
  description:
    'How long an address of an external network rests after it was let go of: no other project gets it, for names and firewalls elsewhere may still know it as the first one.',
  schema: Type.Integer({ minimum: 0, maximum: WEEK_SECONDS }),
  default: 3600,
});
