import { assert } from 'chai';
import { crashMatrix } from '../../testing/index.ts';
import { furtherScenarios } from './further-scenarios.ts';

describe('every further action, in every way it can go wrong', () => {
  for (const scenario of furtherScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(300_000);
      assert.isAbove(await crashMatrix(scenario), 0);
    });
});
