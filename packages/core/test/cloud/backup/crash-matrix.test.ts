import { assert } from 'chai';
import { FULL, share } from '../../../../../tools/test/slice.ts';
import { crashMatrix } from '../../../testing/index.ts';
import { backupScenarios } from '../backup-scenarios.ts';

/** Others with each commit, all of them in a full run. */
const PARTS = 4;
/** What is asked for of whole machines has the most ways. */
const PARTS_OF_SETS = 16;

describe('every action on backups, in every way it can go wrong', () => {
  for (const scenario of backupScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(FULL ? 600_000 : 300_000);
      const parts = scenario.name.startsWith('backupSet.') ? PARTS_OF_SETS : PARTS;
      const played = await crashMatrix(scenario, {}, (histories, titleOf) =>
        share(Math.ceil(histories.length / parts), histories, (history) => `${scenario.name} ${titleOf(history)}`),
      );
      assert.isAbove(played, 0);
    });
});
