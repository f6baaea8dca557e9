import { assert } from 'chai';
import { crashMatrix } from '../../../../testing/index.ts';
import { storageScenarios } from '../../storage-scenarios.ts';

describe('every action on points in time, in every way it can go wrong', () => {
  for (const scenario of storageScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(300_000);
      assert.isAbove(await crashMatrix(scenario), 0);
    });
});
