import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { run } from '../../../../tools/system/command.ts';
import { FULL } from '../../../../tools/test/slice.ts';
import { type ImageFeature, RadosCluster, type RbdPool } from '../../src/rados/index.ts';
import { askOsd } from '../rbd/lab-pool.ts';
import { all, refusal } from './outcomes.ts';

const MIB = 2 ** 20;
/** What the class itself does for an image, and librbd adds two looks to. */
const CALLS = 4;

describe('images that are made without librbd', function () {
  this.timeout(300_000);
  let ceph: CephCluster;
  let cluster: RadosCluster;
  let pool: RbdPool;

  const open = () => RadosCluster.open({ monitors: ceph.monitors, user: ceph.user.name, key: ceph.user.key, callTimeoutMs: 120_000 });
  const rados = (...words: readonly string[]) => run(['rados', `--conf=${ceph.configPath}`, '--pool=rbd', ...words]);
  const objects = async () =>
    (await rados('ls'))
      .split('\n')
      .filter((name) => name !== '')
      .sort();
  const calls = async () => ((await askOsd(ceph, 0, 'perf dump')) as { readonly osd: { readonly op: number } }).osd.op;
  /** So many calls of the cluster. */
  const costOf = async (work: () => Promise<unknown>) => {
    const before = await calls();
    await work();
    return (await calls()) - before;
  };

  before(async () => {
    ceph = await CephCluster.start({ store: 'memstore', pools: ['rbd', 'data'] });
    // What librbd finds out of a pool it finds out with the first image; how the pool is then is looked at once a minute.
    await using before = open();
    await before.pool('rbd').create('first', { sizeBytes: MIB });
    cluster = open();
    pool = cluster.pool('rbd');
    await pool.create('looks', { sizeBytes: MIB });
    await pool.remove('looks');
  });
  after(async () => {
    await cluster?.close();
    await ceph?.[Symbol.asyncDispose]();
  });

  /** All that is kept of an image, but for its names, the length of its id, and times. */
  async function keptOf(name: string): Promise<readonly string[]> {
    const { id } = await pool.image(name).stat();
    expect(id).to.match(/^[0-9a-f]{6,14}$/);
    const unnamed = (text: string) => text.replaceAll(id, 'ID').replaceAll(name, 'NAME');
    const header = `rbd_header.${id}`;
    const keys = (await rados('listomapkeys', header)).split('\n').filter((key) => key !== '');
    const plain = keys.filter((key) => !/_timestamp$|^object_prefix$/.test(key));
    const idLength = Buffer.from([id.length, 0, 0, 0]).toString('latin1');
    return [
      keys.join(' '),
      ...(await Promise.all(plain.map((key) => rados('getomapval', header, key)))),
      unnamed(await rados('getomapval', header, 'object_prefix')).replaceAll(/\d+ bytes|\|[^|]*\||[0-9a-f]{8} .*|[0-9a-f]{8}\n/g, ''),
      unnamed(await ceph.rbd('info', `rbd/${name}`)).replaceAll(/_timestamp: .*/g, ''),
      unnamed(await rados('get', `rbd_id.${name}`, '-')).replace(idLength, 'LENGTH'),
      unnamed((await objects()).filter((object) => object.includes(id)).join(' ')),
    ];
  }

  it('are to the last key what those of `rbd` are, of every size, order and kind', async () => {
    const features: readonly ImageFeature[] = ['layering', 'exclusive-lock', 'object-map', 'fast-diff', 'deep-flatten'];
    const kinds: readonly (readonly [name: string, sizeBytes: number, order: number, of: readonly ImageFeature[]])[] = [
      ['odd', 5 * MIB + 512, 20, features],
      ['shared', 64 * MIB, 22, ['layering', 'deep-flatten']],
      ['usual', 3 * 2 ** 30, 22, features],
      ['nothing', 0, 22, features],
      ['bare', 64 * MIB, 25, []],
    ];
    for (const [name, sizeBytes, order, of] of FULL ? kinds : kinds.slice(0, 2)) {
      const sizes = ['--size', `${sizeBytes}B`, '--object-size', `${2 ** order}B`];
      const wanted = of.length === 0 ? ['--image-feature', ''] : of.flatMap((feature) => ['--image-feature', feature]);
      await ceph.rbd('create', `rbd/${name}-theirs`, ...sizes, ...wanted);
      const cost = await costOf(() => pool.create(`${name}-ours`, { sizeBytes, order, features: of }));
      expect(cost, name).to.equal(of.some((feature) => feature === 'object-map') ? CALLS : CALLS - 1);
      const [theirs, ours] = [await keptOf(`${name}-theirs`), await keptOf(`${name}-ours`)];
      expect(ours, name).to.deep.equal(theirs);
    }
    const check = await ceph.attemptRbd(['object-map', 'check', '--no-progress', 'rbd/odd-ours']);
    expect([check.exitCode, check.stderr]).to.deep.equal([0, '']);
    for (const { name } of await all(pool.images())) if (name !== 'first') await pool.remove(name);
  });

  it('leave nothing of a name that is taken, in whichever format', async () => {
    await pool.create('taken', { sizeBytes: MIB });
    const before = await objects();
    expect((await refusal(pool.create('taken', { sizeBytes: 2 * MIB }))).code).to.equal('EEXIST');
    // A name that leads somewhere, and is not in the directory: of one that is being removed.
    const { id } = await pool.image('taken').stat();
    await rados('rmomapkey', 'rbd_directory', 'name_taken');
    await rados('rmomapkey', 'rbd_directory', `id_${id}`);
    expect((await refusal(pool.create('taken', { sizeBytes: 2 * MIB }))).code).to.equal('EEXIST');
    expect(await objects()).to.deep.equal(before);
    expect((await all(pool.images())).map(({ name }) => name)).to.deep.equal(['first']);
    for (const object of before.filter((name) => name.includes(id) || name === 'rbd_id.taken')) await rados('rm', object);
    // Of the first format, as clients of other days made them: a name in the directory itself, and no key of its map.
    const file = join(ceph.dir, 'directory');
    await writeFile(file, Buffer.concat([Buffer.from([0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0]), Buffer.from('old'), Buffer.alloc(4)]));
    await rados('put', 'rbd_directory', file);
    await rados('create', 'old.rbd');
    await using anew = open();
    expect((await refusal(anew.pool('rbd').create('old', { sizeBytes: MIB }))).code).to.equal('EEXIST');
    expect(await costOf(() => anew.pool('rbd').create('beside-it', { sizeBytes: MIB }))).to.be.above(CALLS);
    await rados('truncate', 'rbd_directory', '0');
    await rados('rm', 'old.rbd');
    await pool.remove('beside-it');
  });

  if (FULL) elsewhereTests();

  function elsewhereTests(): void {
    it('are made by librbd where the pool has settings of its own, or the cluster has', async () => {
      await ceph.rbd('config', 'pool', 'set', 'rbd', 'rbd_default_data_pool', 'data');
      await using anew = open();
      await anew.pool('rbd').create('elsewhere', { sizeBytes: MIB });
      expect(await ceph.rbd('info', 'rbd/elsewhere')).to.include('data_pool: data');
      await ceph.rbd('config', 'pool', 'rm', 'rbd', 'rbd_default_data_pool');
      await ceph.ceph('config', 'set', 'client', 'rbd_default_stripe_unit', '65536');
      await ceph.ceph('config', 'set', 'client', 'rbd_default_stripe_count', '4');
      // Heard by those that are connected, too, soon.
      let names = 0;
      const isStriped = async () => {
        names += 1;
        await pool.create(`striped-${names}`, { sizeBytes: MIB });
        return (await ceph.rbd('info', `rbd/striped-${names}`)).includes('stripe count: 4');
      };
      for (let looks = 0; !(await isStriped()); looks += 1) expect(looks).to.be.below(100);
      for (const name of ['unit', 'count']) await ceph.ceph('config', 'rm', 'client', `rbd_default_stripe_${name}`);
      for (const { name } of await all(pool.images())) if (name !== 'first') await pool.remove(name);
    });

    it('are made in a pool of the same name that is another by now, and in namespaces', async () => {
      await ceph.createPool('passing');
      const passing = cluster.pool('passing');
      for (const name of ['one', 'two']) await passing.create(name, { sizeBytes: MIB });
      await ceph.ceph('config', 'set', 'mon', 'mon_allow_pool_delete', 'true');
      await ceph.ceph('osd', 'pool', 'delete', 'passing', 'passing', '--yes-i-really-really-mean-it');
      expect(await refusal(passing.create('three', { sizeBytes: MIB }))).to.include({ code: 'ENOENT', lacksPool: true });
      await ceph.ceph('osd', 'pool', 'create', 'passing');
      await passing.create('three', { sizeBytes: MIB });
      expect(await run(['rados', `--conf=${ceph.configPath}`, '--pool=passing', 'get', 'rbd_info', '-'])).to.equal('overwrite validated');
      await pool.namespaces.create('within');
      const within = cluster.pool('rbd', 'within');
      for (const name of ['one', 'two']) await within.create(name, { sizeBytes: MIB });
      expect((await all(within.images())).map(({ name }) => name)).to.deep.equal(['one', 'two']);
      for (const name of ['one', 'two']) await within.remove(name);
      await pool.namespaces.remove('within');
    });
  }
});
