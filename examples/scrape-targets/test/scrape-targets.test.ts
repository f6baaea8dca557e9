import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CloudError, fingerprint, Permissions, quotaKey } from '@pileus/core/kernel';
import { expect } from 'chai';
import makePlugin, { type Entry, fileDirectory } from '../src/index.ts';
import { MemoryDirectory, openStage, type Stage, target } from './stage.ts';

const refusal = ({ sim }: Stage, action: string, input: object, id?: string): Promise<CloudError> =>
  sim.submit(action, input, id).then(
    () => expect.fail(`${action} was accepted`),
    (error: CloudError) => error,
  );

describe('scrape targets', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.sim.dispose());

  it('are told to Prometheus, with where they are and whose', async () => {
    const id = await target(stage, { port: 8443, scheme: 'https', metricsPath: '/stats' });
    const row = stage.sim.row('scrapeTarget', id);
    expect(row).to.include({ state: 'active', port: 8443, address: '10.0.0.2', schemaVersion: 2 });
    expect(await stage.directory.list()).to.deep.equal([
      {
        id,
        target: '10.0.0.2:8443',
        labels: {
          __scheme__: 'https',
          __metrics_path__: '/stats',
          name: 'metrics',
          instance_id: stage.machineId,
          project_id: row?.projectId,
        },
      },
    ]);
  });

  it('are refused for ports that the operator does not allow, and for machines that are not there', async () => {
    const input = { name: 'x', instanceId: stage.machineId, port: 22 };
    const value = await stage.sim.done('settingValue.set', { key: 'scrape.ports', value: [9100] });
    expect(await refusal(stage, 'scrapeTarget.create', input)).to.include({ code: 'invalid_input', pointer: '/port' });
    await stage.sim.done('settingValue.reset', {}, value);
    const absent = { ...input, instanceId: '00000000-0000-7000-8000-00000000ffff' };
    expect(await refusal(stage, 'scrapeTarget.create', absent)).to.include({ code: 'not_found', pointer: '/instanceId' });
  });

  it('may be of any port while the operator says nothing', async () => {
    await target(stage, { name: 'ssh', port: 22 });
    const wrong = await refusal(stage, 'settingValue.set', { key: 'scrape.ports', value: [0] });
    expect(wrong).to.include({ code: 'invalid_input', pointer: '/value/0' });
  });

  it('are one for each port of a machine', async () => {
    await target(stage);
    const again = { name: 'other', instanceId: stage.machineId, port: 9100 };
    expect((await refusal(stage, 'scrapeTarget.create', again)).code).to.equal('name_taken');
  });

  it('pause and resume, under their name', async () => {
    const id = await target(stage);
    await stage.sim.done('scrapeTarget.pause', {}, id);
    expect([stage.sim.row('scrapeTarget', id)?.state, await stage.directory.list()]).to.deep.equal(['paused', []]);
    // Again is no mistake.
    await stage.sim.done('scrapeTarget.pause', {}, id);
    await stage.sim.done('scrapeTarget.resume', {}, id);
    expect(stage.sim.row('scrapeTarget', id)?.state).to.equal('active');
    expect(await stage.directory.list()).to.have.length(1);
  });

  it('go with their machine, and count for the quota as long as they are there', async () => {
    const { sim } = stage;
    const counter = quotaKey({ scope: 'project', id: sim.principal.projectId, counter: 'scrapeTargets' });
    const used = () => sim.counters().find(({ key }) => key === counter)?.value;
    await target(stage);
    expect(used()).to.equal(1);
    await sim.environment.complete(sim.kernel.observe([{ op: 'limit', counter, limit: 1 }]));
    const second = { name: 'second', instanceId: stage.machineId, port: 8443 };
    expect((await refusal(stage, 'scrapeTarget.create', second)).code).to.equal('quota_exceeded');
    await sim.done('instance.delete', {}, stage.machineId);
    expect([sim.rows('scrapeTarget'), await stage.directory.list(), used()]).to.deep.equal([[], [], 0]);
  });

  it('are asked for by a tag on the type of a machine, before that starts', async () => {
    const { sim, machineId, typeId } = stage;
    const tag = { tag: 'scrape.required', resourceKind: 'instanceType', resourceId: typeId };
    await sim.done('instance.stop', { force: true }, machineId);
    await sim.done('systemTag.set', { ...tag, value: 'true' });
    const error = await refusal(stage, 'instance.start', {}, machineId);
    expect(error.code).to.equal('refused');
    expect(error.params).to.deep.equal({ plugin: 'scrape-targets', reason: 'not_watched' });
    const id = await target(stage);
    await sim.done('instance.start', {}, machineId);
    await sim.done('instance.stop', { force: true }, machineId);
    await sim.done('scrapeTarget.pause', {}, id);
    expect((await refusal(stage, 'instance.start', {}, machineId)).code).to.equal('refused');
    await sim.done('systemTag.clear', tag);
    await sim.done('instance.start', {}, machineId);
  });

  it('have permissions of their own, which roles grant by name', async () => {
    const { sim, machineId } = stage;
    const names = new Permissions(sim.kernel.registry).all().map(({ name }) => name);
    expect(names).to.include.members(
      ['read', 'create', 'update', 'pause', 'resume', 'delete', 'tag'].map((verb) => `scrapeTarget.${verb}`),
    );
    const input = { name: 'metrics', instanceId: machineId, port: 9100 };
    const principal = { ...sim.principal, allows: (permission: string) => permission !== 'scrapeTarget.create' };
    const error = await sim.kernel.submit({ action: 'scrapeTarget.create', input, principal }).catch((cause: CloudError) => cause);
    expect(error).to.include({ code: 'permission_denied', publicMessage: 'This key lacks the permission scrapeTarget.create.' });
  });

  it('tell which machines nobody looks at', async () => {
    const asked = () => stage.sim.environment.complete(stage.sim.call('GET', '/scrape-coverage'));
    const { machineId } = stage;
    expect(await asked()).to.deep.equal({ machines: 1, watched: 0, unwatched: [{ id: machineId, name: 'web-1' }] });
    await target(stage);
    expect(await asked()).to.deep.equal({ machines: 1, watched: 1, unwatched: [] });
  });

  it('are made by steps that no release changes under their version', () => {
    const sagas = stage.sim.kernel.registry.sagas().filter(({ name }) => name.startsWith('scrapeTarget.'));
    expect(Object.fromEntries(sagas.map((each) => [`${each.name}@${each.version}`, fingerprint(each)]))).to.deep.equal({
      'scrapeTarget.create@1': 'effect:listed write:active',
      'scrapeTarget.pause@1': 'effect:unlisted write:paused',
      'scrapeTarget.resume@1': 'effect:listed write:active',
      'scrapeTarget.remove@1': 'effect:unlisted!forward_only write:deleted!forward_only',
    });
  });
});

describe('the options of the plugin', () => {
  it('are checked when the server starts', () => {
    expect(() => makePlugin(undefined)).to.throw('directory');
    expect(() => makePlugin({ directory: '/tmp', port: 9100 })).to.throw('port');
    expect(makePlugin({ directory: '/tmp' })).to.be.a('function');
  });
});

const entry = (name: string, id: string): Entry => ({ id, target: '10.0.0.2:9100', labels: { name } });

for (const [what, open] of [
  ['in files', async (path: string) => fileDirectory(join(path, 'targets'))],
  ['in memory', async () => new MemoryDirectory()],
] as const)
  describe(`a directory of targets ${what}`, () => {
    let path: string;
    before(async () => {
      path = await mkdtemp(join(tmpdir(), 'scrape-targets-'));
    });
    after(() => rm(path, { recursive: true }));

    it('has what was put there last, and takes everything twice', async () => {
      const directory = await open(path);
      expect(await directory.list()).to.deep.equal([]);
      await directory.remove('a');
      for (const name of ['first', 'second', 'second']) await directory.put(entry(name, 'a'));
      await directory.put(entry('other', 'b'));
      expect(await directory.list()).to.deep.equal([entry('second', 'a'), entry('other', 'b')]);
      for (const _ of [1, 2]) await directory.remove('a');
      expect(await directory.list()).to.deep.equal([entry('other', 'b')]);
      await directory.remove('b');
      if (what === 'in files') expect(await readdir(join(path, 'targets'))).to.deep.equal([]);
    });
  });
