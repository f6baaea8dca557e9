import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect } from 'chai';
import { run } from '../../tools/system/command.ts';
import { ROOT } from './documents.ts';

/** Installs this platform's Node as npm 10 does: without the link to it. */
const NPM_10 = `#!/bin/sh
echo "$@" >>calls
mkdir -p node_modules/.bin node_modules/node-linux-${process.arch}/bin
ln -sf "${process.execPath}" node_modules/node-linux-${process.arch}/bin/node
`;

describe('the set-up of a fresh clone', () => {
  it('ends with a Node to run on, whatever npm installs it, and installs again only for another lock', async () => {
    const clone = await mkdtemp(join(tmpdir(), 'pileus-clone-'));
    try {
      await mkdir(join(clone, 'tools'));
      for (const script of ['bootstrap.sh', 'node.sh']) await copyFile(join(ROOT, 'tools', script), join(clone, 'tools', script));
      await mkdir(join(clone, 'path'));
      await writeFile(join(clone, 'path/npm'), NPM_10);
      await chmod(join(clone, 'path/npm'), 0o755);
      const env = { ...process.env, PATH: [join(clone, 'path'), process.env.PATH].join(delimiter) };
      const setUp = () => run(['sh', join(clone, 'tools/bootstrap.sh')], { env });
      for (const lock of ['one', 'one', 'another']) {
        await writeFile(join(clone, 'package-lock.json'), lock);
        await setUp();
        expect(await run(['sh', join(clone, 'tools/node.sh'), '--version'])).to.equal(`${process.version}\n`);
      }
      expect((await readFile(join(clone, 'calls'), 'utf8')).match(/^ci /gm)).to.have.length(2);
    } finally {
      await rm(clone, { recursive: true });
    }
  });
});
