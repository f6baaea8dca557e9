import { expect } from 'chai';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { type OpenImage, RadosCluster } from '../../src/rados/index.ts';

const MIB = 2 ** 20;
const OBJECT_BYTES = 4 * MIB;
const OBJECTS = 16;
const ROUNDS = process.env.PILEUS_FULL === '1' ? 40 : 6;

describe('a client that is shut out', function () {
  this.timeout(300_000);

  const write = async (image: OpenImage): Promise<readonly boolean[]> =>
    await Promise.all(
      Array.from({ length: OBJECTS }, (_, index) =>
        image.write(index * OBJECT_BYTES, Buffer.alloc(4_096, 1), { timeoutMs: 60_000 }).then(
          () => true,
          () => false,
        ),
      ),
    );

  it('writes nothing any more once the pool has settled, on whatever disk', async () => {
    await using ceph = await CephCluster.start({ osds: 3 });
    const options = { monitors: ceph.monitors, user: ceph.user.name, key: ceph.user.key, callTimeoutMs: 120_000 };
    await using cluster = RadosCluster.open(options);
    const pool = cluster.pool('rbd');
    await pool.create('disk', { sizeBytes: OBJECTS * OBJECT_BYTES });
    for (let round = 0; round < ROUNDS; round += 1) {
      await using machine = RadosCluster.open(options);
      const image = machine.pool('rbd').image('disk').open();
      expect(await write(image)).to.not.include(false);
      for (const address of (await machine.info()).addresses) await cluster.blocklist.add(address, 3_600_000);
      await pool.settle();
      expect(await write(image)).to.not.include(true);
      for (const pid of machine.processIds) process.kill(pid, 'SIGKILL');
    }
    await pool.remove('disk');
  });
});
