import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { CloudError } from '@pileus/core/kernel';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { eventually, made, openServer, type TestServer } from './server.ts';

describe('server: streams', () => {
  let server: TestServer;
  beforeEach(async () => {
    server = await openServer();
    await made(server, 'one');
  });
  afterEach(() => server.close());

  const dial = (path = '/v1/widgets/one/echo', headers: Record<string, string> = { authorization: `Bearer ${server.key}` }) =>
    new WebSocket(server.url.replace('http', 'ws') + path, { headers });
  const raw = async (head: string): Promise<Socket> => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(`${head}\r\nhost: x\r\nauthorization: Bearer ${server.key}\r\n`);
    return socket;
  };

  it('carries bytes both ways over a socket, and closes with it', async () => {
    const socket = dial();
    await once(socket, 'open');
    const received: Buffer[] = [];
    socket.on('message', (data: Buffer) => received.push(data));
    const sent = Array.from({ length: 50 }, (_, index) => Buffer.alloc(1000, index));
    for (const part of sent) socket.send(part);
    await eventually(() => Buffer.concat(received).length === 50_000);
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).to.equal(true);
    socket.close();
    const [code] = await once(socket, 'close');
    expect(code).to.equal(1005);
  });

  it('does not read a socket faster than the other side takes it', async () => {
    const socket = dial();
    await once(socket, 'open');
    socket.pause();
    const part = Buffer.alloc(256 * 1024);
    // Garbage is not held.
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    collect();
    const before = process.memoryUsage().arrayBuffers;
    for (let index = 0; index < 400; index += 1) socket.send(part);
    await new Promise((resolve) => setTimeout(resolve, 500));
    // Of 100 MiB, most still waits at the sender: what the server took in beyond its buffers would show here twice.
    expect(socket.bufferedAmount).to.be.greaterThan(80 * 1024 * 1024);
    collect();
    expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(130 * 1024 * 1024);
    let received = 0;
    socket.on('message', (data: Buffer) => {
      received += data.length;
    });
    socket.resume();
    await eventually(() => received === 400 * part.length, 60_000);
    socket.terminate();
  });

  it('refuses a socket as plain HTTP, before the switch of protocols', async () => {
    const status = async (socket: WebSocket) => {
      const [, response] = await once(socket, 'unexpected-response');
      socket.on('error', () => undefined).terminate();
      return response.statusCode;
    };
    expect(await status(dial('/v1/widgets/one/echo', {}))).to.equal(401);
    expect(await status(dial('/v1/widgets/none/echo'))).to.equal(404);
    // A route that is no socket answers as if nobody had asked for one.
    expect(await status(dial('/v1/widgets'))).to.equal(200);
    const ticketed = dial('/v1/widgets/one/echo?ticket=sesame', {});
    await once(ticketed, 'open');
    ticketed.close();
  });

  it('bounds streams and sockets, and takes more when some have ended', async () => {
    await server.close();
    server = await openServer({ config: { limits: { streams: 3 } } });
    await made(server, 'one');
    const sockets = [dial(), dial(), dial()];
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    const busy = await server.ask('GET', '/v1/events');
    expect([busy.status, busy.headers.get('retry-after')]).to.deep.equal([429, '1']);
    for (const socket of sockets) socket.terminate();
    await eventually(async () => {
      const response = await fetch(`${server.url}/v1/events`, { headers: { authorization: `Bearer ${server.key}` } });
      await response.body?.cancel();
      return response.status === 200;
    });
  });

  it('takes no more sockets than there may be, however many come at once, and keeps no place for who has gone', async () => {
    await server.close();
    server = await openServer({ config: { limits: { streams: 3 } } });
    await made(server, 'one');
    const opened = async (socket: WebSocket) => {
      socket.on('error', () => undefined);
      const [event] = await Promise.race(['open', 'unexpected-response'].map(async (name) => [name, await once(socket, name)] as const));
      return event === 'open';
    };
    const openOf = async (count: number) => {
      const sockets = Array.from({ length: count }, () => dial());
      const open = await Promise.all(sockets.map(opened));
      for (const socket of sockets) socket.terminate();
      return open.filter((each) => each).length;
    };
    let most = 0;
    // Those of the round before are let go of when the server hears of it.
    for (let round = 0; round < 3; round += 1)
      await eventually(async () => {
        const open = await openOf(20);
        most = Math.max(most, open);
        return open === 3;
      });
    // Gone before the socket was there.
    for (let index = 0; index < 10; index += 1) {
      const key = Buffer.alloc(16, index).toString('base64');
      const socket = await raw('GET /v1/widgets/one/echo HTTP/1.1');
      socket.write(`connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${key}\r\n\r\n`);
      socket.destroy();
    }
    await eventually(async () => (await openOf(3)) === 3);
    expect(most).to.equal(3);
  });

  it('holds little for an event client that does not read', async () => {
    const socket = await raw('GET /v1/events?after=0.0 HTTP/1.1');
    socket.write('\r\n');
    socket.pause();
    const note = 'x'.repeat(4000);
    for (let round = 0; round < 10; round += 1)
      await Promise.all(Array.from({ length: 40 }, (_, index) => made(server, `w${round}-${index}`, { note })));
    const all = (await server.ask('GET', '/v1/changes?after=0.0&limit=1000')).json.items.length;
    expect(all).to.be.greaterThan(900);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.resume();
    const told = () => (text.match(/\nevent: /g) ?? []).length;
    await eventually(() => text.includes('"name":"w9-39"') && told() >= 400 * 4, 60_000).catch((error: Error) =>
      expect.fail(`${error.message}: ${told()} events of ${all} at least, ${socket.readyState}, at last ${text.slice(-500)}`),
    );
    const ids = [...text.matchAll(/^id: (\d+)\.(\d+)$/gm)].map(([, revision, ordinal]) => Number(revision) * 1000 + Number(ordinal));
    expect(ids).to.deep.equal([...new Set(ids)].sort((a, b) => a - b));
    socket.destroy();
  });

  it('takes an upload at the pace of who stores it', async () => {
    const hold = Promise.withResolvers<void>();
    server.workshop.gate = hold.promise;
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulled += 1;
          if (pulled > 400) controller.close();
          else controller.enqueue(new Uint8Array(256 * 1024));
        },
      },
      { highWaterMark: 1 },
    );
    const uploading = server.ask('PUT', '/v1/widgets/one/picture', { raw: body });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(pulled).to.be.lessThan(100);
    hold.resolve();
    expect((await uploading).json).to.deep.equal({ sizeBytes: 100 * 1024 * 1024 });
  });

  it('stays whole when connections are cut at any byte of a request', async () => {
    const body = JSON.stringify({ name: 'cut', sizeBytes: 1 });
    const rest = `content-type: application/json\r\nprefer: wait=5\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    for (let length = 0; length <= rest.length; length += 7) {
      const socket = await raw('POST /v1/widgets HTTP/1.1');
      socket.write(rest.slice(0, length));
      await new Promise((resolve) => setTimeout(resolve, 2));
      socket.destroy();
    }
    await eventually(() => server.plane.kernel.operations.unfinished === 0);
    // Only a request that arrived whole may have been accepted.
    const { items } = (await server.ask('GET', '/v1/widgets?name=cut')).json;
    expect(items.length).to.be.at.most(1);
    expect((await server.ask('POST', '/v1/widgets', { body: { name: 'after', sizeBytes: 1 } })).status).to.equal(202);
    expect(server.log()).not.to.match(/"level":"(error|warn)"/);
  });

  it('tells the client why an upload is refused while it is still sending, and drops the rest', async () => {
    server.workshop.failure = new CloudError('conflict', 'Enough of it.');
    const socket = await raw('PUT /v1/widgets/one/picture HTTP/1.1');
    let said = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    socket.write('content-length: 50000000\r\n\r\n');
    for (let part = 0; part < 50; part += 1) if (!socket.write(Buffer.alloc(1_000_000))) await once(socket, 'drain');
    await eventually(() => said.includes('Enough of it.'));
    expect(said).to.match(/^HTTP\/1.1 409 /);
    // The connection is as good as before.
    socket.write(`GET /v1/widgets/one HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${server.key}\r\n\r\n`);
    await eventually(() => said.includes('HTTP/1.1 200 '));
    socket.destroy();
  });

  it('cuts who goes on sending what is refused', async () => {
    const slow = await openServer({ config: { limits: { bodySeconds: 0.3 } } });
    const socket = connect(Number(new URL(slow.url).port), '127.0.0.1');
    await once(socket, 'connect');
    const closed = once(socket, 'close');
    socket.write('POST /v1/widgets HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{');
    expect(String((await once(socket, 'data'))[0])).to.match(/^HTTP\/1.1 401 /);
    await closed;
    await slow.close();
  });

  it('lets go of an upload that is cut', async () => {
    const socket = await raw('PUT /v1/widgets/one/picture HTTP/1.1');
    socket.write('content-length: 1000000\r\n\r\n');
    socket.write(Buffer.alloc(1000));
    await eventually(() => server.workshop.uploaded > 0);
    socket.destroy();
    expect((await server.ask('PUT', '/v1/widgets/one/picture', { raw: new Uint8Array(10) })).json).to.deep.equal({ sizeBytes: 10 });
    expect(server.log()).not.to.match(/"level":"(error|warn)"/);
  });
});
