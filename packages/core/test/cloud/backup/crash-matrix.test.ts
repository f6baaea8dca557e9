import { assert } from 'chai';
import { FULL, share } from '../../../../../tools/test/slice.ts';
import { crashMatrix } from '../../../testing/index.ts';
import { backupScenarios } from '../backup-scenarios.ts';

/** Others with each commit, all of them in a full run. */
const PARTS = 4;
/** What is asked for of whole machines has the most ways; of encrypted volumes the steps are those of others. */
const PARTS_OF_MANY = 16;

describe('every action on backups, in every way it can go wrong', () => {
  for (const scenario of backupScenarios)
    it(`${scenario.name} ends whole or not at all`, async function () {
      this.timeout(FULL ? 600_000 : 300_000);
      const parts = /^backupSet\.|encrypt|rotateKey/.test(scenario.name) ? PARTS_OF_MANY : PARTS;
      const played = await crashMatrix(scenario, {}, (histories, titleOf) =>
        share(Math.ceil(histories.length / parts), histories, (history) => `${scenario.name} ${titleOf(history)}`),
      );
      assert.isAbove(played, 0);
    });
});
