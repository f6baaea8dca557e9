import { expect } from 'chai';
import fc from 'fast-check';
import { FairQueue, Places } from '../../src/kernel/index.ts';

describe('places', () => {
  it('are all for one who is alone, and no more', () => {
    for (const max of [1, 2, 5, 20, 1000]) {
      const places = new Places(max);
      let held = 0;
      while (places.take('a') !== undefined) held += 1;
      expect(held).to.equal(max);
    }
  });

  it('are left to those who come when one has taken all', () => {
    const places = new Places(100);
    while (places.take('flood') !== undefined);
    const taken = new Map<string, number>();
    for (let round = 0; round < 100; round += 1)
      for (const who of ['b', 'c']) if (places.take(who) !== undefined) taken.set(who, (taken.get(who) ?? 0) + 1);
    expect([...taken.values()].reduce((sum, count) => sum + count)).to.be.within(16, 25);
    for (const count of taken.values()) expect(count).to.be.at.least(8);
    expect(places.take('flood')).to.equal(undefined);
  });

  it('never hold more than there are with the reserve, and are free again when left, once', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.boolean()), { maxLength: 300 }), (steps) => {
        const places = new Places(10);
        const leaves: (() => void)[] = [];
        for (const [who, comes] of steps) {
          if (!comes) leaves.shift()?.();
          else {
            const leave = places.take(who);
            if (leave !== undefined) leaves.push(leave);
          }
          expect(places.total).to.equal(leaves.length);
          expect(places.total).to.be.at.most(13);
        }
        for (const leave of [...leaves, ...leaves]) leave();
        expect(places.total).to.equal(0);
      }),
    );
  });
});

describe('a fair queue', () => {
  it('serves whoever has something waiting in turn, and his own in the order of their coming', () => {
    const queue = new FairQueue<string>();
    for (let index = 0; index < 100; index += 1) queue.push('flood', `f${index}`);
    for (const name of ['q0', 'q1']) queue.push('quiet', name);
    expect(Array.from({ length: 6 }, () => queue.shift())).to.deep.equal(['f0', 'q0', 'f1', 'q1', 'f2', 'f3']);
    expect(queue.length).to.equal(96);
  });

  it('knows of each how many are taken before it', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd')), fc.nat({ max: 10 }), (owners, taken) => {
        const queue = new FairQueue<number>();
        for (const [index, who] of owners.entries()) queue.push(who, index);
        for (let index = 0; index < taken; index += 1) queue.shift();
        const ahead = owners.map((who, index) => queue.ahead(who, index));
        const order: number[] = [];
        for (let item = queue.shift(); item !== undefined; item = queue.shift()) order.push(item);
        expect(ahead).to.deep.equal(owners.map((_, index) => (order.includes(index) ? order.indexOf(index) : undefined)));
      }),
    );
  });

  it('loses nothing and doubles nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.constantFrom('a', 'b', 'c'))), (steps) => {
        const queue = new FairQueue<number>();
        const pushed: number[] = [];
        const shifted: number[] = [];
        for (const [index, who] of steps.entries()) {
          if (who !== null) {
            queue.push(who, index);
            pushed.push(index);
          } else shifted.push(...[queue.shift()].filter((item) => item !== undefined));
        }
        for (let item = queue.shift(); item !== undefined; item = queue.shift()) shifted.push(item);
        expect(shifted.toSorted((a, b) => a - b)).to.deep.equal(pushed);
        expect(queue.length).to.equal(0);
      }),
    );
  });
});
