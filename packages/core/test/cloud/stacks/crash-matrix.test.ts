import { assert } from 'chai';
import { crashMatrix } from '../../../testing/index.ts';
import { stackScenarios } from './scenarios.ts';

describe('everything done to a stack, in every way it can go wrong', () => {
  for (const scenario of stackScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(300_000);
      assert.isAbove(await crashMatrix(scenario), 0);
    });
});
