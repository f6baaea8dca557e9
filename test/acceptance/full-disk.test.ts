import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isCloudError } from '@pileus/core/kernel';
import { directoryImageStore } from '@pileus/core/node';
import { expect } from 'chai';
import { eventually, made, openServer } from '../../packages/server/test/server.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;

async function* chunks(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield Buffer.alloc(MIB, index);
}

describe('a server whose disk is full', function () {
  this.timeout(300_000);
  let directory = '';

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pileus-full-'));
    await run('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', directory]);
  });
  after(async () => {
    await run('umount', [directory]);
    await rm(directory, { recursive: true });
  });

  it('refuses changes at once, answers what is asked, keeps what was accepted, and goes on when there is room', async () => {
    const server = await openServer({ directory });
    try {
      await made(server, 'one');
      const filler = join(directory, 'filler');
      await writeFile(filler, Buffer.alloc(16 * MIB)).then(
        () => expect.fail('it is not full'),
        () => {},
      );
      const ask = (name: string) => server.ask('POST', '/v1/widgets', { body: { name, sizeBytes: 10 } });
      // The last page of the log may have room for a few more.
      const accepted = ['one'];
      let last = await ask('two-0');
      for (let index = 1; last.status === 202; index += 1) {
        accepted.push(`two-${index - 1}`);
        last = await ask(`two-${index}`);
      }
      expect(last.status, last.text).to.equal(503);
      expect(last.json).to.include({ code: 'unavailable', detail: 'The store cannot take it now.' });
      expect((await server.ask('GET', '/v1/widgets/one')).status).to.equal(200);
      expect((await server.ask('GET', '/health/ready')).status).to.equal(503);

      await rm(filler);
      await eventually(async () => (await ask('three')).status === 202);
      accepted.push('three');
      const states = async () =>
        ((await server.ask('GET', '/v1/widgets')).json.items as readonly { readonly name: string; readonly state: string }[]).map(
          ({ name, state }) => `${name} ${state}`,
        );
      await eventually(async () => (await states()).every((each) => !each.endsWith('creating')));
      expect((await states()).map((each) => each.split(' ')[0])).to.have.members(accepted);
    } finally {
      await server.plane.close();
    }
  });

  it('says so to who uploads an image, and leaves nothing of it', async () => {
    const images = join(directory, 'images');
    await mkdir(images, { recursive: true });
    const store = await directoryImageStore(images);
    const refused = await store.write('a', chunks(16), 64 * MIB).catch((error: unknown) => error);
    expect(isCloudError(refused) && refused.code).to.equal('no_capacity');
    expect(isCloudError(refused) && refused.publicMessage).to.equal('The disk on which the server keeps images is full.');
    expect(await store.list()).to.deep.equal([]);
    expect((await store.write('b', chunks(1), 64 * MIB)).sizeBytes).to.equal(MIB);
  });
});
