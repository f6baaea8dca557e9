import { expect } from 'chai';
import fc from 'fast-check';
import { Ids, isUuid } from '../../src/kernel/id.ts';
import { SimRandom } from '../../testing/index.ts';

/** A clock that a test sets. */
function minting(startMs: number) {
  const clock = { ms: startMs, nowMs: () => clock.ms, monotonicMs: () => clock.ms };
  return { clock, ids: new Ids(clock, new SimRandom('ids')) };
}

describe('ids', () => {
  it('are UUIDs of version 7 that carry their time', () => {
    const startMs = Date.UTC(2030, 1, 2, 3, 4, 5, 678);
    const id = minting(startMs).ids.mint('thing');
    expect(isUuid(id)).to.equal(true);
    expect(id[14]).to.equal('7');
    expect('89ab').to.include(id[19] ?? '');
    expect(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)).to.equal(startMs);
  });

  it('grow strictly, whatever the clock does, and never repeat', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5000, max: 5000 }), { maxLength: 200 }), (jumps) => {
        const { clock, ids } = minting(Date.UTC(2030, 0, 1));
        let last = ids.mint('thing') as string;
        for (const jump of jumps) {
          clock.ms += jump;
          const next = ids.mint('thing') as string;
          expect(next > last).to.equal(true);
          last = next;
        }
      }),
    );
  });

  it('grow through more than a sequence holds in one millisecond', () => {
    const { ids } = minting(1_000_000);
    const minted = Array.from({ length: 10_000 }, () => ids.mint('thing') as string);
    expect(minted).to.deep.equal([...minted].sort());
    expect(new Set(minted).size).to.equal(10_000);
  });

  it('follow those of an earlier life whose clock was ahead', () => {
    const ahead = minting(2_000_000_000_000).ids;
    const earlier = Array.from({ length: 5000 }, () => ahead.mint('thing') as string).at(-1) ?? '';
    const { ids } = minting(1_000_000_000_000);
    ids.follow(earlier);
    ids.follow(minting(5).ids.mint('thing'));
    expect((ids.mint('thing') as string) > earlier).to.equal(true);
  });
});
