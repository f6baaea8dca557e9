import { join } from 'node:path';
import { expect } from 'chai';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { run } from '../../../../tools/system/command.ts';
import { type Extent, type ImageFeature, RadosCluster, type RbdPool } from '../../src/rados/index.ts';
import { all, refusal } from './outcomes.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

const names = async (pool: RbdPool): Promise<readonly string[]> => (await all(pool.images())).map(({ name }) => name);

/** Keeps what leads from the name of an image to it; answers what puts that back. */
async function namesOf(ceph: CephCluster, image: string, id: string): Promise<() => Promise<void>> {
  const rados = (...words: readonly string[]) => run(['rados', `--conf=${ceph.configPath}`, '--pool=rbd', ...words]);
  const keys = [`name_${image}`, `id_${id}`];
  const file = (what: string) => join(ceph.dir, `${what}.kept`);
  await rados('get', `rbd_id.${image}`, file('id'));
  for (const key of keys) await rados('getomapval', 'rbd_directory', key, file(key));
  return async () => {
    await rados('put', `rbd_id.${image}`, file('id'));
    for (const key of keys) await rados('setomapval', 'rbd_directory', key, '--input-file', file(key));
  };
}

describe('images in a pool of a real cluster', function () {
  this.timeout(300_000);
  let ceph: CephCluster;
  let cluster: RadosCluster;
  let pool: RbdPool;

  before(async () => {
    ceph = await CephCluster.start({ store: 'memstore' });
    cluster = RadosCluster.open({ monitors: ceph.monitors, user: ceph.user.name, key: ceph.user.key, callTimeoutMs: 120_000 });
    pool = cluster.pool('rbd');
  });
  after(async () => {
    await cluster?.close();
    await ceph?.[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    for (const name of await names(pool)) await pool.remove(name);
  });

  it('are made with what was asked for, and are not made twice', async () => {
    const features: readonly ImageFeature[] = ['layering', 'exclusive-lock'];
    await pool.create('plain', { sizeBytes: 3 * GIB });
    await pool.create('small-objects', { sizeBytes: 5 * MIB, features, order: 20 });
    const [plain, small] = [await pool.image('plain').stat(), await pool.image('small-objects').stat()];
    expect(plain).to.include({ sizeBytes: 3n * BigInt(GIB), order: 22, objectBytes: 4_194_304n, objects: 768n });
    expect(plain.features).to.deep.equal(['layering', 'exclusive-lock', 'object-map', 'fast-diff', 'deep-flatten']);
    expect(plain.parent).to.equal(undefined);
    expect(small).to.include({ sizeBytes: 5n * BigInt(MIB), order: 20 });
    expect(small.features).to.deep.equal(features);
    expect((await refusal(pool.create('plain', { sizeBytes: GIB }))).code).to.equal('EEXIST');
    expect(await ceph.rbd('info', 'rbd/plain')).to.contain('3 GiB');
  });

  it('have sizes beyond 2^53, exactly', async () => {
    const sizeBytes = 2n ** 55n + 12_345n * 512n;
    const plain = { features: ['layering'], order: 25 } as const;
    await pool.create('vast', { sizeBytes, ...plain });
    expect((await pool.image('vast').stat()).sizeBytes).to.equal(sizeBytes);
    await pool.image('vast').resize(sizeBytes + 512n);
    expect((await pool.image('vast').stat()).sizeBytes).to.equal(sizeBytes + 512n);
    {
      await using open = pool.image('vast').open();
      await open.write(sizeBytes + 1n, Buffer.from('at the very end'));
      expect(Buffer.from(await open.read(sizeBytes, 512)).toString('latin1', 0, 16)).to.equal('\0at the very end');
      // The last of its objects.
      const extents = await all(open.diff({ offsetBytes: sizeBytes - 2n ** 27n }));
      const offsetBytes = 2n ** 55n;
      expect(extents).to.deep.equal([{ offsetBytes, lengthBytes: sizeBytes + 512n - offsetBytes, hasData: true } satisfies Extent]);
    }
    // Its removal would look for each of its thousand million objects.
    await pool.trash.move('vast');
    const error = await pool.create('inexact', { sizeBytes: 2 ** 60 }).catch((cause: unknown) => cause);
    expect(error).to.be.instanceOf(RangeError).with.property('message').that.contains('sizeBytes');
  });

  it('tell their sizes, many at a time, by their ids', async () => {
    for (const [index, sizeBytes] of [MIB, 3 * GIB].entries()) await pool.create(`sized-${index}`, { sizeBytes });
    await pool.image('sized-0').resize(2 * MIB);
    const ids = (await all(pool.images())).map(({ id }) => id);
    await pool.image('sized-1').metadata.set('kept', 'a word');
    const [first, second] = [{ sizeBytes: 2n * BigInt(MIB) }, { sizeBytes: 3n * BigInt(GIB) }];
    expect(await pool.sizes([...ids, 'none'])).to.deep.equal([first, second, undefined]);
    expect(await pool.sizes(ids, { metadataKey: 'kept' })).to.deep.equal([first, { ...second, metadataValue: 'a word' }]);
    expect((await pool.image('sized-1').stat({ metadataKey: 'kept' })).metadataValue).to.equal('a word');
    expect((await pool.image('sized-0').stat({ metadataKey: 'kept' })).metadataValue).to.equal(undefined);
    expect(await pool.sizes([])).to.deep.equal([]);
    expect(await pool.image('sized-0').size()).to.deep.equal(first);
    expect(await pool.image('sized-1').size({ metadataKey: 'kept' })).to.deep.equal({ ...second, metadataValue: 'a word' });
    const absent = await refusal(pool.image('sized').size());
    expect([absent.code, absent.lacksPool]).to.deep.equal(['ENOENT', false]);
    expect((await refusal(cluster.pool('none').image('sized-0').size())).lacksPool).to.equal(true);
  });

  it('are listed page by page in the order of their names', async () => {
    const made = Array.from({ length: 23 }, (_, index) => `v${String(index).padStart(2, '0')}`);
    await Promise.all(made.map((name) => pool.create(name, { sizeBytes: MIB })));
    expect(await all(pool.images({ pageSize: 5 }))).to.have.lengthOf(23);
    expect(await names(pool)).to.deep.equal(made);
    const page = await pool.page({ after: 'v03', limit: 2 });
    expect(page.images.map(({ name }) => name)).to.deep.equal(['v04', 'v05']);
    expect(page.isLast).to.equal(false);
    expect(await pool.page({ after: 'v20', limit: 2 })).to.have.property('isLast', true);
    const stat = await pool.image('v04').stat();
    expect(page.images[0]?.id).to.equal(stat.id);
    expect((await refusal(cluster.pool('none').page())).code).to.equal('ENOENT');
  });

  it('shrink only when that is allowed, and say how far they are', async () => {
    await pool.create('grows', { sizeBytes: GIB });
    await pool.image('grows').resize(2 * GIB);
    expect((await refusal(pool.image('grows').resize(GIB))).code).to.equal('EINVAL');
    const shares: number[] = [];
    await pool.image('grows').resize(GIB, { allowShrink: true, onProgress: (share) => shares.push(share) });
    expect((await pool.image('grows').stat()).sizeBytes).to.equal(BigInt(GIB));
    expect(shares).to.deep.equal([...shares].sort((a, b) => a - b));
    for (const share of shares) expect(share).to.be.within(0, 1);
  });

  it('hold what is written to them', async () => {
    await pool.create('bytes', { sizeBytes: 64 * MIB });
    await using open = pool.image('bytes').open();
    const content = Buffer.alloc(8 * MIB, 'pileus ');
    await open.write(3 * MIB + 7, content);
    expect(Buffer.compare(await open.read(3 * MIB + 7, content.length), content)).to.equal(0);
    await open.zero(4 * MIB, MIB);
    expect(Buffer.from(await open.read(4 * MIB, MIB)).every((byte) => byte === 0)).to.equal(true);
    await open.discard(8 * MIB, 4 * MIB);
    expect(Buffer.from(await open.read(8 * MIB, 16)).every((byte) => byte === 0)).to.equal(true);
    expect((await open.read(64 * MIB - 3, 100)).length).to.equal(3);
    const beyond = await refusal(open.write(64 * MIB - 3, Buffer.alloc(4, 1)));
    expect(beyond.code).to.equal('EINVAL');
    expect(Buffer.from(await open.read(64 * MIB - 3, 3))).to.deep.equal(Buffer.alloc(3));
    await open.flush();
  });

  it('keep words, also many', async () => {
    await pool.create('words', { sizeBytes: MIB });
    const { metadata } = pool.image('words');
    expect(await metadata.get('none')).to.equal(undefined);
    await metadata.set('owner', 'größer\nthan one line');
    for (let index = 0; index < 300; index += 1) await metadata.set(`key-${index}`, 'x'.repeat(index));
    expect(await metadata.get('owner')).to.equal('größer\nthan one line');
    const list = await metadata.list();
    expect(list.size).to.equal(301);
    expect(list.get('key-299')).to.have.lengthOf(299);
    await metadata.set('long', 'y'.repeat(200_000));
    expect(await metadata.get('long')).to.have.lengthOf(200_000);
    await metadata.remove('long');
    await metadata.remove('owner');
    await metadata.remove('owner');
    expect(await metadata.get('owner')).to.equal(undefined);
  });

  it('are named anew, and not over another', async () => {
    await pool.create('one', { sizeBytes: MIB });
    await pool.create('two', { sizeBytes: MIB });
    expect((await refusal(pool.rename('one', 'two'))).code).to.equal('EEXIST');
    await pool.rename('one', 'three');
    expect(await names(pool)).to.deep.equal(['three', 'two']);
    expect((await refusal(pool.rename('one', 'four'))).code).to.equal('ENOENT');
  });

  it('are copied with what is in them', async () => {
    await pool.create('source', { sizeBytes: 16 * MIB });
    {
      await using open = pool.image('source').open();
      await open.write(5 * MIB, Buffer.from('copied'));
    }
    await pool.copy({ image: 'source' }, 'target');
    await using target = pool.image('target').open({ readOnly: true });
    expect(Buffer.from(await target.read(5 * MIB, 6)).toString()).to.equal('copied');
  });

  it('are not removed while they are open, and the refusal names by whom', async () => {
    await pool.create('open', { sizeBytes: MIB });
    const { addresses } = await cluster.info();
    {
      await using open = pool.image('open').open();
      await open.write(0, Buffer.from('held'));
      const refused = await refusal(pool.remove('open'));
      expect(refused.code).to.equal('EBUSY');
      expect(refused.watchers?.map(({ address }) => address)).to.deep.equal(addresses);
      expect(refused.message).to.contain(addresses[0]);
      expect(await pool.image('open').watchers()).to.have.lengthOf(1);
      const locks = await pool.image('open').locks();
      expect(locks.isExclusive).to.equal(true);
      expect(locks.lockers.map(({ address }) => address)).to.deep.equal(addresses);
    }
    expect(await pool.image('open').watchers()).to.deep.equal([]);
    await pool.remove('open');
    expect((await refusal(pool.remove('open'))).code).to.equal('ENOENT');
  });

  it('that another client writes to are neither rolled back nor removed, also from the trash, and are not disturbed', async () => {
    await using machine = RadosCluster.open({ monitors: ceph.monitors, user: ceph.user.name, key: ceph.user.key, callTimeoutMs: 120_000 });
    await pool.create('written', { sizeBytes: MIB });
    const image = pool.image('written');
    await image.snapshots.create('before');
    {
      await using disk = machine.pool('rbd').image('written').open();
      await disk.write(0, Buffer.from('running'));
      expect((await refusal(image.snapshots.rollback('before'))).code).to.equal('EROFS');
      const { id } = await image.stat();
      await pool.trash.move('written');
      await disk.write(8, Buffer.from('still'));
      expect((await refusal(pool.trash.remove(id))).watchers).to.have.lengthOf(1);
      await pool.trash.restore(id, 'written');
      await image.resize(2 * MIB);
      expect(Buffer.from(await disk.read(0, 13)).toString('latin1')).to.equal('running\0still');
    }
    await image.snapshots.remove('before');
  });

  it('are put into the trash by another name, but not what is open, has snapshots or wants more than that', async () => {
    await pool.create('away', { sizeBytes: MIB });
    const image = pool.image('away');
    const { id } = await image.stat();
    const put = () => pool.trash.putAway('away', 'gone');
    {
      await using open = image.open();
      await open.write(0, Buffer.from('kept'));
      expect((await refusal(put())).watchers?.map(({ address }) => address)).to.deep.equal((await cluster.info()).addresses);
    }
    await image.snapshots.create('then');
    expect((await refusal(put())).code).to.equal('ENOTEMPTY');
    await image.snapshots.remove('then');
    await image.enableFeatures(['journaling']);
    expect((await refusal(put())).code).to.equal('EOPNOTSUPP');
    await image.disableFeatures(['journaling']);
    expect(await names(pool)).to.deep.equal(['away']);
    const inTrash = async () => (await pool.trash.list()).filter((entry) => entry.id === id);
    expect(await inTrash()).to.deep.equal([]);

    const putBack = await namesOf(ceph, 'away', id);
    await put();
    expect(await names(pool)).to.deep.equal([]);
    expect((await refusal(put())).code).to.equal('ENOENT');
    const [entry, ...others] = await inTrash();
    expect(entry).to.include({ id, name: 'gone', source: 'user' });
    expect(others).to.deep.equal([]);
    expect(Math.abs(Date.now() - (entry?.movedAt.getTime() ?? 0))).to.be.below(300_000);
    // As who is killed after the first of its steps leaves it.
    await putBack();
    expect((await image.stat()).id).to.equal(id);
    await put();
    expect((await refusal(image.stat())).code).to.equal('ENOENT');
    expect(await names(pool)).to.deep.equal([]);

    await pool.trash.restore(id, 'back');
    {
      await using open = pool.image('back').open({ readOnly: true });
      expect(Buffer.from(await open.read(0, 4)).toString()).to.equal('kept');
    }
    await pool.trash.putAway('back', 'gone');
    await pool.trash.remove(id);
    expect(await inTrash()).to.deep.equal([]);
    expect(await ceph.rbd('trash', 'ls', '--all')).not.to.include(id);
  });

  it('go to the trash at once, and come back or go for good', async () => {
    await pool.create('thrown', { sizeBytes: MIB });
    const { id } = await pool.image('thrown').stat();
    await pool.trash.move('thrown', { keepMs: 3_600_000 });
    expect(await names(pool)).to.deep.equal([]);
    const entry = (await pool.trash.list()).find((one) => one.id === id);
    expect(entry).to.include({ id, name: 'thrown', source: 'user' });
    expect((entry?.keptUntil.getTime() ?? 0) - (entry?.movedAt.getTime() ?? 0)).to.equal(3_600_000);
    expect((await refusal(pool.trash.remove(id))).code).to.equal('EPERM');
    await pool.trash.restore(id, 'back');
    expect((await pool.image('back').stat()).id).to.equal(id);
    await pool.trash.move('back');
    await pool.trash.remove(id);
    expect((await pool.trash.list()).map((left) => left.id)).to.not.include(id);
    expect((await refusal(pool.trash.remove(id))).code).to.equal('ENOENT');
  });
});
