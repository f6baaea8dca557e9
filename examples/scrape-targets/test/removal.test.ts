import { Api, type CloudError, type PluginSource } from '@pileus/core/kernel';
import type { SimCloud } from '@pileus/core/testing';
import { expect } from 'chai';
import { scrapeTargets } from '../src/index.ts';
import { release1 } from './release-1.ts';
import { MemoryDirectory, openStage, target } from './stage.ts';

const opened = async () => {
  const directory = new MemoryDirectory();
  const plugin: PluginSource = scrapeTargets({ directory: 'unused' }, directory);
  return { plugin, directory, stage: await openStage({ plugins: [plugin] }) };
};

const get = async (sim: SimCloud, url: string) => {
  const { status, body } = await sim.environment.complete(
    new Api(sim.kernel).handle({
      ...{ method: 'GET', url, headers: {}, principal: sim.principal, requestId: 'test', acceptsSocket: false },
      signal: new AbortController().signal,
    }),
  );
  return { status, json: JSON.parse(String(body)) };
};

const refusal = (sim: SimCloud, action: string, id: string): Promise<CloudError> =>
  sim.submit(action, {}, id).then(
    () => expect.fail(`${action} was accepted`),
    (error: CloudError) => error,
  );

describe('the plugin, taken out', () => {
  it('with no rows leaves nothing behind', async () => {
    const { plugin, stage } = await opened();
    const { sim, restart, machineId } = stage;
    await sim.done('scrapeTarget.delete', {}, await target(stage));
    // What is deleted is still told of for a while.
    await restart();
    expect((await get(sim, '/v1/scrape-targets')).json.items).to.deep.equal([]);
    expect((await get(sim, '/v1/scrape-coverage')).status).to.equal(404);
    expect((await get(sim, '/v1/orphans')).json).to.deep.equal({ orphans: [], absentPlugins: [] });
    await sim.done('instance.delete', {}, machineId);
    await restart(plugin);
    expect(sim.rows('scrapeTarget')).to.deep.equal([]);
  });

  it('that has never had a row is forgotten', async () => {
    const { stage } = await opened();
    await stage.restart();
    expect((await get(stage.sim, '/v1/scrape-targets')).status).to.equal(404);
    await stage.sim.done('instance.delete', {}, stage.machineId);
  });

  it('with rows leaves them to be read, keeps what they refer to, and finds everything when it is back', async () => {
    const { plugin, directory, stage } = await opened();
    const { sim, restart, machineId, typeId } = stage;
    const id = await target(stage);
    const tag = { tag: 'scrape.required', resourceKind: 'instanceType', resourceId: typeId };
    await sim.done('systemTag.set', { ...tag, value: 'true' });
    const row = sim.row('scrapeTarget', id);

    await restart();
    expect((await get(sim, '/v1/scrape-targets/metrics')).json).to.deep.equal(row);
    expect((await get(sim, '/v1/scrape-targets?filter=instance.name%20=%20%27web-1%27')).json.items).to.have.length(1);
    expect((await get(sim, '/v1/instances?filter=has(scrapeTargets:%20port%20=%209100)')).json.items).to.have.length(1);
    expect(sim.kernel.registry.actions().filter(({ kind }) => kind.name === 'scrapeTarget')).to.deep.equal([]);
    expect((await get(sim, '/v1/orphans')).json.absentPlugins).to.deep.equal([
      { plugin: 'scrape-targets', kind: 'scrapeTarget', total: 1 },
    ]);
    const error = await refusal(sim, 'instance.delete', machineId);
    expect(error).to.include({ code: 'in_use', message: 'Still used by scrape target metrics of the absent plugin scrape-targets.' });
    // Nobody is there to ask what the tag means, so nothing is refused.
    await sim.done('instance.stop', { force: true }, machineId);
    await sim.done('instance.start', {}, machineId);
    expect(await sim.quotaProblems()).to.deep.equal([]);
    expect(await directory.list()).to.have.length(1);

    await restart(plugin);
    expect(sim.row('scrapeTarget', id)).to.deep.equal(row);
    await sim.done('scrapeTarget.pause', {}, id);
    await sim.done('instance.delete', {}, machineId);
    expect([sim.rows('scrapeTarget'), await directory.list()]).to.deep.equal([[], []]);
  });

  it('in the middle of its work leaves that parked, and goes on with it when it is back', async () => {
    const { plugin, directory, stage } = await opened();
    const { sim, restart, machineId } = stage;
    sim.around = (point, body) => {
      if (point.path !== 'active') return body();
      sim.crash();
      return new Promise(() => undefined);
    };
    const { operationId, resourceId } = await sim.submit('scrapeTarget.create', { name: 'metrics', instanceId: machineId, port: 9100 });
    await sim.run(1000);
    expect(sim.alive).to.equal(false);
    sim.around = undefined;

    await restart();
    await sim.run(60_000);
    expect((await get(sim, `/v1/operations/${operationId}`)).json).to.include({ state: 'parked', action: 'scrapeTarget.create' });
    expect((await get(sim, '/v1/scrape-targets/metrics')).json).to.include({ id: resourceId, state: 'creating' });
    expect((await refusal(sim, 'instance.delete', machineId)).code).to.equal('in_use');
    // Whose machine it is can go on with it.
    await sim.done('instance.stop', { force: true }, machineId);

    await restart(plugin);
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(await directory.list()).to.have.length(1);
    await sim.done('instance.delete', {}, machineId);
    expect([sim.rows('scrapeTarget'), await directory.list()]).to.deep.equal([[], []]);
  });
});

describe('another release of the plugin', () => {
  it('that is newer changes the rows as it needs them, and what it replaces is refused from then on', async () => {
    const stage = await openStage({ plugins: [release1] });
    const { sim, restart } = stage;
    const ids = [await target(stage, { name: 'plain' }), await target(stage, { name: 'secure', port: 8443 })];
    expect(sim.row('scrapeTarget', ids[0] ?? ''))
      .to.include({ schemaVersion: 1 })
      .and.not.have.property('scheme');

    const directory = new MemoryDirectory();
    const release2 = scrapeTargets({ directory: 'unused' }, directory);
    await restart(release2);
    const rows = ids.map((id) => sim.row('scrapeTarget', id));
    expect(rows.map((row) => [row?.name, row?.scheme, row?.metricsPath, row?.schemaVersion])).to.deep.equal([
      ['plain', 'http', '/metrics', 2],
      ['secure', 'https', '/metrics', 2],
    ]);
    expect((await get(sim, '/v1/scrape-targets?scheme=https')).json.items).to.have.length(1);

    const refused = await restart(release1).then(
      () => '',
      (error: Error) => error.message,
    );
    expect(refused).to.equal(
      'The store has rows of the kind scrapeTarget in version 2 of their schema, from a newer plugin scrape-targets; the one that is here knows version 1. Start that one again, or a newer one; nothing was changed.',
    );
    await restart(release2);
    expect(ids.map((id) => sim.row('scrapeTarget', id))).to.deep.equal(rows);
    await sim.done('scrapeTarget.pause', {}, ids[0]);
  });
});
