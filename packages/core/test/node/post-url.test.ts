import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { isPublicAddress } from '../../src/cloud/index.ts';
import { isCloudError } from '../../src/kernel/index.ts';
import { postUrl } from '../../src/node/index.ts';

describe('node: posting events', () => {
  let server: Server;
  let url: string;
  let port: number;
  let answer: (request: IncomingMessage, response: ServerResponse, body: string) => void;
  let asked: string[];
  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      let body = '';
      request.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      request.on('end', () => answer(request, response, body));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    port = (server.address() as AddressInfo).port;
    url = `http://127.0.0.1:${port}/hook`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  });
  const post = (to = url, more: { publicOnly?: boolean; signal?: AbortSignal } = {}) =>
    postUrl({
      url: to,
      headers: { 'webhook-id': 'e1' },
      body: '{"é":1}',
      publicOnly: false,
      signal: new AbortController().signal,
      ...more,
    });
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'sent',
      (error: unknown) => (isCloudError(error) ? error.code : String(error)),
    );

  it('sends the headers and the whole body, and tells the status', async () => {
    answer = ({ headers, method }, response, body) => {
      expect([method, headers['webhook-id'], headers['content-length'], body]).to.deep.equal(['POST', 'e1', '8', '{"é":1}']);
      response.writeHead(503, { 'retry-after': '7' }).end();
    };
    expect(await post()).to.deep.equal({ status: 503, retryAfterSeconds: 7 });
  });

  it('follows no redirect', async () => {
    answer = (_, response) => response.writeHead(302, { location: '/elsewhere' }).end();
    expect(await post()).to.deep.equal({ status: 302 });
    expect(asked).to.deep.equal(['/hook']);
  });

  it('does not read what is answered without end', async () => {
    let isClosed = false;
    answer = (_, response) => {
      const flood = setInterval(() => response.write(Buffer.alloc(65_536)), 1);
      response.on('close', () => {
        clearInterval(flood);
        isClosed = true;
      });
    };
    expect(await post()).to.deep.equal({ status: 200 });
    for (let waits = 0; !isClosed && waits < 3000; waits += 1) await new Promise((done) => setTimeout(done, 10));
    expect(isClosed).to.equal(true);
  });

  it('ends with its signal, and tells that there is no answer', async () => {
    answer = () => undefined;
    expect(await codeOf(post(url, { signal: AbortSignal.timeout(50) }))).to.equal('unavailable');
    answer = (request) => request.socket.destroy();
    expect(await codeOf(post())).to.equal('unavailable');
    expect(await codeOf(post(url.replace(String(port), '1')))).to.equal('unavailable');
  });

  it('connects to no address that is not public, however it is named', async () => {
    answer = (_, response) => response.end();
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '2130706433'])
      expect(await codeOf(post(`http://${host}:${port}/`, { publicOnly: true })), host).to.equal('refused');
    expect(asked).to.deep.equal([]);
    expect(await codeOf(post())).to.equal('sent');
  });

  it('knows public addresses', () => {
    for (const address of ['1.1.1.1', '8.8.8.8', '172.15.0.1', '172.32.0.1', '192.167.255.255', '223.255.255.255', '2606:4700::1111'])
      expect(isPublicAddress(address), address).to.equal(true);
    for (const address of [
      ...[
        '0.1.2.3',
        '10.0.0.1',
        '100.64.0.1',
        '127.255.0.1',
        '169.254.169.254',
        '172.16.0.1',
        '172.31.255.255',
        '192.168.1.1',
        '198.18.0.1',
      ],
      ...[
        '224.0.0.1',
        '255.255.255.255',
        '::',
        '::1',
        '::ffff:8.8.8.8',
        '64:ff9b::808:808',
        'fc00::1',
        'fe80::1',
        'ff02::1',
        '2001:db8::1',
        '2002::1',
      ],
      'nowhere',
    ])
      expect(isPublicAddress(address), address).to.equal(false);
  });
});
