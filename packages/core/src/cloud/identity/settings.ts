import { Type } from 'typebox';
import { defineSetting } from '../../kernel/index.ts';

export const sessionHours = defineSetting({
  name: 'auth.sessionHours',
  description: 'How long who signs in may go on without doing it again. Sessions that are there already end when they would have.',
  schema: Type.Number({ minimum: 0.01, maximum: 87_600 }),
  default: 12,
});

export const addressSignIns = defineSetting({
  name: 'auth.addressSignInsPerMinute',
  description:
    'Tries to sign in that one address may make in a minute, right or wrong, a tenth of them at once; beyond, they are answered 429. Of IPv6 the first 64 bits count. Behind a proxy that ends connections all come from one address: have the proxy bound them then. 0: as many as come.',
  schema: Type.Integer({ minimum: 0, maximum: 1_000_000 }),
  default: 600,
});
