import { expect } from 'chai';
import { instance, pool, stray, volume } from '../../../../src/cloud/index.ts';
import { SimContent } from '../../../../testing/sim/content.ts';
import { GIB, HEARTBEAT_MS, LittleCloud } from '../../little-cloud.ts';

const BYTES = new Uint8Array(4096).fill(7);
const DISK = { sizeBytes: GIB, content: SimContent.EMPTY.written(0, BYTES) };

async function open() {
  const cloud = await LittleCloud.open();
  const { sim, clusterId } = cloud;
  const hostId = await cloud.host('hv1');
  const id = await sim.done('pool.create', { name: 'ceph', driver: 'simulated-shared', clusterId });
  const there = sim.world.pools.get(id);
  if (there === undefined) throw new Error('the pool is not there');
  there.others.set('vm-100-disk-0', DISK);
  const adopt = (input: object = {}) => cloud.outcome('pool.adopt', { disk: 'vm-100-disk-0', sizeBytes: GIB, ...input }, id);
  const used = async () => (await cloud.counter(`capacity/pool/${id}/bytes`))?.value ?? 0;
  const list = (query: object = {}) => cloud.ask('GET', '/pools/{id}/unknown-disks', { params: { id }, query: { ...query } });
  return { cloud, sim, hostId, id, there, adopt, used, list };
}

describe('disks that others have put into a pool', () => {
  it('are listed page by page, and are nothing to us until then', async () => {
    const { cloud, sim, there, list } = await open();
    const names = Array.from({ length: 24 }, (_, index) => `disk-${String(index).padStart(2, '0')}`);
    for (const name of names) there.others.set(name, DISK);
    await sim.run(20 * HEARTBEAT_MS);
    expect(await cloud.rows(stray)).to.deep.equal([]);
    const seen: { readonly name: string; readonly sizeBytes: number }[] = [];
    for (let after: string | undefined, pages = 0; pages < 10; pages += 1) {
      const page = (await list(after === undefined ? {} : { after })) as { readonly disks: typeof seen; readonly next?: string };
      seen.push(...page.disks);
      after = page.next;
      if (after === undefined) break;
    }
    expect(seen).to.deep.equal([...names, 'vm-100-disk-0'].map((name) => ({ name, sizeBytes: GIB })));
  });

  it('become volumes with all that is in them, which count and are used as any other', async () => {
    const { cloud, sim, id, there, adopt, used, list } = await open();
    await sim.done('instanceType.create', { name: 'small', vcpus: 1, memoryBytes: GIB });
    const machine = await sim.done('instance.create', { instanceType: 'small', imageId: await cloud.image(GIB / 1024) });
    const before = await used();
    const { state, notes } = await adopt({ name: 'old' });
    expect(state).to.equal('succeeded');
    const volumeId = String(notes?.volumeId);
    const row = await cloud.row(volume, volumeId);
    expect(row).to.include({
      ...{ name: 'old', state: 'available', status: 'present', poolId: id, sizeBytes: GIB, deleteWithInstance: false },
      description: 'Adopted; it was called vm-100-disk-0.',
    });
    expect(await used()).to.equal(before + GIB);
    expect(await list()).to.deep.equal({ disks: [] });
    expect(there.find('volume', volumeId)?.content.digest).to.equal(DISK.content.digest);
    await sim.done('instance.attachVolume', { volumeId }, machine);
    expect((await cloud.row(instance, machine)).state).to.equal('running');
    await sim.done('instance.stop', { force: true }, machine);
    await sim.done('instance.detachVolume', { volumeId }, machine);
    await sim.run(20 * HEARTBEAT_MS);
    expect((await cloud.row(volume, volumeId)).status).to.equal('present');
    await sim.done('volume.delete', {}, volumeId);
    expect(await used()).to.equal(before);
  });

  const qcow2 = new Uint8Array(512);
  qcow2.set([0x51, 0x46, 0x49, 0xfb]);
  for (const [what, plant, input, told] of [
    ['somebody has open', { ...DISK, users: ['client.4711'] }, {}, ['conflict', '/disk']],
    ['the pool could not go on with', { ...DISK, isUnfit: true }, {}, ['conflict', '/disk']],
    ['has another size', { ...DISK, sizeBytes: 2 * GIB }, {}, ['conflict', '/sizeBytes']],
    ['is a file with a disk in it', { ...DISK, content: SimContent.EMPTY.written(0, qcow2) }, {}, ['conflict', '/disk']],
    ['is not there', DISK, { disk: 'vm-101-disk-0' }, ['not_found', '/disk']],
  ] as const)
    it(`stay as they are: one that ${what}`, async () => {
      const { cloud, there, adopt, used } = await open();
      there.others.set('vm-100-disk-0', plant);
      const { state, error } = await adopt(input);
      expect([state, error?.code, error?.pointer]).to.deep.equal(['failed', ...told]);
      expect([...there.others]).to.deep.equal([['vm-100-disk-0', plant]]);
      expect(await cloud.rows(volume)).to.deep.equal([]);
      expect(await used()).to.equal(0);
    });

  it('have their name again where the volume cannot be made after all', async () => {
    const { cloud, sim, id, there, adopt } = await open();
    await sim.done('volume.create', { name: 'old', sizeBytes: GIB, poolId: id });
    const { state, error } = await adopt({ name: 'old' });
    expect([state, error?.code]).to.deep.equal(['failed', 'name_taken']);
    expect([...there.others.keys()]).to.deep.equal(['vm-100-disk-0']);
    expect(await cloud.rows(volume)).to.have.length(1);
  });

  it('lie in quarantine, and are never removed, where an adoption that was given up lands late', async () => {
    const { cloud, sim, there, adopt } = await open();
    sim.world.faults.add({ command: 'others.adopt', effect: 'late', delayMs: 30 * HEARTBEAT_MS });
    const { state } = await adopt();
    expect(state).to.equal('failed');
    for (let looks = 0; looks < 200 && there.others.size > 0; looks += 1) await sim.run(HEARTBEAT_MS);
    expect(there.others.size).to.equal(0);
    await sim.run(30 * HEARTBEAT_MS);
    const [found] = await cloud.rows(stray);
    expect(found).to.include({ objectKind: 'volume', state: 'quarantined' });
    await sim.done('stray.adopt', {}, found?.id);
    expect((await cloud.rows(volume)).map(({ sizeBytes }) => sizeBytes)).to.deep.equal([GIB]);
  });

  it('are asked of pools that can tell them, and adopted in those that take volumes', async () => {
    const { cloud, sim, hostId, id } = await open();
    const local = await cloud.pool(hostId);
    const asked = (poolId: string) => sim.submit('pool.adopt', { disk: 'a', sizeBytes: GIB }, poolId).catch((error) => error);
    expect((await asked(local)).code).to.equal('unsupported');
    await sim.done('pool.disable', {}, id);
    expect((await asked(id)).code).to.equal('conflict');
    expect((await cloud.row(pool, id)).state).to.equal('disabled');
  });
});
