import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Wire } from '../../../server/test/postgres/wire.ts';
import {
  AbortedError,
  type Address,
  ConnectionLostError,
  type Lock,
  type OvnNorthbound,
  OvsdbClient,
  OvsdbError,
  ovnNorthbound,
  TimeoutError,
} from '../../src/ovsdb/index.ts';
import { PrivateServer, rejection } from './private-server.ts';
import { wireTo } from './wire-to.ts';

const { Address_Set } = ovnNorthbound.tables;

/** What happened to a lock, in words. */
function record(lock: Lock): readonly string[] {
  const words: string[] = [];
  lock.subscribe((event) => words.push(event.kind === 'lost' ? `lost: ${event.reason}` : event.kind));
  return words;
}

async function soon(test: () => boolean): Promise<void> {
  for (let tries = 0; !test(); tries++) {
    expect(tries, 'tries').to.be.below(6_000);
    await sleep(10);
  }
}

describe('an OVSDB lock', function () {
  this.timeout(300_000);
  let server: PrivateServer;
  let wire: Wire;
  let address: Address;
  let one: OvsdbClient<OvnNorthbound>;
  let other: OvsdbClient<OvnNorthbound>;

  before(async () => {
    server = await PrivateServer.start();
    ({ wire, address } = await wireTo(server));
  });
  after(async () => {
    await wire.close();
    await server[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    one = new OvsdbClient({
      database: ovnNorthbound,
      remotes: [address],
      reconnectDelayMs: 5,
    });
    other = new OvsdbClient({ database: ovnNorthbound, remotes: [server.address] });
    await Promise.all([one.ready(), other.ready()]);
  });
  afterEach(() => Promise.all([one.close(), other.close()]));

  it('is held by one at a time, in the order in which they asked', async () => {
    const [first, second] = [one.lock('turns'), other.lock('turns')];
    const words = record(second);
    await first.acquire();
    let got = false;
    const waiting = second.acquire({ timeoutMs: 60_000 }).then(() => {
      got = true;
    });
    await sleep(50);
    expect([first.held, second.held, got]).to.deep.equal([true, false, false]);
    await first.release();
    await waiting;
    expect([first.held, second.held]).to.deep.equal([false, true]);
    expect(words).to.deep.equal(['held']);
    expect(other.lock('turns')).to.equal(second);
    await second.acquire();
  });

  it('fences the transactions that assert it', async () => {
    const [first, second] = [one.lock('fence'), other.lock('fence')];
    await first.acquire();
    await one.transact([first.assert(), Address_Set.insert({ name: 'by the holder' })]);
    const error = await rejection(other.transact([second.assert(), Address_Set.insert({ name: 'by another' })]));
    expect(error).to.be.instanceOf(OvsdbError).that.includes({ code: 'lock_not_held', operation: 0 });
    const [rows] = await other.transact([Address_Set.select([['name', '==', 'by another']])]);
    expect(rows).to.deep.equal([]);
  });

  it('is taken over by the next in line when its holder dies, who asks again when he is back', async () => {
    const [first, second] = [one.lock('takeover'), other.lock('takeover')];
    const words = record(first);
    await first.acquire();
    const waiting = second.acquire({ timeoutMs: 60_000 });
    wire.cut();
    await waiting;
    await soon(() => words.includes('lost: disconnected'));
    await one.ready();
    const error = await rejection(one.transact([first.assert()]));
    expect(error).to.be.instanceOf(OvsdbError).that.includes({ code: 'lock_not_held' });
    await second.release();
    await soon(() => first.held);
    expect(words).to.deep.equal(['held', 'lost: disconnected', 'held']);
    await one.transact([first.assert()]);
  });

  it('can be stolen, and comes back when the thief lets go', async () => {
    const [first, second] = [one.lock('loot'), other.lock('loot')];
    const words = record(first);
    await first.acquire();
    await second.steal();
    expect(second.held).to.equal(true);
    await soon(() => !first.held);
    expect(await rejection(one.transact([first.assert()]))).to.be.instanceOf(OvsdbError);
    await other.transact([second.assert()]);
    await second.release();
    await soon(() => first.held);
    expect(words).to.deep.equal(['held', 'lost: stolen', 'held']);
    // One who waits in line may steal, too.
    await rejection(second.acquire({ timeoutMs: 30 }));
    const third = second.acquire({ timeoutMs: 60_000 });
    await second.steal();
    await third;
    expect(second.held).to.equal(true);
    await soon(() => !first.held);
  });

  it('is not waited for by who has given up', async () => {
    const [first, second] = [one.lock('patience'), other.lock('patience')];
    await first.acquire();
    expect(await rejection(second.acquire({ timeoutMs: 30 }))).to.be.instanceOf(TimeoutError);
    const patient = second.acquire({ timeoutMs: 60_000 });
    expect(await rejection(second.acquire({ timeoutMs: 30 }))).to.be.instanceOf(TimeoutError);
    const events: string[] = [];
    other.subscribe(({ kind }) => events.push(kind));
    const giveUp = new AbortController();
    await one.lock('impatience').acquire();
    const aborted = rejection(other.lock('impatience').acquire({ signal: giveUp.signal }));
    await sleep(20);
    giveUp.abort();
    expect(await aborted).to.be.instanceOf(AbortedError);
    await first.release();
    await patient;
    expect(events, 'the connection is not given up').to.deep.equal([]);
    await second.release();
    await first.acquire({ timeoutMs: 60_000 });
    expect(second.held).to.equal(false);
  });

  it('has a name that the server takes, and needs a connection to be stolen', async () => {
    for (const name of ['', '1st', 'a-b', 'ä']) expect(() => one.lock(name), name).to.throw(RangeError);
    wire.open = false;
    wire.cut();
    await soon(() => one.state === 'down');
    expect(await rejection(one.lock('far').steal())).to.be.instanceOf(ConnectionLostError);
    wire.open = true;
    // Asked for without a connection, it is got with the next.
    await one.lock('far').acquire({ timeoutMs: 60_000 });
  });
});
