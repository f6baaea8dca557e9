import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeEnvironment } from '@pileus/core/node';
import { expect } from 'chai';
import { ConfigError, compose, loadConfig, parseConfig } from '../src/index.ts';
import { makeDirectory } from '../src/make-directory.ts';
import { loadPlugins } from '../src/plugins.ts';
import { describeFailure } from '../src/run.ts';
import { openStore } from '../src/store.ts';

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

  it('names dataDir where that cannot be made, which is told and not waited for', async () => {
    await writeFile(join(directory, 'a-file'), '');
    for (const [dataDir, why] of [
      ['/proc/nope/deep', /ENOENT/],
      [join(directory, 'a-file'), /EEXIST/],
      [join(directory, 'a-file', 'below'), /ENOTDIR/],
    ] as const) {
      const given = { config: parseConfig({ dataDir, listen: { port: 0 } }), directory, environment: nodeEnvironment(), plugins: [] };
      const error = await failure(() => compose(given));
      expect(error, dataDir).to.be.instanceOf(ConfigError);
      expect(error.message)
        .to.match(/^The configuration is wrong: dataDir: /)
        .and.match(why);
    }
  });

  it('makes dataDir with all that leads to it, for itself alone', async () => {
    const deep = join(directory, 'some', 'where', 'deep');
    await makeDirectory(deep);
    await makeDirectory(deep);
    expect((await stat(deep)).mode & 0o777).to.equal(0o700);
  });

  it('keeps what has ended for a day at least, and the audit for ever unless told otherwise', () => {
    expect(parseConfig({ retention: { auditDays: 400 } }).retention).to.deep.equal({ auditDays: 400 });
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
    ['an unknown key', { lisen: {} }, 'lisen'],
    ['an unknown key inside a group', { listen: { prot: 1 } }, 'listen.prot'],
    ['a wrong type', { listen: { port: 'http' } }, 'listen.port'],
    ['a value out of range', { limits: { requests: 0 } }, 'limits.requests'],
    ['half of a group', { listen: { tls: { certFile: 'x' } } }, 'listen.tls.keyFile'],
    ['a group that is none', { log: 'debug' }, 'log'],
  ] as const)
    it(`names ${what}`, async () => {
      const error = await failure(() => parseConfig(given));
      expect(error).to.be.instanceOf(ConfigError);
      expect(error.message).to.include(key).and.not.include('schema');
    });

  it('tells the values of which it takes one', () => {
    expect(() => parseConfig({ log: { level: 'loud' } })).to.throw(
      ConfigError,
      'log.level must be one of "debug", "info", "warn", "error".',
    );
    for (const [given, told] of [
      [{ lissten: {} }, 'There is no key lissten; there is listen, cors,'],
      [{ listen: { prt: 1 } }, 'There is no key listen.prt; there is host, port, tls.'],
      [{ plugins: [{ module: 7 }] }, 'plugins[0].module must be a text.'],
      [{ dataDir: '' }, 'dataDir must have at least 1 character.'],
      [{ webhooks: { urls: ['nonsense'] } }, 'webhooks.urls[0] must match the pattern ^https?://[^/].'],
      [{ images: { sources: ['nonsense'] } }, 'images.sources[0] must match'],
    ] as const)
      expect(() => parseConfig(given)).to.throw(ConfigError, told);
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

  it('names the key, and the parameter, whose file is not there', async () => {
    const store = `postgres://pileus@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=none/ca.pem`;
    const loaded = { config: parseConfig({ store }), directory };
    const { message } = await failure(() => openStore(loaded, nodeEnvironment()));
    expect(message).to.match(
      /^The configuration is wrong: store\.url: the file that sslrootcert in the URL of the store names cannot be read: ENOENT/,
    );
    expect(message).to.include(join(directory, 'none/ca.pem'));
  });

  it('tells of a counter that there is not in one line', async () => {
    const config = parseConfig({ quota: { project: { instancs: 3 } }, listen: { port: 0 }, log: { level: 'error' } });
    const error = await failure(() => compose({ config, directory, environment: nodeEnvironment(), plugins: [] }));
    expect(describeFailure(error)).to.match(/^The configuration is wrong: There is no quota instancs of projects\. There are: .*\.$/);
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
    expect(plugins).to.deep.equal([
      { id: 'plain', version: '1' },
      { id: 'custom', version: '1' },
    ]);
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

  it('loads plugins that are made of the services of the kernel, and packages that are installed beside the configuration', async () => {
    const place = join(directory, 'node_modules', 'pileus-installed');
    await mkdir(place, { recursive: true });
    await writeFile(join(place, 'package.json'), JSON.stringify({ type: 'module', exports: { '.': { default: './index.js' } } }));
    await writeFile(
      join(place, 'index.js'),
      `import { CloudError } from '${import.meta.resolve('@pileus/core/kernel')}';
       export default ({ id, tells }) => {
         if (id === undefined) throw new CloudError('invalid_input', 'The field /id is missing.');
         return (services) => (tells ? { id, version: '1', services } : {});
       };`,
    );
    const entry = (options: object) => ({ module: 'pileus-installed', options });
    const [made] = await loadPlugins([entry({ id: 'late', tells: true })], directory);
    if (typeof made !== 'function') throw new Error('it is made before there are services');
    const services = { ids: 'of the kernel' } as never;
    expect(made(services)).to.deep.equal({ id: 'late', version: '1', services });
    const [none] = await loadPlugins([entry({ id: 'late' })], directory);
    expect(() => typeof none === 'function' && none(services)).to.throw(ConfigError, 'exports no plugin as default');
    expect((await failure(() => loadPlugins([entry({})], directory))).message).to.equal(
      'The options of the plugin pileus-installed (plugins[0]) are wrong: The field /id is missing.',
    );
  });

  it('names a plugin that fails as it is made, its place in the configuration, and where in it that was', async () => {
    await writeFile(
      join(directory, 'failing.mjs'),
      `export default { id: 'plain', version: '1' };
       export const atOnce = () => { throw new TypeError('x is not a function'); };
       export const late = () => (services) => { throw 'no services'; };`,
    );
    const entries = (name: string) => [{ module: './failing.mjs' }, { module: './failing.mjs', export: name }];
    const { name, message } = await failure(() => loadPlugins(entries('atOnce'), directory));
    expect(name).to.equal('ConfigError');
    expect(message).to.match(
      /^The plugin \.\/failing\.mjs \(plugins\[1\]\) failed as it was made: x is not a function, at atOnce .*failing\.mjs:2:\d+\)$/,
    );
    const [, late] = await loadPlugins(entries('late'), directory);
    expect(() => typeof late === 'function' && late({} as never)).to.throw(
      ConfigError,
      'The plugin ./failing.mjs (plugins[1]) failed as it was made: no services',
    );
  });
});
