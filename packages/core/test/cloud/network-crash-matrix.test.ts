import { assert } from 'chai';
import { FULL, share } from '../../../../tools/test/slice.ts';
import { crashMatrix } from '../../testing/index.ts';
import { agentScenarios } from './agent-scenarios.ts';
import { networkScenarios } from './network-scenarios.ts';

/** Others with each commit, all of them in a full run. */
const PARTS = 4;

describe('every action on networks and agents, in every way it can go wrong', () => {
  for (const scenario of [...networkScenarios, ...agentScenarios])
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(FULL ? 600_000 : 300_000);
      const played = await crashMatrix(scenario, {}, (histories, titleOf) =>
        share(Math.ceil(histories.length / PARTS), histories, (history) => `${scenario.name} ${titleOf(history)}`),
      );
      assert.isAbove(played, 0);
    });
});
