import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { WebSocket } from 'ws';
import { openSocket } from '../src/runtime.ts';
import { type Cloud, connect } from './fixture/generated/cloud.ts';
import { type Fixture, startFixture } from './fixture/server.ts';

const content = randomBytes(1_500_000);
const sha256 = createHash('sha256').update(content).digest('hex');

async function* stream() {
  for (let at = 0; at < content.length; at += 100_000) yield content.subarray(at, at + 100_000);
}

async function downloadedRest(parts: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of parts);
}

describe('sdk: content and consoles', () => {
  let fixture: Fixture;
  let cloud: Cloud;
  let made = 0;
  before(async () => {
    fixture = await startFixture();
    cloud = connect({ url: fixture.url, apiKey: fixture.apiKey, retry: { baseMs: 5, maxMs: 50 } });
  });
  after(() => fixture.close());
  afterEach(() => fixture.faults.clear());
  const image = async () => (await cloud.images.create({ name: `image-${++made}` }).wait()).id;

  const sources = {
    bytes: () => new Uint8Array(content),
    'a Blob': () => new Blob([content]),
    'an async iterable': () => stream(),
    'a web stream': () => new Blob([content]).stream(),
  };
  for (const [name, source] of Object.entries(sources))
    it(`uploads ${name} with its digest`, async () => {
      const id = await image();
      expect(await cloud.images.upload(id, source(), { sha256 })).to.deep.equal({ sizeBytes: content.length, sha256 });
      expect(await cloud.images.get(id)).to.include({ state: 'available', sizeBytes: content.length });
    });

  it('tells how far an upload is, and sends again what it can when the connection breaks', async () => {
    const id = await image();
    fixture.faults.plan('PUT', /./, { type: 'reset-before' }, 1);
    let sent = 0;
    const progress: number[] = [];
    await cloud.images.upload(id, new Uint8Array(content), {
      sha256,
      onProgress: (sentBytes) => {
        sent = sentBytes;
        progress.push(sentBytes);
      },
    });
    expect(sent).to.equal(content.length);
    expect(progress.length).to.be.greaterThan(3);
  });

  it('does not pretend to repeat a stream that is used up', async () => {
    const id = await image();
    fixture.faults.plan('PUT', /./, { type: 'reset-before' }, 1);
    const result = await cloud.images.upload(id, stream()).safe();
    expect(!result.ok && result.error.code).to.equal('connection_failed');
  });

  it('is refused when the content is not what was promised', async () => {
    const result = await cloud.images.upload(await image(), 'other', { sha256 }).safe();
    expect(!result.ok && result.error.code).to.equal('invalid_input');
    const malformed = await cloud.images.upload(await image(), 'other', { sha256: 'xyz' }).safe();
    expect(!malformed.ok && malformed.error.pointer).to.equal('/sha256');
  });

  it('downloads as a stream', async () => {
    const id = await image();
    await cloud.images.upload(id, new Uint8Array(content));
    const hash = createHash('sha256');
    for await (const chunk of cloud.images.download(id)) hash.update(chunk);
    expect(hash.digest('hex')).to.equal(sha256);
  });

  const downloaded = async (id: string) => {
    const parts: Uint8Array[] = [];
    for await (const chunk of cloud.images.download(id)) parts.push(chunk);
    return Buffer.concat(parts);
  };

  it('goes on with a download that broke off behind what has come', async () => {
    const id = await image();
    await cloud.images.upload(id, new Uint8Array(content));
    for (const afterBytes of [0, 700_000, 1]) fixture.faults.plan('GET', /content$/, { type: 'cut-content', afterBytes });
    fixture.faults.plan('GET', /content$/, { type: 'refuse', status: 503 });
    fixture.seen.length = 0;
    expect((await downloaded(id)).equals(content)).to.equal(true);
    const asked = fixture.seen.map(({ headers }) => headers.range);
    expect(asked).to.deep.equal([undefined, undefined, 'bytes=700000-', 'bytes=700001-', 'bytes=700001-']);
  });

  it('does not put the rest of other content behind what has come', async () => {
    const id = await image();
    await cloud.images.upload(id, new Uint8Array(content));
    fixture.faults.plan('GET', /content$/, { type: 'cut-content', afterBytes: 700_000 });
    const parts = cloud.images.download(id);
    await parts.next();
    fixture.workshop.content = Buffer.from(randomBytes(content.length));
    const error = await downloadedRest(parts).catch((cause) => cause);
    expect(error).to.include({ code: 'bad_response' });
    expect(error.message).to.match(/^The download broke off after 700000 of 1500000 bytes\. The server does not go on where it stopped/);
  });

  it('says how much of a download has come when the rest cannot be had', async () => {
    const id = await image();
    await cloud.images.upload(id, new Uint8Array(content));
    fixture.faults.plan('GET', /content$/, { type: 'cut-content', afterBytes: 700_000 });
    fixture.faults.plan('GET', /content$/, { type: 'reset-before' }, 100);
    const error = await downloaded(id).catch((cause) => cause);
    expect(error).to.include({ code: 'connection_failed', retry: 'same_request' });
    expect(error.message).to.match(/^The download broke off after 700000 of 1500000 bytes\. No answer from the server/);
  });

  it('opens a console: a ticket, and the socket it is for', async () => {
    await cloud.instances.create({ name: 'talker', vcpus: 1, memoryBytes: 1 }).wait();
    const ticket = await cloud.instances.openConsole('talker', 'serial');
    expect(ticket.url).to.equal(`${fixture.url.replace('http', 'ws')}/v1/consoles/${ticket.token}`);
    const socket = openSocket(ticket, WebSocket);
    const heard: string[] = [];
    await new Promise<void>((resolve, reject) => {
      socket.on('open', () => socket.send('hello logout'));
      socket.on('message', (data) => heard.push(String(data)));
      socket.on('close', () => resolve());
      socket.on('error', reject);
    });
    expect(heard.join('')).to.equal('serial console\r\nHELLO LOGOUT');
  });
});
