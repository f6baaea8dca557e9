import { expect } from 'chai';
import type { Random } from '../../src/kernel/environment.ts';
import type { Fault } from '../../src/strategy/index.ts';

const FAULTS: readonly string[] = [
  'not_found',
  'conflict',
  'invalid',
  'unsupported',
  'exhausted',
  'unavailable',
  'unknown_outcome',
  'internal',
] satisfies Fault[];

/** Values that have broken classifiers: everything that can be thrown, which is everything. */
function oddities(): unknown[] {
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const hostile = new Proxy(
    {},
    {
      get: () => {
        throw new Error('get');
      },
      has: () => {
        throw new Error('has');
      },
      getPrototypeOf: () => {
        throw new Error('getPrototypeOf');
      },
    },
  );
  const loop = new Error('loop');
  loop.cause = loop;
  const getter = Object.defineProperty(new Error('x'), 'code', {
    get: () => {
      throw new Error('code');
    },
  });
  return [
    ...[undefined, null, true, 0, Number.NaN, -1n, '', 'boom', Symbol('s'), () => 0],
    ...[{}, [], Object.create(null), { code: {} }, { code: Symbol('c') }, { message: null }, { name: 5, cause: null }],
    ...[new Error('plain'), new TypeError('type'), new AggregateError([], 'many'), new DOMException('gone', 'AbortError')],
    ...[
      Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
      Object.assign(new Error('reset'), { code: 'ECONNRESET', errno: -104 }),
    ],
    ...[revoked.proxy, hostile, loop, getter],
  ];
}

const KEYS = ['code', 'name', 'message', 'cause', 'errno', 'domain', 'level', 'stack', 'errors', 'fault'];

function anything(random: Random, depth: number): unknown {
  const pick = Math.floor(random.next() * (depth > 0 ? 9 : 6));
  if (pick === 0) return undefined;
  if (pick === 1) return null;
  if (pick === 2) return Math.floor(random.next() * 2000) - 1000;
  if (pick === 3) return String.fromCodePoint(...random.bytes(4));
  if (pick === 4) return FAULTS[Math.floor(random.next() * FAULTS.length)];
  if (pick === 5) return Symbol('any');
  if (pick === 6) return Array.from({ length: 3 }, () => anything(random, depth - 1));
  const target = pick === 7 ? new Error('any') : {};
  for (const key of KEYS)
    if (random.next() < 0.5) Object.defineProperty(target, key, { value: anything(random, depth - 1), writable: true });
  return target;
}

/** `classify` answers one of the closed set for whatever it is given. */
export function expectTotal(classify: (error: unknown) => Fault, random: Random): void {
  for (const odd of oddities()) expect(FAULTS).to.include(classify(odd));
  for (let round = 0; round < 500; round += 1) expect(FAULTS).to.include(classify(anything(random, 3)));
}
