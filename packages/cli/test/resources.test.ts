import { once } from 'node:events';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { create, type Id } from '@pileus/core/kernel';
import { PileusError } from '@pileus/sdk';
import { expect } from 'chai';
import { parse } from 'yaml';
import { nic } from '../../sdk/test/fixture/kinds.ts';
import { type Fixture, startFixture } from '../../sdk/test/fixture/server.ts';
import { goesOnLater } from '../src/image-upload.ts';
import { Pileus } from './pileus.ts';

const GIB = 1024 ** 3;
type Row = Readonly<Record<string, unknown>>;

describe('cli: resources', () => {
  let fixture: Fixture;
  let pileus: Pileus;
  before(async () => {
    fixture = await startFixture();
    pileus = await Pileus.at(fixture);
  });
  after(async () => {
    await fixture.close();
    await pileus.remove();
  });
  afterEach(() => {
    fixture.workshop.gate = Promise.resolve();
  });

  it('creates with flags made of the schema: sizes, lists, pairs, files, secrets', async () => {
    const script = join(pileus.home, 'cloud.cfg');
    await writeFile(script, '#cloud-config\n');
    const row = await pileus.json<Row>(
      ...['instances', 'create', 'web-1', '--vcpus', '2', '--memory', '1.5GiB', '--guest-os', 'windows', '--wait'],
      ...['--ssh-key', 'a', '--ssh-key', 'b', '--limits', 'iops-per-second=100', '--user-data', `@${script}`],
    );
    expect(row).to.deep.include({ name: 'web-1', state: 'running', memoryBytes: 1.5 * GIB, guestOs: 'windows', sshKeys: ['a', 'b'] });
    expect(row).to.deep.include({ limits: { iopsPerSecond: 100 } });
    expect(row.userData).to.be.a('string').that.does.not.include('cloud-config');
  });

  it('shows the audit, by what is asked for, and verifies it', async () => {
    const all = await pileus.json<Row[]>('audit', 'list', '--action', 'instance.create', '--limit', '1');
    expect(all).to.have.length(1);
    expect(all[0]).to.deep.include({ action: 'instance.create', resourceKind: 'instance' });
    const shown = await pileus.ok('audit', 'list', '--resource-id', String(all[0]?.resourceId));
    expect(shown).to.match(/^AT +ACTOR +ACTION +RESULT +RESOURCE\n\S+ +\S+ +instance\.create +\w+ +[0-9a-f-]{36}\n$/);
    expect(await pileus.json<Row[]>('audit', 'list', '--result', 'interrupted')).to.deep.equal([]);
    const verdict = await pileus.ok('audit', 'verify');
    expect(verdict).to.match(/^whole: \d+ entries, \d+ about to follow\nhead: --number \d+ --hash [0-9a-f]{64}\n$/);
    const other = await pileus.run('audit', 'verify', '--number', '1', '--hash', 'f'.repeat(64));
    expect([other.code, other.out]).to.deep.equal([1, other.out]);
    expect(other.out).to.match(/^(replaced|missing) +1/);
  });

  it('takes JSON for what is nested, a file for the whole, and standard input', async () => {
    const file = join(pileus.home, 'vm.yaml');
    await writeFile(file, 'vcpus: 1\nmemoryBytes: 1024\nsshKeys: [x]\n');
    const row = await pileus.json<Row>(
      'instance',
      'create',
      'from-file',
      '-f',
      file,
      '--vcpus',
      '3',
      '--limits',
      '{"iopsPerSecond": 7}',
      '--wait',
    );
    expect(row).to.deep.include({ vcpus: 3, memoryBytes: 1024, sshKeys: ['x'], limits: { iopsPerSecond: 7 } });
    const { out, code } = await pileus.runWith(
      '{"vcpus": 1, "memoryBytes": 5}',
      'instances',
      'create',
      'from-stdin',
      '-f',
      '-',
      '--wait',
      '-o',
      'json',
    );
    expect(code).to.equal(0);
    expect(JSON.parse(out)).to.include({ memoryBytes: 5 });
  });

  it('answers what was accepted when it is not told to wait', async () => {
    const accepted = await pileus.json<Row>('instances', 'create', 'later', '--vcpus', '1', '--memory', '1');
    expect(accepted).to.include({ action: 'instance.create', resourceKind: 'instance' });
    const waited = await pileus.json<Row>('operations', 'wait', String(accepted.operationId));
    expect(waited).to.include({ state: 'succeeded' });
  });

  it('lists as a table, JSON, YAML or names, with the columns asked for', async () => {
    expect(await pileus.ok('instances', 'list')).to.match(
      /^NAME +STATE +ADDRESSES +VCPUS +MEMORY +GUEST OS +AGE +ID\nweb-1 +running +- +2 +1\.5GiB +windows/,
    );
    expect(await pileus.ok('vms', 'ls', '--columns', 'name,vcpus', '--sort', '-name')).to.match(/^NAME +VCPUS\nweb-1 +2\nlater +1\n/);
    expect(await pileus.ok('instances', 'list', '-o', 'name', '--guest-os', 'windows')).to.equal('web-1\n');
    expect(await pileus.json<Row[]>('instances', 'list', '--filter', 'vcpus > 1', '--limit', '1')).to.have.length(1);
    expect(parse(await pileus.ok('instances', 'get', 'web-1', '-o', 'yaml'))).to.include({ name: 'web-1', state: 'running' });
    expect(await pileus.ok('instances', 'get', 'web-1')).to.match(/^name +web-1\nid +[0-9a-f-]+\nstate +running\n/);
    const empty = await pileus.run('images', 'list');
    expect(empty).to.include({ code: 0, out: '', err: 'There are no images.\n' });
    expect((await pileus.run('images', 'list', '--state', 'available')).err).to.equal('There are no such images.\n');
    expect((await pileus.run('images', 'list', '--filter', "name = 'x'")).err).to.equal('There are no such images.\n');
  });

  it('asks about any field, answers parts of rows, counts and adds up', async () => {
    expect(await pileus.ok('instances', 'list', '--filter', "memoryBytes < 1KiB and guestOs = 'linux'", '--fields', 'name,vcpus')).to.equal(
      'NAME        VCPUS\nfrom-stdin  1\nlater       1\n',
    );
    expect(await pileus.json<Row[]>('instances', 'list', '--fields', 'name,limits.iopsPerSecond', '--sort', 'guestOs,-name')).to.deep.equal(
      [
        { name: 'later' },
        { name: 'from-stdin' },
        { name: 'from-file', limits: { iopsPerSecond: 7 } },
        { name: 'web-1', limits: { iopsPerSecond: 100 } },
      ],
    );
    expect(await pileus.ok('instances', 'list', '--count', '--filter', 'vcpus > 1')).to.equal('2\n');
    expect(await pileus.ok('instances', 'list', '--group-by', 'guestOs', '--sum', 'memoryBytes')).to.match(
      /^GUEST OS +COUNT +SUM MEMORY\nlinux +3 +1030B\nwindows +1 +1\.5GiB\n$/,
    );
    expect(await pileus.json<Row[]>('instances', 'list', '--group-by', 'guestOs', '--sum', 'vcpus')).to.deep.equal([
      { guestOs: 'linux', count: 3, sum: { vcpus: '5' } },
      { guestOs: 'windows', count: 1, sum: { vcpus: '2' } },
    ]);
    const extremes = ['--min', 'memoryBytes', '--max', 'vcpus,name'];
    expect(await pileus.ok('instances', 'list', '--group-by', 'guestOs', ...extremes)).to.match(
      /^GUEST OS +COUNT +MIN MEMORY +MAX VCPUS +MAX NAME\nlinux +3 +\S+ +\d+ +\S+\nwindows +1 +1\.5GiB +2 +web-1\n$/,
    );
    expect(await pileus.json<Row[]>('instances', 'list', '--guest-os', 'windows', ...extremes)).to.deep.equal([
      { count: 1, sum: {}, min: { memoryBytes: 1.5 * GIB }, max: { vcpus: 2, name: 'web-1' } },
    ]);
    expect(await pileus.ok('instances', 'list', '--group-by', 'guestOs', '--count')).to.equal(
      'GUEST OS  COUNT\nlinux     3\nwindows   1\n',
    );
    expect((await pileus.run('instances', 'list', '--watch', '--count')).code).to.equal(2);
  });

  it('runs any verb, on several at once, and finds what is named by name', async () => {
    await pileus.ok('volumes', 'create', 'data', '--size', '10GiB', '--wait');
    expect(await pileus.ok('vm', 'attach-volume', 'web-1', '--volume', 'data', '--wait', '-o', 'name')).to.equal('web-1\n');
    const volume = await pileus.json<Row>('volumes', 'get', 'data');
    expect(volume.state).to.equal('attached');
    expect(await pileus.json<Row[]>('volumes', 'list', '--instance', 'web-1')).to.have.length(1);
    const stopped = await pileus.json<Row[]>('instances', 'stop', 'later', 'from-file', '--force', '--wait');
    expect(stopped.map(({ state }) => state)).to.deep.equal(['stopped', 'stopped']);
    expect(await pileus.json<Row>('instances', 'update', 'later', '--description', 'blue', '--wait')).to.include({ description: 'blue' });
    expect(await pileus.json<Row>('instances', 'update', 'later', '--unset', 'description', '--wait')).not.to.have.property('description');
    expect(await pileus.ok('instances', 'rm', 'later', 'from-file', '--wait')).to.equal(
      'instance later deleted\ninstance from-file deleted\n',
    );
  });

  it('lists the addresses of a machine, and the machine of a volume by its name; other forms are as sent', async () => {
    await pileus.ok('instances', 'create', 'lan-1', '--vcpus', '1', '--memory', '1', '--wait');
    const { id: instanceId, projectId } = await pileus.json<Row>('instances', 'get', 'lan-1');
    const { ids } = fixture.kernel.services;
    const port = (address: string) => {
      const id = ids.mint('nic');
      return create(nic, { id, name: id, projectId: projectId as Id<'project'>, instanceId: instanceId as Id<'instance'>, address });
    };
    expect((await fixture.kernel.observe([port('10.0.0.7'), port('fd00::7')])).ok).to.equal(true);
    expect(await pileus.ok('instances', 'list')).to.match(
      /^NAME +STATE +ADDRESSES +VCPUS .*\n(.*\n)*lan-1 +running +10\.0\.0\.7, fd00::7 +1 /,
    );
    expect(await pileus.ok('volumes', 'list', '--name', 'data')).to.match(
      /^NAME +STATE +INSTANCE +SIZE +AGE +ID\ndata +attached +web-1 +10GiB /,
    );
    await pileus.ok('volumes', 'create', 'loose', '--size', '1', '--wait');
    expect(await pileus.ok('volumes', 'list', '--name', 'loose', '--columns', 'instance,name')).to.match(/\n- +loose\n$/);
    const [sent] = await pileus.json<Row[]>('volumes', 'list', '--name', 'data');
    expect(sent).to.have.property('instanceId');
    expect(sent).not.to.have.property('instance');
    await pileus.ok('volumes', 'rm', 'loose', '--wait');
  });

  it('asks nothing of any when one is not there, and tells what was accepted when one is refused', async () => {
    for (const name of ['m1', 'm2', 'held']) await pileus.ok('volumes', 'create', name, '--size', '1GiB', '--wait');
    const missing = await pileus.run('volumes', 'delete', 'm1', 'nope', 'neither', '--wait');
    expect(missing).to.include({ code: 3, out: '' });
    expect(missing.err).to.include('There is no volume nope, neither; nothing was asked of the others.');
    expect(await pileus.json<Row>('volumes', 'get', 'm1')).to.include({ state: 'available' });
    await pileus.ok('vm', 'attach-volume', 'web-1', '--volume', 'held', '--wait');
    const refused = await pileus.run('volumes', 'delete', 'm1', 'held', 'm2', '--wait');
    expect(refused.code).to.equal(4);
    expect(refused.out.match(/volume\.delete/g)).to.have.length(2);
    expect(refused.err).to.match(/^Accepted, and going on: m1, m2\nerror: /);
  });

  it('knows kinds of two words by either form', async () => {
    await pileus.ok('instance-types', 'create', 'small', '--vcpus', '1', '--wait');
    expect(await pileus.ok('instance-type', 'list', '-o', 'name')).to.equal('small\n');
  });

  it('shows each step while it waits', async () => {
    let open = () => {};
    fixture.workshop.gate = new Promise((resolve) => {
      open = resolve;
    });
    const child = pileus.start('instances', 'create', 'slow', '--vcpus', '1', '--memory', '1', '--wait');
    const ended = new Promise((resolve) => child.on('close', resolve));
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += chunk;
      if (err.includes('disk')) open();
    });
    expect(await ended).to.equal(0);
    expect(err).to.match(/instance\.create slow +\d\.\d s +\d+ % {2}disk\n(.*\n)*.*100 % {2}done\n$/);
  });

  it('gives operations their verbs, the newest first', async () => {
    let open = () => {};
    fixture.workshop.gate = new Promise((resolve) => {
      open = resolve;
    });
    const { operationId } = await pileus.json<{ operationId: string }>('instances', 'create', 'unwanted', '--vcpus', '1', '--memory', '1');
    expect(await pileus.ok('operations', 'list', '-o', 'name', '--limit', '1')).to.equal(`${operationId}\n`);
    expect(await pileus.json<Row>('operations', 'cancel', operationId)).to.include({ cancelRequested: true });
    open();
    expect(await pileus.run('operations', 'wait', operationId)).to.include({ code: 5 });
    expect(await pileus.json<Row>('operations', 'show', operationId))
      .to.include({ state: 'cancelled' })
      .and.include.keys('saga', 'keys');
    const fields = (await pileus.ok('operations', 'show', operationId)).split('\n').map((line) => line.split(' ')[0]);
    expect(fields).to.include.members(['id', 'state', 'action', 'resourceId', 'error', 'endedAt']);
    for (const within of ['saga', 'keys', 'node', 'epoch', 'incarnation', 'attempt', 'stepsDone', 'revision'])
      expect(fields).not.to.include(within);
  });

  it('watches a list, and ends at Ctrl-C', async () => {
    const child = pileus.start('instances', 'list', '--watch', '--filter', "name like 'watched%'", '-o', 'json');
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    while (!fixture.seen.some(({ url }) => url.startsWith('/v1/events'))) await new Promise((resolve) => setTimeout(resolve, 20));
    await pileus.ok('instances', 'create', 'ignored', '--vcpus', '1', '--memory', '1', '--wait');
    await pileus.ok('instances', 'create', 'watched-1', '--vcpus', '1', '--memory', '1', '--wait');
    while (!out.includes('"state":"running"')) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGINT');
    expect(await ended).to.equal(130);
    const changes = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { row: Row });
    expect(changes.map(({ row }) => row.name)).to.satisfy((names: string[]) => names.every((name) => name === 'watched-1'));
  });

  it('shows events behind a cursor', async () => {
    const child = pileus.start('events', '--after', '0.0', '--kinds', 'volume');
    let out = '';
    for await (const chunk of child.stdout) {
      out += chunk;
      if (out.split('\n').length > 3) break;
    }
    child.kill('SIGINT');
    expect(out).to.match(
      /^\d+\.\d+\.[0-9a-f]{8} +created +volume +data +creating\n\d+\.\d+\.[0-9a-f]{8} +updated +volume +data +available\n/,
    );
  });

  it('uploads an image, also one that waits for its content, and downloads it', async () => {
    const file = join(pileus.home, 'Tiny Linux 1.img');
    await writeFile(file, 'x'.repeat(5000));
    expect(await pileus.json<Row>('images', 'upload', file)).to.include({ name: 'tiny-linux-1', state: 'available', sizeBytes: 5000 });
    await pileus.ok('images', 'create', 'waiting', '--wait');
    expect(await pileus.json<Row>('images', 'upload', file, 'waiting')).to.include({ state: 'available' });
    // Whoever did not hear the end asks again; another content is another image's.
    expect(await pileus.json<Row>('images', 'upload', file, 'waiting')).to.include({ state: 'available' });
    const other = join(pileus.home, 'other.img');
    await writeFile(other, 'y'.repeat(5000));
    expect(await pileus.run('images', 'upload', other, 'waiting')).to.include({ code: 4 });
    expect(await pileus.ok('images', 'download', 'tiny-linux-1')).to.have.length(5000);
    const folder = await pileus.run('images', 'upload', pileus.home, 'folder');
    expect(folder).to.include({ code: 2, out: '' });
    expect(folder.err).to.include(`Cannot upload ${pileus.home}: it is no file.`);
  });

  it('says that an upload that has stopped goes on when it is asked for again', async () => {
    const file = join(pileus.home, 'broken.img');
    await writeFile(file, 'x'.repeat(5000));
    const kept = 'What has arrived is kept for a while: the same command again goes on from there.\n';
    fixture.faults.plan('PUT', /content$/, { type: 'refuse', status: 503, retryAfterSeconds: 20 }, 100);
    fixture.seen.length = 0;
    const child = pileus.start('images', 'upload', file);
    const [told, ended] = [text(child.stderr), once(child, 'close')];
    while (!fixture.seen.some(({ method }) => method === 'PUT')) await sleep(10);
    child.kill('SIGINT');
    expect([(await ended)[0], (await told).endsWith(kept)]).to.deep.equal([130, true]);
    fixture.faults.clear();
    expect(await pileus.json<Row>('images', 'upload', file)).to.include({ name: 'broken', state: 'available', sizeBytes: 5000 });
    fixture.faults.plan('PUT', /content$/, { type: 'refuse', status: 404 });
    const refused = await pileus.run('images', 'upload', file, 'strange');
    fixture.faults.clear();
    expect([refused.code, refused.err.includes(kept)]).to.deep.equal([3, false]);
    const codes = [
      'connection_failed',
      'bad_response',
      'unavailable',
      'busy',
      'timeout',
      'too_large',
      'invalid_input',
      'conflict',
    ] as const;
    expect(codes.filter((code) => goesOnLater(new PileusError(code, 'So.')))).to.deep.equal(codes.slice(0, 5));
  });

  it('leaves a file alone until all of a download has come', async () => {
    const [file, fresh] = [join(pileus.home, 'precious.img'), join(pileus.home, 'fresh.img')];
    await writeFile(file, 'precious');
    for (const path of [file, fresh]) expect(await pileus.run('images', 'download', 'nobody', path)).to.include({ code: 3 });
    expect(await readFile(file, 'utf8')).to.equal('precious');
    const source = join(pileus.home, 'source.img');
    await writeFile(source, 'y'.repeat(600));
    await pileus.ok('images', 'upload', source);
    await pileus.ok('images', 'download', 'source', file);
    expect(await readFile(file, 'utf8')).to.equal('y'.repeat(600));
    expect((await readdir(pileus.home)).filter((name) => /precious|fresh/.test(name))).to.deep.equal(['precious.img']);
  });

  it('goes on with a download that broke off, and leaves nothing of one that cannot be had', async () => {
    const [source, file] = [join(pileus.home, 'long.img'), join(pileus.home, 'came.img')];
    await writeFile(source, 'z'.repeat(5000));
    await pileus.ok('images', 'upload', source);
    fixture.faults.plan('GET', /content$/, { type: 'cut-content', afterBytes: 1200 }, 2);
    await pileus.ok('images', 'download', 'long', file);
    expect(await readFile(file, 'utf8')).to.equal('z'.repeat(5000));
    await writeFile(file, 'precious');
    fixture.faults.plan('GET', /content$/, { type: 'cut-content', afterBytes: 1200 });
    fixture.faults.plan('GET', /content$/, { type: 'refuse', status: 404 });
    const { code, err } = await pileus.run('images', 'download', 'long', file);
    expect(code).to.equal(3);
    expect(err).to.match(/^error: The download broke off after 1200 of 5000 bytes\. Nothing\. \(not_found\)\n/);
    expect(await readFile(file, 'utf8')).to.equal('precious');
    expect((await readdir(pileus.home)).filter((name) => name.startsWith('came'))).to.deep.equal(['came.img']);
  });

  it('keeps the document and asks by its ETag whether it still holds', async () => {
    const other = await Pileus.at(fixture);
    await other.ok('instances', 'list');
    fixture.seen.length = 0;
    await other.ok('instances', 'list');
    expect(fixture.seen.map(({ url }) => url)).not.to.include('/v1/openapi.json');
    const cache = join(other.home, '.cache', 'pileus');
    for (const file of await readdir(cache)) await utimes(join(cache, file), 0, 0);
    await other.ok('instances', 'list');
    const asked = fixture.seen.find(({ url }) => url === '/v1/openapi.json');
    expect(asked?.headers['if-none-match']).to.match(/^".+"$/);
    fixture.seen.length = 0;
    await other.ok('instances', 'list');
    expect(fixture.seen.map(({ url }) => url)).not.to.include('/v1/openapi.json');
    await other.remove();
  });

  it('tells what a verb would do with --dry-run, and does nothing', async () => {
    const create = ['instances', 'create', 'rehearsed', '--vcpus', '1', '--memory', '1GiB'];
    const told = await pileus.ok(...create, '--dry-run');
    expect(told)
      .to.include('instance.create rehearsed would be accepted')
      .and.to.match(/steps {7}\w/);
    expect(await pileus.json<Row>(...create, '--dry-run')).to.include({ dryRun: true, accepted: true });
    await pileus.ok(...create, '--wait');
    const again = await pileus.run(...create, '--dry-run');
    expect(again.code).to.equal(4);
    expect(again.out).to.include('would be refused').and.to.include('(name_taken)');
    expect(again.err).to.include('Nothing was changed');
    expect(await pileus.ok('instances', 'rm', 'rehearsed', '--dry-run', '-o', 'name')).to.equal('accepted\n');
    expect(await pileus.json<Row>('instances', 'get', 'rehearsed')).to.include({ state: 'running' });
  });
});
