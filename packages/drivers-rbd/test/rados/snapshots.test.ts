import { expect } from 'chai';
import { CephCluster } from '../../../../tools/system/ceph-cluster.ts';
import { RadosCluster, type RbdPool } from '../../src/rados/index.ts';
import { all, refusal } from './outcomes.ts';

const MIB = 2 ** 20;

describe('snapshots and clones on a real cluster', function () {
  this.timeout(300_000);
  let ceph: CephCluster;
  let cluster: RadosCluster;
  let pool: RbdPool;

  before(async () => {
    ceph = await CephCluster.start({ store: 'memstore' });
    cluster = RadosCluster.open({ monitors: ceph.monitors, user: ceph.admin.name, key: ceph.admin.key, callTimeoutMs: 120_000 });
    pool = cluster.pool('rbd');
  });
  after(async () => {
    await cluster?.close();
    await ceph?.[Symbol.asyncDispose]();
  });

  async function write(name: string, offsetBytes: number, text: string): Promise<void> {
    await using open = pool.image(name).open();
    await open.write(offsetBytes, Buffer.from(text));
  }

  async function read(name: string, offsetBytes: number, lengthBytes: number, snapshot?: string): Promise<string> {
    await using open = pool.image(name).open({ readOnly: true, ...(snapshot === undefined ? {} : { snapshot }) });
    return Buffer.from(await open.read(offsetBytes, lengthBytes)).toString('latin1');
  }

  it('keep what was there, list in order, and roll back with size and content', async () => {
    const { snapshots } = pool.image('disk');
    await pool.create('disk', { sizeBytes: 16 * MIB });
    await write('disk', 0, 'first');
    await snapshots.create('z');
    expect((await refusal(snapshots.create('z'))).code).to.equal('EEXIST');
    await write('disk', 0, 'later');
    await pool.image('disk').resize(32 * MIB);
    await snapshots.create('a');
    const listed = await snapshots.list();
    expect(listed.map(({ name, sizeBytes, kind }) => ({ name, sizeBytes, kind }))).to.deep.equal([
      { name: 'z', sizeBytes: 16n * BigInt(MIB), kind: 'user' },
      { name: 'a', sizeBytes: 32n * BigInt(MIB), kind: 'user' },
    ]);
    expect(await read('disk', 0, 5, 'z')).to.equal('first');
    expect((await pool.image('disk').stat({ snapshot: 'z' })).sizeBytes).to.equal(16n * BigInt(MIB));
    expect((await refusal(pool.remove('disk'))).code).to.equal('ENOTEMPTY');
    await snapshots.rollback('z');
    expect(await read('disk', 0, 5)).to.equal('first');
    expect((await pool.image('disk').stat()).sizeBytes).to.equal(16n * BigInt(MIB));
    for (const name of ['z', 'a']) await snapshots.remove(name);
    expect((await refusal(snapshots.remove('z'))).code).to.equal('ENOENT');
    await pool.remove('disk');
  });

  it('tell what differs between two of them', async () => {
    await pool.create('changing', { sizeBytes: 64 * MIB });
    const { snapshots } = pool.image('changing');
    await write('changing', 0, 'one');
    await write('changing', 40 * MIB, 'two');
    await snapshots.create('s1');
    await write('changing', 12 * MIB, 'three');
    {
      await using open = pool.image('changing').open();
      await open.discard(40 * MIB, 4 * MIB);
    }
    await snapshots.create('s2');
    await using second = pool.image('changing').open({ snapshot: 's2' });
    const object = 4n * BigInt(MIB);
    expect(await all(second.diff({ sinceSnapshot: 's1' }))).to.deep.equal([
      { offsetBytes: 3n * object, lengthBytes: object, hasData: true },
      { offsetBytes: 10n * object, lengthBytes: object, hasData: false },
    ]);
    expect((await all(second.diff())).map(({ offsetBytes }) => offsetBytes / object)).to.deep.equal([0n, 3n]);
    expect((await refusal(all(second.diff({ sinceSnapshot: 'none' })))).code).to.equal('ENOENT');
    await second.close();
    for (const name of ['s1', 's2']) await snapshots.remove(name);
    await pool.remove('changing');
  });

  it('can be cloned by name and by id, also into another namespace, and go while clones live', async () => {
    await pool.namespaces.create('tenant');
    const tenant = cluster.pool('rbd', 'tenant');
    await pool.create('golden', { sizeBytes: 16 * MIB });
    await write('golden', 0, 'golden');
    const { snapshots } = pool.image('golden');
    await snapshots.create('v1');
    const [first] = await snapshots.list();
    await pool.clone({ image: 'golden', snapshot: 'v1' }, 'by-name');
    await tenant.clone({ pool, image: 'golden', snapshot: first?.id ?? 0n }, 'by-id');
    expect((await refusal(pool.clone({ image: 'golden', snapshot: 99n }, 'by-nothing'))).code).to.equal('ENOENT');
    expect((await pool.image('by-name').stat()).parent).to.include({ image: 'golden', snapshot: 'v1', overlapBytes: 16n * BigInt(MIB) });
    const children = await pool.image('golden').children();
    expect(children.map(({ namespace, image }) => `${namespace}/${image}`).sort()).to.deep.equal(['/by-name', 'tenant/by-id']);
    expect(await read('by-name', 0, 6)).to.equal('golden');

    await snapshots.remove('v1');
    expect((await snapshots.list()).map(({ kind }) => kind)).to.deep.equal(['trash']);
    const shares: number[] = [];
    await pool.image('by-name').flatten({ onProgress: (share) => shares.push(share) });
    await pool.image('by-name').flatten();
    expect((await pool.image('by-name').stat()).parent).to.equal(undefined);
    expect(await read('by-name', 0, 6)).to.equal('golden');
    expect((await refusal(pool.namespaces.remove('tenant'))).code).to.equal('EBUSY');
    await tenant.remove('by-id');
    await pool.namespaces.remove('tenant');
    // With its last clone the snapshot is gone, too.
    for (const name of ['by-name', 'golden']) await pool.remove(name);
    expect((await all(pool.images())).length).to.equal(0);
  });

  it('can be cloned larger, with words, and are then as what librbd has made larger', async () => {
    await pool.create('small', { sizeBytes: 6 * MIB });
    await write('small', 0, 'small');
    await pool.image('small').snapshots.create('v1');
    const source = { image: 'small', snapshot: 'v1' };
    await pool.clone(source, 'grown', { sizeBytes: 41 * MIB, metadata: { owner: 'größer', other: 'x' } });
    const grown = pool.image('grown');
    const stat = await grown.stat({ metadataKey: 'owner' });
    expect(stat).to.include({ sizeBytes: 41n * BigInt(MIB), objects: 11n, metadataValue: 'größer' });
    expect(stat.parent).to.include({ image: 'small', overlapBytes: 6n * BigInt(MIB) });
    expect(await grown.metadata.get('other')).to.equal('x');
    await write('grown', 40 * MIB, 'end');
    expect([await read('grown', 0, 5), await read('grown', 6 * MIB, 3), await read('grown', 40 * MIB, 3)]).to.deep.equal([
      'small',
      '\0\0\0',
      'end',
    ]);
    await ceph.rbd('object-map', 'check', 'rbd/grown', '--no-progress');
    expect((await grown.stat()).flags).to.deep.equal([]);
    await grown.snapshots.create('later');
    await grown.snapshots.remove('later');
    await grown.flatten();
    expect(await read('grown', 0, 5)).to.equal('small');

    await pool.clone(source, 'equal', { sizeBytes: 6 * MIB, order: 23 });
    expect(await pool.image('equal').stat()).to.include({ sizeBytes: 6n * BigInt(MIB), objects: 1n });
    expect((await refusal(pool.clone(source, 'smaller', { sizeBytes: 5 * MIB }))).code).to.equal('EINVAL');
    expect((await refusal(pool.image('smaller').stat())).code).to.equal('ENOENT');
    expect((await refusal(pool.clone(source, 'equal', { sizeBytes: 64 * MIB }))).code).to.equal('EEXIST');
    expect((await pool.image('equal').size()).sizeBytes).to.equal(6n * BigInt(MIB));
    const features = ['layering', 'exclusive-lock', 'journaling'] as const;
    await pool.clone(source, 'journaled', { features, sizeBytes: 64 * MIB, metadata: { owner: 'x' } });
    expect(await pool.image('journaled').stat({ metadataKey: 'owner' })).to.include({ sizeBytes: 64n * BigInt(MIB), metadataValue: 'x' });
    for (const name of ['grown', 'equal', 'journaled']) await pool.remove(name);
    await pool.image('small').snapshots.remove('v1');
    await pool.remove('small');
  });

  it('are told of pools, the cluster and its blocklist as the monitors have them', async () => {
    await cluster.createPool('second', { pgs: 4 });
    await cluster.createPool('second', { pgs: 4 });
    const second = cluster.pool('second');
    await second.init();
    expect((await all(second.images())).length).to.equal(0);
    const pools = await cluster.pools();
    expect(pools.map(({ name }) => name)).to.deep.equal(['rbd', 'second']);
    expect(pools[1]).to.include({ type: 'replicated', size: 1, minSize: 1, pgs: 4 });
    expect(pools[1]?.applications).to.deep.equal(['rbd']);
    await cluster.deletePool('second');
    await cluster.deletePool('second');
    expect((await refusal(second.create('late', { sizeBytes: MIB }))).code).to.equal('ENOENT');
    await cluster.monCommand({ prefix: 'osd set', key: 'noout' });
    const flagged = async () => (await cluster.health()).checks.find(({ code }) => code === 'OSDMAP_FLAGS');
    while ((await flagged()) === undefined) await cluster.info();
    expect(await flagged()).to.deep.include({ severity: 'HEALTH_WARN', summary: 'noout flag(s) set', isMuted: false });
    expect((await cluster.health()).status).to.equal('HEALTH_WARN');
    expect((await cluster.df()).totalBytes).to.be.a('bigint');
    expect((await cluster.info()).fsid).to.equal(ceph.fsid);
    await cluster.blocklist.add('127.0.0.1:0/1234', 3_600_000);
    const [entry] = await cluster.blocklist.list();
    expect(entry?.address).to.equal('127.0.0.1:0/1234');
    expect(entry?.until.getTime()).to.be.greaterThan(Date.now() + 3_000_000);
    await cluster.blocklist.remove('127.0.0.1:0/1234');
    expect(await cluster.blocklist.list()).to.deep.equal([]);
    expect((await refusal(cluster.monCommand({ prefix: 'no such command' }))).code).to.equal('EINVAL');
  });
});
