import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StorageDriver } from '@pileus/core/strategy';
import { assert } from 'chai';
import { run } from '../../../../tools/system/command.ts';
import { FULL } from '../../../../tools/test/slice.ts';
import { RadosCluster } from '../../src/rados/index.ts';
import { all } from '../rados/outcomes.ts';
import { LabPool } from './lab-pool.ts';
import { call, MIB, UNTIL_MS, until } from './pool-verbs.ts';

const AT_ONCE = 16;
const ROUNDS_MAX = 60;
const CALLERS = 6;

describe('renamings in a Ceph pool', function () {
  this.timeout(4 * UNTIL_MS);
  let lab: LabPool;
  let driver: StorageDriver;
  let witness: RadosCluster;

  const connect = () => {
    const { monitors, user } = lab.cluster;
    return RadosCluster.open({ monitors, user: user.name, key: user.key });
  };
  const rados = (...words: readonly string[]) => run(['rados', `--conf=${lab.cluster.configPath}`, '--pool=rbd', ...words]);
  /** Names that lead somewhere. */
  const leading = async () =>
    (await rados('ls'))
      .split('\n')
      .flatMap((object) => (object.startsWith('rbd_id.') ? [object.slice('rbd_id.'.length)] : []))
      .sort();
  const listed = async () => (await all(witness.pool('rbd').images())).map(({ name }) => name);
  const unlisted = async () => {
    const names = await listed();
    return (await leading()).filter((name) => !names.includes(name));
  };
  /** As what a killed renaming had written last. */
  const plant = async (name: string) => {
    const file = join(lab.cluster.dir, 'id');
    await writeFile(file, Buffer.from('\x04\0\0\0dead'));
    await rados('put', `rbd_id.${name}`, file);
  };

  before(async () => {
    lab = await LabPool.up({ store: 'memstore', partLeftMs: 1_000 });
    // Else a killed client counts as living for half a minute, each time.
    await lab.cluster.ceph('config', 'set', 'osd', 'osd_client_watch_timeout', '2');
    witness = connect();
    driver = await lab.open();
    await driver.ensurePool(call());
  });
  after(async () => {
    await driver?.close();
    await witness?.close();
    await lab?.close();
  });

  it('take no name away that another has given meanwhile, to whatever it leads', async () => {
    const pool = witness.pool('rbd');
    await plant('given');
    const judged = (await pool.nameVersion('given')) ?? 0n;
    // The one who gives it anew lists it in the next moment.
    await rados('rm', 'rbd_id.given');
    await plant('given');
    assert.isFalse(await pool.unname('given', judged));
    assert.deepEqual(await unlisted(), ['given']);
    const now = (await pool.nameVersion('given')) ?? 0n;
    assert.isTrue(now > judged);
    assert.isTrue(await pool.unname('given', now));
    assert.isFalse(await pool.unname('given', now));
    assert.isUndefined(await pool.nameVersion('given'));
    await pool.create('listed', { sizeBytes: MIB });
    assert.isFalse(await pool.unname('listed', (await pool.nameVersion('listed')) ?? 0n));
    await pool.remove('listed');
  });

  it('are noted while they are under way, and not when they are done or refused', async () => {
    const pool = witness.pool('rbd');
    for (const name of ['one', 'two']) await pool.create(name, { sizeBytes: MIB });
    await pool.rename('one', 'three');
    await pool.rename('three', 'two').catch(() => undefined);
    await pool.rename('absent', 'four').catch(() => undefined);
    assert.deepEqual(await pool.renamings(), []);
    // Refused half way: the directory has a name that leads nowhere.
    await rados('rm', 'rbd_id.two');
    await pool.rename('three', 'two').catch(() => undefined);
    assert.deepEqual(await pool.renamings(), []);
    await rados('rm', 'rbd_id.two').catch(() => undefined);
    for (const name of ['two', 'three']) await pool.remove(name);
  });

  it('that were killed leave names that are swept, while what nobody has noted stays', async () => {
    const pool = witness.pool('rbd');
    await pool.create('shown', { sizeBytes: MIB });
    for (const name of ['hidden', 'of-others']) await plant(name);
    const noted = join(lab.cluster.dir, 'noted');
    await writeFile(noted, JSON.stringify(['hidden', 'shown']));
    await rados('setomapval', 'rbd_info', 'metadata_pileus.renaming.one', '--input-file', noted);
    assert.deepEqual(await pool.renamings(), [{ id: 'one', from: 'hidden', to: 'shown' }]);
    await until(async () => {
      await driver.ensurePool(call());
      return (await pool.renamings()).length === 0;
    }, 'it is looked after');
    assert.deepEqual(await leading(), ['of-others', 'shown']);
    await rados('rm', 'rbd_id.of-others');
    await pool.remove('shown');
  });

  // It takes a minute to catch some between their steps.
  (FULL ? it : () => undefined)(
    'that are killed leave names that lead somewhere and nothing lists, which are swept, and no image is',
    async () => {
      const names = Array.from({ length: AT_ONCE }, (_, index) => `others-${index}`);
      for (const name of names) await witness.pool('rbd').create(name, { sizeBytes: MIB });
      let left: readonly string[] = [];
      for (let round = 0; left.length < 2; round += 1) {
        assert.isBelow(round, ROUNDS_MAX, 'none was killed between its steps');
        await using former = connect();
        await former.info();
        const at = await listed();
        const renamings = at.map((name) => former.pool('rbd').rename(name, `${name.split('+')[0]}+${round}`));
        const renamed = Promise.allSettled(renamings);
        // Where one is done, the others are not far from it; at another moment each time.
        await Promise.any(renamings);
        await sleep(round % 8);
        for (const pid of former.processIds) process.kill(pid, 'SIGKILL');
        await renamed;
        left = await unlisted();
      }
      await until(
        async () => {
          await driver.ensurePool(call());
          return (await unlisted()).length === 0 && (await witness.pool('rbd').renamings()).length === 0;
        },
        `${left.join(', ')} lead nowhere any more`,
      );
      assert.lengthOf(await listed(), AT_ONCE);
      assert.deepEqual(await leading(), await listed());
      for (const name of await listed()) {
        await witness.pool('rbd').image(name).stat();
        await witness.pool('rbd').remove(name);
      }
    },
  );

  (FULL ? it : () => undefined)('of several who fill one image beside a name that was left behind end with one of them whole', async () => {
    for (let round = 0; round < 40; round += 1) {
      const id = crypto.randomUUID();
      await plant(`image-${id}`);
      const content = {
        sizeBytes: MIB,
        async *open() {
          yield new Uint8Array(MIB).fill(9);
        },
      };
      const put = () => driver.images.put({ id, format: 'raw', virtualSizeBytes: MIB, content }, call());
      await Promise.all(Array.from({ length: CALLERS }, put));
      assert.deepEqual(await unlisted(), []);
      const volumeId = crypto.randomUUID();
      await driver.volumes.create({ id: volumeId, sizeBytes: MIB, imageId: id }, call());
      await driver.volumes.delete(volumeId, call());
      await driver.images.delete(id, call());
    }
  });
});
