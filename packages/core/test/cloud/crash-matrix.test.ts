import { assert } from 'chai';
import { crashMatrix } from '../../testing/index.ts';
import { basicScenarios } from './basic-scenarios.ts';
import { elsewhere, scenarios } from './scenarios.ts';
import { smallCloud } from './small-cloud.ts';

describe('every basic action, in every way it can go wrong', () => {
  for (const scenario of basicScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(300_000);
      assert.isAbove(await crashMatrix(scenario), 0);
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
