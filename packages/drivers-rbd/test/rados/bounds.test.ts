import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, expect } from 'chai';
import { MissingFunction } from '../../src/rados/child/failures.ts';
import { hasFunction, library } from '../../src/rados/child/native.ts';
import { AbortedError, BusyError, type ClusterOptions, ConnectionLostError, RadosCluster, TimeoutError } from '../../src/rados/index.ts';
import { failure, refusal, untilGone } from './outcomes.ts';

/** Where nobody listens: a connection is tried for as long as it may be. */
const NOWHERE: ClusterOptions = {
  monitors: ['127.0.0.1:1'],
  user: 'nobody',
  key: 'AQBiVPBmAAAAABAAcUlkLzPrOxEhDhdPOzCzWQ==',
  connectTimeoutMs: 100_000,
};

describe('calls that wait for a connection', function () {
  this.timeout(300_000);

  it('end at their deadline, by their signal, and when the cluster is closed, and were never sent', async () => {
    const cluster = RadosCluster.open(NOWHERE);
    const gone = new AbortController();
    const late = failure(cluster.info({ timeoutMs: 50 }));
    const aborted = failure(cluster.info({ signal: gone.signal }));
    const closed = failure(cluster.info({ timeoutMs: Number.POSITIVE_INFINITY }));
    const [pid = 0] = cluster.processIds;
    gone.abort(new Error('enough'));
    for (const [error, type] of [
      [await late, TimeoutError],
      [await aborted, AbortedError],
      [await failure(cluster.info({ signal: gone.signal })), AbortedError],
    ] as const)
      expect(error).to.be.instanceOf(type).with.property('outcome', 'not_sent');
    await cluster.close();
    expect(await closed)
      .to.be.instanceOf(ConnectionLostError)
      .with.property('outcome', 'not_sent');
    await untilGone(pid);
  });

  it('are refused when too many wait already', async () => {
    await using cluster = RadosCluster.open({ ...NOWHERE, waiting: 2 });
    const waiting = [failure(cluster.info()), failure(cluster.info())];
    expect(await failure(cluster.info()))
      .to.be.instanceOf(BusyError)
      .with.property('outcome', 'not_sent');
    await cluster.close();
    for (const error of await Promise.all(waiting)) assert.instanceOf(error, ConnectionLostError);
  });

  it('do without a process until there is one to make', async () => {
    await using cluster = RadosCluster.open(NOWHERE);
    expect(cluster.processIds).to.deep.equal([]);
  });

  it('are refused before anything is sent when a size is none', async () => {
    await using cluster = RadosCluster.open(NOWHERE);
    const pool = cluster.pool('rbd');
    for (const sizeBytes of [-1, 0.5, 2 ** 54, 2n ** 63n, Number.NaN])
      expect(await failure(pool.create('never', { sizeBytes }))).to.be.instanceOf(RangeError);
    expect(
      await failure(
        pool
          .image('never')
          .open()
          .read(0, 64 * 2 ** 20),
      ),
    ).to.be.instanceOf(RangeError);
    expect(cluster.processIds).to.deep.equal([]);
  });

  it('know addresses of monitors from what is none', () => {
    for (const monitors of [[], ['a b'], ['host\nkey=x'], ['']])
      expect(() => RadosCluster.open({ ...NOWHERE, monitors })).to.throw(RangeError, 'monitors');
  });
});

describe('the libraries of Ceph', function () {
  this.timeout(300_000);

  it('that cannot be loaded are told as such', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'pileus-no-rados-'));
    await writeFile(join(dir, 'librados.so.2'), 'no library');
    const before = process.env.LD_LIBRARY_PATH;
    process.env.LD_LIBRARY_PATH = dir;
    try {
      await using cluster = RadosCluster.open(NOWHERE);
      const refused = await refusal(cluster.info());
      expect(refused).to.include({ call: 'connect', code: 'ELIBACC' });
      expect(refused.message).to.contain('librados.so.2');
    } finally {
      if (before === undefined) delete process.env.LD_LIBRARY_PATH;
      else process.env.LD_LIBRARY_PATH = before;
      await rm(dir, { recursive: true });
    }
  });

  it('are asked for functions as they are needed, and what a release lacks harms nothing else', () => {
    const { rbd_version, rbd_of_tomorrow } = { rbd_version: 'void (void *, void *, void *)', rbd_of_tomorrow: 'int (void *)' };
    const rbd = library('librbd.so.1', { rbd_version, rbd_of_tomorrow });
    const [major, minor, extra] = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4)];
    rbd.rbd_version.now(major, minor, extra);
    expect(major.readInt32LE()).to.equal(1);
    expect(() => rbd.rbd_of_tomorrow).to.throw(MissingFunction, 'librbd.so.1 has no rbd_of_tomorrow');
    expect(hasFunction('rbd_create4')).to.equal(true);
  });
});
