import { assert } from 'chai';
import { FULL, share } from '../../../../../../tools/test/slice.ts';
import { crashMatrix } from '../../../../testing/index.ts';
import { classScenarios } from '../../class-scenarios.ts';

/** Others with each commit, all of them in a full run. */
const PARTS = 3;

describe('every action on storage classes, in every way it can go wrong', () => {
  for (const scenario of classScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(FULL ? 600_000 : 300_000);
      const played = await crashMatrix(scenario, {}, (histories, titleOf) =>
        share(Math.ceil(histories.length / PARTS), histories, (history) => `${scenario.name} ${titleOf(history)}`),
      );
      assert.isAbove(played, 0);
    });
});
