import { expect } from 'chai';
import { compared, comparisonText, passes } from '../bench/compare.ts';

const row = (id: string, ratio?: number) => ({ id, value: 1, unit: 'ms', ...(ratio === undefined ? {} : { ratio }) });

describe('npm run bench -- --compare', () => {
  it('judges each row by its floor alone, and names those that got worse', () => {
    const earlier = [row('get.1', 2), row('create.20', 4), { ...row('loop-lag'), value: 10 }];
    const now = [row('get.1', 2.4), row('create.20', 5.1), { ...row('loop-lag'), value: 1000 }];
    const comparison = compared(now, earlier, 1.25);
    expect(comparison.rows.map(({ id, isWorse }) => [id, isWorse])).to.deep.equal([
      ['get.1', false],
      ['create.20', true],
    ]);
    expect(passes(comparison)).to.equal(false);
    expect(comparisonText(comparison, 1.25)).to.match(/get\.1 .*1\.20\ncreate\.20 .*1\.27 {2}worse\n.*: create\.20\n$/s);
    expect(passes(compared(now, earlier, 1.5))).to.equal(true);
  });

  it('tells what only one of the runs has, and is not passed where nothing was compared, or by what is no number', () => {
    const comparison = compared([row('get.1', 2)], [row('list.100', 1)]);
    expect(comparison.alone).to.deep.equal([
      { id: 'get.1', when: 'now' },
      { id: 'list.100', when: 'before' },
    ]);
    expect(passes(comparison)).to.equal(false);
    expect(comparisonText(comparison)).to.include('nothing to compare');
    expect(passes(compared([row('get.1', Number.NaN)], [row('get.1', 1)]))).to.equal(false);
  });
});
