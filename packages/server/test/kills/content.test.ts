import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect } from '@pileus/sdk';
import { expect } from 'chai';
import { type CuttingProxy, cuttingProxy } from '../../../sdk/test/fixture/cutting-proxy.ts';
import { ServerProcess } from './server-process.ts';

const CLI = fileURLToPath(new URL('../../../cli/src/main.ts', import.meta.url));
const MIB = 1024 ** 2;
const content = new Uint8Array(randomBytes(16 * MIB));
const sha256 = createHash('sha256').update(content).digest('hex');

describe('server: content, when an end of it is killed', function () {
  this.timeout(600_000);
  let server: ServerProcess;
  let proxy: CuttingProxy;
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'pileus-content-'));
    server = await ServerProcess.start({});
    proxy = await cuttingProxy(server.url);
  });
  afterEach(async () => {
    await proxy?.close();
    await server?.close();
    await rm(home, { recursive: true, force: true });
  });

  /** More patient than a server takes to start on a busy machine. */
  const retry = { attempts: 500, maxMs: 500 };
  const direct = () => connect({ url: server.url, apiKey: server.key, retry });
  const through = () => connect({ url: proxy.url, apiKey: server.key, retry });
  /** Resolves when nothing more comes through. */
  const held = (limit: { readonly upBytes?: number; readonly downBytes?: number }) =>
    new Promise<void>((resolve) => proxy.cuts.push({ ...limit, onHeld: resolve }));
  /** What the server has of the image's content, as soon as that is something. */
  async function received(image: string): Promise<number> {
    for (;;) {
      const { receivedBytes } = await direct().images.getContentReceived(image, { sha256 });
      if (receivedBytes > 0) return receivedBytes;
      await sleep(20);
    }
  }

  it('goes on with an upload in whose midst the server was killed', async () => {
    const { id } = await direct().images.create({ name: 'debian' }).wait();
    const holding = held({ upBytes: 10 * MIB });
    const uploading = through().images.upload(id, new Blob([content]), { sha256 });
    await holding;
    const before = await received(id);
    await server.kill();
    await server.begin();
    expect(await direct().images.getContentReceived(id, { sha256 }))
      .to.have.property('receivedBytes')
      .that.is.at.least(before);
    expect(await uploading).to.include({ state: 'available', sha256, sizeBytes: content.length });
    expect(await read(direct().images.download(id, { sha256 }))).to.satisfy((bytes: Buffer) => bytes.equals(content));
  });

  it('goes on with an upload whose client was killed', async () => {
    const file = join(home, 'debian.img');
    await writeFile(file, content);
    const env = { PATH: process.env.PATH ?? '', HOME: home, PILEUS_URL: proxy.url, PILEUS_KEY: server.key };
    const upload = () => spawn(process.execPath, [...process.execArgv, CLI, 'images', 'upload', file], { env, stdio: 'ignore' });
    const holding = held({ upBytes: 10 * MIB });
    const first = upload();
    const firstEnded = once(first, 'exit');
    await holding;
    const { id } = await direct().images.get('debian');
    const before = await received(id);
    first.kill('SIGKILL');
    await firstEnded;
    const upBytes = proxy.total.up;
    expect((await once(upload(), 'exit'))[0]).to.equal(0);
    expect(await direct().images.get(id)).to.include({ state: 'available', sha256, sizeBytes: content.length });
    // The second one sent what the first one had not, and requests of some size.
    expect(proxy.total.up - upBytes).to.be.lessThan(content.length - before + MIB);
  });

  it('goes on with a download, at another endpoint, when the one that serves it is killed', async () => {
    const other = await ServerProcess.start({});
    try {
      for (const at of [server, other]) {
        const cloud = connect({ url: at.url, apiKey: at.key });
        const { id } = await cloud.images.create({ name: 'debian' }).wait();
        await cloud.images.upload(id, content, { sha256 });
      }
      const killed = held({ downBytes: 5 * MIB }).then(() => server.kill());
      const mirrors = [{ url: other.url, apiKey: other.key }];
      const bytes = await read(through().images.download('debian', { mirrors }));
      await killed;
      expect(bytes.equals(content)).to.equal(true);
    } finally {
      await other.close();
    }
  });
});

async function read(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}
