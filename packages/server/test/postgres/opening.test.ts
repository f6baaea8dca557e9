import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Condition, Store, StoreError, StoreSchema } from '@pileus/core/kernel';
import { expect } from 'chai';
import { createAuthority, installHostCertificate } from '../../../../test/lab/certificates.ts';
import { openPostgres, restorePostgres, targetOf } from '../../src/postgres/index.ts';
import { listSql } from '../../src/postgres/query.ts';
import { Session } from '../../src/postgres/session.ts';
import { catalogOf } from '../../src/postgres/table.ts';
import { TestCluster } from './cluster.ts';

const AT = '2030-01-01T00:00:00.000Z';
/** Of a password that was not percent-encoded: behind it comes what ends this part of a URL. */
const UNREADABLE = '65431';
const SCHEMA: StoreSchema = {
  tables: [
    {
      name: 'note',
      type: 'resource',
      key: ['id'],
      columns: { projectId: 'text', name: 'text', size: 'integer' },
      unique: [['projectId', 'name']],
      indexes: [['projectId', 'id'], ['size']],
    },
  ],
  migrations: [],
};

describe('opening a store on PostgreSQL', function () {
  this.timeout(300_000);
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start({ inMemory: true });
  });
  after(() => cluster.stop());

  const open = (url: string, more: object = {}): Promise<Store> => openPostgres({ url, ...more }, cluster.environment);
  const refusal = (url: string, more: object = {}): Promise<StoreError> =>
    open(url, more).then(
      async (store) => {
        await store.close();
        return expect.fail('opened');
      },
      (error: StoreError) => error,
    );
  const overTcp = (password: string | undefined, user = 'postgres') =>
    `postgres://${user}${password === undefined ? '' : `:${encodeURIComponent(password)}`}@127.0.0.1:${cluster.server.port}/german?schema=tcp`;
  const write = async (store: Store, ...rows: readonly { readonly id: string; readonly size?: number }[]) => {
    const statements = rows.map((row) => ({ op: 'insert', table: 'note', row }) as const);
    const result = await store.commit({ node: 'n', epoch: store.epoch, at: AT, statements });
    if (!result.ok) throw new Error(JSON.stringify(result));
  };

  describe('the password', () => {
    const set = (name: string, value: string) => {
      const before = process.env[name];
      process.env[name] = value;
      return () => {
        if (before === undefined) delete process.env[name];
        else process.env[name] = before;
      };
    };

    it('comes from the URL, a file, PGPASSWORD or PGPASSFILE', async () => {
      const { password, port } = cluster.server;
      await (await open(overTcp(password))).close();
      const file = cluster.path();
      await writeFile(file, `${password}\n`);
      await (await open(overTcp(undefined), { passwordFile: file })).close();
      let restore = set('PGPASSWORD', password);
      await (await open(overTcp(undefined))).close();
      restore();
      const passFile = cluster.path();
      await writeFile(passFile, `127.0.0.1:${port}:german:postgres:${password.replaceAll(':', '\\:')}\n`, { mode: 0o600 });
      restore = set('PGPASSFILE', passFile);
      await (await open(overTcp(undefined))).close();
      restore();
    });

    it('is told in no refusal', async () => {
      const secrets = ['s3cret/wr:ong', cluster.server.password, UNREADABLE];
      const failures = [
        await refusal(overTcp(secrets[0])),
        await refusal(overTcp(secrets[1], 'nobody-there')),
        await refusal(`postgres://postgres:${encodeURIComponent(secrets[1] ?? '')}@127.0.0.1:1/german`),
        await refusal(`postgres://postgres:${encodeURIComponent(secrets[1] ?? '')}@127.0.0.1:${cluster.server.port}/none`),
        await refusal(overTcp(secrets[1]).replace('schema=tcp', 'schema=No Good')),
        await refusal(`postgres://postgres:${secrets[0]}@[broken/x`),
        ...(await Promise.all(['/', '#', '?'].map((part) => refusal(`postgres://postgres:${UNREADABLE}${part}word@127.0.0.1/german`)))),
      ];
      for (const failure of failures) {
        expect(failure.name).to.equal('StoreError');
        for (const secret of secrets) {
          const text = `${failure.message} ${failure.stack}`;
          expect(text).to.not.include(secret);
          expect(text).to.not.include(encodeURIComponent(secret));
        }
      }
      expect(failures[0]?.message).to.include('password authentication failed').and.include('postgres@127.0.0.1');
      expect(targetOf({ url: overTcp(secrets[1]) }).name).to.equal(
        `postgres://postgres@127.0.0.1:${cluster.server.port}/german (schema tcp)`,
      );
    });
  });

  it('needs no more than the right to make a schema', async () => {
    await cluster.sql("CREATE ROLE humble LOGIN PASSWORD 'x'; GRANT CREATE ON DATABASE german TO humble");
    const url = `postgres://humble:x@127.0.0.1:${cluster.server.port}/german?schema=humble`;
    const store = await open(url);
    await store.prepare(SCHEMA);
    await write(store, { id: 'a' });
    await store.backup(cluster.path());
    await store.close();
    await cluster.sql("CREATE ROLE nothing LOGIN PASSWORD 'x'");
    expect((await refusal(url.replace('humble:x', 'nothing:x').replace('schema=humble', 'schema=other'))).message).to.include(
      'permission denied',
    );
    await cluster.sql('CREATE SCHEMA given AUTHORIZATION nothing');
    await (await open(url.replace('humble:x', 'nothing:x').replace('schema=humble', 'schema=given'))).close();
  });

  it('refuses a schema of something else, and a server that cannot keep what a store promises', async () => {
    await cluster.sql('CREATE SCHEMA foreign_one; CREATE TABLE foreign_one.thing (x integer)');
    expect((await refusal(cluster.server.url('german', { schema: 'foreign_one' }))).message).to.include('something else');
    await cluster.sql("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'", 'postgres');
    expect((await refusal(cluster.server.url('latin'))).message).to.include('LATIN1');
    const careless = await TestCluster.start({ inMemory: true, settings: ['fsync=off'] });
    expect((await refusal(careless.unused())).message).to.include('fsync = off');
    await careless.stop();
  });

  it('keeps its promises whatever the role is set to', async () => {
    await cluster.sql(
      `CREATE ROLE odd LOGIN SUPERUSER; ALTER ROLE odd SET synchronous_commit = off; ALTER ROLE odd SET default_transaction_isolation = serializable;
        ALTER ROLE odd SET statement_timeout = '1ms'; ALTER ROLE odd SET lock_timeout = '1ms'; ALTER ROLE odd SET extra_float_digits = 0; ALTER ROLE odd SET search_path = pg_temp`,
    );
    const url = cluster.unused().replace('postgres@', 'odd@');
    const store = await open(url);
    await store.prepare(SCHEMA);
    await write(store, { id: 'a', size: Number.MAX_SAFE_INTEGER });
    expect(await store.read('note', 'a')).to.include('"id":"a"');
    expect(await store.aggregate({ table: 'note', measures: [{ op: 'max', field: 'size' }] })).to.deep.equal([[Number.MAX_SAFE_INTEGER]]);
    const session = await Session.open(targetOf({ url }).config, cluster.environment);
    for (const [name, value] of [
      ['synchronous_commit', 'on'],
      ['transaction_isolation', 'read committed'],
      ['statement_timeout', '0'],
      ['lock_timeout', '1min'],
    ])
      expect(await session.rows(`SHOW ${name}`), name).to.deep.equal([[value]]);
    await session.close();
    await store.close();
    // A lock must not outlive for hours a machine that lost its power.
    const far = await Session.open(targetOf({ url: overTcp(cluster.server.password) }).config, cluster.environment);
    for (const [name, value] of [
      ['idle', '10'],
      ['interval', '5'],
      ['count', '3'],
    ])
      expect(await far.rows(`SHOW tcp_keepalives_${name}`), name).to.deep.equal([[value]]);
    await far.close();
  });

  it('leaves no more statements prepared than it keeps, whatever fails', async () => {
    const session = await Session.open(targetOf({ url: cluster.unused() }).config, cluster.environment);
    const fails = (text: string) =>
      session.rows(text).then(
        () => expect.fail('done'),
        () => undefined,
      );
    const prepared = async () => Number((await session.rows('SELECT count(*) FROM pg_prepared_statements'))[0]?.[0]);
    for (let number = 0; number < 20; number += 1) await fails(`SELECT ${number}/0`);
    expect(await prepared()).to.be.at.most(2);
    for (let number = 0; number < 600; number += 1) {
      await session.rows(`SELECT ${number}`);
      if (number > 500) await fails(`SELECT ${number}/0`);
    }
    await session.rows('SELECT 1');
    expect(await prepared()).to.be.within(490, 501);
    await session.close();
  });

  it('speaks TLS, and with nobody whose certificate it cannot prove', async () => {
    const folder = cluster.path();
    await createAuthority(folder);
    const pki = { name: 'localhost', address: '127.0.0.9', rootDir: cluster.path() };
    await installHostCertificate(folder, pki);
    await cluster.server.encrypt(join(pki.rootDir, 'etc/pki/servercert.pem'), join(pki.rootDir, 'etc/pki/serverkey.pem'));
    const url = (host: string, parameters: string) => overTcp(cluster.server.password).replace('127.0.0.1', host) + parameters;
    const proved = `&sslmode=verify-full&sslrootcert=${join(folder, 'ca.pem')}`;
    const session = await Session.open(targetOf({ url: url('localhost', proved) }).config, cluster.environment);
    expect(await session.rows('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')).to.deep.equal([['t']]);
    await session.close();
    expect((await refusal(url('localhost', '&sslmode=verify-full'))).message).to.match(/certificate/);
    expect((await refusal(url('127.0.0.1', proved))).message).to.match(/does not match certificate/);
    expect((await refusal(url('localhost', '&sslmode=verify-full&sslrootcert=/nowhere/ca.pem'))).message).to.include('/nowhere/ca.pem');
  });

  it('gives a copy that was made by other means an incarnation of its own, once', async () => {
    await cluster.sql('CREATE DATABASE origin', 'postgres');
    const origin = await open(cluster.server.url('origin'));
    await origin.prepare(SCHEMA);
    await write(origin, { id: 'a' });
    await origin.close();
    await cluster.sql('CREATE DATABASE clone TEMPLATE origin', 'postgres');
    const clone = await open(cluster.server.url('clone'));
    expect(clone.incarnation).to.not.equal(origin.incarnation);
    await clone.close();
    const again = await open(cluster.server.url('clone'));
    expect(again.incarnation).to.equal(clone.incarnation);
    await again.close();
    const unchanged = await open(cluster.server.url('origin'));
    expect(unchanged.incarnation).to.equal(origin.incarnation);
    await unchanged.close();
  });

  it('holds texts that PostgreSQL itself cannot look into', async () => {
    const store = await open(cluster.unused());
    await store.prepare(SCHEMA);
    const odd = { id: 'odd', projectId: 'p', name: 'n\0ul', note: 'half \ud83d', path: 'C:\\u0000', size: 3 };
    const whole = { id: 'whole', projectId: 'p', name: '\ud83d\ude80', note: 'whole \ud83d\ude80', path: 'C:\\u0000', size: 4 };
    await write(store, odd, whole);
    for (const row of [odd, whole]) {
      expect(JSON.parse((await store.read('note', row.id)) ?? '')).to.include(row);
      for (const field of ['name', 'note', 'size'] as const) {
        const found = await store.list({ table: 'note', where: { field, op: '=', value: row[field] } });
        expect(
          found.map((text) => JSON.parse(text).id),
          `${row.id} by ${field}`,
        ).to.deep.equal([row.id]);
      }
    }
    expect(await store.count({ table: 'note', where: { field: 'path', op: '=', value: 'C:\\u0000' } })).to.equal(2);
    expect(await store.list({ table: 'note', order: [{ field: 'note' }], limit: 5 })).to.have.length(2);
    const clash = { op: 'insert', table: 'note', row: { ...odd, id: 'clash' } } as const;
    expect(await store.commit({ node: 'n', epoch: store.epoch, at: AT, statements: [clash] })).to.include({ reason: 'exists' });
    await store.close();
  });

  it('exchanges the values of unique fields within a transaction and a group', async () => {
    const store = await open(cluster.unused());
    await store.prepare(SCHEMA);
    await write(store, ...['a', 'b', 'c'].map((id) => ({ id, projectId: 'p', name: id })));
    const rename = (id: string, name: string) => ({ op: 'update', table: 'note', key: id, set: { name } }) as const;
    const commit = (...statements: ReturnType<typeof rename>[]) => store.commit({ node: 'n', epoch: store.epoch, at: AT, statements });
    const results = await Promise.all([
      commit(rename('a', 'x'), rename('b', 'a'), rename('a', 'b')),
      commit(rename('c', 'a')),
      commit(rename('c', 'z')),
      commit(rename('b', 'c')),
    ]);
    expect(results.map(({ ok }) => ok)).to.deep.equal([true, false, true, true]);
    const names = (await store.list({ table: 'note' })).map((text) => JSON.parse(text).name);
    expect(names).to.deep.equal(['b', 'c', 'z']);
    await store.close();
  });

  it('refuses to restore what is no backup, or where a store is, and leaves nothing behind', async () => {
    const url = cluster.unused();
    const store = await open(url);
    await store.prepare(SCHEMA);
    await write(store, { id: 'a' });
    const backup = cluster.path();
    await store.backup(backup);
    const refused = (from: string, to: string) =>
      restorePostgres({ url: to, from }, cluster.environment).then(
        () => expect.fail('restored'),
        (error: Error) => error.message,
      );
    expect(await refused(backup, url)).to.include('there is a store already');
    const elsewhere = cluster.unused();
    const broken = cluster.path();
    await writeFile(broken, `${await readFile(backup, 'utf8')}["_nowhere","x"]\n`);
    expect(await refused(broken, elsewhere)).to.include('_nowhere');
    const text = await readFile(backup, 'utf8');
    await writeFile(broken, text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1));
    expect(await refused(broken, elsewhere)).to.include('its end is missing');
    await writeFile(broken, '{"some":"json"}\n');
    expect(await refused(broken, elsewhere)).to.include('no backup');
    await writeFile(broken, '');
    expect(await refused(broken, elsewhere)).to.include('empty');
    expect(await refused(cluster.path(), elsewhere)).to.include('no such file');
    await restorePostgres({ url: elsewhere, from: backup }, cluster.environment);
    await store.close();
  });

  it('finds pages by an index', async () => {
    const url = cluster.unused();
    const store = await open(url);
    await store.prepare(SCHEMA);
    const rows = Array.from({ length: 3000 }, (_, index) => ({
      ...{ id: `n${String(index).padStart(5, '0')}`, projectId: `p${index % 3}`, name: `n${index}` },
      ...(index % 5 === 0 ? {} : { size: index }),
    }));
    await write(store, ...rows);
    const schema = new URLSearchParams(url.split('?')[1]).get('schema') ?? '';
    await cluster.sql(`ANALYZE ${schema}.note`);
    const catalog = catalogOf(SCHEMA.tables, schema);
    const session = await Session.open(targetOf({ url }).config, cluster.environment);
    /** As prepared statements are planned: for given values, and, from some execution on, for any. */
    const plan = async (query: Parameters<typeof listSql>[1], mode: string) => {
      const { text, values } = listSql(catalog, query);
      await session.rows(`SET plan_cache_mode = ${mode}`);
      await session.rows(`PREPARE page AS ${text}`);
      const lines = await session.rows(`EXPLAIN EXECUTE page (${values.map((value) => `'${String(value)}'`).join(', ')})`);
      await session.rows('DEALLOCATE page');
      return lines.join('\n');
    };
    const project = { field: 'projectId', op: '=', value: 'p1' } as const;
    const queries = [
      { where: project, limit: 50 },
      { where: project, limit: 50, after: ['n01500'] },
      { order: [{ field: 'size' }], limit: 50 },
      { order: [{ field: 'size' }], limit: 50, after: [1700, 'n01700'] },
      { where: { field: 'size', op: '>', value: 2900 } as const, limit: 20, order: [{ field: 'size' }] },
    ];
    for (const query of queries)
      for (const mode of ['force_custom_plan', 'force_generic_plan']) {
        const text = await plan({ table: 'note', ...query }, mode);
        expect(text, `${mode}: ${JSON.stringify(query)}`)
          .to.include('Index Scan')
          .and.not.match(/\bSort\b|Seq Scan/);
      }
    // What lies in other tables is found first where an index leads there, and row by row elsewhere: never by a join, whose order would be a guess.
    const other = (where: Condition): Condition => ({ exists: { table: 'note', local: 'id', remote: 'projectId', where } });
    const led = await plan({ table: 'note', where: other({ field: 'size', op: '=', value: 7 }), limit: 20 }, 'force_generic_plan');
    expect(led)
      .to.include('InitPlan')
      .and.not.match(/Join|Nested Loop|Seq Scan/);
    const unled = await plan({ table: 'note', where: other({ field: 'text', op: '=', value: 'x' }), limit: 20 }, 'force_generic_plan');
    expect(unled)
      .to.include('SubPlan')
      .and.not.match(/Join|Nested Loop/);
    await session.close();
    await store.close();
  });
});
