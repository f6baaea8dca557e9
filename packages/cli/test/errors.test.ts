import { setTimeout as sleep } from 'node:timers/promises';
import { CloudError } from '@pileus/core/kernel';
import { type Id, PileusError } from '@pileus/sdk';
import { expect } from 'chai';
import { deadUrl } from '../../sdk/test/fixture/dead-url.ts';
import { type Fixture, startFixture } from '../../sdk/test/fixture/server.ts';
import { reportOf } from '../src/exit.ts';
import { InputFlags } from '../src/flags.ts';
import { idOf, type Server } from '../src/server.ts';
import { describeWaiting } from '../src/waiting.ts';
import { expectSnapshot, Pileus } from './pileus.ts';

describe('cli: help and errors', () => {
  let fixture: Fixture;
  let pileus: Pileus;
  before(async () => {
    fixture = await startFixture();
    pileus = await Pileus.at(fixture);
    await pileus.ok('instances', 'create', 'web-1', '--vcpus', '1', '--memory', '1', '--wait');
  });
  after(async () => {
    await fixture.close();
    await pileus.remove();
  });

  const helps: readonly (readonly string[])[] = [
    ['--help'],
    ['instances', '--help'],
    ['instances', 'create', '--help'],
    ['instances', 'update', '--help'],
    ['instances', 'list', '--help'],
    ['instances', 'attach-volume', '--help'],
    ['images', 'upload', '--help'],
    ['operations', '--help'],
    ['console', '--help'],
  ];
  for (const args of helps)
    it(`shows: pileus ${args.join(' ')}`, async () => {
      await expectSnapshot(`help ${args.slice(0, -1).join(' ')}`.trim(), await pileus.ok(...args));
    });

  const mistakes: readonly (readonly [name: string, code: number, args: readonly string[]])[] = [
    ['unknown resource', 2, ['instanzes', 'list']],
    ['unknown verb', 2, ['instances', 'stap', 'web-1']],
    ['unknown verb that others have', 2, ['instances', 'destroy', 'web-1']],
    ['unknown verb far from all', 2, ['volumes', 'defragment', 'data']],
    ['too large a size', 2, ['volumes', 'create', 'x', '--size', '9PiB']],
    ['unknown flag', 2, ['instances', 'create', 'x', '--cpus', '2']],
    ['unknown flag near a short name', 2, ['volumes', 'create', 'x', '--sze', '1GiB']],
    ['missing argument', 2, ['instances', 'start']],
    ['missing fields', 2, ['instances', 'create', 'x']],
    ['bad size', 2, ['instances', 'create', 'x', '--vcpus', '1', '--memory', '2 apples']],
    ['bad number', 2, ['instances', 'create', 'x', '--vcpus', 'two', '--memory', '1']],
    ['bad choice', 2, ['instances', 'create', 'x', '--vcpus', '1', '--memory', '1', '--guest-os', 'beos']],
    ['bad pair', 2, ['instances', 'create', 'x', '--vcpus', '1', '--memory', '1', '--limits', 'speed=1']],
    ['bad JSON', 2, ['instances', 'create', 'x', '--vcpus', '1', '--memory', '1', '--limits', '{"a"']],
    ['unreadable file', 2, ['instances', 'create', 'x', '-f', '/nonexistent']],
    ['refused field', 2, ['instances', 'create', 'x', '--vcpus', '0', '--memory', '1']],
    ['refused name', 2, ['instances', 'create', 'Not_A_Name', '--vcpus', '1', '--memory', '1']],
    ['bad column', 2, ['volumes', 'list', '--columns', 'name,colour']],
    ['bad filter', 2, ['instances', 'list', '--filter', 'memory > 1']],
    ['bad limit', 2, ['instances', 'list', '--limit', '1.5']],
    ['bad time', 2, ['instances', 'create', 'x', '--vcpus', '1', '--memory', '1', '--wait', '--timeout', '-1']],
    ['bad time to wait', 2, ['operations', 'wait', 'x', '--timeout', 'soon']],
    ['empty name', 2, ['instances', 'delete', '']],
    ['not found', 3, ['instances', 'get', 'nobody']],
    ['reference not found', 3, ['instances', 'attach-volume', 'web-1', '--volume', 'nothing']],
    ['name taken', 4, ['instances', 'create', 'web-1', '--vcpus', '1', '--memory', '1']],
    ['nothing to upload', 2, ['images', 'upload', '/nonexistent.img']],
    ['no such profile', 2, ['--profile', 'prod', 'instances', 'list']],
    ['no such shell', 2, ['completion', 'tcsh']],
  ];
  for (const [name, code, args] of mistakes)
    it(`says what to do: ${name}`, async () => {
      const ran = await pileus.run(...args);
      expect(ran.out).to.equal('');
      await expectSnapshot(`error ${name}`, `$ pileus ${args.join(' ')}\n${ran.err}exit ${ran.code}\n`);
      expect(ran.code).to.equal(code);
    });

  it('says why an operation failed, and where to read on', async () => {
    fixture.workshop.failure = new CloudError('no_capacity', 'No host has room.', { params: { reasons: { 'host-1': 'memory' } } });
    const { code, err } = await pileus.run('instances', 'create', 'x', '--vcpus', '1', '--memory', '1', '--wait');
    fixture.workshop.failure = undefined;
    expect(code).to.equal(5);
    await expectSnapshot('error operation failed', err.replace(/^.*\d\.\d s.*\n/gm, ''));
  });

  it('names the resource that is missing, not the one that was to be made', () => {
    const context = { command: 'pileus instances create', flagOf: () => '--instance-type', resourceOf: () => 'instance-types' };
    const missing = new PileusError('not_found', 'No instance type nope.', { pointer: '/instanceType' });
    expect(reportOf(missing, context).text).to.match(/See what there is: pileus instance-types list$/);
    expect(reportOf(new PileusError('not_found', 'No instance x.'), context).text).to.match(/pileus instances list$/);
    expect(reportOf(missing, { ...context, resourceOf: () => undefined }).text).not.to.include('See what there is');
  });

  it('names the kind that there is not, where a resource is named beside its kind', async () => {
    const server = { description: { kinds: [{ kind: 'instance', plural: 'instances' }] } } as unknown as Server;
    const told = async (kind: string) =>
      reportOf(await idOf(server, kind, 'web-1').catch((error: unknown) => error), { command: '', flagOf: () => undefined });
    const text = (kind: string, advice: string) => `error: The server has no kind "${kind}", so there is none called "web-1".\n${advice}`;
    expect(await told('instnce')).to.deep.equal({ code: 2, text: text('instnce', 'Did you mean instance?') });
    expect(await told('boat')).to.deep.equal({ code: 2, text: text('boat', 'Kinds: instance') });
  });

  it('names a flag as it was typed', async () => {
    const schema = { properties: { kinds: { type: 'array', items: { type: 'string' } } } } as const;
    const flags = new InputFlags(schema);
    expect(flags.flagOf('/kinds/0')).to.equal('--kind (0)');
    expect(flags.flagOf('/kinds/0', ['webhooks', 'create', '--kinds', 'foo'])).to.equal('--kinds (0)');
    expect(flags.flagOf('/kinds', ['--kinds=foo'])).to.equal('--kinds');
    expect(flags.flagOf('/kinds', ['--kind', 'foo', '--kinds-of'])).to.equal('--kind');
  });

  it('ends with the code of refusals for what cannot be done there', () => {
    const { code, text } = reportOf(new PileusError('unsupported', 'The pool cannot grow volumes.'), {
      command: 'pileus',
      flagOf: () => undefined,
    });
    expect(code).to.equal(4);
    expect(text).to.include('Nothing was changed.');
  });

  it('tells the id of what failed on our side: of the operation if there is one', async () => {
    fixture.workshop.failure = new CloudError('internal', 'A fault.');
    const { err } = await pileus.run('instances', 'create', 'x', '--vcpus', '1', '--memory', '1', '--wait');
    fixture.workshop.failure = undefined;
    expect(err).to.match(/\(internal\)\n.*\nQuote the operation id [0-9a-f-]{36} when you report this\.\n$/);
  });

  it('tells sizes as people read them, too', async () => {
    fixture.workshop.failure = new CloudError('invalid_input', 'Too small.', { params: { minimumBytes: 10 * 2 ** 30, disks: 1 } });
    const { err } = await pileus.run('instances', 'create', 'x', '--vcpus', '1', '--memory', '1', '--wait');
    fixture.workshop.failure = undefined;
    expect(err).to.include('  minimumBytes: 10737418240 (10GiB)\n  disks: 1\n');
  });

  it('stops waiting in time, and says how to wait on', async () => {
    let open = () => {};
    fixture.workshop.gate = new Promise((resolve) => {
      open = resolve;
    });
    const { code, err } = await pileus.run('instances', 'stop', 'web-1', '--wait', '--timeout', '0.5');
    open();
    expect(code).to.equal(6);
    expect(err).to.match(/Wait on: pileus operations wait [0-9a-f-]{36}\n$/);
  });

  it('has a sentence for all that an operation may wait for', () => {
    const holder = { keys: ['a'], operationId: 'o' as Id<'operation'>, action: 'disk.move', resourceId: 'r', state: 'running' } as const;
    const told = [
      { for: 'operations', ahead: 1, heldBy: [holder] },
      { for: 'operations', ahead: 5, heldBy: [{ keys: ['a'] }, holder] },
      { for: 'turn', ahead: 3, atWorkMax: 256 },
      { for: 'recovery' },
      { for: 'capacity' },
    ].map(describeWaiting);
    expect(told).to.deep.equal([
      'waits behind disk.move of r (operation o, running)',
      'waits behind an operation that this key may not see and 1 more; 5 go before it',
      'waits for its turn: 3 go before it, 256 are at work at once',
      'waits until the recovery is confirmed: pileus recovery confirm',
      'waits for capacity',
    ]);
  });

  it('says what an operation waits behind, to who waits for it and to who looks at it', async () => {
    await pileus.ok('instances', 'create', 'web-2', '--vcpus', '1', '--memory', '1', '--wait');
    let open = () => {};
    fixture.workshop.gate = new Promise((resolve) => {
      open = resolve;
    });
    const first = await pileus.ok('instances', 'stop', 'web-2', '--no-wait', '-o', 'name');
    const child = pileus.start('instances', 'start', 'web-2', '--wait');
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    while (!err.includes('waits behind')) await sleep(20);
    const behind = `waits behind instance.stop of [0-9a-f-]{36} \\(operation ${first.trim()}, running\\)`;
    expect(err).to.match(new RegExp(`queued, ${behind}\n`));
    const [second] = await pileus.json<{ id: string }[]>('operations', 'list', '--limit', '1');
    expect(await pileus.ok('operations', 'list', '--limit', '1')).to.match(/ queued, waits for others /);
    expect(await pileus.ok('operations', 'show', second?.id ?? '')).to.match(new RegExp(`\nwaiting +${behind}\n`));
    open();
    expect(await ended).to.equal(0);
  });

  it('leaves the operation alone at Ctrl-C, and says so', async () => {
    let open = () => {};
    fixture.workshop.gate = new Promise((resolve) => {
      open = resolve;
    });
    const before = fixture.seen.length;
    const child = pileus.start('instances', 'start', 'web-1', '--wait');
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    while (!fixture.seen.slice(before).some(({ url }) => url.startsWith('/v1/operations/'))) await sleep(20);
    child.kill('SIGINT');
    const code = await ended;
    open();
    expect(code).to.equal(130);
    expect(err).to.match(/Interrupted; the operation goes on\.\n {2}wait on: {2}pileus operations wait /);
  });

  it('says how to wait on when the server goes away after it has accepted', async () => {
    let open = () => {};
    fixture.workshop.gate = new Promise((resolve) => {
      open = resolve;
    });
    fixture.faults.plan('GET', /^\/v1\/operations\//, { type: 'reset-before' }, 1000);
    const { code, err } = await pileus.run('instances', 'start', 'web-1', '--wait', '--timeout', '1');
    open();
    fixture.faults.clear();
    expect(code).to.equal(1);
    expect(err).to.match(
      /^It was accepted, and goes on as soon as the server is there again\.\n {2}wait on: {2}pileus operations wait [0-9a-f-]{36}\n/,
    );
    expect(err).to.include('(connection_failed)');
  });

  it('says where it looked when nobody answers, and what to do about a wrong key', async () => {
    const lost = await Pileus.at({ url: await deadUrl(), apiKey: 'pil_x' });
    const away = await lost.run('instances', 'list');
    expect(away.code).to.equal(1);
    expect(away.err).to.match(/ECONNREFUSED.*\(connection_failed\)\nIs the server up/);
    await lost.remove();
    const wrong = await pileus.run('--key', 'pil_wrong', 'instances', 'list');
    expect(wrong.code).to.equal(1);
    expect(wrong.err).to.match(/\nThe key of --key is not valid\.\n$/);
  });
});
