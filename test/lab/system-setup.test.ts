import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../../tools/system/command.ts';
import { ensureSystem } from '../../tools/system/ensure.ts';

describe('the system set-up', function () {
  this.timeout(300_000);

  it('says which archive cannot be reached when a package cannot be had', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'pileus-apt-'));
    const outer = process.env.APT_CONFIG;
    try {
      await mkdir(join(dir, 'lists/partial'), { recursive: true });
      await writeFile(join(dir, 'sources.list'), 'deb [trusted=yes] file:/nowhere bookworm main\n');
      const settings = { 'Dir::Etc::SourceList': 'sources.list', 'Dir::Etc::SourceParts': 'none', 'Dir::State::Lists': 'lists' };
      const lines = Object.entries(settings).map(([key, name]) => `${key} "${join(dir, name)}";\n`);
      await writeFile(join(dir, 'apt.conf'), [...lines, 'Dir::Cache::pkgcache "";\n', 'Dir::Cache::srcpkgcache "";\n'].join(''));
      process.env.APT_CONFIG = join(dir, 'apt.conf');
      expect(await run(['apt-config', 'dump'])).to.include(dir);
      const outcome = await ensureSystem({ log: () => {}, cacheDir: join(dir, 'cache') });
      expect(outcome.ok ? '' : outcome.reason).to.match(
        /could not be installed: apt cannot reach its archive: Failed to fetch file:\/nowhere/,
      );
    } finally {
      if (outer === undefined) delete process.env.APT_CONFIG;
      else process.env.APT_CONFIG = outer;
      await rm(dir, { recursive: true });
    }
  });
});
