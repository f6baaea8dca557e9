import { assert } from 'chai';
import { FULL, share } from '../../../../tools/test/slice.ts';
import { crashMatrix } from '../../testing/index.ts';
import { basicScenarios } from './basic-scenarios.ts';
import { isoScenarios } from './iso-scenarios.ts';
import { elsewhere, scenarios } from './scenarios.ts';
import { smallCloud } from './small-cloud.ts';

/** Others with each commit, all of them in a full run. */
const ISO_PARTS = 8;

describe('every basic action, in every way it can go wrong', () => {
  for (const scenario of basicScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(300_000);
      assert.isAbove(await crashMatrix(scenario), 0);
    });

  for (const scenario of isoScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(FULL ? 600_000 : 300_000);
      const played = await crashMatrix(scenario, {}, (histories, titleOf) =>
        share(Math.ceil(histories.length / ISO_PARTS), histories, (history) => `${scenario.name} ${titleOf(history)}`),
      );
      assert.isAbove(played, 0);
    });

  it('no action is left out', async () => {
    const { sim } = await smallCloud();
    const played = new Set([...scenarios.map((scenario) => scenario.name.split(' ')[0]), ...elsewhere]);
    assert.deepEqual(
      sim.kernel.registry
        .actions()
        .map((action) => action.name)
        .filter((name) => !played.has(name)),
      [],
    );
  });
});
