import { setTimeout as sleep } from 'node:timers/promises';
import { assert, expect } from 'chai';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { RadosCluster, TimeoutError } from '../../src/rados/index.ts';
import { all, failure, refusal } from './outcomes.ts';

const MIB = 2 ** 20;

describe('a pool over its quota', function () {
  this.timeout(300_000);

  it('makes writes wait, keeps what is in it, and says so of a removal', async () => {
    await using ceph = await CephCluster.start({ store: 'memstore', manager: true });
    await using cluster = RadosCluster.open({ monitors: ceph.monitors, user: 'admin', key: ceph.admin.key, callTimeoutMs: 120_000 });
    const pool = cluster.pool('rbd');
    const untilFull = async (isFull: boolean): Promise<void> => {
      while ((await cluster.pools())[0]?.flags.includes('full') !== isFull) await sleep(100);
    };
    for (const name of ['kept', 'other']) await pool.create(name, { sizeBytes: 64 * MIB });
    {
      await using image = pool.image('kept').open();
      await image.write(0, Buffer.alloc(8 * MIB, 1));
    }
    await cluster.monCommand({ prefix: 'osd pool set-quota', pool: 'rbd', field: 'max_bytes', val: '1000000' });
    await untilFull(true);
    expect((await cluster.pools())[0]?.quotaBytes).to.equal(1_000_000n);
    expect((await cluster.health()).checks.map(({ code }) => code)).to.include('POOL_FULL');
    const [df] = (await cluster.df()).pools;
    expect(Number(df?.storedBytes)).to.be.greaterThan(8 * MIB);

    // Its process waits for room, and is killed for it.
    const error = await failure(pool.create('more', { sizeBytes: MIB }, { timeoutMs: 5_000 }));
    assert.instanceOf(error, TimeoutError);
    // So does a snapshot, though it takes no room yet.
    const snapshots = pool.image('other').snapshots;
    assert.instanceOf(await failure(snapshots.create('then', { timeoutMs: 5_000 })), TimeoutError);
    // librbd says that there is no such image.
    expect((await refusal(pool.remove('kept'))).code).to.equal('EUCLEAN');
    expect((await all(pool.images())).map(({ name }) => name)).to.include('kept');

    await cluster.monCommand({ prefix: 'osd pool set-quota', pool: 'rbd', field: 'max_bytes', val: '0' });
    await untilFull(false);
    await pool.remove('kept');
    expect((await refusal(pool.remove('kept'))).code).to.equal('ENOENT');
  });
});
