import { expect } from 'chai';
import { age, formatRow } from '../src/format.ts';

describe('cli: times', () => {
  it('are told as what has passed, and of what is to come as what is left', () => {
    const ages = [0, 90_000, 3600_000, 49 * 3600_000, -1000, -90_000, -15 * 3600_000].map(age);
    expect(ages).to.deep.equal(['0s', '90s', '60m', '2d', '0s', 'in 90s', 'in 15h']);
    const at = (ms: number) => new Date(Date.now() + ms).toISOString();
    const shown = formatRow({ nextRunAt: at(3 * 3600_000 + 60_000), lastRunAt: at(-3 * 3600_000 - 60_000) }, 'table');
    expect(shown).to.match(/^nextRunAt +\S+ \(in 3h\)\nlastRunAt +\S+ \(3h ago\)\n$/);
  });
});
