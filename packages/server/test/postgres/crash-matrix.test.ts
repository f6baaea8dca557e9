import { type Choose, crashMatrix } from '@pileus/core/testing';
import { assert } from 'chai';
import { FULL, share } from '../../../../tools/test/slice.ts';
import { scenarios } from '../../../core/test/cloud/scenarios.ts';
import { PostgresBackend } from './backend.ts';
import { TestCluster } from './cluster.ts';

/** Others with each commit, all of them in a full run: a history takes about a quarter of a second here, and some actions have hundreds. */
const ACTIONS = 3;
const HISTORIES = 4;

/** The same histories as on the embedded store. */
describe('actions on PostgreSQL, in every way they can go wrong', function () {
  this.timeout(FULL ? 3_600_000 : 300_000);
  let cluster: TestCluster;
  let backend: PostgresBackend;
  before(async () => {
    cluster = await TestCluster.start({ inMemory: true });
    backend = new PostgresBackend(cluster);
  });
  after(async () => {
    await backend?.close();
    await cluster?.stop();
  });

  for (const scenario of share(ACTIONS, scenarios, ({ name }) => name))
    it(`${scenario.name} ends whole or not at all`, async () => {
      const choose: Choose = (histories, titleOf) => share(HISTORIES, histories, (history) => `${scenario.name} ${titleOf(history)}`);
      const prepare: typeof scenario.prepare = async (options) => {
        await backend.empty();
        return scenario.prepare(options);
      };
      assert.isAbove(await crashMatrix({ ...scenario, prepare }, { backend }, choose), 0);
    });
});
