import type { StorageDriver } from '@pileus/core/strategy';
import { assert } from 'chai';
import type { QemuClient } from '../../../../tools/system/qemu-client.ts';
import { LabPool } from './lab-pool.ts';
import { call, MIB, poolVerbs } from './pool-verbs.ts';

interface Told {
  readonly features: readonly string[];
}

describe('a volume of several machines in a Ceph pool', function () {
  this.timeout(600_000);
  let lab: LabPool;
  let driver: StorageDriver;
  before(async () => {
    lab = await LabPool.up({ store: 'memstore' });
    driver = await lab.open();
    await driver.ensurePool(call());
  });
  after(async () => {
    await driver?.close();
    await lab?.close();
  });

  const { fault } = poolVerbs(() => ({ lab, driver }));
  const part = () => driver.shareable ?? assert.fail('no volumes of several machines');
  const fence = () => part().fence ?? assert.fail('no fence of one machine');
  const clients: QemuClient[] = [];
  const closeAll = async () => {
    for (const client of clients.splice(0)) await client.close();
  };
  // Also one that is still frozen.
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.kill();
  });
  const made = async (): Promise<string> => {
    const id = crypto.randomUUID();
    await part().create({ id, sizeBytes: 8 * MIB }, call());
    return id;
  };
  /** Two machines that have it open, `lost` and `well`, and are known. */
  const used = async (id: string): Promise<readonly [QemuClient, QemuClient]> => {
    const open = async (machineId: string) => {
      const client = await lab.client(id);
      clients.push(client);
      assert.equal(await fence().learn(id, machineId, call()), 1);
      return client;
    };
    return [await open('lost'), await open('well')];
  };

  it('has no lock, nor what needs one, and what one machine wrote the other reads; a snapshot keeps what both saw', async () => {
    const id = await made();
    const { features } = JSON.parse(await lab.cluster.rbd('info', '--format=json', `rbd/volume-${id}`)) as Told;
    for (const feature of ['exclusive-lock', 'object-map', 'fast-diff', 'journaling']) assert.notInclude(features, feature);
    const [one, other] = await used(id);
    for (const [from, to, value] of [
      [one, other, 21],
      [other, one, 22],
      [one, other, 23],
    ] as const) {
      await from.ask(`write -P ${value} 65536 4096`, /wrote 4096/);
      await to.ask(`read -P ${value} 65536 4096`, /read 4096/);
    }
    const driverSnapshot = { id: crypto.randomUUID(), volumeId: id };
    await driver.snapshots?.create(driverSnapshot, call());
    await other.ask('write -P 24 65536 4096', /wrote 4096/);
    assert.equal((await driver.contents?.read({ ...driverSnapshot }, 65_536, 1, call()))?.[0], 23);
    await one.ask('read -P 24 65536 4096', /read 4096/);
    await driver.snapshots?.delete(driverSnapshot, call());
    assert.equal(await fault(driver.volumes.delete(id, call())), 'conflict');
    await closeAll();
    await driver.volumes.delete(id, call());
  });
});
