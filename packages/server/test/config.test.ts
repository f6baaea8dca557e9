import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError, loadConfig, parseConfig } from '../src/index.ts';
import { loadPlugins } from '../src/plugins.ts';

describe('server: configuration', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pileus-config-'));
  });
  after(() => rm(directory, { recursive: true }));

  const fromText = async (text: string, name = 'pileus.yaml') => {
    await writeFile(join(directory, name), text);
    return loadConfig(join(directory, name));
  };
  const failure = async (body: () => Promise<unknown> | unknown): Promise<Error> => {
    try {
      await body();
    } catch (error) {
      return error as Error;
    }
    throw new Error('it did not fail');
  };

  it('has a default for everything', () => {
    expect(parseConfig({})).to.deep.include({ listen: { host: '127.0.0.1', port: 7420 }, dataDir: './pileus-data', plugins: [] });
    expect(parseConfig(undefined)).to.deep.equal(parseConfig({}));
  });

  it('keeps what has ended for a day at least, and the audit for ever unless told otherwise', () => {
    expect(parseConfig({}).retention).to.deep.equal({ operationDays: 30, deletedDays: 30 });
    expect(parseConfig({ retention: { auditDays: 400 } }).retention).to.deep.equal({ operationDays: 30, deletedDays: 30, auditDays: 400 });
    expect(() => parseConfig({ retention: { operationDays: 0.5 } })).to.throw(ConfigError, /operationDays/);
  });

  it('reads YAML and JSON, and fills in what is not said', async () => {
    const yaml = await fromText('listen:\n  port: 1\nlimits: { requests: 5 }\n');
    const json = await fromText('{"listen":{"port":1},"limits":{"requests":5}}', 'pileus.json');
    expect(yaml.config).to.deep.equal(json.config);
    expect(yaml.config.limits).to.include({ requests: 5, streams: 1000 });
    expect(yaml.directory).to.equal(directory);
    expect((await fromText('')).config).to.deep.equal(parseConfig({}));
  });

  for (const [what, given, key] of [
    ['an unknown key', { lisen: {} }, '/lisen'],
    ['an unknown key inside a group', { listen: { prot: 1 } }, '/listen/prot'],
    ['a wrong type', { listen: { port: 'http' } }, '/listen/port'],
    ['a value out of range', { limits: { requests: 0 } }, '/limits/requests'],
    ['half of a group', { listen: { tls: { certFile: 'x' } } }, '/listen/tls/keyFile'],
    ['a group that is none', { log: 'debug' }, '/log'],
  ] as const)
    it(`names ${what}`, async () => {
      const error = await failure(() => parseConfig(given));
      expect(error).to.be.instanceOf(ConfigError);
      expect(error.message).to.include(key).and.not.include('schema');
    });

  it('tells the values of which it takes one', () => {
    expect(() => parseConfig({ log: { level: 'loud' } })).to.throw(
      ConfigError,
      'The field /log/level must be one of "debug", "info", "warn", "error".',
    );
  });

  it('refuses a file that is no mapping, in words of a file', () => {
    for (const given of [['listen'], 'listen', 7]) expect(() => parseConfig(given)).to.throw(ConfigError, 'has keys with values');
  });

  it('takes the URL of a store for the group that it stands for', () => {
    const url = 'postgres://pileus@db.example/cloud';
    expect(parseConfig({ store: url }).store).to.deep.equal({ url });
    expect(parseConfig({ store: { url, passwordFile: 'pw' } }).store).to.deep.equal({ url, passwordFile: 'pw' });
  });

  it('shows no password when it refuses', async () => {
    const secret = 'hunter2';
    for (const refused of [
      () => parseConfig({ store: `mysql://u:${secret}@db/x` }),
      () => parseConfig({ store: { url: `postgres://u:${secret}@db/x`, path: 'x.db' } }),
      () => fromText(`store: postgres://u:${secret}@db/x\nlisten: [`, 'secret.yaml'),
    ]) {
      const error = await failure(refused);
      expect(error).to.be.instanceOf(ConfigError);
      expect(error.message).to.not.include(secret);
    }
  });

  it('says which file cannot be read, and why', async () => {
    expect((await failure(() => loadConfig(join(directory, 'none.yaml')))).message).to.include('none.yaml');
    expect((await failure(() => fromText('listen: [', 'broken.yaml'))).message).to.include('broken.yaml');
  });

  it('loads plugins by path, by export, and as functions of their options', async () => {
    await writeFile(
      join(directory, 'plugin.mjs'),
      `export default { id: 'plain', version: '1' };
       export const made = (options) => ({ id: options.id, version: '1' });
       export const nothing = {};`,
    );
    const plugins = await loadPlugins(
      [{ module: './plugin.mjs' }, { module: './plugin.mjs', export: 'made', options: { id: 'custom' } }],
      directory,
    );
    expect(plugins.map(({ id }) => id)).to.deep.equal(['plain', 'custom']);
    for (const entry of [
      { module: './none.mjs' },
      { module: './plugin.mjs', export: 'nothing' },
      { module: './plugin.mjs', export: 'absent' },
    ]) {
      const error = await failure(() => loadPlugins([entry], directory));
      expect(error).to.be.instanceOf(ConfigError);
      expect(error.message).to.include(entry.module);
    }
  });
});
