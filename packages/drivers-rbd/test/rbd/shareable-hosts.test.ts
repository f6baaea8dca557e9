import type { StorageDriver } from '@pileus/core/strategy';
import { assert } from 'chai';
import { type Lab, labUp } from '../../../../test/lab/lab.ts';
import { QemuClient } from '../../../../tools/system/qemu-client.ts';
import { FULL } from '../../../../tools/test/slice.ts';
import { LabPool } from './lab-pool.ts';
import { call, MIB, poolVerbs, until } from './pool-verbs.ts';

/** The watch of who is frozen lives for half a minute: of the full run. */
if (FULL)
  describe('a volume of several machines, on hosts of different addresses', function () {
    this.timeout(600_000);
    const made = new AsyncDisposableStack();
    const clients: QemuClient[] = [];
    let lab: Lab;
    let pool: LabPool;
    let driver: StorageDriver;
    let id: string;
    before(async () => {
      lab = made.adopt(await labUp({ hosts: 2, libvirt: false }), (each) => each.down());
      pool = made.adopt(await LabPool.up({ store: 'memstore', address: lab.address }), (each) => each.close());
      driver = made.adopt(await pool.open(), (each) => each.close());
      await driver.ensurePool(call());
    });
    after(() => made.disposeAsync());
    beforeEach(async () => {
      id = crypto.randomUUID();
      await driver.shareable?.create({ id, sizeBytes: 8 * MIB }, call());
    });
    // Also one that is still frozen.
    afterEach(async () => {
      for (const client of clients.splice(0)) await client.kill();
    });

    const { fault } = poolVerbs(() => ({ lab: pool, driver }));
    const fence = () => driver.shareable?.fence ?? assert.fail('no fence of one machine');
    const open = async (host: number): Promise<QemuClient> => {
      const disk = `rbd:${pool.spec(`volume-${id}`)}:id=admin:conf=${pool.cluster.configPath}`;
      const client = await QemuClient.within(lab.host(host).netns, '-f', 'raw', '-t', 'none', disk);
      clients.push(client);
      return client;
    };
    const pidOf = ({ pid }: QemuClient) => pid ?? assert.fail('it has ended');
    const hostOf = (address = '') => address.split(':')[0];

    it('is shut to a machine that was frozen for so long that nothing shows it any more, and to no other', async () => {
      const lost = await open(0);
      assert.equal(await fence().learn(id, 'lost', call()), 1);
      const well = await open(1);
      assert.equal(await fence().learn(id, 'well', call()), 1);
      const [address = ''] = await fence().clients(id, 'lost', call());
      assert.notEqual(hostOf(address), hostOf((await fence().clients(id, 'well', call()))[0]));
      process.kill(pidOf(lost), 'SIGSTOP');
      const status = () => pool.cluster.rbd('status', '--format=json', pool.spec(`volume-${id}`));
      await until(async () => !(await status()).includes(address), 'the watch of the frozen machine has run out');
      await well.write();
      assert.notInclude((await driver.fence?.clients(id, call())) ?? [], address);
      assert.equal(await fence().exclude(id, 'lost', call()), 1);
      await well.write();
      process.kill(pidOf(lost), 'SIGCONT');
      assert.notEqual(await fault(lost.write()), 'done');
      await well.ask('read -P 7 0 4096', /read 4096/);
      await well.write();
    });

    it('is known as nobody’s when machines on both were let open it at once, until one of them has left', async () => {
      const [first] = [await open(0), await open(1)];
      assert.equal(await fence().learn(id, 'first', call()), 0);
      assert.equal(await fault(fence().exclude(id, 'first', call())), 'conflict');
      await first.close();
      assert.equal(await fence().learn(id, 'second', call()), 1);
      assert.equal(await fence().exclude(id, 'second', call()), 1);
    });
  });
