import type { JsonObject } from '@pileus/core/kernel';
import { expect } from 'chai';
import { parseConfig } from '../../src/index.ts';
import { restoreStore } from '../../src/store.ts';
import { type Event, readEvents } from '../events.ts';
import { eventually, made, openServer, type TestServer } from '../server.ts';
import { TestCluster } from './cluster.ts';

const CREATORS = 8;
const EACH = 6;

describe('a server on PostgreSQL', function () {
  this.timeout(300_000);
  let cluster: TestCluster;
  let store: string;
  let server: TestServer;
  before(async () => {
    cluster = await TestCluster.start();
  });
  after(() => cluster.stop());
  beforeEach(async () => {
    store = cluster.storeUrl();
    server = await openServer({ config: { store } });
  });
  afterEach(() => server.close());

  /** Asks again as long as the server is told to come again: what it last tried may have been while the database was away. */
  const insistOn = async (name: string): Promise<void> => {
    const options = { body: { name, sizeBytes: 10 }, headers: { prefer: 'wait=60', 'idempotency-key': name } };
    await eventually(async () => {
      const { status, text } = await server.ask('POST', '/v1/widgets', options);
      expect(status, text).to.be.oneOf([200, 202, 503]);
      return status === 200;
    });
  };
  const names = async (): Promise<readonly string[]> =>
    (await server.ask('GET', '/v1/widgets?limit=100')).json.items.map(({ name }: { name: string }) => name).sort();

  it('needs nothing but the URL, and finds everything again after a restart', async () => {
    const id = await made(server, 'first', { color: 'red', note: 'naïve\u0000' });
    await made(server, 'second');
    const row = (await server.ask('GET', `/v1/widgets/${id}`)).text;
    expect((await server.ask('POST', '/v1/widgets', { body: { name: 'first', sizeBytes: 1 } })).json.code).to.equal('name_taken');
    server = await server.restart();
    expect((await server.ask('GET', `/v1/widgets/${id}`)).text).to.equal(row);
    expect((await server.ask('GET', "/v1/widgets?filter=color%20%3D%20'red'")).json.items).to.have.length(1);
    expect(await names()).to.deep.equal(['first', 'second']);
    expect((await server.ask('GET', '/health/ready')).status).to.equal(200);
  });

  it('uses settings as they are changed, and has them again after a restart', async () => {
    await using cloud = new AsyncDisposableStack();
    const config = { store: cluster.storeUrl(), kvm: { enabled: false } };
    let plane = cloud.adopt(await openServer({ cloud: true, config }), (one) => one.close());
    const ask = (method: string, path: string, body?: object) =>
      plane.ask(method, `/v1/${path}`, { ...(body === undefined ? {} : { body }), headers: { prefer: 'wait=60' } });
    const effective = async () => (await ask('GET', 'settings/effective?key=trash.retentionSeconds')).json.items[0];
    const set = async (value: number) =>
      (await ask('POST', 'setting-values/actions/set', { key: 'trash.retentionSeconds', value })).json.resourceId;
    await set(60);
    const id = await set(90);
    expect(await effective()).to.include({ value: 90, level: 'global', valueId: id });
    plane = cloud.adopt(await plane.restart(), (one) => one.close());
    expect(await effective()).to.include({ value: 90, level: 'global' });
    expect((await ask('POST', `setting-values/${id}/reset`, {})).status).to.equal(200);
    expect(await effective()).to.include({ value: 0, level: 'default' });
    const { items } = (await ask('GET', 'setting-changes?sort=createdAt')).json;
    expect(items.map(({ from, to }: { from?: number; to?: number }) => [from, to])).to.deep.equal([
      [undefined, 60],
      [60, 90],
      [90, undefined],
    ]);
  });

  it('ends every accepted operation while the database goes away and comes back', async () => {
    const ends: string[] = [];
    const creators = Array.from({ length: CREATORS }, async (_, creator) => {
      for (let number = 0; number < EACH; number += 1) {
        const name = `w-${creator}-${number}`;
        for (let done = false; !done; ) {
          const options = { body: { name, sizeBytes: 10 }, headers: { prefer: 'wait=20', 'idempotency-key': name } };
          const answer = await server.ask('POST', '/v1/widgets', options);
          expect(answer.status, answer.text).to.be.oneOf([200, 202, 503]);
          done = answer.status === 200;
        }
        ends.push(name);
      }
    });
    for (let restart = 0; restart < 2; restart += 1) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      await cluster.server.down(restart === 0 ? 'SIGINT' : 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 300));
      await cluster.server.up();
    }
    await Promise.all(creators);
    expect(await names()).to.deep.equal(ends.toSorted());
    const unfinished = await server.plane.kernel.services.store.count({
      table: 'operation',
      where: { not: { field: 'state', op: '=', value: 'succeeded' } },
    });
    expect(unfinished).to.equal(0);
  });

  it('tells every change exactly once to a client that resumes, across restarts of the database and of the server', async () => {
    const seen: Event[] = [];
    const from = (await server.ask('GET', '/v1/changes')).json.next;
    for (let round = 0; round < 3; round += 1) {
      const stop = new AbortController();
      const after = seen.at(-1)?.id ?? from;
      const reading = readEvents(server, { after, signal: stop.signal, onEvent: (event) => seen.push(event) });
      for (let index = 0; index < 4; index += 1) await insistOn(`w${round}-${index}`);
      if (round === 1) server = await server.restart();
      else {
        await cluster.server.down('SIGKILL');
        await cluster.server.up();
      }
      await insistOn(`w${round}-last`);
      stop.abort();
      await reading;
    }
    const all = (await server.ask('GET', `/v1/changes?after=${from}&limit=1000`)).json.items as { cursor: string }[];
    const stop = new AbortController();
    const reading = readEvents(server, { after: seen.at(-1)?.id ?? from, signal: stop.signal, onEvent: (event) => seen.push(event) });
    await eventually(() => seen.some(({ id }) => id === all.at(-1)?.cursor));
    stop.abort();
    await reading;
    expect(all.length).to.be.greaterThan(30);
    expect(seen.slice(0, all.length).map(({ id }) => id)).to.deep.equal(all.map(({ cursor }) => cursor));
  });

  it('backs itself up, and is made anew from that as another incarnation', async () => {
    await made(server, 'kept');
    const taken = await server.ask('POST', '/v1/backups', { body: { name: 'nightly' } });
    expect(taken.status).to.equal(200);
    await made(server, 'lost');
    const elsewhere = `${store}_restored`;
    const loaded = { config: parseConfig({ store: elsewhere }), directory: server.directory };
    const place = await restoreStore(loaded, cluster.environment, taken.json.path);
    expect(place).to.include('_restored').and.not.include(encodeURIComponent(cluster.server.password));
    const { incarnation } = server.plane.kernel.services.store;
    const restored = await openServer({ config: { store: elsewhere }, directory: server.directory, key: server.key });
    expect((await restored.ask('GET', '/v1/widgets')).json.items.map(({ name }: { name: string }) => name)).to.deep.equal(['kept']);
    expect(restored.plane.kernel.services.store.incarnation).to.not.equal(incarnation);
    await restored.plane.close();
  });

  it('is taken over under load by the next release, which migrates its rows and ends what was under way', async () => {
    const hold = Promise.withResolvers<void>();
    server.workshop.gate = hold.promise;
    const accepted: string[] = [];
    let refused = 0;
    let over = false;
    const load = Array.from({ length: CREATORS }, async (_, creator) => {
      for (let number = 0; !over; number += 1) {
        const answer = await server.ask('POST', '/v1/widgets', { body: { name: `w-${creator}-${number}`, sizeBytes: 10 } });
        if (answer.status === 202) accepted.push(answer.json.operationId);
        else {
          expect([answer.status, answer.json.code]).to.deep.equal([503, 'unavailable']);
          refused += 1;
        }
      }
    });
    await eventually(() => accepted.length >= 20);
    const migration = {
      ...{ plugin: 'next-release', number: 1, table: 'widget' },
      up: (row: JsonObject) => ({ ...row, note: row.note ?? 'migrated' }),
    };
    const next = await openServer({
      ...{ config: { store }, directory: server.directory, key: server.key, workshop: server.workshop },
      plugins: [{ id: 'next-release', version: '1', migrations: [migration] }],
    });
    await eventually(() => refused > 0);
    over = true;
    await Promise.all(load);
    hold.resolve();
    for (const operationId of accepted) {
      const ended = await next.ask('GET', `/v1/operations/${operationId}?waitSeconds=20`);
      expect(ended.json.state, ended.text).to.equal('succeeded');
    }
    const { store: kept } = next.plane.kernel.services;
    const widgets = (await kept.list({ table: 'widget' })).map((text) => JSON.parse(text));
    expect(widgets).to.have.length(accepted.length);
    for (const widget of widgets) expect(widget).to.include({ state: 'still', note: 'migrated' });
    expect((await server.ask('GET', '/health/ready')).status).to.equal(503);
    await made(next, 'after');
    await next.plane.close();
  });

  it('never logs the password', async () => {
    await cluster.server.down('SIGKILL');
    await server.ask('GET', '/health/ready');
    await cluster.server.up();
    await insistOn('after');
    const { password } = cluster.server;
    for (const secret of [password, encodeURIComponent(password)]) expect(server.log()).to.not.include(secret);
    expect(server.log()).to.include('PostgreSQL');
  });
});
