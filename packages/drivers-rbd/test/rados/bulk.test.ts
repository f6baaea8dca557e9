import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert, expect } from 'chai';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { run } from '../../../../tools/system/command.ts';
import { childrenOf } from '../../../../tools/system/processes.ts';
import { AbortedError, RadosCluster, RadosError, type RbdPool, TimeoutError, ToolError } from '../../src/rados/index.ts';
import { all, failure, refusal } from './outcomes.ts';

const MIB = 2 ** 20;
const VIRTUAL_BYTES = 512 * MIB;

describe('whole files, into images and back', function () {
  this.timeout(300_000);
  let ceph: CephCluster;
  let cluster: RadosCluster;
  let pool: RbdPool;
  let dir: string;
  let raw: string;
  let qcow2: string;

  before(async () => {
    ceph = await CephCluster.start({ store: 'memstore' });
    // By a name, and beside one that nobody has: programs are told addresses, too.
    const monitors = ['nowhere..invalid:3300', ...ceph.monitors.map((monitor) => monitor.replace('127.0.0.1', 'localhost'))];
    cluster = RadosCluster.open({ monitors, user: ceph.user.name, key: ceph.user.key, callTimeoutMs: 120_000 });
    pool = cluster.pool('rbd');
    dir = await mkdtemp(join(tmpdir(), 'pileus-bulk-'));
    // A comma, because the options of QEMU are separated by it.
    [raw, qcow2] = [join(dir, 'disk.raw'), join(dir, 'disk, small.qcow2')];
    await using file = await open(raw, 'w');
    for (const at of [0, 100 * MIB, VIRTUAL_BYTES - 3 * MIB]) await file.write(randomBytes(3 * MIB), 0, 3 * MIB, at);
    await run(['qemu-img', 'convert', '-O', 'qcow2', raw, qcow2]);
  });
  after(async () => {
    await cluster?.close();
    await ceph?.[Symbol.asyncDispose]();
    if (dir !== undefined) await rm(dir, { recursive: true });
  });

  const names = async () => (await all(pool.images())).map(({ name }) => name);

  it('come out as they went in, with their holes, and tell how far they are', async () => {
    const shares: number[] = [];
    await cluster.bulk.importFile(pool, 'disk', { path: qcow2, format: 'qcow2' }, { order: 23, onProgress: (share) => shares.push(share) });
    expect(await pool.image('disk').stat()).to.include({ sizeBytes: BigInt(VIRTUAL_BYTES), order: 23 });
    await using image = pool.image('disk').open({ readOnly: true });
    expect((await all(image.diff())).map(({ offsetBytes }) => Number(offsetBytes) / MIB)).to.deep.equal([0, 96, 504]);
    expect(shares.at(-1)).to.equal(1);
    expect(shares).to.deep.equal([...shares].sort((a, b) => a - b));

    await pool.image('disk').snapshots.create('whole');
    await cluster.bulk.exportFile(pool, { image: 'disk', snapshot: 'whole' }, { path: join(dir, 'back.qcow2'), format: 'qcow2' });
    expect(await run(['qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', raw, join(dir, 'back.qcow2')])).to.contain('identical');
    await pool.image('disk').snapshots.remove('whole');
    await pool.remove('disk');
  });

  it('do not go over an image that is there, and leave it', async () => {
    await pool.create('taken', { sizeBytes: MIB });
    expect((await refusal(cluster.bulk.importFile(pool, 'taken', { path: raw, format: 'raw' }))).code).to.equal('EEXIST');
    expect((await pool.image('taken').stat()).sizeBytes).to.equal(BigInt(MIB));
    await pool.remove('taken');
  });

  it('are refused when they would read other files, or are not what is said', async () => {
    const overlay = join(dir, 'overlay.qcow2');
    await run(['qemu-img', 'create', '-f', 'qcow2', '-b', '/etc/hostname', '-F', 'raw', overlay]);
    await writeFile(join(dir, 'text'), 'no image');
    const refused = await failure(cluster.bulk.importFile(pool, 'never', { path: overlay, format: 'qcow2' }));
    expect(refused).to.be.instanceOf(ToolError).with.property('message').that.contains('refers to other files');
    assert.instanceOf(await failure(cluster.bulk.importFile(pool, 'never', { path: join(dir, 'text'), format: 'qcow2' })), ToolError);
    assert.instanceOf(await failure(cluster.bulk.importFile(pool, 'never', { path: join(dir, 'none'), format: 'raw' })), ToolError);
    expect(await names()).to.deep.equal([]);
  });

  it('cancelled leave neither an image nor a file, and no program', async () => {
    const large = join(dir, 'large.raw');
    {
      await using file = await open(large, 'w');
      for (let at = 0; at < 256; at += 1) await file.write(randomBytes(MIB));
    }
    await cluster.info();
    const before = new Set(await childrenOf(process.pid));
    const gone = new AbortController();
    const work = cluster.bulk.importFile(
      pool,
      'part',
      { path: large, format: 'raw' },
      {
        signal: gone.signal,
        onProgress: () => gone.abort(new Error('enough')),
      },
    );
    const error = await failure(work);
    assert.instanceOf(error, AbortedError);
    expect(await names()).to.deep.equal([]);
    expect((await pool.trash.list()).length).to.equal(0);

    await cluster.bulk.importFile(pool, 'whole', { path: large, format: 'raw' });
    const late = failure(
      cluster.bulk.exportFile(pool, { image: 'whole' }, { path: join(dir, 'out.raw'), format: 'raw' }, { timeoutMs: 30 }),
    );
    assert.instanceOf(await late, TimeoutError);
    expect((await readdir(dir)).filter((name) => name.startsWith('out'))).to.deep.equal([]);
    expect((await childrenOf(process.pid)).filter((pid) => !before.has(pid))).to.deep.equal([]);
    // The program that was killed counts as a user of the image for up to half a minute.
    for (let removed = false; !removed; ) {
      const refusal = await pool.remove('whole').then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (refusal !== undefined && !(refusal instanceof RadosError && refusal.code === 'EBUSY')) throw refusal;
      removed = refusal === undefined;
      if (!removed) await sleep(500);
    }
  });

  it('are copied by a program that has the key in no argument, no variable and no file of a name', async () => {
    const words: string[] = [];
    const onProgress = () => void looked.push(look());
    const looked: Promise<void>[] = [];
    const look = async (): Promise<void> => {
      for (const pid of await childrenOf(process.pid))
        for (const file of ['cmdline', 'environ']) words.push(await readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => ''));
    };
    // A folder of its own: in that of the machine are also files of others, and of those who were killed.
    const before = process.env.TMPDIR;
    process.env.TMPDIR = await mkdtemp(join(dir, 'tmp-'));
    const isSeen = () => words.some((word) => word.includes('driver=rbd'));
    try {
      // On a busy machine the program may have ended before the first look.
      for (let attempt = 0; attempt < 10 && !isSeen(); attempt += 1) {
        await cluster.bulk.importFile(pool, 'seen', { path: join(dir, 'large.raw'), format: 'raw' }, { onProgress });
        await Promise.all(looked);
        expect(await readdir(tmpdir())).to.deep.equal([]);
        await pool.remove('seen');
      }
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
    expect(isSeen()).to.equal(true);
    for (const word of words) expect(word).to.not.contain(ceph.user.key);
  });
});
