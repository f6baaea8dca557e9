import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { type Event, readEvents } from '../events.ts';
import { type Answer, ServerProcess } from './server-process.ts';

const KILLS = 3;
const CLIENTS = 6;
const SECRET = Buffer.alloc(32, 5);
const FINISHED = ['succeeded', 'failed', 'cancelled'];

/** Clients that make zones one after the other, each until it is accepted. */
class Load {
  readonly accepted: string[] = [];
  readonly ended = new Map<string, string>();
  readonly #server: ServerProcess;
  #stopped = false;
  readonly #clients: Promise<unknown>[];

  constructor(server: ServerProcess, headers: Record<string, string> = {}) {
    this.#server = server;
    this.#clients = Array.from({ length: CLIENTS }, (_, client) => this.#run(client, headers));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  async #run(client: number, more: Record<string, string>): Promise<void> {
    for (let index = 0; !this.#stopped; index += 1) {
      const headers = { 'idempotency-key': `k-${client}-${index}`, ...more };
      const { status, json } = await this.#server.ask('/v1/zones', {
        ...{ method: 'POST', headers },
        body: JSON.stringify({ name: `zone-${client}-${index}` }),
      });
      expect(status, JSON.stringify(json)).to.equal(202);
      this.accepted.push(json.operationId);
      const { json: operation } = await this.#server.ask(`/v1/operations/${json.operationId}?waitSeconds=20`);
      this.ended.set(operation.id, operation.state);
    }
  }
}

/** Ids of operations by their terminal events. */
const terminal = (events: readonly { readonly kind: string; readonly row: Answer }[]): string[] =>
  events.flatMap(({ kind, row }) => (kind === 'operation' && FINISHED.includes(row.state) ? [row.id] : []));

describe('server: killed again and again', () => {
  let server: ServerProcess;
  let receiver: Server;
  let received: { readonly id: string; readonly event: Answer; readonly isSigned: boolean }[];
  let from: string;

  beforeEach(async () => {
    received = [];
    receiver = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => {
        const { 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': signature } = request.headers;
        const wanted = `v1,${createHmac('sha256', SECRET).update(`${id}.${at}.${body}`).digest('base64')}`;
        received.push({ id: String(id), event: JSON.parse(body), isSigned: signature === wanted });
        response.writeHead(204).end();
      });
    }).listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    server = await ServerProcess.start({ webhooks: { urls: [receiverUrl()] } });
    from = (await server.ask('/v1/changes')).json.next;
  });
  afterEach(async () => {
    await server.close();
    receiver.closeAllConnections();
    receiver.close();
  });
  const receiverUrl = () => `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/in`;

  const killed = async (load: Load) => {
    for (let kills = 0; kills < KILLS; kills += 1) {
      // On a busy machine it takes its time to have something under way.
      const enough = load.accepted.length + CLIENTS;
      while (load.accepted.length < enough) await sleep(20);
      await sleep(Math.floor(400 * Math.random()));
      await server.kill();
      await server.begin();
    }
    await load.stop();
  };
  const all = async (): Promise<Answer[]> => {
    const items: Answer[] = [];
    for (let after = from; ; ) {
      const { json } = await server.ask(`/v1/changes?after=${after}&limit=1000`);
      items.push(...json.items);
      if (json.items.length === 0) return items;
      after = json.next;
    }
  };

  it('tells the end of each operation exactly once for a cursor: to streams, to polls, to who waits', async function () {
    this.timeout(600_000);
    const streamed: Event[] = [];
    const polled: Answer[] = [];
    const done = new AbortController();
    const stream = async () => {
      while (!done.signal.aborted) {
        const after = streamed.at(-1)?.id ?? from;
        await readEvents(server, { after, signal: done.signal, onEvent: (event) => streamed.push(event) }).catch(() => sleep(20));
      }
    };
    const poll = async () => {
      for (let after = from; !done.signal.aborted; ) {
        const { json } = await server.ask(`/v1/changes?after=${after}&waitSeconds=1&limit=7`);
        polled.push(...json.items);
        after = json.next;
      }
    };
    const followers = [stream(), poll()];
    const load = new Load(server);
    await killed(load);
    const changes = await all();
    while (polled.length < changes.length || streamed.length < changes.length) await sleep(50);
    done.abort();
    await Promise.all(followers);

    const wanted = new Set(load.accepted);
    expect(wanted.size).to.equal(load.accepted.length);
    expect(load.accepted.length).to.be.at.least(KILLS * CLIENTS);
    expect([...load.ended.values()].filter((state) => state !== 'succeeded')).to.deep.equal([]);
    expect(terminal(polled).filter((id) => wanted.has(id))).to.have.length(wanted.size);
    expect(new Set(terminal(polled).filter((id) => wanted.has(id)))).to.deep.equal(wanted);
    // Behind the last that is compared more may have come to the one and not to the other.
    const cursors = changes.map(({ cursor }) => cursor);
    expect(new Set(cursors).size).to.equal(cursors.length);
    expect(streamed.slice(0, cursors.length).map(({ id }) => id)).to.deep.equal(cursors);
    expect(polled.slice(0, cursors.length).map(({ cursor }) => cursor)).to.deep.equal(cursors);
    for (const all of [streamed.map(({ id }) => id), polled.map(({ cursor }) => cursor)]) expect(new Set(all).size).to.equal(all.length);
  });

  it('has each end delivered to a webhook, and each call in the audit exactly once', async function () {
    this.timeout(600_000);
    const secret = `whsec_${SECRET.toString('base64')}`;
    const hook = { name: 'ends', url: receiverUrl(), kinds: ['operation'], states: ['succeeded'], types: ['updated'], secret };
    expect((await server.ask('/v1/webhooks', { method: 'POST', body: JSON.stringify(hook) })).status).to.equal(202);
    const load = new Load(server);
    await killed(load);
    const wanted = new Set(load.accepted);
    const told = () => new Set(received.map(({ event }) => event.data.id).filter((id) => wanted.has(id)));
    for (const endMs = performance.now() + 150_000; told().size < wanted.size && performance.now() < endMs; ) await sleep(50);
    expect(told()).to.deep.equal(wanted);
    expect(received.every(({ isSigned }) => isSigned)).to.equal(true);
    const ids = new Map(received.map(({ event, id }) => [event.data.id as string, id]));
    for (const { event, id } of received) expect(ids.get(event.data.id)).to.equal(id);

    const verified = async () => (await server.ask('/v1/audit/verify')).json;
    let verdict = await verified();
    for (const endMs = performance.now() + 150_000; verdict.unsealed > 0 && performance.now() < endMs; verdict = await verified())
      await sleep(100);
    expect(verdict).to.include({ whole: true, unsealed: 0 });
    const entries: Answer[] = [];
    for (let after = ''; ; ) {
      const { json } = await server.ask(`/v1/audit?limit=1000&action=zone.create${after}`);
      entries.push(...json.items);
      if (json.next === undefined) break;
      after = `&after=${encodeURIComponent(json.next)}`;
    }
    expect(entries.map(({ id }) => id)).to.have.members([...wanted]);
    expect(entries.filter(({ result, number }) => result !== 'succeeded' || number === 0)).to.deep.equal([]);
  });
});
