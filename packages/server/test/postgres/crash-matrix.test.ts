import { crashMatrix } from '@pileus/core/testing';
import { assert } from 'chai';
import { FULL, inSlice } from '../../../../tools/test/slice.ts';
import { scenarios } from '../../../core/test/cloud/scenarios.ts';
import { PostgresBackend } from './backend.ts';
import { TestCluster } from './cluster.ts';

const chosen = inSlice(25);

/** The same histories as on the embedded store, of another few actions with each commit. */
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

  for (const scenario of scenarios.filter(({ name }) => chosen(name)))
    it(`${scenario.name} ends whole or not at all`, async () => {
      const prepare: typeof scenario.prepare = async (options) => {
        await backend.empty();
        return scenario.prepare(options);
      };
      assert.isAbove(await crashMatrix({ ...scenario, prepare }, { backend }), 0);
    });
});
