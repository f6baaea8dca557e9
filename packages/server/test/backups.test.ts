import { access, readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { restoreSqlite } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { parseConfig } from '../src/config/load.ts';
import { restoreStore } from '../src/store.ts';
import { openServer, type TestServer } from './server.ts';

describe('server: backups', () => {
  let server: TestServer;
  before(async () => {
    server = await openServer();
  });
  after(() => server.close());

  it('copies the store into its own directory, and keeps who asked for it', async () => {
    const taken = await server.ask('POST', '/v1/backups', { body: { name: 'nightly' } });
    expect(taken.status).to.equal(200);
    await access(taken.json.path);
    const again = await server.ask('POST', '/v1/backups', { body: { name: 'nightly' } });
    expect([again.status, again.json.code]).to.deep.equal([409, 'name_taken']);
    const audit = (await server.plane.kernel.services.store.list({ table: 'audit' })).map((text) => JSON.parse(text));
    expect(audit).to.have.length(1);
    expect(audit[0]).to.deep.include({ action: 'store.backup', actor: 'key:root', request: { name: 'nightly' }, result: 'succeeded' });
  });

  it('tells in a dry run what it would be called and whether it has the name, and copies nothing', async () => {
    const dry = (name: string) => server.ask('POST', '/v1/backups?dryRun=true', { body: { name } });
    const copies = () => readdir(join(server.directory, 'backups'));
    const before = await copies();
    const free = (await dry('free')).json;
    expect(free).to.deep.include({ dryRun: true, accepted: true, action: 'store.backup', resourceKind: 'store', quota: [], blockers: [] });
    expect(free.notes).to.deep.equal({ name: 'free', path: join(server.directory, 'backups', 'free.db') });
    const [name = ''] = before;
    expect((await dry(basename(name, '.db'))).json.blockers[0].code).to.equal('name_taken');
    expect(await copies()).to.deep.equal(before);
  });

  it('is made anew from one where there is nothing yet, as on another machine', async () => {
    const { json } = await server.ask('POST', '/v1/backups', { body: { name: 'elsewhere' } });
    const config = parseConfig({ dataDir: 'other/machine' });
    const place = await restoreStore({ config, directory: server.directory }, server.plane.kernel.services.environment, json.path);
    expect(place).to.equal(join(server.directory, 'other/machine/pileus.db'));
    expect((await stat(place)).size).to.be.above(0);
  });

  it('makes one copy for one key, also after a restart, and one that was broken off is made by its repeat', async () => {
    const ask = (key: string, body: object = {}) => server.ask('POST', '/v1/backups', { body, headers: { 'idempotency-key': key } });
    const copies = async () => (await readdir(join(server.directory, 'backups'))).length;
    const before = await copies();
    const first = await ask('k');
    expect((await ask('k')).text).to.equal(first.text);
    server = await server.restart();
    expect((await ask('k')).text).to.equal(first.text);
    expect((await ask('k', { name: 'another' })).status).to.equal(422);
    expect(await copies()).to.equal(before + 1);
    // As if the process had ended behind the first commit, and then behind the copy.
    const { store, environment } = server.plane.kernel.services;
    const [text] = await store.list({ table: 'idempotency' });
    const { answer: _, ...begun } = JSON.parse(text ?? '');
    const again = { op: 'remove', table: 'idempotency', key: 'key:root/k' } as const;
    const at = new Date(environment.clock.nowMs()).toISOString();
    const revert = () =>
      store.commit({ node: 'test', epoch: store.epoch, at, statements: [again, { op: 'insert', table: 'idempotency', row: begun }] });
    await revert();
    expect((await ask('k')).text).to.equal(first.text);
    await revert();
    await rm(first.json.path);
    expect((await ask('k')).text).to.equal(first.text);
    expect(await copies()).to.equal(before + 1);
    // And as if another had taken the name meanwhile, which the answer must not call its own.
    await revert();
    await rm(first.json.path);
    const name = basename(first.json.path, '.db');
    expect((await server.ask('POST', '/v1/backups', { body: { name } })).status).to.equal(200);
    expect((await ask('k')).json.code).to.equal('name_taken');
  });

  it('makes one of several that are asked for by one name at once, and refuses the others', async () => {
    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, nr) =>
        server.ask('POST', '/v1/backups', { body: { name: 'once' }, headers: { 'idempotency-key': `once-${nr}` } }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).to.deep.equal([200, 409, 409, 409]);
    const to = join(server.directory, 'restored.db');
    await restoreSqlite({ from: join(server.directory, 'backups', 'once.db'), to });
    expect(await readdir(join(server.directory, 'backups')))
      .to.include('once.db')
      .and.not.satisfy((names: string[]) => names.some((name) => name.includes('partial')));
  });
});
