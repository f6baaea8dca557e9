import { expect } from 'chai';
import fc from 'fast-check';
import { type Damped, damped, FLAP_WINDOW_MS, HOLD_MS_MAX } from '../../../../src/cloud/network/balancing/damping.ts';

const policy = { flapsMax: 3, holdMs: 60_000 };
const MINUTE = 60_000;
const fresh = (id: string, more: Partial<Damped> = {}): Damped => ({ id, weight: 1, isWell: true, outsMs: [], holds: 0, ...more });
const nobody = new Set<string>();

describe('damping', () => {
  const out = (all: readonly Damped[], id: string, nowMs: number) => damped(all, new Set([id]), nowMs, policy);
  const heldIds = (all: readonly Damped[]) => all.filter(({ heldUntilMs }) => heldUntilMs !== undefined).map(({ id }) => id);
  const flapping = (all: readonly Damped[], id: string, fromMs: number, times = policy.flapsMax + 1, everyMs = 1000) => {
    let now = all;
    for (let n = 0; n < times; n += 1) now = out(now, id, fromMs + n * everyMs);
    return now;
  };

  it('holds who goes out more often than it may within the window, and nobody else', () => {
    const often = flapping([fresh('a'), fresh('b')], 'a', 0, policy.flapsMax);
    expect(heldIds(often)).to.deep.equal([]);
    expect(heldIds(out(often, 'a', FLAP_WINDOW_MS - 1))).to.deep.equal(['a']);
    expect(heldIds(out(often, 'a', FLAP_WINDOW_MS + 2 * 1000))).to.deep.equal([]);
  });

  it('tries again when the time is over, and holds for twice as long each time, up to the bound', () => {
    let all: readonly Damped[] = [fresh('a'), fresh('b')];
    let nowMs = 0;
    const lengths = Array.from({ length: 9 }, () => {
      all = flapping(all, 'a', nowMs);
      const [untilMs = 0, heldMs] = [all[0]?.heldUntilMs, nowMs + policy.flapsMax * 1000];
      expect(heldIds(damped(all, nobody, untilMs - 1, policy))).to.deep.equal(['a']);
      all = damped(all, nobody, untilMs, policy);
      expect(heldIds(all)).to.deep.equal([]);
      nowMs = untilMs + MINUTE;
      return (untilMs - heldMs) / MINUTE;
    });
    expect(lengths).to.deep.equal([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it('begins anew with who was not held for as long as anybody is', () => {
    let all = damped(flapping([fresh('a'), fresh('b')], 'a', 0), nobody, 10 * MINUTE, policy);
    all = flapping(all, 'a', 10 * MINUTE + HOLD_MS_MAX, 4, 0);
    expect([all[0]?.holds, all[0]?.heldUntilMs]).to.deep.equal([1, 11 * MINUTE + HOLD_MS_MAX]);
  });

  it('holds nobody where no other is known to answer', () => {
    for (const others of [[], [fresh('b', { isWell: false })], [fresh('b', { isWell: undefined })], [fresh('b', { weight: 0 })]])
      expect(heldIds(flapping([fresh('a'), ...others], 'a', 0, 20)), JSON.stringify(others)).to.deep.equal([]);
    const both = flapping(flapping([fresh('a'), fresh('b')], 'a', 0), 'b', 9000, 20);
    expect(heldIds(both)).to.deep.equal(['a']);
  });

  it('tries all again when none of the others answers any more', () => {
    const all = flapping([fresh('a'), fresh('b'), fresh('c')], 'a', 0);
    const without = (...wells: readonly (boolean | undefined)[]) => all.map((each, at) => ({ ...each, isWell: wells[at] }));
    expect(heldIds(damped(without(undefined, false, true), nobody, MINUTE / 2, policy))).to.deep.equal(['a']);
    expect(heldIds(damped(without(undefined, false, undefined), nobody, MINUTE / 2, policy))).to.deep.equal(['a']);
    const [a] = damped(without(undefined, false, false), nobody, MINUTE / 2, policy);
    expect([a?.heldUntilMs, a?.freedMs, a?.outsMs]).to.deep.equal([undefined, MINUTE / 2, []]);
  });

  it('holds nobody, and lets go of everybody, where it is turned off', () => {
    const off = { ...policy, flapsMax: 0 };
    expect(heldIds(damped(flapping([fresh('a'), fresh('b')], 'a', 0), nobody, 9000, off))).to.deep.equal([]);
    expect(heldIds(damped([fresh('a'), fresh('b')], new Set(['a']), 0, off))).to.deep.equal([]);
  });

  it('answers the same objects for those of whom nothing is new', () => {
    const all = flapping([fresh('a'), fresh('b')], 'a', 0);
    const again = damped(all, nobody, 9000, policy);
    for (const [at, each] of again.entries()) expect(each).to.equal(all[at]);
  });

  const event = fc.record({
    passMs: fc.nat({ max: 3 * MINUTE }),
    who: fc.nat({ max: 3 }),
    what: fc.constantFrom('out' as const, 'out' as const, 'out' as const, 'back' as const, 'drain' as const, 'unknown' as const),
  });
  it('never leaves a listener without somebody who answers, never forgets anybody, and holds in bounds, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 120 }), fc.integer({ min: 1, max: 4 }), (events, flapsMax) => {
        const own = { flapsMax, holdMs: MINUTE };
        let all: readonly Damped[] = ['a', 'b', 'c', 'd'].map((id) => fresh(id));
        let nowMs = 0;
        for (const { passMs, who, what } of events) {
          nowMs += passMs;
          const id = all[who]?.id ?? '';
          const set = (more: Partial<Damped>) => all.map((each) => (each.id === id ? { ...each, ...more } : each));
          if (what === 'out') all = set({ isWell: false });
          if (what === 'back') all = set({ isWell: true });
          if (what === 'unknown') all = set({ isWell: undefined });
          if (what === 'drain') all = set({ weight: all[who]?.weight === 0 ? 1 : 0 });
          const before = all;
          all = damped(all, what === 'out' ? new Set([id]) : nobody, nowMs, own);
          expect(all.map((each) => each.id)).to.deep.equal(before.map((each) => each.id));
          const serving = all.filter((each) => each.weight > 0 && each.heldUntilMs === undefined);
          for (const [at, each] of all.entries()) {
            const was = before[at];
            if (each.heldUntilMs === undefined) {
              expect(each.outsMs.length).to.be.at.most(flapsMax + 1);
              continue;
            }
            expect(each.heldUntilMs - nowMs).to.be.within(1, HOLD_MS_MAX);
            if (was?.heldUntilMs !== undefined) expect(each).to.equal(was);
            // Held at this moment: somebody else answers, and it went out so often.
            else {
              expect(serving.some(({ isWell }) => isWell === true)).to.equal(true);
              expect(was?.outsMs.length).to.be.at.least(flapsMax);
            }
            expect(
              serving.every(({ isWell }) => isWell === false),
              'held while nobody answers',
            ).to.equal(false);
          }
          expect(damped(all, nobody, nowMs, own)).to.deep.equal(all);
        }
        expect(heldIds(damped(all, nobody, nowMs + HOLD_MS_MAX, own))).to.deep.equal([]);
      }),
      { numRuns: 300 },
    );
  });
});
