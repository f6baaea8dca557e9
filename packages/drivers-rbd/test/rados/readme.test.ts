import { readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { run } from '../../../../tools/system/command.ts';

describe('the README of drivers-rbd', function () {
  this.timeout(300_000);

  it('has an example that does what it says', async () => {
    await using ceph = await CephCluster.start({ store: 'memstore' });
    const text = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const [, code = ''] = /## The binding[\s\S]*?```ts\n([\s\S]*?)```/.exec(text) ?? [];
    const file = fileURLToPath(new URL(`.readme-${process.pid}.ts`, import.meta.url));
    await writeFile(
      file,
      code.replace('192.0.2.5:3300', ceph.monitors[0] ?? '').replace('@pileus/drivers-rbd/rados', '../../src/rados/index.ts'),
    );
    try {
      const env = { ...process.env, CEPH_KEY: ceph.user.key };
      const printed = await run([process.execPath, ...process.execArgv, file], { env, timeoutMs: 120_000 });
      expect(printed.split('\n')).to.deep.equal(['golden', 'web-1', '21474836480n golden', 'ENOTEMPTY', '']);
    } finally {
      await rm(file);
    }
  });
});
