import { expect } from 'chai';
import { Rates, rateHeaders } from '../../src/kernel/rates.ts';

describe('rates', () => {
  let nowMs = 0;
  const clock = { monotonicMs: () => nowMs };
  const granted = (rates: Rates, key: string, count: number) =>
    Array.from({ length: count }, () => rates.take(key)).filter((allowance) => allowance.granted).length;
  beforeEach(() => {
    nowMs = 0;
  });

  it('grant the burst at once, and then so many a second', () => {
    const rates = new Rates({ perSecond: 10, burst: 30 }, clock);
    expect(granted(rates, 'a', 100)).to.equal(30);
    nowMs += 1000;
    expect(granted(rates, 'a', 100)).to.equal(10);
    nowMs += 99;
    expect(granted(rates, 'a', 1)).to.equal(0);
    nowMs += 1;
    expect(granted(rates, 'a', 2)).to.equal(1);
    nowMs += 3600_000;
    expect(granted(rates, 'a', 100)).to.equal(30);
  });

  it('grant exactly so many in the long run, however they come', () => {
    const rates = new Rates({ perSecond: 7, burst: 5 }, clock);
    let count = 0;
    for (; nowMs < 600_000; nowMs += 13) count += granted(rates, 'a', 1);
    expect(count).to.be.within(600 * 7, 600 * 7 + 5);
  });

  it('know who does not heed refusals from who asks a little too often', () => {
    const rates = new Rates({ perSecond: 10, burst: 10 }, clock);
    const most = (everyMs: number) => {
      let refusals = 0;
      for (const endMs = nowMs + 60_000; nowMs < endMs; nowMs += everyMs)
        refusals = Math.max(refusals, rates.take(String(everyMs)).refusals);
      return refusals;
    };
    expect(most(80)).to.be.lessThan(5);
    expect(most(10)).to.equal(100);
    nowMs += 1000;
    for (let index = 0; index < 200; index += 1, nowMs += 200) rates.take('10');
    expect(rates.take('10').refusals).to.equal(0);
  });

  it('are of each key', () => {
    const rates = new Rates({ perSecond: 1, burst: 2 }, clock);
    expect(granted(rates, 'a', 5)).to.equal(2);
    expect(granted(rates, 'b', 5)).to.equal(2);
  });

  it('forget keys that have been quiet, and no other', () => {
    const rates = new Rates({ perSecond: 1, burst: 10 }, clock);
    granted(rates, 'spent', 10);
    for (let index = 0; index < 3000; index += 1) rates.take(`k${index}`);
    expect(granted(rates, 'spent', 1)).to.equal(0);
    nowMs += 1500;
    for (let index = 3000; index < 5000; index += 1) rates.take(`k${index}`);
    expect(granted(rates, 'spent', 5)).to.equal(1);
  });

  it('say what is left, when all is there again, and when to come back', () => {
    const rates = new Rates({ perSecond: 0.5, burst: 2 }, clock);
    expect(rates.take('a')).to.deep.equal({ granted: true, remaining: 1, resetSeconds: 2, retrySeconds: 0, refusals: 0 });
    expect(rates.take('a')).to.deep.equal({ granted: true, remaining: 0, resetSeconds: 4, retrySeconds: 2, refusals: 0 });
    nowMs += 500;
    const refused = rates.take('a');
    expect(refused).to.deep.equal({ granted: false, remaining: 0, resetSeconds: 4, retrySeconds: 2, refusals: 1 });
    expect(rateHeaders(rates.rate, refused)).to.deep.equal({ 'ratelimit-policy': '"key";q=2;w=4', ratelimit: '"key";r=0;t=4' });
    nowMs += refused.retrySeconds * 1000;
    expect(rates.take('a').granted).to.equal(true);
  });
});
