import { CloudError } from '@pileus/core/kernel';
import { expect } from 'chai';
import { Nonces } from '../../src/auth/nonces.ts';

const MAX = 100;
const PERIOD_MS = 1000;

describe('nonces of signed requests', () => {
  const open = () => {
    const clock = { nowMs: () => clock.atMs, atMs: 0 };
    const nonces = new Nonces(clock, { periodMs: PERIOD_MS, max: MAX });
    const use = (key: string, nonce: string) => {
      try {
        nonces.use(key, nonce);
        return 'taken';
      } catch (error) {
        return error instanceof CloudError ? error.code : String(error);
      }
    };
    return { clock, use };
  };

  it('are taken once, for a whole period after they came', () => {
    const { clock, use } = open();
    clock.atMs = PERIOD_MS;
    expect([use('a', 'one'), use('a', 'one'), use('b', 'one')]).to.deep.equal(['taken', 'unauthenticated', 'taken']);
    clock.atMs += PERIOD_MS;
    expect([use('a', 'two'), use('a', 'one')]).to.deep.equal(['taken', 'unauthenticated']);
    clock.atMs += PERIOD_MS + 1;
    expect(use('a', 'two')).to.equal('unauthenticated');
  });

  it('of one key that floods leave room for those of others', () => {
    const { use } = open();
    const flood = Array.from({ length: 2 * MAX }, (_, index) => use('flood', String(index)));
    expect(flood.filter((answer) => answer === 'taken')).to.have.length(MAX);
    expect(use('flood', 'more')).to.equal('busy');
    for (let index = 0; index < MAX / 2; index += 1) expect(use('other', String(index)), String(index)).to.equal('taken');
    expect(use('flood', 'still more')).to.equal('busy');
  });

  it('are bounded in all, however many keys there are', () => {
    const { use } = open();
    let taken = 0;
    for (let key = 0; key < 50; key += 1)
      for (let index = 0; index < MAX; index += 1) if (use(`key-${key}`, String(index)) === 'taken') taken += 1;
    expect(taken).to.equal(2 * MAX);
  });
});
