import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { RbdWitness } from '../../../tools/demo/rbd-witness.ts';
import { CephCluster } from '../../../tools/system/ceph-cluster.ts';
import { run } from '../../../tools/system/command.ts';
import { ensureSystem } from '../../../tools/system/ensure.ts';
import { exists, TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { processName } from '../../../tools/system/processes.ts';
import { until } from '../waiting.ts';

const HELD = fileURLToPath(new URL('held-cluster.ts', import.meta.url));

const pidsOf = ({ monitor, osds, manager, gateway }: CephCluster) =>
  [monitor, ...osds, manager, gateway].map(({ pid }) => pid).filter((pid) => pid !== undefined);

/** In the pool `fast` there is the image `first`. */
async function expectWitnessed(cluster: CephCluster): Promise<void> {
  const libvirt: string[] = ['secret left'];
  const witness = new RbdWitness({ begin: async () => {}, residue: async () => libvirt }, cluster, 'fast');
  await cluster.rbd('snap', 'create', 'fast/first@kept');
  await cluster.rbd('lock', 'add', 'fast/first', 'held');
  await cluster.rbd('create', 'fast/second', '--size=4M');
  await cluster.rbd('trash', 'mv', 'fast/second');
  const told = await witness.residue(0);
  const [locker] = told.flatMap((line) => /^lock of (\S+) on first$/.exec(line)?.[1] ?? []);
  expect(told).to.have.members(['secret left', 'image first', 'snapshot first@kept', `lock of ${locker} on first`, 'trash second']);
  libvirt.pop();
  await cluster.rbd('lock', 'rm', 'fast/first', 'held', locker ?? '');
  await cluster.rbd('snap', 'rm', 'fast/first@kept');
  await cluster.rbd('rm', 'fast/first');
  const [kept] = JSON.parse(await cluster.rbd('trash', 'ls', 'fast', '--format=json')) as readonly { readonly id: string }[];
  await cluster.rbd('trash', 'rm', `fast/${kept?.id}`);
  expect(await witness.residue()).to.deep.equal([]);
}

describe('a Ceph cluster of our own', function () {
  this.timeout(300_000);
  let directory: string;

  before(async () => {
    expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
    directory = await mkdtemp(join(tmpdir(), 'pileus-ceph-test-'));
  });

  afterEach(async () => expect(await readdir(directory)).to.deep.equal([]));
  after(() => rm(directory, { recursive: true, force: true }));

  it('takes I/O from whoever knows its monitors and a key, with one of three OSDs dead too, is looked through by the witness of the demo, and leaves nothing behind', async () => {
    const cluster = await CephCluster.start({ osds: 3, directory, manager: true, pools: ['rbd', 'fast'] });
    let pids: readonly number[] = [];
    try {
      const { user, monitors } = cluster;
      pids = pidsOf(cluster);
      expect(pids).to.have.length(5);
      const keyPath = join(cluster.dir, 'key');
      await writeFile(keyPath, user.key, { mode: 0o600 });
      const known = [`--mon-host=[v2:${monitors[0]}]`, `--id=${user.name}`, `--keyfile=${keyPath}`];
      const asUser = (...words: readonly string[]) => run(['rbd', '--conf=/dev/null', ...known, ...words]);
      await asUser('create', 'fast/first', '--size=64M');

      const dead = cluster.osd(2);
      await dead.kill();
      expect(dead.pid).to.equal(undefined);
      await asUser('bench', '--io-type=write', '--io-total=4M', 'fast/first');
      await dead.start();
      await cluster.untilUp();
      expect((await asUser('ls', 'fast')).trim()).to.equal('first');
      expect((await cluster.rbd('ls', 'rbd')).trim()).to.equal('');
      await expectWitnessed(cluster);
      await until('health', async () => (await cluster.ceph('health')).startsWith('HEALTH_OK') || undefined);
    } finally {
      await cluster[Symbol.asyncDispose]();
    }
    expect(await Promise.all(pids.map(processName))).to.deep.equal(pids.map(() => undefined));
    expect(await exists(cluster.dir)).to.equal(false);
  });

  it('stands still while its OSD is frozen, and goes on when that thaws', async () => {
    await using cluster = await CephCluster.start({ directory, store: 'memstore' });
    cluster.osd(0).freeze();
    const created = cluster.rbd('create', 'rbd/late', '--size=64M').then(() => 'created');
    expect(await Promise.race([created, new Promise((resolve) => setTimeout(resolve, 1_000, 'waits'))])).to.equal('waits');
    cluster.osd(0).thaw();
    expect(await created).to.equal('created');
  });

  it('serves S3', async () => {
    await using cluster = await CephCluster.start({ directory, store: 'memstore', gateway: true });
    expect(await (await fetch(cluster.s3.url)).text()).to.contain('ListAllMyBucketsResult');
    const refused = await fetch(`${cluster.s3.url}/somebodys`);
    expect(await refused.text()).to.contain('NoSuchBucket');
  });

  it('ends with the process that it is for, however that ends', async () => {
    const child: ChildProcess = spawn(process.execPath, [...process.execArgv, HELD, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit').then(([code]) => expect.fail(`its process has ended with ${code}`));
    const [line] = (await Promise.race([once(child.stdout ?? child, 'data'), ended])) as [Buffer];
    const pids = JSON.parse(line.toString()) as readonly number[];
    expect(await Promise.all(pids.map(processName))).to.deep.equal(['ceph-mon', 'ceph-osd']);
    child.kill('SIGKILL');
    await ended.catch(() => {});
    await until('their end', async () => (await Promise.all(pids.map(processName))).every((name) => name === undefined) || undefined);
    for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true });
  });
});
