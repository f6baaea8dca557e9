import { createHash, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { type Cloud, connect, isPileusError } from '../src/index.ts';
import { type CuttingProxy, cuttingProxy } from './fixture/cutting-proxy.ts';
import { type SimulatedServer, startSimulatedServer } from './fixture/simulated-server.ts';

const content = new Uint8Array(randomBytes(8 * 1024 ** 2));
const sha256 = createHash('sha256').update(content).digest('hex');
const MIB = 1024 ** 2;

/** Over a real server, through a connection that breaks. */
describe('sdk: content over connections that break', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let proxy: CuttingProxy;
  let cloud: Cloud;
  let made = 0;
  before(async () => {
    server = await startSimulatedServer({ isEmpty: true });
    proxy = await cuttingProxy(server.url);
    cloud = connect({ url: proxy.url, apiKey: server.apiKey, retry: { baseMs: 5, maxMs: 50 } });
  });
  after(async () => {
    await proxy?.close();
    await server?.close();
  });
  afterEach(() => {
    proxy.cuts.length = 0;
  });
  const image = async () => (await cloud.images.create({ name: `broken-${++made}` }).wait()).id;
  const read = async (bytes: AsyncIterable<Uint8Array>) => {
    const parts: Uint8Array[] = [];
    for await (const part of bytes) parts.push(part);
    return Buffer.concat(parts);
  };

  for (const [what, source] of [
    ['bytes', content],
    ['a Blob', new Blob([content])],
  ] as const)
    it(`sends of ${what} only what the server does not have`, async () => {
      const id = await image();
      const progress: number[] = [];
      const uploading = () => cloud.images.upload(id, source, { sha256, onProgress: (sentBytes) => void progress.push(sentBytes) });
      proxy.cuts.push({ upBytes: 3 * MIB }, { upBytes: 2 * MIB }, { upBytes: 2 * MIB });
      expect(await uploading()).to.include({ state: 'available', sha256, sizeBytes: content.length });
      expect(proxy.cuts).to.have.length(0);
      expect(progress.at(-1)).to.equal(content.length);
      expect(await cloud.images.getContentReceived(id, { sha256 })).to.deep.equal({ receivedBytes: content.length });
      expect((await read(cloud.images.download(id))).equals(content)).to.equal(true);
    });

  it('goes on with what another process has begun', async () => {
    const id = await image();
    const once = connect({ url: proxy.url, apiKey: server.apiKey, retry: { attempts: 1 } });
    proxy.cuts.push({ upBytes: 5 * MIB });
    const broken = await once.images.upload(id, content, { sha256 }).safe();
    expect(!broken.ok && broken.error.code).to.equal('connection_failed');
    const { receivedBytes = 0 } = await settled(() => cloud.images.getContentReceived(id, { sha256 }));
    expect(receivedBytes).to.be.within(1, 5 * MIB);
    const progress: number[] = [];
    const onProgress = (sentBytes: number) => void progress.push(sentBytes);
    expect(await cloud.images.upload(id, new Blob([content]), { sha256, onProgress })).to.include({ state: 'available', sha256 });
    expect(progress[0]).to.be.greaterThan(receivedBytes);
  });

  /** The server may hear later than we that the connection is gone: what it has is asked until some of it is told. */
  async function settled(ask: () => PromiseLike<{ readonly receivedBytes: number }>) {
    for (let tries = 0; ; tries += 1) {
      const answer = await ask();
      if (answer.receivedBytes > 0 || tries === 500) return answer;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it('says what it wants of content that is not what was promised, and leaves nothing of it', async () => {
    const id = await image();
    const other = await cloud.images.upload(id, content.subarray(1), { sha256 }).safe();
    expect(!other.ok && other.error.code).to.equal('invalid_input');
    expect(await cloud.images.getContentReceived(id, { sha256 })).to.deep.equal({ receivedBytes: 0 });
  });

  describe('with a second cloud that has the same content', () => {
    let mirror: SimulatedServer;
    before(async () => {
      mirror = await startSimulatedServer({ isEmpty: true });
      const { id } = await mirror.cloud.images.create({ name: 'same' }).wait();
      await mirror.cloud.images.upload(id, content, { sha256 });
    });
    after(() => mirror?.close());
    const mirrors = () => [{ url: mirror.url, apiKey: mirror.apiKey }];

    it('goes on there with a download', async () => {
      const id = await image();
      await cloud.images.upload(id, content, { sha256 });
      proxy.cuts.push({ downBytes: 3 * MIB });
      const bytes = cloud.images.download(id, { mirrors: mirrors() });
      const parts: Uint8Array[] = [];
      for await (const part of bytes) {
        // Nothing of our own server is reached any more.
        if (parts.push(part) === 1) proxy.cuts.push(...Array.from({ length: 50 }, () => ({ upBytes: 0 })));
      }
      expect(Buffer.concat(parts).equals(content)).to.equal(true);
      expect(proxy.cuts.length).to.be.greaterThan(40);
    });

    it('has it from there when our own never answers, by the digest that is known', async () => {
      const dead = connect({ url: 'http://127.0.0.1:1', retry: { baseMs: 1, maxMs: 5 } });
      expect((await read(dead.images.download('anything', { mirrors: mirrors(), sha256 }))).equals(content)).to.equal(true);
      const error = await read(dead.images.download('anything', { mirrors: mirrors() })).catch((cause: unknown) => cause);
      expect(isPileusError(error) && error.code).to.equal('connection_failed');
      const absent = { mirrors: mirrors(), sha256: 'f'.repeat(64) };
      const nowhere = await read(dead.images.download('anything', absent)).catch((cause: unknown) => cause);
      expect(isPileusError(nowhere) && nowhere.code).to.equal('connection_failed');
    });
  });

  it('notices content that does not have the digest that was expected', async () => {
    const id = await image();
    await cloud.images.upload(id, content, { sha256 });
    const error = await read(cloud.images.download(id, { sha256: 'f'.repeat(64) })).catch((cause: unknown) => cause);
    expect(isPileusError(error) && error.code).to.equal('bad_response');
  });
});
