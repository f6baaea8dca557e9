import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secrets, StoreError, sealAnew } from '@pileus/core/kernel';
import { expect } from 'chai';
import { type Event, readEvents } from './events.ts';
import { eventually, made, openServer, type TestServer } from './server.ts';

describe('server: life', () => {
  const open: TestServer[] = [];
  const serve = async (options: Parameters<typeof openServer>[0] = {}) => {
    const server = await openServer(options);
    open.push(server);
    return server;
  };
  const restart = async (server: TestServer) => {
    open.splice(open.indexOf(server), 1);
    const next = await server.restart();
    open.push(next);
    return next;
  };
  afterEach(async () => {
    for (const server of open.splice(0)) await server.close();
  });

  it('makes the root key at the first start, shows it that once, and keeps it nowhere', async () => {
    const first = await serve();
    expect(first.plane.newRootKey).to.match(/^pil_[A-Za-z0-9_-]{43}$/);
    await made(first, 'one', { password: 'planted-secret' });
    const second = await restart(first);
    expect(second.plane.newRootKey).to.equal(undefined);
    expect((await second.ask('GET', '/v1/widgets/one')).status).to.equal(200);
    for (const secret of [first.key, 'planted-secret']) {
      expect(first.log() + second.log()).not.to.include(secret);
      for (const name of await readdir(first.directory)) {
        const path = join(first.directory, name);
        if ((await stat(path)).isFile()) expect((await readFile(path)).includes(secret), `${name} holds a secret`).to.equal(false);
      }
      expect(JSON.stringify((await second.ask('GET', '/v1/changes?after=0.0&limit=1000')).json)).not.to.include(secret);
    }
  });

  it('shows a root key that a failed start has made when one succeeds, and one that works', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pileus-server-'));
    await writeFile(join(directory, 'file'), '');
    for (const [config, key] of [
      [{ listen: { host: '203.0.113.1' } }, 'listen.host: '],
      [{ listen: { tls: { certFile: 'none.pem', keyFile: 'none.pem' } } }, 'listen.tls.certFile: '],
      [{ listen: { tls: { certFile: 'file', keyFile: 'file' } } }, 'listen.tls.certFile: /.*/file holds no certificate in PEM$'],
      [{ dataDir: './file' }, 'dataDir: '],
    ] as const)
      expect(await openServer({ directory, config }).catch((error: Error) => `${error.name} ${error.message}`)).to.match(
        new RegExp(`^ConfigError The configuration is wrong: ${key}`),
      );
    const server = await openServer({ directory });
    open.push(server);
    expect(server.plane.newRootKey).to.match(/^pil_/);
    expect((await server.ask('GET', '/v1/widgets')).status).to.equal(200);
    expect((await restart(server)).plane.newRootKey).to.equal(undefined);
  });

  it('keeps the sealing key for its owner alone', async () => {
    const server = await serve();
    const { mode, size } = await stat(join(server.directory, 'seal.key'));
    expect([mode & 0o777, size]).to.deep.equal([0o600, 32]);
  });

  it('replaces the sealing key, and seals anew what the one before has sealed', async () => {
    const first = await serve();
    const ids = [await made(first, 'one', { password: 'planted-1' }), await made(first, 'two', { password: 'planted-2' })];
    const file = join(first.directory, 'seal.key');
    const before = await readFile(file);
    open.splice(open.indexOf(first), 1);
    await first.plane.close();
    const second = await serve({ directory: first.directory, key: first.key, workshop: first.workshop, replaceSealKey: true });
    const { services } = second.plane.kernel;
    expect(second.plane.sealedAnew).to.deep.equal({ values: await services.store.count({ table: 'sealed' }), unreadable: [] });
    const after = await readFile(file);
    expect([after.length, after.subarray(0, 32).equals(before), (await stat(file)).mode & 0o777]).to.deep.equal([64, true, 0o600]);
    expect((await readdir(first.directory)).filter((name) => name.startsWith('seal.key'))).to.deep.equal(['seal.key']);
    const openedBy = async (key: Uint8Array, id = '') => {
      const row = JSON.parse((await services.store.read('widget', id)) ?? '{}') as { readonly password: string };
      const secrets = new Secrets(key, services.environment, services.ids, services.store);
      return secrets.open(row.password).catch(() => 'shut');
    };
    expect(await Promise.all(ids.map((id) => openedBy(after.subarray(32), id)))).to.deep.equal(['planted-1', 'planted-2']);
    expect(await Promise.all(ids.map((id) => openedBy(before, id)))).to.deep.equal(['shut', 'shut']);
    const strange = await new Secrets(new Uint8Array(32), services.environment, services.ids, services.store).seal('lost');
    await second.plane.kernel.observe([strange.statement]);
    expect(await sealAnew(services)).to.deep.equal({ values: 0, unreadable: [strange.reference.slice('sealed:'.length)] });
    const third = await restart(second);
    expect(third.plane.sealedAnew).to.equal(undefined);
    expect(await readFile(file)).to.deep.equal(after);
  });

  it('does not begin with another sealing key than its store has, unless that is to be replaced', async () => {
    const first = await serve();
    await made(first, 'one', { password: 'planted-1' });
    const file = join(first.directory, 'seal.key');
    const key = await readFile(file);
    open.splice(open.indexOf(first), 1);
    await first.plane.close();
    const given = { directory: first.directory, key: first.key, workshop: first.workshop };
    // The second time it is another one that is there, made by the first.
    await rm(file);
    for (const _ of ['lost', 'another'])
      expect(await openServer(given).catch(({ name, message }: Error) => `${name} ${message}`)).to.match(
        /^StoreError .*seal\.key is not the key that the store is sealed with: put that one in its place\./,
      );
    await writeFile(file, key);
    const second = await serve(given);
    expect((await second.ask('GET', '/v1/widgets/one')).status).to.equal(200);
    open.splice(open.indexOf(second), 1);
    await second.plane.close();
    await rm(file);
    const third = await serve({ ...given, replaceSealKey: true });
    expect(third.plane.sealedAnew?.unreadable).to.have.length(await third.plane.kernel.services.store.count({ table: 'sealed' }));
    const fourth = await restart(third);
    expect(fourth.plane.sealedAnew).to.equal(undefined);
    open.splice(open.indexOf(fourth), 1);
    await fourth.plane.close();
    // A copy from before the key was replaced names the same cloud, and opens nothing that was sealed since.
    const keys = await readFile(file);
    await writeFile(file, keys.subarray(0, 32));
    expect(await openServer(given).catch(({ name }: Error) => name)).to.equal('StoreError');
    await writeFile(file, keys);
    await serve(given);
  });

  it('says in its log why the store takes nothing, and to who asked that it does not', async () => {
    const server = await serve();
    const { store } = server.plane.kernel.services;
    const commit = store.commit.bind(store);
    store.commit = () => Promise.reject(new StoreError('database or disk is full'));
    const refused = await server.ask('POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 } });
    store.commit = commit;
    expect([refused.status, refused.json.detail]).to.deep.equal([503, 'The store cannot take it now.']);
    await eventually(() => server.log().includes('database or disk is full'));
    await made(server, 'one');
  });

  it('answers a repeat with the same bytes after a restart', async () => {
    const create = (server: TestServer) =>
      server.ask('POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 }, headers: { 'idempotency-key': 'again' } });
    const first = await serve();
    const { text } = await create(first);
    const second = await restart(first);
    expect((await create(second)).text).to.equal(text);
    const other = await second.ask('POST', '/v1/widgets', { body: { name: 'two', sizeBytes: 1 }, headers: { 'idempotency-key': 'again' } });
    expect([other.status, other.json.code]).to.deep.equal([422, 'idempotency_mismatch']);
    expect((await second.ask('GET', '/v1/widgets')).json.items).to.have.length(1);
  });

  it('parks what is under way when it stops, and ends it after the next start', async () => {
    const first = await serve();
    const hold = Promise.withResolvers<void>();
    first.workshop.gate = hold.promise;
    const accepted = await first.ask('POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 } });
    await eventually(async () => (await first.ask('GET', `/v1/operations/${accepted.json.operationId}`)).json.state === 'running');
    const second = await restart(first);
    hold.resolve();
    const ended = await second.ask('GET', `/v1/operations/${accepted.json.operationId}?waitSeconds=10`);
    expect(ended.json.state).to.equal('succeeded');
  });

  it('tells every change exactly once to a client that resumes across restarts', async () => {
    let server = await serve();
    const seen: Event[] = [];
    const from = (await server.ask('GET', '/v1/changes')).json.next;
    for (let round = 0; round < 3; round += 1) {
      const stop = new AbortController();
      const reading = readEvents(server, { after: seen.at(-1)?.id ?? from, signal: stop.signal, onEvent: (event) => seen.push(event) });
      for (let index = 0; index < 5; index += 1) await made(server, `w${round}-${index}`);
      // Cut in the middle of what is sent in one round, by the server's stop in the others.
      if (round === 1) stop.abort();
      server = await restart(server);
      await reading;
      stop.abort();
    }
    const all = (await server.ask('GET', `/v1/changes?after=${from}&limit=1000`)).json.items as { cursor: string }[];
    const stop = new AbortController();
    const reading = readEvents(server, { after: seen.at(-1)?.id ?? from, signal: stop.signal, onEvent: (event) => seen.push(event) });
    await eventually(() => seen.some(({ id }) => id === all.at(-1)?.cursor));
    stop.abort();
    await reading;
    expect(all.length).to.be.greaterThan(50);
    expect(seen.slice(0, all.length).map(({ id }) => id)).to.deep.equal(all.map(({ cursor }) => cursor));
  });

  it('answers who waits, and ends streams and sockets, when it stops', async () => {
    const server = await serve();
    const hold = Promise.withResolvers<void>();
    server.workshop.gate = hold.promise;
    const waiting = server.ask('POST', '/v1/widgets', { body: { name: 'one', sizeBytes: 1 }, headers: { prefer: 'wait=60' } });
    const stream = readEvents(server, { after: '0.0' });
    const poll = server.ask('GET', '/v1/changes?after=100000.0').then(({ status }) => status);
    expect(await poll).to.equal(410);
    await eventually(() => server.plane.kernel.operations.unfinished === 1);
    const startedMs = performance.now();
    open.splice(open.indexOf(server), 1);
    const closing = server.close();
    expect((await waiting).status).to.equal(202);
    await stream;
    await closing;
    // And not at the end of the wait.
    expect(performance.now() - startedMs).to.be.lessThan(30_000);
    hold.resolve();
  });

  it('refuses a second server on the same data', async () => {
    const server = await serve();
    const second = await openServer({ directory: server.directory }).then(
      () => 'started',
      (error: Error) => error.message,
    );
    expect(second).to.include(server.directory);
    expect((await server.ask('GET', '/v1/widgets')).status).to.equal(200);
  });
});
