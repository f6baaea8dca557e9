import { expect } from 'chai';
import fc from 'fast-check';
import type { PlacementRequest } from '../../../src/cloud/placement/contract.ts';
import type { CloudError } from '../../../src/kernel/index.ts';
import { GROUP_ID, Ground, largeSettings, requests, type SeenHost, type Setting, two } from './ground.ts';
import { allFits, byLevel, flat, oracle } from './oracle.ts';

/** What `docs/internals/placement.md` states: of processors and memory, and what storage counts at most. */
const BEHIND = { idleness: 0.1, storage: 0.2 };
const RUNS = process.env.PILEUS_FULL === undefined ? 150 : 5000;

const idle = (cluster: number, taken: number): SeenHost => ({
  ...{ cluster, state: 'enabled', status: 'connected', compute: true, virtType: 'kvm', rack: 0, disk: undefined },
  ...{ vcpus: [taken, 100], memory: [taken, 100] },
});
const inTwo = (hosts: readonly SeenHost[]): Setting => ({
  clusters: [0, 0].map((zone) => ({ zone, allowEmulation: false })),
  hosts,
  pools: [],
});
const one: PlacementRequest = { vcpus: 1, memoryBytes: 1, volumes: [], attempt: 0 };

async function place(setting: Setting, request: PlacementRequest) {
  const ground = new Ground(setting);
  return ground.placement().place(request, ground.reader);
}

describe('a choice of two levels', () => {
  it('is no further behind a choice among all hosts than is stated, and the same within one cluster', async () => {
    let [isBehind, isElsewhere] = [0, 0];
    await fc.assert(
      fc.asyncProperty(largeSettings, requests, async (setting, plain) => {
        const request = { ...plain, attempt: 0, ...(setting.group === undefined ? {} : { placementGroupId: GROUP_ID }) };
        const best = flat(setting, request);
        const answer = await place(setting, request).catch((error: CloudError) => error);
        if (best === undefined) {
          expect(answer).to.be.instanceOf(Error);
          return;
        }
        const { hostId } = answer as { readonly hostId: string };
        expect(hostId).to.equal(oracle(setting, request)[0]?.hostId);
        const chosen = allFits(setting, request).find((each) => each.hostId === hostId);
        if (chosen === undefined) throw new Error(`${hostId} does not fit`);
        expect(byLevel(chosen, best), 'neither soft taints nor soft policies give way').to.equal(0);
        const most = BEHIND.idleness + (request.volumes.length === 0 ? 0 : BEHIND.storage);
        expect(best.score - chosen.score).to.be.at.most(most);
        if (chosen.cluster === best.cluster) expect(hostId).to.equal(best.hostId);
        else isElsewhere += 1;
        if (best.score > chosen.score) isBehind += 1;
      }),
      { numRuns: RUNS },
    );
    expect([isElsewhere > 0, isBehind > 0], 'the bound is put to the test').to.deep.equal([true, true]);
  });

  it('takes the idlest cluster when its best host is nearly as good as the best of all', async () => {
    // The first is idler on the whole; the other has the best host, by 0.8 of what is taken.
    const setting = (better: number) => inTwo([...[0, 1, 2].map(() => idle(0, 20)), idle(1, better), idle(1, 90), idle(1, 90)]);
    expect((await place(setting(8), one)).hostId).to.equal('h000');
    expect((await place(setting(7), one)).hostId).to.equal('h003');
  });

  it('leaves an idle cluster whose room is only where the machine may not be', async () => {
    const reserved = [0, 1, 2].map((): SeenHost => ({ ...idle(0, 0), taints: [{ key: 'gpu', effect: 'hard' }] }));
    const setting = inTwo([...reserved, idle(0, 80), idle(1, 50), idle(1, 50)]);
    expect((await place(setting, one)).hostId).to.equal(`h${two(4)}`);
    expect((await place(setting, { ...one, tolerations: [{ key: 'gpu' }] })).hostId).to.equal(`h${two(0)}`);
  });
});
