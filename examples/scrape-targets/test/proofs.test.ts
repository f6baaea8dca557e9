import { inlineSqlite } from '@pileus/core/sqlite';
import { crashMatrix, describeIsolation, describeQueries, SimCloud } from '@pileus/core/testing';
import { assert } from 'chai';
import { scrapeTarget, scrapeTargets } from '../src/index.ts';
import { MemoryDirectory, scenario, target } from './stage.ts';

const plugin = scrapeTargets({ directory: 'unused' }, new MemoryDirectory());

const scenarios = [
  scenario(
    'scrapeTarget.create',
    async () => undefined,
    ({ machineId }) => ({ name: 'metrics', instanceId: machineId, port: 9100 }),
  ),
  scenario('scrapeTarget.update', target, () => ({ description: 'node exporter' })),
  scenario('scrapeTarget.pause', target, () => ({})),
  scenario(
    'scrapeTarget.resume',
    async (stage) => {
      const id = await target(stage);
      await stage.sim.done('scrapeTarget.pause', {}, id);
      return id;
    },
    () => ({}),
  ),
  scenario('scrapeTarget.delete', target, () => ({})),
  scenario(
    'instance.delete',
    async (stage) => {
      await target(stage);
      return stage.machineId;
    },
    () => ({}),
  ),
];

describe('the actions of the plugin, in every way they can go wrong', () => {
  for (const each of scenarios)
    it(`${each.name} ends whole or not at all`, async function () {
      this.timeout(300_000);
      assert.isAbove(await crashMatrix(each), 5);
    });

  it('leave none out', async () => {
    const sim = new SimCloud({ seed: 1, plugins: [plugin] });
    await sim.start();
    const actions = sim.kernel.registry.actions().filter(({ kind }) => kind === scrapeTarget);
    assert.includeMembers(
      scenarios.map(({ name }) => name),
      actions.map(({ name }) => name),
    );
  });
});

describeQueries('scrape targets', {
  open: async () => inlineSqlite(),
  runs: 300,
  seed: 1,
  byField: true,
  plugins: [plugin],
  kinds: [scrapeTarget.name],
});

describeIsolation('scrape targets', { plugins: [plugin] });
