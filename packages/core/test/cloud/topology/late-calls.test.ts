import { SimEnvironment } from '@pileus/core/testing';
import { expect } from 'chai';
import { LateCalls } from '../../../src/cloud/topology/late-calls.ts';
import type { Settings } from '../../../src/kernel/index.ts';

const LATE_MS = 60_000;
const SOME_MS = 100;
const PLUG = { method: 'attachDisk', machineId: 'a', partId: 'disk' } as const;
const REMOVAL = { method: 'remove', machineId: 'a' } as const;

function open() {
  const environment = new SimEnvironment(1);
  const settings = { global: () => LATE_MS / 1000 } as unknown as Settings;
  return { pass: (ms: number) => environment.run(environment.clock.monotonicMs() + ms), late: new LateCalls({ environment, settings }) };
}

describe('a call that was not answered', () => {
  it('may be carried out until its host has answered everything for a while', async () => {
    const { pass, late } = open();
    late.note('hv1', PLUG);
    await pass(10 * LATE_MS);
    expect(late.isLate('hv1', PLUG), 'nothing was heard since').to.equal(true);
    late.ended('hv1', true);
    await pass(LATE_MS - SOME_MS);
    late.ended('hv1', true);
    expect(late.isLate('hv1', PLUG)).to.equal(true);
    await pass(2 * SOME_MS);
    expect(late.isLate('hv1', PLUG)).to.equal(false);
  });

  it('is waited for anew when another is not answered', async () => {
    const { pass, late } = open();
    late.note('hv1', PLUG);
    late.ended('hv1', true);
    await pass(LATE_MS / 2);
    late.ended('hv1', false);
    await pass(LATE_MS);
    late.ended('hv1', true);
    await pass(LATE_MS / 2);
    expect(late.isLate('hv1', PLUG)).to.equal(true);
    await pass(LATE_MS / 2 + SOME_MS);
    expect(late.isLate('hv1', PLUG)).to.equal(false);
  });

  it('is one of its host, its machine and its disk', async () => {
    const { late } = open();
    late.note('hv1', PLUG);
    late.note('hv2', REMOVAL);
    late.note('hv3', REMOVAL);
    for (const ask of [
      { ...PLUG, partId: 'other' },
      { ...PLUG, machineId: 'b' },
      { ...PLUG, method: 'detachDisk' as const },
    ])
      expect(late.isLate('hv1', ask)).to.equal(false);
    expect([late.isLate('hv2', PLUG), late.hostsOf(REMOVAL)]).to.deep.equal([false, ['hv2', 'hv3']]);
  });
});
