import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../sdk/test/fixture/simulated-server.ts';
import { Pileus } from './pileus.ts';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly accountId?: string;
}

describe('cli: tenants', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let pileus: Pileus;
  /** What she signs in with. */
  let ann: Pileus;
  const password = 'correct horse battery staple';
  before(async () => {
    server = await startSimulatedServer({ trashSeconds: 3600 });
    pileus = await Pileus.at(server);
    ann = await Pileus.at(undefined);
  });
  after(async () => {
    await server.close();
    await pileus.remove();
    await ann.remove();
  });
  const profile = async () => JSON.parse(await readFile(join(ann.home, '.config', 'pileus', 'config.json'), 'utf8')).profiles.default;

  it('leads the operator into an account that he has made', async () => {
    await pileus.ok('accounts', 'create', 'acme', '--wait');
    expect(await pileus.ok('projects', 'list', '--all-projects', '--account', 'acme')).to.match(
      /^NAME +STATE +ACCOUNT +AGE +ID\ndefault +available +acme /,
    );
    const [project] = await pileus.json<Row[]>('projects', 'list', '--all-projects', '--account', 'acme');
    pileus.env.PILEUS_PROJECT = project?.id ?? '';
    await pileus.ok('users', 'create', 'ann', '--wait');
    expect(await pileus.ok('users', 'password', 'ann', '--password', password)).to.equal('users password ann: done\n');
    await pileus.ok('role-bindings', 'create', '--user', 'ann', '--role', 'accountAdmin', '--level', 'account', '--wait');
    expect(await pileus.ok('role-bindings', 'list')).to.match(
      /^NAME +STATE +BUILT IN +ROLE +USER +GROUP +SERVICE ACCOUNT +IN PROJECT +LEVEL .*\nrole-binding-\w+ +available +accountAdmin +- +ann +- +- +- +account /,
    );
    const told = await pileus.json('access', 'explain', '--user', 'ann', '--permission', 'image.create');
    expect(told).to.include({ allowed: true, reason: 'A role holds it.' });
    delete pileus.env.PILEUS_PROJECT;
    expect(await pileus.ok('images', 'list', '--all-projects')).to.match(/^NAME +PROJECT ID +STATE/);
  });

  it('signs a user in by a password, and out again', async () => {
    const login = ['login', '--url', server.url, '--account', 'acme', '--user', 'ann'];
    const wrong = await ann.runWith('not this one', ...login, '--password', '-');
    expect(wrong).to.include({ code: 1 });
    expect(wrong.err).to.equal('error: There is no such user with this password. (unauthenticated)\n');
    expect((await ann.run(...login)).err).to.include('login needs a password.');
    expect((await ann.run('login', '--url', server.url, '--user', 'ann')).err).to.include('--account and --user');
    expect((await ann.runWith(`${password}\n`, ...login, '--password', '-')).err).to.match(/^Signed in until .*\nLogged in to /);
    const { key } = await profile();
    expect(key).to.match(/^pis_/);
    expect((await ann.json<Row[]>('sessions', 'list')).length).to.equal(1);
    expect(await ann.ok('projects', 'list', '-o', 'name')).to.equal('default\n');
    await ann.ok('logout');
    expect(await profile()).to.equal(undefined);
    expect((await ann.run('projects', 'list', '--url', server.url, '--key', key)).err).to.include('(unauthenticated)');
  });

  it('takes a password from standard input or a file, without the end of its line', async () => {
    const login = { account: 'acme', user: 'ann' };
    const spaced = ' ends in a space ';
    const file = join(ann.home, 'password');
    await writeFile(file, `${spaced}\n`);
    await ann.runWith(`${password}\n`, 'login', '--url', server.url, '--account', 'acme', '--user', 'ann', '--password', '-');
    const set = await ann.run('password', 'create', '--current', password, '--password', `@${file}`);
    expect(set).to.include({ code: 0, out: 'password create: done\n' });
    await server.cloud.sessions.create({ ...login, password: spaced });
    const back = await ann.runWith(`${password}\r\n`, 'password', 'create', '--current', spaced, '--password', '-');
    expect(back).to.include({ code: 0 });
    await server.cloud.sessions.create({ ...login, password });
    const twice = await ann.runWith(password, 'password', 'create', '--current', '-', '--password', '-');
    expect(twice).to.include({ code: 2, out: '' });
    expect(twice.err).to.match(/standard input is for --(current|password) already\.\nGive the other by a file: @FILE\n$/);
  });

  it('makes keys by name, for whom is given by name', async () => {
    await ann.ok('service-accounts', 'create', 'builder', '--wait');
    const would = await ann.ok('api-keys', 'create', 'nightly', '--service-account', 'builder', '--dry-run');
    expect(would).to.match(/^apiKey\.create nightly would be accepted\n {2}serviceAccountId {2}[0-9a-f-]{36}\n$/);
    const { key } = await ann.json<{ readonly key: string }>('api-keys', 'create', 'nightly', '--service-account', 'builder');
    expect(key).to.match(/^pil_/);
    expect(await ann.ok('api-keys', 'list')).to.match(/\nnightly +active +- +builder /);
    const past = await ann.run('api-keys', 'create', 'late', '--service-account', 'builder', '--expires-at', '2020-01-01T00:00:00Z');
    expect(past).to.include({ code: 2 });
    expect(past.err).to.include('in the past').and.to.include('--expires-at');
  });

  it('names the id of what others share when it is asked for by its name', async () => {
    const debian = await pileus.json<Row>('images', 'get', 'debian');
    await pileus.ok('shares', 'create', '--resource-kind', 'image', '--resource-id', 'debian', '--with', 'all', '--wait');
    const instance = ['instances', 'create', '--instance-type', 'small', '--image', 'debian'];
    for (const asked of [['images', 'get', 'debian'], instance]) {
      const refused = await ann.run(...asked);
      expect(refused.code, asked.join(' ')).to.equal(3);
      expect(refused.err, asked.join(' ')).to.include(`goes by its id: ${debian.id}`).and.to.include('pileus images list');
    }
    expect(await ann.json<Row>('images', 'get', debian.id)).to.include({ name: 'debian' });
  });

  it('tells of what was deleted that it can be brought back', async () => {
    await pileus.ok('volumes', 'create', 'data', '--size', '1MiB', '--wait');
    const { out, err } = await pileus.run('volumes', 'delete', 'data', '--wait');
    expect(out).to.equal('volume data deleted\n');
    expect(err).to.match(/\nIt lies in the trash\. Bring it back: pileus volumes recover data\n$/);
    expect((await pileus.run('volumes', 'expunge', 'data', '--wait')).err).not.to.include('trash');
  });

  it('says what there is, once, and where to look', async () => {
    const { err } = await pileus.run('volumes', 'list', '--sort', 'nothing');
    expect(err.split('sizeBytes').length).to.equal(2);
    expect((await pileus.run('quota', '--project', 'nobody')).err).to.include('See what there is: pileus projects list');
    expect(await pileus.run('volumes', 'list', '--group-by', 'state')).to.include({ out: '', err: 'There are no volumes.\n' });
    expect((await pileus.run('audit', 'list', '--actor', 'nobody')).err).to.equal('There are no such entries.\n');
  });

  it('tags what is given by name, with all tags that are given', async () => {
    await pileus.ok(
      'tags',
      'attach',
      '--resource-kind',
      'image',
      '--resource-ids',
      'debian',
      '--tags',
      'env=prod',
      '--tags',
      'team=blue',
      '--wait',
    );
    expect(await pileus.ok('images', 'list', '-o', 'name', '--filter', "tags.env = 'prod' and tags.team = 'blue'")).to.equal('debian\n');
    const nobody = await pileus.run('tags', 'attach', '--resource-kind', 'image', '--resource-ids', 'nobody', '--tags', 'env=prod');
    expect(nobody).to.include({ code: 3 });
  });

  it('tells in a dry run where a machine would go, and while it waits what for', async () => {
    const machine = ['--instance-type', 'small', '--image', 'debian'];
    expect(await pileus.ok('instances', 'create', 'web', ...machine, '--dry-run')).to.match(/^ {2}placement {3}\{"chosen":"hv1"/m);
    await pileus.ok('instance-types', 'create', 'huge', '--vcpus', '500', '--memory', '1GiB', '--wait');
    const waiting = await pileus.run(
      'instances',
      'create',
      'late',
      '--instance-type',
      'huge',
      '--image',
      'debian',
      '--when-full',
      'wait',
      '--wait',
      '--timeout',
      '1',
    );
    expect(waiting).to.include({ code: 6 });
    expect(waiting.err).to.match(/queued, waits for capacity\. Why: pileus operations show [0-9a-f-]+; wait no longer: /);
    const forRoom = ['--filter', "waitsFor = 'capacity'"];
    expect(await pileus.ok('instances', 'list', ...forRoom)).to.match(/^late +creating, waits for capacity /m);
    expect(await pileus.ok('instances', 'list', ...forRoom, '--count')).to.equal('1\n');
    const operations = ['operations', 'list', ...forRoom];
    expect(await pileus.ok(...operations, '--columns', 'action,state')).to.match(/^instance\.create +queued, waits for capacity$/m);
    await pileus.ok('instances', 'delete', 'late', '--wait');
    expect(await pileus.ok(...operations, '--count')).to.equal('0\n');
  });
});
