import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Fixture, startFixture } from '../../sdk/test/fixture/server.ts';
import { Pileus } from './pileus.ts';

describe('cli: profiles', () => {
  let fixture: Fixture;
  let pileus: Pileus;
  before(async () => {
    fixture = await startFixture();
    pileus = await Pileus.at(undefined);
  });
  after(async () => {
    await fixture.close();
    await pileus.remove();
  });
  const file = () => join(pileus.home, '.config', 'pileus', 'config.json');

  it('says how to log in when no server is set', async () => {
    const { code, err } = await pileus.run('instances', 'list');
    expect(code).to.equal(2);
    expect(err).to.include('pileus login --url');
    expect((await pileus.run('login', '--url', fixture.url)).err).to.include('login needs --key');
  });

  it('tells in its help which server would be asked, without asking it', async () => {
    expect(await pileus.ok('--help')).to.match(
      /Resources:\n {2}No server is set\.\n {2}Log in: pileus login .*\n {2}or set PILEUS_URL and PILEUS_KEY\.\n/,
    );
    const set = await Pileus.at(fixture);
    const asked = fixture.seen.length;
    expect(await set.ok('--help')).to.include(
      `Resources:\n  Listed here once ${fixture.url} (PILEUS_URL) was asked for some: pileus instances list\n`,
    );
    expect(fixture.seen.length).to.equal(asked);
    await set.ok('instances', 'list');
    expect(await set.ok('--help')).to.match(/Resources:\n {2}operations/);
    await set.remove();
  });

  it('says which key is not valid, and logs in only where that helps', async () => {
    const wrong = await Pileus.at({ url: fixture.url, apiKey: 'pil_wrong' });
    expect((await wrong.run('instances', 'list')).err).to.include('\nThe key of PILEUS_KEY is not valid.\n');
    delete wrong.env.PILEUS_KEY;
    expect((await wrong.run('instances', 'list')).err).to.include('\nNo key is set. Log in: pileus login --url URL --key KEY\n');
    await wrong.remove();
  });

  it('keeps nothing of a login that does not work', async () => {
    expect(await pileus.run('login', '--url', fixture.url, '--key', 'pil_wrong')).to.include({ code: 1 });
    expect(await stat(file()).catch(() => undefined)).to.equal(undefined);
  });

  it('logs in, for this user only, and works from then on', async () => {
    const { code, err } = await pileus.runWith(`${fixture.apiKey}\n`, 'login', '--url', fixture.url, '--key', '-');
    expect(code, err).to.equal(0);
    expect((await stat(file())).mode & 0o777).to.equal(0o600);
    expect(JSON.parse(await readFile(file(), 'utf8')).profiles.default).to.deep.equal({ url: fixture.url, key: fixture.apiKey });
    await pileus.ok('instances', 'list');
  });

  it('switches between profiles, and forgets them', async () => {
    await pileus.ok('login', '--profile', 'other', '--url', `${fixture.url}/`, '--key', fixture.apiKey);
    expect(await pileus.ok('profiles')).to.match(/\* +other/);
    await pileus.ok('profiles', 'use', 'default');
    expect(await pileus.ok('profiles')).to.match(/\* +default/);
    expect((await pileus.run('profiles', '--profile', 'other')).err).to.include('(profile other)');
    await pileus.ok('logout', '--profile', 'other');
    expect(await pileus.ok('profiles')).not.to.include('other');
    expect(await pileus.run('profiles', 'use', 'other')).to.include({ code: 2 });
  });

  it('never sends a key of one server to another', async () => {
    const stranger = await startFixture();
    await pileus.run('instances', 'list', '--url', stranger.url);
    expect(stranger.seen.length).to.be.greaterThan(0);
    for (const { headers } of stranger.seen) expect(headers.authorization).to.equal(undefined);
    await stranger.close();
  });

  it('sends no key of the environment to a URL that was meant for something else', async () => {
    const elsewhere = await startFixture();
    const set = await Pileus.at(fixture);
    const { code, err } = await set.run('instances', 'create', 'web', '--url', elsewhere.url, '--vcpus', '1', '--memory', '1');
    expect(code).to.equal(1);
    expect(err).to.include('No key is set.').and.to.include('--field-url');
    for (const { headers } of elsewhere.seen) expect(headers.authorization).to.equal(undefined);
    expect(await set.run('instances', 'list', '--url', elsewhere.url, '--key', fixture.apiKey)).to.include({ code: 0 });
    delete set.env.PILEUS_URL;
    await set.ok('instances', 'list', '--url', fixture.url);
    await set.remove();
    await elsewhere.close();
  });

  it('names the file that is not what it should be', async () => {
    const broken = await Pileus.at(undefined);
    await mkdir(join(broken.home, '.config', 'pileus'), { recursive: true });
    await writeFile(join(broken.home, '.config', 'pileus', 'config.json'), '{');
    const { code, err } = await broken.run('instances', 'list');
    expect(code).to.equal(2);
    expect(err).to.include('config.json is not JSON');
    await broken.remove();
  });
});
