import { execFile } from 'node:child_process';
import { link, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { openFile } from '../../src/node/index.ts';

describe('files that images are imported from', () => {
  let base = '';
  let images = '';
  const { signal } = new AbortController();
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'pileus-files-'));
    images = join(base, 'images');
    await mkdir(join(images, 'sub'), { recursive: true });
    await writeFile(join(images, 'sub', 'debian.raw'), 'content');
    await writeFile(join(base, 'secret'), 'secret');
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  const read = async (path: string, directories = [images]) => {
    const parts: Uint8Array[] = [];
    for await (const part of await openFile(path, { directories, signal })) parts.push(part);
    return Buffer.concat(parts).toString();
  };
  const codeOf = (path: string, directories?: string[]): Promise<string> =>
    read(path, directories).catch((error: { readonly code?: string }) => String(error.code));

  it('are those in the directory, and below it, through links within it, too', async () => {
    await symlink(join(images, 'sub', 'debian.raw'), join(images, 'latest'));
    await symlink(images, join(base, 'link'));
    expect(await read(join(images, 'sub', 'debian.raw'))).to.equal('content');
    expect(await read(join(images, 'latest'))).to.equal('content');
    expect(await read(join(base, 'link', 'latest'), [join(base, 'link')])).to.equal('content');
    expect(await read(join(images, 'sub', 'debian.raw'), ['/nowhere', images])).to.equal('content');
  });

  it('are none that links lead to from there', async () => {
    await symlink(join(base, 'secret'), join(images, 'link'));
    await symlink(base, join(images, 'up'));
    await mkdir(join(base, 'images-too'));
    await writeFile(join(base, 'images-too', 'x'), 'x');
    for (const path of ['link', 'up/secret', '../secret', '../images-too/x'])
      expect(await codeOf(`${images}/${path}`), path).to.equal('refused');
    expect(await codeOf(join(images, 'sub', 'debian.raw'), [])).to.equal('refused');
  });

  it('are regular files: what would block or do something is not even opened', async () => {
    await promisify(execFile)('mkfifo', [join(images, 'pipe')]);
    await symlink('/dev/zero', join(images, 'zero'));
    await symlink(join(images, 'loop'), join(images, 'loop'));
    for (const path of ['pipe', 'zero', 'sub', 'loop']) expect(await codeOf(join(images, path)), path).to.equal('refused');
    expect(await codeOf('/dev/zero', ['/dev'])).to.equal('refused');
    for (const path of ['absent', 'sub/debian.raw/x']) expect(await codeOf(join(images, path)), path).to.equal('not_found');
  });

  it('stay where they are while links are changed under them', async () => {
    const [inside, outside, at] = [join(images, 'inside'), join(images, 'outside'), join(images, 'switching')];
    await symlink(join(images, 'sub', 'debian.raw'), inside);
    await symlink(join(base, 'secret'), outside);
    let isOver = false;
    const switching = (async () => {
      while (!isOver)
        for (const target of [inside, outside]) {
          await link(target, `${at}.new`);
          await rename(`${at}.new`, at).catch(() => undefined);
          await rm(`${at}.new`, { force: true });
        }
    })();
    try {
      for (let tries = 0; tries < 300; tries += 1) expect(await codeOf(at)).to.be.oneOf(['content', 'refused', 'not_found']);
    } finally {
      isOver = true;
      await switching;
    }
  });
});
