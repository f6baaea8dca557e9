import { expect } from 'chai';
import { volume } from '../../../../src/cloud/index.ts';
import { MachineStage, refusal } from '../../compute/machine-stage.ts';
import { GIB } from '../../little-cloud.ts';

const MIB = 2 ** 20;

async function open(options: Parameters<typeof MachineStage.with>[1] = {}) {
  const cloud = await MachineStage.with({}, options);
  const { sim } = cloud;
  const { secrets } = sim.kernel.services;
  const pool = () => sim.world.pools.get(`hv1/${cloud.poolIds[0]}`) ?? expect.fail('no pool');
  const stored = (id: string) => pool().find('volume', id) ?? expect.fail(`nothing of volume ${id}`);
  const reference = async (id: string) => (await cloud.row(volume, id)).encryptionKey ?? expect.fail('it has no key');
  const opened = async (sealed: string) => sim.environment.complete(secrets.open(sealed));
  const onHost = () => [...(sim.world.host('hv1').secrets.values() ?? [])];
  return { cloud, sim, pool, stored, reference, opened, onHost };
}

describe('encrypted volumes', () => {
  it('have a random key, sealed, which their driver is given and nothing else shows', async () => {
    const { cloud, sim, stored, reference, opened } = await open();
    const [id, other] = [await cloud.volume(MIB, { encrypted: true }), await cloud.volume(MIB, { encrypted: true })];
    const key = stored(id).encryptionKey ?? expect.fail('no key');
    expect(Buffer.from(key, 'base64')).to.have.length(32);
    expect(stored(other).encryptionKey).not.to.equal(key);
    expect((await cloud.row(volume, id)).encrypted).to.equal(true);
    expect(await opened(await reference(id))).to.equal(key);
    const tables = await sim.environment.complete(sim.kernel.reader.list(sim.kernel.registry.kind('operation')));
    expect(JSON.stringify([tables, await cloud.rows(volume)])).not.to.contain(key);
    expect(stored(await cloud.volume(MIB)).encryptionKey).to.equal(undefined);
  });

  it('take their keys along: hosts have them for as long as a machine has the disk', async () => {
    const { cloud, sim, stored, onHost } = await open();
    const id = await cloud.volume(MIB, { encrypted: true });
    const machine = await cloud.machine({
      name: 'vm',
      rootVolume: { encrypted: true },
      volumes: [{ name: 'more', sizeBytes: GIB, encrypted: true }],
    });
    const own = (await cloud.rows(volume)).filter(({ instanceId }) => instanceId === machine).map((row) => stored(row.id).encryptionKey);
    expect(own).to.have.length(2);
    expect(onHost()).to.have.members(own);
    await sim.done('instance.attachVolume', { volumeId: id }, machine);
    expect(onHost()).to.include(stored(id).encryptionKey);
    await sim.done('volume.resize', { sizeBytes: 2 * MIB }, id);
    expect(stored(id).sizeBytes).to.equal(2 * MIB);
    await sim.done('instance.detachVolume', { volumeId: id }, machine);
    expect(onHost()).to.have.members(own);
    await sim.done('volume.resize', { sizeBytes: 4 * MIB }, id);
    expect(stored(id).sizeBytes).to.equal(4 * MIB);
    await sim.done('instance.delete', { permanent: true }, machine);
    expect(onHost()).to.deep.equal([]);
  });

  it('give their keys to the host again when a machine that has crashed is reset', async () => {
    const { cloud, sim, onHost } = await open();
    const machine = await cloud.into('crashed', await cloud.machine({ name: 'vm', rootVolume: { encrypted: true } }));
    const keys = onHost();
    expect(keys).to.have.length(1);
    // As after a driver has grown its disk and taken back the key that it did that with.
    sim.world.host('hv1').secrets.clear();
    await sim.done('instance.reset', {}, machine);
    expect(onHost()).to.deep.equal(keys);
    expect(cloud.real(machine).power).to.equal('running');
  });

  it('are copied with their key, and neither one without nor one with it is made from the other', async () => {
    const { cloud, sim, stored, reference } = await open();
    const [id, plain] = [await cloud.volume(MIB, { encrypted: true }), await cloud.volume(MIB)];
    sim.world.write(id, 'ciphertext');
    const copy = await sim.done('volume.create', { volumeId: id });
    expect(stored(copy).encryptionKey).to.equal(stored(id).encryptionKey);
    expect((await cloud.row(volume, copy)).encrypted).to.equal(true);
    expect(await reference(copy), 'so that one can be forgotten alone').not.to.equal(await reference(id));
    const asked = (volumeId: string, encrypted: boolean) => refusal(sim.submit('volume.create', { volumeId, encrypted }));
    const words = 'invalid_input /encrypted A clone of a volume is encrypted if and only if that is.';
    expect(await asked(id, false)).to.equal(words);
    expect(await asked(plain, true)).to.equal(words);
    const snapshotId = await sim.done('snapshot.create', { volumeId: id });
    expect(stored(await sim.done('volume.create', { snapshotId })).encryptionKey).to.equal(stored(id).encryptionKey);
  });

  it('get another key, which the one of before gives way to: in the pool, on hosts, and among what is sealed', async () => {
    const { cloud, sim, stored, reference, opened, onHost } = await open();
    const machine = await cloud.machine({ name: 'vm', rootVolume: { encrypted: true } });
    const id = String((await cloud.rows(volume))[0]?.id);
    const [before, key] = [await reference(id), stored(id).encryptionKey];
    expect(await refusal(sim.submit('volume.rotateKey', {}, id))).to.match(/^in_use .*stop the instance first/);
    await sim.done('instance.stop', { force: true }, machine);
    await sim.done('volume.rotateKey', {}, id);
    expect(await reference(id)).not.to.equal(before);
    expect(stored(id).encryptionKey).to.equal(await opened(await reference(id)));
    expect(stored(id).encryptionKey).not.to.equal(key);
    expect([stored(id).otherKey, (await cloud.row(volume, id)).otherKey]).to.deep.equal([undefined, undefined]);
    expect(await refusal(opened(before))).to.match(/^internal/);
    await sim.done('instance.start', {}, machine);
    expect(onHost()).to.deep.equal([stored(id).encryptionKey]);
    const tables = await sim.environment.complete(sim.kernel.reader.list(sim.kernel.registry.kind('operation')));
    expect(JSON.stringify([tables, await cloud.rows(volume)])).not.to.contain(String(stored(id).encryptionKey));
  });

  it('get another key under a machine that is on or stands still, where their pool can; its host is given it', async () => {
    const { cloud, sim, reference, opened, onHost } = await open();
    const poolId = await sim.done('pool.create', { driver: 'simulated-shared', clusterId: cloud.clusterId });
    const id = await cloud.volume(MIB, { encrypted: true, poolId });
    const kept = () => sim.world.pools.get(poolId)?.find('volume', id) ?? expect.fail(`nothing of volume ${id}`);
    const machine = await cloud.machine({ name: 'vm', volumes: [] });
    await sim.done('instance.attachVolume', { volumeId: id }, machine);
    const seen = [await reference(id)];
    for (const verb of ['resume', 'suspend', 'resume']) {
      if (seen.length > 1) await sim.done(`instance.${verb}`, {}, machine);
      const key = kept().encryptionKey;
      await sim.done('volume.rotateKey', {}, id);
      expect(kept().encryptionKey).not.to.equal(key);
      expect(kept().otherKey).to.equal(undefined);
      expect(await opened(await reference(id))).to.equal(kept().encryptionKey);
      expect(onHost()).to.deep.equal([kept().encryptionKey]);
      for (const sealed of seen) expect(await refusal(opened(sealed))).to.match(/^internal/);
      seen.push(await reference(id));
    }
    // The step that cannot be undone is the last: until then the host has the key of before again.
    const key = kept().encryptionKey;
    sim.world.faults.add({ command: 'secrets.put', times: 1, effect: 'fail', fault: 'invalid' });
    const { operationId } = await sim.submit('volume.rotateKey', {}, id);
    expect(await sim.ended(operationId)).to.deep.include({ state: 'failed' });
    expect([kept().encryptionKey, kept().otherKey, onHost()]).to.deep.equal([key, undefined, [key]]);
    expect(await opened(await reference(id))).to.equal(key);
  });

  it('keep their key where it cannot be changed, by a refusal that says why', async () => {
    const { cloud, sim, stored, reference } = await open();
    const refused = (id: string) => refusal(sim.submit('volume.rotateKey', {}, id));
    expect(await refused(await cloud.volume(MIB))).to.match(/^conflict .*is not encrypted/);
    const id = await cloud.volume(MIB, { encrypted: true });
    const [key, sealed] = [stored(id).encryptionKey, await reference(id)];
    const snapshotId = await sim.done('snapshot.create', { volumeId: id });
    expect(await refused(id)).to.match(/^in_use .*has snapshots/);
    await sim.done('snapshot.delete', {}, snapshotId);
    // Somebody has given it another behind our back.
    stored(id).encryptionKey = 'of somebody else';
    const { operationId } = await sim.submit('volume.rotateKey', {}, id);
    await sim.run(5000);
    stored(id).encryptionKey = key;
    expect(await sim.ended(operationId)).to.deep.include({ state: 'failed' });
    expect([(await cloud.row(volume, id)).otherKey, await reference(id)]).to.deep.equal([undefined, sealed]);
    const without = await open({ without: ['keys'] });
    const fixed = await without.cloud.volume(MIB, { encrypted: true });
    expect(await refusal(without.sim.submit('volume.rotateKey', {}, fixed))).to.match(/^unsupported /);
  });

  it('get no other key when they were deleted before it was its turn', async () => {
    const { cloud, sim } = await open();
    const id = await cloud.volume(MIB, { encrypted: true });
    sim.world.faults.add({ command: 'encryption.resize', effect: 'delay', delayMs: 5000 });
    await sim.submit('volume.resize', { sizeBytes: 2 * MIB }, id);
    await sim.submit('volume.delete', {}, id);
    const { operationId } = await sim.submit('volume.rotateKey', {}, id);
    expect(await sim.ended(operationId)).to.deep.include({ state: 'failed' });
    expect(sim.rows('sealed')).to.deep.equal([]);
  });

  it('go with both keys when they are deleted by force in the middle of a change', async () => {
    const { cloud, sim, stored, reference, opened } = await open();
    const id = await cloud.volume(MIB, { encrypted: true });
    const before = await reference(id);
    sim.world.faults.add({ command: 'keys.keep', times: 10_000, effect: 'fail' });
    await sim.submit('volume.rotateKey', {}, id);
    await sim.run(5000);
    const after = await reference(id);
    expect(await opened(after)).to.equal(stored(id).otherKey);
    await sim.done('volume.delete', { permanent: true, force: true }, id);
    for (const sealed of [before, after]) expect(await refusal(opened(sealed))).to.match(/^internal/);
  });

  it('are gone for good with their key, also where they never came to be', async () => {
    const { cloud, sim, reference, opened } = await open();
    const id = await cloud.volume(MIB, { encrypted: true });
    const sealed = await reference(id);
    await sim.done('volume.delete', { permanent: true }, id);
    expect(await refusal(opened(sealed))).to.match(/^internal/);
    sim.world.faults.add({ command: 'encryption.create', times: 100, effect: 'fail' });
    const { operationId, resourceId } = await sim.submit('volume.create', { sizeBytes: MIB, encrypted: true });
    const unborn = await reference(String(resourceId));
    expect((await sim.ended(operationId)).state).to.equal('failed');
    expect(await refusal(opened(unborn))).to.match(/^internal/);
  });

  it('are refused where the driver cannot encrypt, before anything changes', async () => {
    const { cloud, sim } = await open({ without: ['encryption'] });
    expect(await refusal(sim.submit('volume.create', { sizeBytes: MIB, encrypted: true }))).to.match(/^unsupported \/encrypted /);
    const machine = { name: 'vm', volumes: [{ sizeBytes: MIB, encrypted: true }] };
    expect(await refusal(cloud.machine(machine))).to.match(/^unsupported \/volumes\/0\/encrypted /);
    expect(await cloud.rows(volume)).to.deep.equal([]);
  });

  it('move with their key, and stay encrypted: of nobody, of a machine that is off, and of one that runs; hosts forget the place they left', async () => {
    const { cloud, sim, onHost } = await open();
    const [here = ''] = cloud.poolIds;
    const machine = await cloud.machine({ name: 'vm', volumes: [{ name: 'more', sizeBytes: MIB, encrypted: true }] });
    const ofMachine = (await cloud.rows(volume)).find(({ slot }) => slot === 1)?.id ?? expect.fail('no second disk');
    const others = await Promise.all(['1', '2', '3'].map((path) => cloud.pool(String(cloud.hostIds[0]), { settings: { path } })));
    const [there = '', further = '', beyond = ''] = others;
    const inPool = (poolId: string, id: string) => {
      const place = poolId === here ? here : String(others.indexOf(poolId) + 1);
      return [...sim.world.pools.values()].find((each) => each.poolId === place)?.find('volume', id);
    };
    const free = await cloud.volume(MIB, { encrypted: true, poolId: here });
    const moves = async (id: string, from: string, to: string, more: object = {}) => {
      const key = inPool(from, id)?.encryptionKey ?? expect.fail('it has no key');
      sim.world.write(id, `on its way to ${to}`);
      expect((await cloud.outcome('volume.move', { poolId: to, ...more }, id)).error).to.equal(undefined);
      expect(inPool(from, id)).to.equal(undefined);
      expect([inPool(to, id)?.encryptionKey, sim.world.read(id)]).to.deep.equal([key, `on its way to ${to}`]);
      expect(await cloud.row(volume, id)).to.include({ poolId: to, encrypted: true });
      expect(sim.world.violations).to.deep.equal([]);
    };
    await moves(free, here, there, { verify: true });
    await moves(ofMachine, here, there);
    expect(onHost(), 'one key, known for one place').to.deep.equal([inPool(there, ofMachine)?.encryptionKey]);
    await sim.done('instance.stop', { force: true }, machine);
    await moves(ofMachine, there, further);
    expect(onHost()).to.deep.equal([]);
    await sim.done('instance.start', {}, machine);
    expect(onHost()).to.deep.equal([inPool(further, ofMachine)?.encryptionKey]);

    const key = onHost();
    sim.world.slowTransfers(60_000);
    const { operationId } = await sim.submit('volume.move', { poolId: beyond }, ofMachine);
    await sim.run(10_000);
    await sim.environment.complete(sim.kernel.operations.cancel(operationId));
    expect((await sim.ended(operationId)).state).to.equal('cancelled');
    await sim.run(60_000);
    expect([onHost(), inPool(beyond, ofMachine)], 'nothing of a place that it did not come to').to.deep.equal([key, undefined]);
    await sim.done('instance.delete', { permanent: true }, machine);
    expect(onHost()).to.deep.equal([]);
  });

  it('are written whole where what was never written is noise, and as they are where it is not', async () => {
    const { cloud, sim, stored } = await open();
    const { clusterId } = cloud;
    const shared = await sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId, settings: {} });
    const id = await cloud.volume(9 * MIB, { encrypted: true, poolId: cloud.poolIds[0] });
    sim.world.write(id, 'in the middle', 5 * MIB);
    const { digest } = stored(id).content;
    const { faults } = sim.world;
    faults.add({ command: 'lockedContents.write', effect: 'delay', delayMs: 1 });
    const written = () => faults.struck.get('delay') ?? 0;
    await sim.done('volume.move', { poolId: shared, verify: true }, id);
    expect(written(), 'all three pieces').to.equal(3);
    const other = await cloud.pool(String(cloud.hostIds[0]), { settings: { path: 'other' } });
    await sim.done('volume.move', { poolId: other, verify: true }, id);
    expect(written(), 'and the one that has something').to.equal(4);
    expect([...sim.world.pools.values()].map((each) => each.find('volume', id)?.content.digest)).to.include(digest);
  });

  it('move only where they stay encrypted, and where what is in them can be read and written; a machine that runs copies by itself', async () => {
    const without: ('lockedContents' | 'encryption')[] = ['lockedContents'];
    const { cloud, sim } = await open({ without });
    const there = await cloud.pool(String(cloud.hostIds[0]), { settings: { path: 'other' } });
    const id = await cloud.volume(MIB, { name: 'kept', encrypted: true, poolId: cloud.poolIds[0] });
    const asked = (poolId: string) => refusal(sim.submit('volume.move', { poolId }, id));
    expect(await asked(there)).to.match(/^unsupported Volume kept is encrypted, and in its pool that is read by its machine alone/);
    const machine = await cloud.machine({ name: 'vm' });
    await sim.done('instance.attachVolume', { volumeId: id }, machine);
    await sim.done('volume.move', { poolId: there }, id);
    without.push('encryption');
    const plain = await cloud.pool(String(cloud.hostIds[0]), { name: 'plain', settings: { path: 'plain' } });
    expect(await asked(plain)).to.match(/^unsupported \/poolId No pool that it may be in can encrypt volumes/);
  });

  it('are not plugged in as what they are not: content shown as ciphertext, or ciphertext as content', async () => {
    const { cloud, stored } = await open();
    const [id, plain] = [await cloud.volume(MIB, { encrypted: true }), await cloud.volume(MIB)];
    const machine = await cloud.machine({ name: 'vm' });
    stored(plain).encryptionKey = 'of somebody else';
    stored(id).encryptionKey = undefined;
    for (const [volumeId, words] of [
      [id, /is encrypted, and what is in its pool is not/],
      [plain, /encrypted with a key that is not known/],
    ] as const) {
      const ended = await cloud.outcome('instance.attachVolume', { volumeId }, machine);
      expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'conflict']);
      expect(ended.error?.message).to.match(words);
    }
  });
});
