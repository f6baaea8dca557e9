import { expect } from 'chai';
import fc from 'fast-check';
import { countsOf, interleaved } from '../../src/ovn/compile/spread.ts';

const told = (weights: readonly number[], mayFail: boolean) =>
  countsOf(
    weights.map((weight) => ({ weight })),
    mayFail,
  );
const counts = (...weights: number[]) => told(weights, false);
const sum = (all: readonly number[]) => all.reduce((total, one) => total + one, 0);

/** What each of so many gets of what hashes evenly, as Open vSwitch does it: a table with a power of two of places, given out one by one to who has fewest for his weight, the first of equals. */
function shares(entries: readonly number[], backends: number): readonly number[] {
  const places = Math.max(16, 2 ** Math.ceil(Math.log2(entries.length)));
  const had = entries.map(() => 0);
  const of = new Array<number>(backends).fill(0);
  for (let place = 0; place < places; place += 1) {
    const next = had.indexOf(Math.min(...had));
    had[next] = (had[next] ?? 0) + 1;
    const backend = entries[next] ?? 0;
    of[backend] = (of[backend] ?? 0) + 1 / places;
  }
  return of;
}

const spreadOf = (weights: readonly number[], isLeftOut = (_: number) => false) => {
  const all = interleaved(
    weights.map((_, at) => at),
    told(weights, true),
  );
  return shares(
    all.filter((at) => !isLeftOut(at)),
    weights.length,
  );
};

describe('how often OVN is told of each backend', () => {
  it('is no more often than it takes, and once for one that is alone', () => {
    expect(counts(100, 50, 0, 50)).to.deep.equal([2, 1, 1]);
    expect(counts(7, 7)).to.deep.equal([1, 1]);
    expect(counts(7)).to.deep.equal([1]);
    expect(counts()).to.deep.equal([]);
    expect(counts(0)).to.deep.equal([]);
    expect(counts(3, 1)).to.deep.equal([3, 1]);
  });

  it('makes shares of the table that hosts have, within a fortieth of what the weights say', () => {
    for (const weights of [[1, 1, 1], [1, 2], [1, 2, 3], [60, 40], [1, 1, 1, 1, 1], [5, 3, 1], new Array<number>(9).fill(1)])
      for (const [at, share] of spreadOf(weights).entries())
        expect(share / ((weights[at] ?? 0) / sum(weights)), `${weights} ${at}`).to.be.within(0.975, 1.025);
  });

  it('gives everybody a place, and fills a table exactly, whatever the weights', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 2, maxLength: 64 }), (weights) => {
        const named = counts(...weights);
        const places = sum(named);
        expect(Math.log2(places) % 1).to.equal(0);
        expect(places).to.be.at.most(256);
        expect(Math.min(...named)).to.be.at.least(1);
        const heavier = weights.flatMap((weight, at) => weights.flatMap((other, to) => (weight > other ? [[at, to] as const] : [])));
        for (const [at, to] of heavier) expect(named[at]).to.be.at.least(named[to] ?? 0);
      }),
    );
  });

  it('leaves the others what their weights say, whoever is left out', () => {
    for (const weights of [[1, 1, 1], [1, 1, 1, 1], [2, 1, 1], [1, 2, 3], [1, 1, 1, 1, 1], new Array<number>(8).fill(1)])
      for (const out of weights.keys())
        for (const [at, share] of spreadOf(weights, (each) => each === out).entries()) {
          const wanted = (weights[at] ?? 0) / (sum(weights) - (weights[out] ?? 0));
          if (at !== out) expect(share / wanted, `${weights} without ${out}: ${at}`).to.be.within(0.975, 1.025);
        }
  });

  it('is no more often than it takes where nobody is ever left out, and of two where one may be', () => {
    expect([counts(1, 1, 1, 1), told([1, 1], true), told([3, 1], true)]).to.deep.equal([
      [1, 1, 1, 1],
      [1, 1],
      [3, 1],
    ]);
  });
});
