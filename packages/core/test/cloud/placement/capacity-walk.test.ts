import { expect } from 'chai';
import { CapacityWalk } from './capacity-walk.ts';

const OPERATIONS = process.env.PILEUS_FULL === '1' ? 1_000_000 : 5_000;

describe('the accounts of capacity', () => {
  it(`hold what the rows take, and never more than their limits, over ${OPERATIONS} random operations with crashes`, async function () {
    this.timeout(3_600_000);
    const walk = new CapacityWalk('capacity');
    await walk.play(OPERATIONS);
    expect(walk.problems).to.deep.equal([]);
    const { nothing: _, ...ends } = walk.ends;
    const operations = Object.values(ends).reduce((sum, count) => sum + count, 0);
    expect(operations).to.be.at.least(OPERATIONS);
    expect(walk.crashes).to.be.at.least(3);
    // All that can come of them has come of some.
    for (const end of ['take done', 'take no capacity', 'give back done', 'resize done', 'resize place taken', 'move done', 'limit done'])
      expect(walk.ends, JSON.stringify(walk.ends)).to.have.property(end);
  });
});
