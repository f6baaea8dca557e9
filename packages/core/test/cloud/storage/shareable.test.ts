import { expect } from 'chai';
import { attachment, instance, snapshot, snapshotGroup, volume } from '../../../src/cloud/index.ts';
import { type CloudError, debt } from '../../../src/kernel/index.ts';
import { LOOK_MS, LOST_MS, MachineStage, refusal } from '../compute/machine-stage.ts';

const SIZE_BYTES = 8192;

/** Hosts that share a pool, with a volume of several machines in it and a machine on each of these hosts. */
async function open(on: readonly number[] = [1, 2], { hosts = 2, attached = on.length, trashSeconds = 0 } = {}) {
  const without: 'shareable'[] = [];
  const presets = { 'trash.retentionSeconds': trashSeconds };
  const stage = await MachineStage.with({ hosts, network: false }, { presets, without });
  const { sim } = stage;
  const pool = { driver: 'simulated-shared', clusterId: stage.clusterId };
  const poolId = await sim.done('pool.create', { name: 'shared', storageClass: 'shared', ...pool });
  const id = await sim.done('volume.create', { name: 'quorum', sizeBytes: SIZE_BYTES, poolId, shareable: true });
  const machines: string[] = [];
  for (const number of on)
    machines.push(await stage.machine({ hostId: stage.hostIds[number - 1], rootVolume: { storageClass: 'shared' } }));
  const attach = (machineId = '') => sim.done('instance.attachVolume', { volumeId: id }, machineId);
  const detach = (machineId = '') => sim.done('instance.detachVolume', { volumeId: id }, machineId);
  for (const machineId of machines.slice(0, attached)) await attach(machineId);
  const stored = (where = poolId) => sim.world.pools.get(where)?.things.get(`volume/${id}`) ?? expect.fail('no such volume');
  const users = () => [...(stored().shared?.users ?? [])].sort();
  const [first = '', second = ''] = machines;
  const sound = () => expect(sim.world.violations).to.deep.equal([]);
  return { stage, sim, without, poolId, id, machines, first, second, attach, detach, stored, users, sound, pool };
}

const namesOf = ({ params }: CloudError) => ((params?.blockers ?? []) as readonly { name: string }[]).map(({ name }) => name).sort();

describe('a volume of several machines', () => {
  it('is open in all that it is attached to, each with a row that says so, and in none that it was detached from', async () => {
    const { stage, sim, id, first, second, attach, detach, stored, users, sound } = await open();
    expect(users()).to.deep.equal([`hv1/${first}`, `hv2/${second}`]);
    expect((await stage.rows(attachment)).map(({ volumeId, instanceId, slot }) => [volumeId, instanceId, slot])).to.deep.equal([
      [id, first, 1],
      [id, second, 1],
    ]);
    expect(await stage.row(volume, id))
      .to.include({ state: 'available', shareable: true })
      .and.not.have.property('instanceId');
    const before = await stage.revision();
    await attach(first);
    expect((await stage.rows(attachment)).length, 'once is enough').to.equal(2);
    expect(await stage.revision()).to.be.greaterThan(before);
    await detach(first);
    expect(users()).to.deep.equal([`hv2/${second}`]);
    expect([...stored().attachedTo]).to.deep.equal(['hv2']);
    await detach(second);
    await detach(second);
    expect([users(), [...stored().attachedTo], await stage.rows(attachment)]).to.deep.equal([[], [], []]);
    await sim.done('volume.delete', {}, id);
    sound();
  });

  it('stays reachable from a host for as long as one machine there has it', async () => {
    const { sim, first, second, detach, attach, stored, users, sound } = await open([1, 1]);
    await detach(first);
    expect([users(), [...stored().attachedTo]]).to.deep.equal([[`hv1/${second}`], ['hv1']]);
    await attach(first);
    await sim.done('instance.delete', {}, second);
    expect([users(), [...stored().attachedTo]]).to.deep.equal([[`hv1/${first}`], ['hv1']]);
    await sim.done('instance.delete', {}, first);
    expect([users(), [...stored().attachedTo]]).to.deep.equal([[], []]);
    sound();
  });

  it('is made empty, in the clear, where the pool offers it, and for no other use', async () => {
    const { stage, sim, poolId, id, first } = await open([1]);
    const asked = { sizeBytes: SIZE_BYTES, shareable: true };
    const create = (more: object) => refusal(sim.submit('volume.create', { ...asked, poolId, ...more }));
    expect(await create({ imageId: stage.imageId })).to.match(/^invalid_input \/shareable .*is made empty/);
    expect(await create({ volumeId: id })).to.match(/^invalid_input \/shareable .*is made empty/);
    expect(await create({ encrypted: true })).to.match(/^invalid_input \/shareable .*is not encrypted/);
    const classId = await sim.done('storageClass.create', { name: 'shared', encrypted: true });
    expect(await create({})).to.match(/^conflict \/shareable Storage class shared takes encrypted volumes only/);
    await sim.done('storageClass.update', { encrypted: false }, classId);
    const copy = await sim.done('volume.create', { name: 'copy', volumeId: id });
    expect(await stage.row(volume, copy), 'a copy of it is of one machine').to.not.have.property('shareable');
    expect(await refusal(sim.submit('volume.create', { sizeBytes: 512, shareable: 'yes' }))).to.match(/^invalid_input/);
    expect(
      (await stage.disks(first)).map(({ slot }) => slot),
      'never the root disk',
    ).to.deep.equal([0]);
  });

  it('is not reverted, moved or captured from beneath those that have it, and the refusal names them all', async () => {
    const { stage, sim, id, first, second, detach, poolId, pool, stored, sound } = await open();
    const other = await sim.done('pool.create', { name: 'other', ...pool });
    const kept = await sim.done('snapshot.create', { name: 'kept', volumeId: id });
    for (const number of [0, 1]) await stage.into('stopped', [first, second][number] ?? '');
    for (const [action, input, target] of [
      ['snapshot.revert', {}, kept],
      ['volume.move', { poolId: other }, id],
      ['volume.delete', {}, id],
    ] as const) {
      const error = await stage.refusal(action, input, target);
      expect([error.code, namesOf(error)]).to.deep.equal(['in_use', ['vm-1', 'vm-2']]);
      expect(error.publicMessage).to.match(/^Volume quorum is attached to instances vm-1, vm-2; /);
    }
    expect(await refusal(sim.submit('volume.rotateKey', {}, id))).to.match(/not encrypted/);
    await detach(first);
    expect((await stage.refusal('snapshot.revert', {}, kept)).publicMessage).to.match(/attached to instance vm-2;/);
    await detach(second);
    sim.world.write(id, 'since then');
    await sim.done('snapshot.revert', {}, kept);
    expect(sim.world.read(id)).to.equal('');
    await sim.done('snapshot.delete', {}, kept);
    await sim.done('volume.move', { poolId: other }, id);
    expect([sim.world.pools.get(poolId)?.things.has(`volume/${id}`), stored(other).shared !== undefined]).to.deep.equal([false, true]);
    sound();
  });

  it('neither comes nor moves to where it cannot be what it is', async () => {
    const { stage, sim, without, id, poolId } = await open([]);
    without.push('shareable');
    sim.crash();
    await sim.start();
    const created = await stage.refusal('volume.create', { sizeBytes: SIZE_BYTES, poolId, shareable: true });
    expect([created.code, created.pointer]).to.deep.equal(['unsupported', '/shareable']);
    const moved = await stage.refusal('volume.move', { poolId: stage.poolIds[0] }, id);
    expect([moved.code, moved.pointer]).to.deep.equal(['unsupported', '/poolId']);
  });

  it('grows, which each machine that is on is told, and takes its limits on each', async () => {
    const { stage, sim, id, first, second, stored, sound } = await open([1, 2, 2]);
    await sim.done('volume.resize', { sizeBytes: 2 * SIZE_BYTES }, id);
    expect(stored().sizeBytes).to.equal(2 * SIZE_BYTES);
    for (const [machine, number] of [
      [first, 1],
      [second, 2],
    ] as const)
      expect(stage.real(machine, number).diskBytes.get(id)).to.equal(2 * SIZE_BYTES);
    await sim.done('volume.setLimits', { limits: { iopsPerSecond: 100 } }, id);
    for (const [machine, number] of [
      [first, 1],
      [second, 2],
    ] as const)
      expect(stage.real(machine, number).spec.disks.find(({ volumeId }) => volumeId === id)?.limits).to.deep.equal({ iopsPerSecond: 100 });
    sound();
  });

  it('is in the snapshots of its machines, which are then as after a loss of power', async () => {
    const { stage, sim, id, first, sound } = await open();
    await sim.run(5000);
    const { operationId } = await sim.submit('instance.snapshot', { name: 'group' }, first);
    const { notes } = await sim.ended(operationId);
    const [group] = await stage.rows(snapshotGroup);
    expect(group?.consistency).to.equal('crash');
    const kept = await stage.rows(snapshot);
    expect([kept.map(({ volumeId }) => volumeId).includes(id as never), notes !== undefined]).to.deep.equal([true, true]);
    await sim.done('snapshotGroup.delete', {}, group?.id);
    sound();
  });

  it('goes with a machine that migrates, also to a host where another one has it', async () => {
    const { stage, sim, first, second, users, stored, sound, detach } = await open();
    await sim.done('instance.migrate', { hostId: stage.hostIds[1] }, first);
    expect(users()).to.deep.equal([`hv2/${first}`, `hv2/${second}`].sort());
    expect([...stored().attachedTo]).to.deep.equal(['hv2']);
    expect(stored().shared?.known.get(first)).to.deep.equal([`hv2/${first}`]);
    await sim.done('instance.migrate', { hostId: stage.hostIds[0] }, second);
    expect([...stored().attachedTo].sort()).to.deep.equal(['hv1', 'hv2']);
    await detach(first);
    expect([...stored().attachedTo]).to.deep.equal(['hv1']);
    sound();
  });

  it('shuts out a machine whose host is lost, and no other', async () => {
    const { stage, sim, first, second, users, stored, sound } = await open([1, 2], { hosts: 3 });
    sim.world.partition('hv1');
    await sim.run(LOST_MS);
    await sim.done('instance.evacuate', { hostId: stage.hostIds[2] }, first);
    expect([...stored().shutOut]).to.deep.equal([`hv1/${first}`]);
    expect(users()).to.deep.equal([`hv2/${second}`, `hv3/${first}`]);
    expect(await stage.instance(second)).to.include({ state: 'running', hostId: stage.hostIds[1] });
    sim.world.reconnect('hv1');
    await sim.run(LOST_MS);
    expect([await stage.rows(debt), stage.copies(first), [...stored().attachedTo].sort()]).to.deep.equal([[], 1, ['hv2', 'hv3']]);
    sound();
  });

  it('shuts out both of two machines of one lost host, one after the other', async () => {
    const { stage, sim, first, second, users, stored, sound } = await open([1, 1]);
    sim.world.partition('hv1');
    await sim.run(LOST_MS);
    await sim.done('instance.evacuate', {}, first);
    expect([...stored().shutOut]).to.deep.equal([`hv1/${first}`]);
    await sim.done('instance.evacuate', {}, second);
    expect(users()).to.deep.equal([`hv2/${first}`, `hv2/${second}`].sort());
    sim.world.reconnect('hv1');
    await sim.run(LOST_MS);
    expect([await stage.rows(debt), [...stored().attachedTo]]).to.deep.equal([[], ['hv2']]);
    sound();
  });

  it('is learned anew with each start, one machine at a time, and starts asked for behind an attachment take it along', async () => {
    const { stage, sim, first, second, id, stored, sound } = await open([1, 2], { attached: 0 });
    for (const machine of [first, second]) await sim.done('instance.stop', { force: true }, machine);
    const asked = await Promise.all([
      sim.submit('instance.attachVolume', { volumeId: id }, first),
      sim.submit('instance.attachVolume', { volumeId: id }, second),
      sim.submit('instance.start', {}, first),
      sim.submit('instance.start', {}, second),
    ]);
    for (const { operationId } of asked) expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect([...(stored().shared?.known ?? [])].sort()).to.deep.equal(
      [
        [first, [`hv1/${first}`]],
        [second, [`hv2/${second}`]],
      ].sort(),
    );
    await sim.done('instance.reset', {}, first);
    stage.real(first).stop('crashed');
    await sim.run(LOOK_MS);
    await sim.done('instance.start', {}, first);
    expect(stored().shared?.known.get(first)).to.deep.equal([`hv1/${first}`]);
    sound();
  });

  it('is plugged in again where somebody took it out behind our back', async () => {
    const { stage, sim, first, second, id, users, stored, sound } = await open();
    const machine = stage.real(first);
    stage.worldHost().tear(first, id);
    expect(users()).to.deep.equal([`hv2/${second}`]);
    await sim.run(2 * LOOK_MS);
    expect([users().includes(`hv1/${first}`), machine.live, stored().shared?.known.get(first)]).to.deep.equal([
      true,
      true,
      [`hv1/${first}`],
    ]);
    sound();
  });

  it('comes with a new machine that asks for it, while others have it', async () => {
    const { stage, sim, id, users, sound } = await open([1]);
    const made = await stage.machine({ hostId: stage.hostIds[1], rootVolume: { storageClass: 'shared' }, attachVolumeIds: [id] });
    expect(users()).to.include(`hv2/${made}`);
    expect((await stage.rows(attachment)).map(({ slot }) => slot)).to.deep.equal([1, 1]);
    await sim.done('instance.delete', {}, made);
    expect((await stage.rows(attachment)).length).to.equal(1);
    sound();
  });

  it('stays with a machine in the trash, and is neither in use there nor deleted from beneath it', async () => {
    const { stage, sim, id, first, second, detach, users, sound } = await open([1, 2], { trashSeconds: 3600 });
    await sim.done('instance.delete', {}, first);
    await detach(second);
    expect([users(), (await stage.rows(attachment)).map(({ state }) => state)]).to.deep.equal([[], ['trashed']]);
    expect((await stage.refusal('volume.delete', {}, id)).publicMessage).to.match(/attached to instance vm-1; expunge or recover/);
    await sim.done('volume.resize', { sizeBytes: 2 * SIZE_BYTES }, id);
    await sim.done('instance.recover', {}, first);
    await sim.done('instance.start', {}, first);
    expect(users()).to.deep.equal([`hv1/${first}`]);
    await sim.done('instance.delete', { permanent: true }, first);
    expect(await stage.rows(attachment)).to.deep.equal([]);
    await sim.done('volume.delete', { permanent: true }, id);
    expect((await stage.rows(instance)).length).to.equal(1);
    sound();
  });

  it('has no more machines than may be held at once', async () => {
    const { sim, id, machines, stage } = await open(Array(16).fill(1));
    expect(machines.length).to.equal(16);
    const one = await stage.machine({ rootVolume: { storageClass: 'shared' } });
    const { operationId } = await sim.submit('instance.attachVolume', { volumeId: id }, one);
    expect((await sim.ended(operationId)).error?.message).to.match(/has 16 machines, and takes no more/);
  });
});
