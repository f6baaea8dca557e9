import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { directoryBackups, nodeEnvironment } from '../../src/node/index.ts';
import { describeBackupStore } from '../../testing/index.ts';

const call = () => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 10_000 });

describeBackupStore('directory', {
  features: ['vanish'],
  timeouts: { testMs: 60_000 },
  makeHarness: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pileus-backups-'));
    const [path, aside] = [join(directory, 'mount'), join(directory, 'aside')];
    await mkdir(path);
    return {
      environment: nodeEnvironment(),
      open: async () => directoryBackups.open({ storeId: 'store-1', settings: { path } }),
      // A file system of this machine does not freeze; one that is not mounted any more leaves an empty directory.
      freeze: async () => undefined,
      thaw: async () => undefined,
      settle: async () => undefined,
      vanish: async () => {
        await rename(path, aside);
        await mkdir(path);
      },
      reappear: async () => {
        await rm(path, { recursive: true });
        await rename(aside, path);
      },
      close: () => rm(directory, { recursive: true, force: true }),
    };
  },
});

describe('backups in a directory', () => {
  let path = '';
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'pileus-backups-'));
  });
  afterEach(() => rm(path, { recursive: true, force: true }));

  it('forget the drafts of a process that ended long ago, and those alone', async () => {
    const store = directoryBackups.open({ storeId: 'store-1', settings: { path } });
    await store.ensureStore(call());
    const drafts = join(path, '.drafts');
    expect(await readdir(drafts)).to.deep.equal([]);
    for (const name of ['old', 'new']) await writeFile(join(drafts, name), 'half');
    const longAgo = new Date(Date.now() - 25 * 3600_000);
    await utimes(join(drafts, 'old'), longAgo, longAgo);
    await store.ensureStore(call());
    expect(await readdir(drafts)).to.deep.equal(['new']);
  });

  it('are listed whole or not at all, while what is mounted there goes away', async () => {
    const [mount, aside] = [join(path, 'mount'), join(path, 'aside')];
    await mkdir(mount);
    const store = directoryBackups.open({ storeId: 'store-1', settings: { path: mount } });
    await store.ensureStore(call());
    const keys = Array.from({ length: 60 }, (_, n) => `all/${String(n).padStart(2, '0')}/key`);
    for (const key of keys) await store.put(key, new Uint8Array(1), call());
    let refused = 0;
    // It goes at another moment of the list each time.
    for (let round = 0; round < 60; round += 1) {
      const listing = store.list({ prefix: 'all/' }, call()).then(
        (page) => expect(page.keys, `round ${round}`).to.deep.equal(keys),
        (error: unknown) => {
          expect(store.classify(error)).to.equal('unavailable');
          refused += 1;
        },
      );
      for (let turn = 0; turn < round; turn += 1) await stat(mount);
      await rename(mount, aside);
      await listing;
      await rename(aside, mount);
    }
    expect(refused).to.be.greaterThan(0);
  });

  it('are in an absolute path', () => {
    expect(directoryBackups.settingFault?.({ path: '/backups' })).to.equal(undefined);
    for (const path of ['backups', './backups', '']) expect(directoryBackups.settingFault?.({ path })?.setting, path).to.equal('path');
  });
});
