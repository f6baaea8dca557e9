import { assert } from 'chai';
import { FULL } from '../../../../../../tools/test/slice.ts';
import { type Choose, crashMatrix } from '../../../../testing/index.ts';
import { storageScenarios } from '../../storage-scenarios.ts';

/** What others play in full with each commit, but for the key: of these, crashes behind each step do outside of a full run. */
const MOVES_BY_KEY = /^volume\.move \(.*encrypted/;
const CRASH = /^crashes after (?!undoing )[\w-]+$/;

const crashes: Choose = (histories, titleOf) => histories.filter((history) => CRASH.test(titleOf(history)));

describe('every action on points in time, in every way it can go wrong', () => {
  for (const scenario of storageScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(300_000);
      const choose = FULL || !MOVES_BY_KEY.test(scenario.name) ? undefined : crashes;
      assert.isAbove(await crashMatrix(scenario, {}, choose), 1);
    });
});
