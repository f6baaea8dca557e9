import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert, expect } from 'chai';
import { createAuthority } from '../../../../test/lab/certificates.ts';
import { freePort } from '../../../../tools/system/free-port.ts';
import {
  type Address,
  ClusterError,
  type ConnectionEvent,
  ConnectionLostError,
  comment,
  everyRow,
  type OvnNorthbound,
  OvsdbClient,
  type OvsdbClientOptions,
  ovnNorthbound,
  ProtocolError,
  type TlsAddress,
} from '../../src/ovsdb/index.ts';
import { MessageReader } from '../../src/ovsdb/message-reader.ts';
import { PrivateServer, rejection } from './private-server.ts';
import { wireTo } from './wire-to.ts';

const { Address_Set } = ovnNorthbound.tables;

const connect = (address: Address, options: Partial<OvsdbClientOptions<OvnNorthbound>> = {}) =>
  new OvsdbClient({ database: ovnNorthbound, remotes: [address], reconnectDelayMs: 10, reconnectDelayMsMax: 50, ...options });

/** A peer that answers a client's first questions, and then does what the test wants. */
class Peer implements AsyncDisposable {
  readonly address: Address;
  readonly heard: Record<string, unknown>[] = [];
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(path: string) {
    this.address = { kind: 'unix', path };
    this.#server = net.createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket));
      const reader = new MessageReader(1 << 20);
      socket.on('data', (chunk) => reader.push(chunk, (bytes) => this.#hear(socket, JSON.parse(bytes.toString()))));
    });
  }

  static async listen(path: string): Promise<Peer> {
    const peer = new Peer(path);
    peer.#server.listen(path);
    await once(peer.#server, 'listening');
    return peer;
  }

  answersProbes = false;

  /** How often it was asked whether it is there. */
  get probes(): number {
    return this.heard.filter(({ id, method }) => method === 'echo' && id === 'probe').length;
  }

  /** Answers the first question of a replica. */
  onReplica: (socket: net.Socket, id: unknown) => void = () => {};

  say(text: string): void {
    for (const socket of this.#sockets) socket.write(text);
  }

  #hear(socket: net.Socket, message: { readonly id?: unknown; readonly method?: unknown; readonly params?: unknown }): void {
    this.heard.push(message as Record<string, unknown>);
    const { id, method, params } = message;
    const answer = (result: unknown) => socket.write(JSON.stringify({ id, result, error: null }));
    if (method === 'get_schema') answer({ name: 'OVN_Northbound', tables: { Address_Set: { columns: { name: { type: 'string' } } } } });
    // The echo that follows a cancellation, and no probe.
    if (method === 'echo' && (typeof id === 'number' || this.answersProbes)) answer([]);
    if (method === 'monitor_cancel') answer({});
    if (method !== 'monitor_cond_since' || !Array.isArray(params)) return;
    if (params[1] !== 'server') this.onReplica(socket, id);
    else
      answer([false, '', { Database: { x: { initial: { name: 'OVN_Northbound', model: 'standalone', connected: true, leader: true } } } }]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

function record(client: OvsdbClient<OvnNorthbound>): {
  readonly events: ConnectionEvent[];
  next(kind: ConnectionEvent['kind']): Promise<ConnectionEvent>;
} {
  const events: ConnectionEvent[] = [];
  let wake = (): void => {};
  client.subscribe((event) => {
    events.push(event);
    wake();
  });
  let seen = 0;
  return {
    events,
    async next(kind) {
      for (;;) {
        const at = events.findIndex((event, index) => index >= seen && event.kind === kind);
        const found = events[at];
        if (found !== undefined) {
          seen = at + 1;
          return found;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

const noTransaction = '00000000-0000-0000-0000-000000000000';

/** Rows as a server tells them: each generation has its own. */
const rows = (generation: number, count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const uuid = `00000000-0000-0000-000${generation}-${String(index).padStart(12, '0')}`;
      return [uuid, { initial: { name: `${generation} ${index}` } }];
    }),
  );

describe('OVSDB connections', function () {
  this.timeout(300_000);
  let server: PrivateServer;
  let tcp: Address;
  let tls: TlsAddress;
  let foreign: Pick<TlsAddress, 'cert' | 'key'>;

  before(async () => {
    const tcpPort = await freePort();
    server = await PrivateServer.start({ args: [`--remote=ptcp:${tcpPort}:127.0.0.1`] });
    const client = await createAuthority(join(server.dir, 'ours'));
    foreign = await createAuthority(join(server.dir, 'others'));
    tcp = { kind: 'tcp', host: '127.0.0.1', port: tcpPort };
    tls = { kind: 'tls', host: '127.0.0.1', port: await server.secure(join(server.dir, 'ours')), ...client };
  });
  after(() => server[Symbol.asyncDispose]());

  it('work over unix sockets, TCP and mutual TLS', async () => {
    for (const address of [server.address, tcp, tls]) {
      await using client = connect(address);
      const name = `over ${address.kind}`;
      const addresses = Array.from({ length: 20_000 }, (_, index) => `10.0.${index >> 8}.${index & 255}`).sort();
      await client.transact([Address_Set.insert({ name, addresses })]);
      const [rows] = await client.transact([Address_Set.select([['name', '==', name]])]);
      expect(rows[0]?.addresses, name).to.deep.equal(addresses);
      await Promise.all(Array.from({ length: 300 }, () => client.transact([comment('one of many')])));
    }
  });

  it('over TLS are refused to clients of a foreign authority, and to those without a certificate', async () => {
    for (const credentials of [foreign, { cert: '', key: '' }]) {
      await using client = connect({ ...tls, ...credentials });
      const error = await rejection(client.transact([comment('x')], { timeoutMs: 60_000 }));
      expect(error).to.be.instanceOf(ConnectionLostError).that.includes({ outcome: 'not_sent' });
    }
  });

  it('over TLS refuse servers of a foreign authority, and those that are not who they should be', async () => {
    const ca = await readFile(join(server.dir, 'others/ca.pem'));
    for (const address of [
      { ...tls, ca },
      { ...tls, servername: 'elsewhere' },
    ]) {
      await using client = connect(address);
      const error = await rejection(client.transact([comment('x')], { timeoutMs: 60_000 }));
      expect(error).to.be.instanceOf(ConnectionLostError).that.includes({ outcome: 'not_sent' });
      expect(String(error)).to.match(/certificate|elsewhere/);
    }
    await using client = connect({ ...tls, servername: false });
    await client.ready();
  });

  it('heal, and say so', async () => {
    await using client = connect(server.address);
    const heard = record(client);
    await client.ready();
    const waiting = rejection(
      client.transact([
        Address_Set.wait([['name', '==', 'no']], { until: '==', columns: ['name'], rows: [{ name: 'no' }], timeoutMs: 60_000 }),
      ]),
    );
    await sleep(20);
    await server.kill();
    expect(await waiting)
      .to.be.instanceOf(ConnectionLostError)
      .that.includes({ outcome: 'unknown' });
    await heard.next('disconnected');
    await server.start();
    await client.ready();
    await client.transact([Address_Set.select(everyRow, ['name'])]);
    expect(heard.events.map(({ kind }) => kind)).to.deep.equal(['connected', 'disconnected', 'connected']);
  });

  it('answer what the server asks, and drop answers that nobody waits for', async () => {
    await using peer = await Peer.listen(join(server.dir, 'asks'));
    await using client = connect(peer.address);
    await client.ready();
    peer.say(
      '{"id":"are you there?","method":"echo","params":[1]}{"id":777,"result":{},"error":null}{"id":[],"result":1} \n {"method":"news","params":null}',
    );
    await expectSoon(() => peer.heard.some(({ id, result }) => id === 'are you there?' && Array.isArray(result) && result[0] === 1));
    expect(client.state).to.equal('up');
  });

  for (const [what, text] of [
    ['no JSON', '{"id":]}'],
    ['no object', '[1,2,3]'],
    ['a message that is too long', `{"id":"${'x'.repeat(70_000)}`],
    ['an error without words', '{"id":3,"error":{}}'],
  ] as const)
    it(`end when the peer sends ${what}, and begin again`, async () => {
      await using peer = await Peer.listen(join(server.dir, `nonsense ${what}`));
      await using client = connect(peer.address, { messageBytesMax: 65_536 });
      const heard = record(client);
      await client.ready();
      const call = rejection(client.transact([comment('x')]));
      await sleep(10);
      peer.say(text);
      const lost = await heard.next('disconnected');
      assert(lost.kind === 'disconnected');
      expect(lost.error).to.be.instanceOf(ProtocolError);
      expect(await call)
        .to.be.instanceOf(ConnectionLostError)
        .that.includes({ outcome: 'unknown' });
      await heard.next('connected');
    });

  it('bring a replica nothing when they end while it reads', async () => {
    await using peer = await Peer.listen(join(server.dir, 'torn'));
    const answers = [1, 2].map((generation) => [false, noTransaction, { Address_Set: rows(generation, 10_000) }]);
    await using client = connect(peer.address, { bigMessageBytes: 1_000, reconnectDelayMs: 1 });
    // While a client reads it hears no end: only what it sends tells that there is nobody.
    const sending = setInterval(() => void client.transact([comment('x')], { timeoutMs: 1 }).catch(() => {}), 1);
    // Where it is then depends on the machine: in one of these cases it reads.
    for (let delayMs = 20; delayMs < 200; delayMs += 20) {
      let asked = 0;
      peer.onReplica = (socket, id) => {
        asked += 1;
        const isTorn = asked === 1;
        socket.write(JSON.stringify({ id, result: answers[isTorn ? 0 : 1], error: null }));
        if (isTorn) setTimeout(() => socket.destroy(), delayMs);
      };
      await client.ready();
      await using replica = client.replicate({ Address_Set: { columns: ['name'] } });
      const counts = new Set<number>();
      replica.subscribe(() => counts.add(replica.tables.Address_Set.size));
      await replica.until(({ Address_Set }) => [...Address_Set].some(({ name }) => name.startsWith('2 ')), { timeoutMs: 60_000 });
      await sleep(50);
      expect([...replica.tables.Address_Set].filter(({ name }) => !name.startsWith('2 '))).to.deep.equal([]);
      expect(replica.tables.Address_Set.size).to.equal(10_000);
      expect([...counts].filter((count) => count !== 0 && count !== 10_000)).to.deep.equal([]);
    }
    clearInterval(sending);
  });

  it('bring a replica nothing that was still being parsed when they ended', async () => {
    await using peer = await Peer.listen(join(server.dir, 'parsed'));
    for (let delayMs = 2; delayMs < 30; delayMs += 4) {
      let asked = 0;
      peer.onReplica = (socket, id) => {
        asked += 1;
        socket.write(JSON.stringify({ id, result: [false, noTransaction, { Address_Set: rows(asked, 1) }], error: null }));
        if (asked > 1) return;
        const update = { id: null, method: 'update3', params: ['replica-1', noTransaction, { Address_Set: rows(3, 10_000) }] };
        socket.write(JSON.stringify(update), () => setTimeout(() => socket.destroy(), delayMs));
      };
      await using client = connect(peer.address, { bigMessageBytes: 10_000, reconnectDelayMs: 1 });
      await client.ready();
      await using replica = client.replicate({ Address_Set: { columns: ['name'] } });
      const sending = setInterval(() => void client.transact([comment('x')], { timeoutMs: 1 }).catch(() => {}), 1);
      await replica.until(({ Address_Set }) => [...Address_Set].some(({ name }) => name.startsWith('2 ')), { timeoutMs: 60_000 });
      clearInterval(sending);
      await sleep(100);
      expect([...replica.tables.Address_Set].map(({ name }) => name)).to.deep.equal(['2 0']);
    }
  });

  it('set up what comes while they are begun', async () => {
    await using peer = await Peer.listen(join(server.dir, 'meanwhile'));
    const first = Promise.withResolvers<() => void>();
    const whole = (id: unknown) => JSON.stringify({ id, result: [false, noTransaction, {}], error: null });
    peer.onReplica = (socket, id) => first.resolve(() => socket.write(whole(id)));
    await using client = connect(peer.address);
    client.replicate({ Address_Set: true });
    const answerFirst = await first.promise;
    peer.onReplica = (socket, id) => socket.write(whole(id));
    const second = client.replicate({ Address_Set: { columns: ['name'] } });
    const lock = client.lock('meanwhile');
    const held = lock.acquire({ timeoutMs: 60_000 });
    answerFirst();
    await second.ready({ timeoutMs: 60_000 });
    await expectSoon(() => peer.heard.some(({ method }) => method === 'lock'));
    const asked = peer.heard.find(({ method }) => method === 'lock');
    peer.say('{"id":null,"method":"locked","params":["meanwhile"]}');
    peer.say(JSON.stringify({ id: asked?.id, result: { locked: false }, error: null }));
    await sleep(20);
    expect(lock.held, 'what was said before the answer is about an earlier place in line').to.equal(false);
    peer.say('{"id":null,"method":"locked","params":["meanwhile"]}');
    await held;
    expect(peer.heard.filter(({ method }) => method === 'monitor_cond_since')).to.have.length(3);
  });

  it('leave a transaction unknown that the server has ceased to follow', async () => {
    await using peer = await Peer.listen(join(server.dir, 'ceased'));
    await using client = connect(peer.address);
    await client.ready();
    const call = rejection(client.transact([comment('x')]));
    await expectSoon(() => peer.heard.some(({ method }) => method === 'transact'));
    const id = peer.heard.find(({ method }) => method === 'transact')?.id;
    peer.say(JSON.stringify({ id, result: null, error: 'canceled' }));
    expect(await call)
      .to.be.instanceOf(ClusterError)
      .that.includes({ outcome: 'unknown' });
    expect(client.state).to.equal('up');
  });

  it('send nothing that is too long', async () => {
    await using client = connect(server.address, { messageBytesMax: 65_536 });
    await client.ready();
    expect(await rejection(client.transact([comment('x'.repeat(70_000))]))).to.be.instanceOf(RangeError);
    await client.transact([comment('x')]);
  });

  it('are not waited for by more calls than may wait', async () => {
    const mute = net.createServer(() => {}).listen(join(server.dir, 'mute'));
    await using client = connect({ kind: 'unix', path: join(server.dir, 'mute') }, { maxWaiting: 3 });
    const calls = Array.from({ length: 5 }, () => rejection(client.transact([comment('x')], { timeoutMs: 50 })));
    const names = (await Promise.all(calls)).map((error) => (error as Error).name);
    expect(names).to.deep.equal(['TimeoutError', 'TimeoutError', 'TimeoutError', 'BusyError', 'BusyError']);
    mute.close();
  });

  it('are given up when the peer keeps silent', async () => {
    await using peer = await Peer.listen(join(server.dir, 'silent'));
    await using client = connect(peer.address, { probeIntervalMs: 20, probeMissesMax: 3 });
    const heard = record(client);
    await heard.next('connected');
    const before = peer.probes;
    const lost = await heard.next('disconnected');
    assert(lost.kind === 'disconnected');
    expect(lost.error.message).to.include('silence');
    // On a busy machine one was on its way from before.
    expect(peer.probes - before).to.be.within(3, 4);
  });

  it('outlive silence as long as probes are answered', async () => {
    await using peer = await Peer.listen(join(server.dir, 'answering'));
    peer.answersProbes = true;
    await using client = connect(peer.address, { probeIntervalMs: 20, probeMissesMax: 5 });
    const heard = record(client);
    await heard.next('connected');
    // One goes out every other interval at most: far longer than it may be silent for.
    await expectSoon(() => peer.probes >= 20);
    expect(heard.events.map(({ kind }) => kind)).to.deep.equal(['connected']);
  });

  it('are probed in a way that a server answers', async () => {
    const { wire, address } = await wireTo(server);
    let answers = 0;
    wire.answer = (message) => {
      answers += message.toString('latin1').match(/"id":"probe"/g)?.length ?? 0;
      return message;
    };
    await using client = connect(address, { probeIntervalMs: 20, probeMissesMax: 10_000 });
    await client.ready();
    await expectSoon(() => answers >= 3);
    await wire.close();
  });
});

async function expectSoon(test: () => boolean): Promise<void> {
  for (let tries = 0; !test(); tries++) {
    expect(tries).to.be.below(6_000);
    await sleep(10);
  }
}
