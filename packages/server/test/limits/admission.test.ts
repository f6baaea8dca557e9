import { expect } from 'chai';
import { Admission } from '../../src/limits/admission.ts';

const PRINCIPAL = { actor: 'key', projectId: 'project', accountId: 'account', allows: () => true };

describe('admission', () => {
  it('tells refusals late to who does not heed them, each at an instant of its own', () => {
    const limits = { requests: 10, streams: 10, rate: { perSecond: 1, burst: 1 } };
    const admission = new Admission({ clock: { monotonicMs: () => 0 }, nextTurn: () => {}, limits } as never);
    const answers = Array.from({ length: 85 }, () => admission.count(PRINCIPAL as never));
    expect(answers.map(({ delayMs = 0 }) => delayMs).findIndex((delayMs) => delayMs > 0)).to.equal(21);
    const delaysMs = answers.slice(21).map(({ delayMs = 0 }) => delayMs);
    const inEachTenth = Array.from({ length: 10 }, (_, tenth) => delaysMs.filter((ms) => Math.floor((ms - 1000) / 100) === tenth).length);
    expect(inEachTenth.every((count) => count >= 5 && count <= 8)).to.equal(true, inEachTenth.join());
  });
});
