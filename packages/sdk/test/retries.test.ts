import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { type PileusError, retryAfter } from '../src/errors.ts';
import { isPileusError } from '../src/runtime.ts';
import { deadUrl } from './fixture/dead-url.ts';
import { type Cloud, connect } from './fixture/generated/cloud.ts';
import { type Fixture, startFixture } from './fixture/server.ts';

const machine = (name: string) => ({ name, vcpus: 1, memoryBytes: 1 });
const FAST = { baseMs: 5, maxMs: 1500 };

describe('sdk: retries', () => {
  let fixture: Fixture;
  let cloud: Cloud;
  beforeEach(async () => {
    fixture = await startFixture();
    cloud = connect({ url: fixture.url, apiKey: fixture.apiKey, retry: FAST });
  });
  afterEach(() => fixture.close());

  const keys = () => fixture.seen.filter(({ method }) => method === 'POST').map(({ headers }) => headers['idempotency-key']);

  for (const effect of ['reset-before', 'reset-after', 'cut'] as const)
    it(`makes one machine, with one key, when the connection breaks (${effect})`, async () => {
      fixture.faults.plan('POST', /^\/v1\/instances$/, { type: effect }, 2);
      const row = await cloud.instances.create(machine('once')).wait();
      expect(row.state).to.equal('running');
      expect(keys()).to.have.length(3);
      expect(new Set(keys()).size).to.equal(1);
      expect(fixture.workshop.made).to.equal(1);
      expect(await cloud.instances.list().toArray()).to.have.length(1);
    });

  it('says of a server without TLS that it has none, in words of its own', async () => {
    const answer = await connect({ url: fixture.url.replace('http:', 'https:'), retry: { attempts: 1 } })
      .instances.list()
      .page()
      .catch((error: unknown) => error);
    expect(isPileusError(answer) && [answer.code, answer.message]).to.deep.equal([
      'connection_failed',
      'No answer from the server (it does not speak TLS; is its URL one of http://, not https://?).',
    ]);
  });

  it('refuses a URL with the version in it, which each request names', () => {
    for (const end of ['/v1', '/v1/'])
      expect(() => connect({ url: `https://cloud.example/east${end}` })).to.throw(
        'must end before /v1: give it as https://cloud.example/east.',
      );
    connect({ url: 'https://cloud.example/v1-east' });
  });

  it('takes a new key for each call, and the one it is given', async () => {
    await cloud.instances.create(machine('a'));
    await cloud.instances.create(machine('b'));
    const mine = await cloud.instances.create(machine('c'), { idempotencyKey: 'mine' });
    const again = await cloud.instances.create(machine('c'), { idempotencyKey: 'mine' });
    expect(again.operationId).to.equal(mine.operationId);
    expect(new Set(keys()).size).to.equal(3);
    const other = await cloud.instances.create(machine('d'), { idempotencyKey: 'mine' }).safe();
    expect(!other.ok && other.error.code).to.equal('idempotency_mismatch');
  });

  it('waits as long as the server asks when it is busy or away', async () => {
    fixture.faults.plan('GET', /^\/v1\/instances\//, { type: 'refuse', status: 429, retryAfterSeconds: 1 });
    await cloud.instances.create(machine('busy')).wait();
    expect(fixture.seen.filter(({ method, url }) => method === 'GET' && url.startsWith('/v1/instances/'))).to.have.length(2);
    fixture.faults.plan('GET', /./, { type: 'refuse', status: 503 }, 2);
    expect((await cloud.instances.get('busy')).name).to.equal('busy');
    fixture.faults.plan('GET', /./, { type: 'refuse', status: 502 });
    expect((await cloud.instances.get('busy')).name).to.equal('busy');
  });

  it('tells whoever asked what keeps it waiting', async () => {
    const told: string[] = [];
    const retry = { ...FAST, onRetry: ({ code }: PileusError, tries: number) => told.push(`${code} ${tries}`) };
    fixture.faults.plan('GET', /./, { type: 'refuse', status: 503 }, 2);
    await connect({ url: fixture.url, apiKey: fixture.apiKey, retry }).instances.list().page();
    expect(told).to.deep.equal(['unavailable 1', 'unavailable 2']);
  });

  it('does not come earlier than Retry-After', async () => {
    fixture.faults.plan('GET', /./, { type: 'refuse', status: 429, retryAfterSeconds: 1 });
    const before = performance.now();
    await cloud.instances.list().page();
    expect(performance.now() - before).to.be.at.least(990);
  });

  it('gives up after its attempts, and never repeats what cannot succeed', async () => {
    const impatient = connect({ url: fixture.url, apiKey: fixture.apiKey, retry: { ...FAST, attempts: 3 } });
    fixture.faults.plan('GET', /./, { type: 'refuse', status: 503 }, 10);
    const away = await impatient.instances.get('x').safe();
    expect(!away.ok && away.error).to.include({ code: 'unavailable', status: 503 });
    expect(fixture.seen).to.have.length(3);
    fixture.faults.clear();
    await impatient.instances.get('x').safe();
    expect(fixture.seen).to.have.length(4);
  });

  it('waits on for what was accepted while the server is away, for as long as it is told', async () => {
    fixture.faults.plan('GET', /^\/v1\/operations\//, { type: 'refuse', status: 503 }, 20);
    expect((await cloud.instances.create(machine('restarted')).wait()).state).to.equal('running');
    fixture.faults.plan('GET', /^\/v1\/operations\//, { type: 'reset-before' }, 1000);
    const accepted = await cloud.instances.create(machine('unheard'));
    const impatient = connect({ url: fixture.url, apiKey: fixture.apiKey, retry: { ...FAST, awayMs: 0 } });
    const before = fixture.seen.length;
    const unheard = await impatient.operations.wait(accepted.operationId).safe();
    expect(!unheard.ok && unheard.error.code).to.equal('connection_failed');
    expect(fixture.seen.length - before).to.equal(6);
    const late = await accepted.wait({ timeoutMs: 1 }).safe();
    expect(!late.ok && late.error.code).to.equal('connection_failed');
  });

  it('names the reason when nobody answers, and stops at once when the caller gives up', async () => {
    const nobody = connect({ url: await deadUrl(), retry: { attempts: 2, baseMs: 1 } });
    const result = await nobody.instances.get('x').safe();
    expect(!result.ok && result.error.code).to.equal('connection_failed');
    expect(!result.ok && result.error.message).to.include('ECONNREFUSED');
    const abort = new AbortController();
    const patient = connect({ url: await deadUrl(), retry: { attempts: 100, baseMs: 10_000 } });
    setTimeout(() => abort.abort(), 20);
    const given = await patient.instances.get('x', { signal: abort.signal }).safe();
    expect(!given.ok && given.error.code).to.equal('aborted');
  });

  it('counts an answer that does not come in time as a broken connection', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const slow = await connect({ url, retry: { attempts: 2, baseMs: 1 } })
      .instances.get('x', { timeoutMs: 50 })
      .safe();
    expect(!slow.ok && slow.error.code).to.equal('connection_failed');
    silent.closeAllConnections();
    silent.close();
  });

  it('goes to the next server when one does not answer, and stays there', async () => {
    const both = connect({ urls: [await deadUrl(), fixture.url], apiKey: fixture.apiKey, retry: FAST });
    await both.instances.create(machine('elsewhere')).wait();
    expect((await both.instances.get('elsewhere')).name).to.equal('elsewhere');
    expect(new Set(keys()).size).to.equal(1);
  });

  it('refuses what is no URL by name', () => {
    for (const url of ['localhost:8080', 'nonsense', 'ftp://x'])
      expect(() => connect({ url }))
        .to.throw()
        .that.satisfies(isPileusError);
  });

  it('reads Retry-After as seconds and as a date', () => {
    expect(retryAfter('2')).to.equal(2000);
    expect(retryAfter(new Date(Date.now() + 100_000).toUTCString())).to.be.within(50_000, 100_000);
    expect(retryAfter('soon')).to.equal(undefined);
  });
});
