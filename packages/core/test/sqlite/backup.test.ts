import { link, mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { openSqlite, restoreSqlite } from '@pileus/core/sqlite';
import { expect } from 'chai';
import { makeFile } from '../../src/store/file.ts';
import { type Scratch, scratch } from './scratch.ts';

const AT = '2030-01-01T00:00:00.123Z';

describe('a file that is made beside others', () => {
  let folder: Scratch;
  beforeEach(async () => {
    folder = await scratch();
  });
  afterEach(() => folder.remove());

  it('is whole, whoever else makes one of its name at the time', async () => {
    const path = folder.path('copy.db');
    const [oneIsHalf, otherIsHalf, oneHasEnded] = [
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
    ];
    const one = makeFile({ path, at: AT }, async (partial) => {
      await writeFile(partial, 'one');
      oneIsHalf.resolve();
      await otherIsHalf.promise;
    });
    await oneIsHalf.promise;
    const other = makeFile({ path }, async (partial) => {
      await writeFile(partial, 'half of another');
      otherIsHalf.resolve();
      await oneHasEnded.promise;
    });
    await one;
    expect(await readFile(path, 'utf8')).to.equal('one');
    expect((await stat(path)).mtime.toISOString()).to.equal(AT);
    oneHasEnded.resolve();
    expect(await other.catch((error: Error) => error.message)).to.include('exists already');
    expect(await readFile(path, 'utf8')).to.equal('one');
    expect(await readdir(dirname(path))).to.deep.equal(['copy.db']);
  });

  it('has what killed processes left beside it removed, and nothing that is being made or is no such thing', async () => {
    const path = folder.path('copy.db');
    const home = dirname(path);
    const long = new Date(Date.now() - 2 * 3600_000);
    const wasLeft = async (name: string, isOld: boolean) => {
      await mkdir(join(home, name));
      await writeFile(join(home, name, 'other.db'), 'half');
      await utimes(join(home, name), long, long);
      if (isOld) await utimes(join(home, name, 'other.db'), long, long);
    };
    await wasLeft('other.db.pileus-partial-aaaaaa', true);
    await wasLeft('other.db.pileus-partial-bbbbbb', false);
    await wasLeft('other.db.partial', true);
    await makeFile({ path }, (partial) => writeFile(partial, 'whole'));
    expect((await readdir(home)).sort()).to.deep.equal(['copy.db', 'other.db.partial', 'other.db.pileus-partial-bbbbbb']);
  });

  it('leaves nothing when it could not be made', async () => {
    const path = folder.path('copy.db');
    const failed = makeFile({ path }, async (partial) => {
      await writeFile(partial, 'half');
      await link(partial, `${partial}-journal`);
      throw new Error(basename(partial));
    });
    expect(await failed.catch((error: Error) => error.message)).to.equal('copy.db');
    expect(await readdir(dirname(path))).to.deep.equal([]);
  });
});

describe('files of a store', () => {
  it("are their owner's alone, whatever others may read by default: those of an older one, of a backup and of a restore too", async () => {
    const folder = await scratch();
    const umask = process.umask(0o022);
    try {
      await writeFile(folder.path('cloud.db'), '', { mode: 0o644 });
      const store = await openSqlite({ path: folder.path('cloud.db') });
      await store.prepare({ tables: [], migrations: [] });
      await store.backup(folder.path('copy.db'), AT);
      await restoreSqlite({ from: folder.path('copy.db'), to: folder.path('restored.db') });
      const names = (await readdir(dirname(folder.path('cloud.db')))).sort();
      expect(names).to.include.members(['cloud.db', 'cloud.db-shm', 'cloud.db-wal', 'cloud.db.lock', 'copy.db', 'restored.db']);
      const modes = await Promise.all(names.map(async (name) => `${name} ${((await stat(folder.path(name))).mode & 0o777).toString(8)}`));
      await store.close();
      expect(modes).to.deep.equal(names.map((name) => `${name} 600`));
    } finally {
      process.umask(umask);
      await folder.remove();
    }
  });
});
