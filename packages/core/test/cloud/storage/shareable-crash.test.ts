import { assert } from 'chai';
import { share } from '../../../../../tools/test/slice.ts';
import { crashMatrix } from '../../../testing/index.ts';
import { sharedDiskScenarios } from '../shared-disk-scenarios.ts';

/** Others with each commit, all of them in a full run. */
const PARTS = 30;

describe('what is done to volumes of several machines, in every way it can go wrong', () => {
  for (const scenario of sharedDiskScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(300_000);
      const played = await crashMatrix(scenario, {}, (histories, titleOf) =>
        share(Math.ceil(histories.length / PARTS), histories, (history) => `${scenario.name} ${titleOf(history)}`),
      );
      assert.isAbove(played, 0);
    });
});
