import { expect } from 'chai';
import { instance, pool, snapshot, snapshotGroup, stray, volume } from '../../../../src/cloud/index.ts';
import { refusal } from '../../compute/machine-stage.ts';
import { HEARTBEAT_MS } from '../../little-cloud.ts';
import { MIB, open } from './snapshot-stage.ts';

describe('snapshots of volumes', () => {
  it('keep content and size, and make a tree', async () => {
    const { cloud, sim, snap, write, read, shown, used } = await open();
    const volumeId = await cloud.volume(MIB);
    write(volumeId, 'one');
    const first = await snap(volumeId, 'first');
    write(volumeId, 'two');
    await sim.done('volume.resize', { sizeBytes: 2 * MIB }, volumeId);
    const second = await snap(volumeId, 'second');
    expect(await shown(first)).to.include({ state: 'available', status: 'present', sizeBytes: MIB, volumeId, system: false });
    expect((await shown(first)).parentId).to.equal(undefined);
    expect(await shown(second)).to.include({ sizeBytes: 2 * MIB, parentId: first });
    expect([await used('snapshots'), await used('snapshotBytes')]).to.deep.equal([2, 3 * MIB]);

    await sim.done('snapshot.revert', {}, first);
    expect(read(volumeId)).to.equal('one');
    expect(await cloud.row(volume, volumeId)).to.include({ sizeBytes: MIB, currentSnapshotId: first });
    expect([await used('volumeBytes'), (await cloud.counter(`capacity/pool/${cloud.poolIds[0]}/bytes`))?.value]).to.deep.equal([MIB, MIB]);
    const third = await snap(volumeId, 'third');
    expect((await shown(third)).parentId).to.equal(first);

    await sim.done('snapshot.revert', {}, second);
    expect(read(volumeId)).to.equal('two');
    expect([await used('volumeBytes'), (await cloud.counter(`capacity/pool/${cloud.poolIds[0]}/bytes`))?.value]).to.deep.equal([
      2 * MIB,
      2 * MIB,
    ]);

    await sim.done('snapshot.delete', {}, first);
    expect((await shown(second)).parentId).to.equal(undefined);
    expect((await shown(third)).parentId).to.equal(undefined);
    expect(await used('snapshots')).to.equal(2);
    expect(await sim.quotaProblems()).to.deep.equal([]);
  });

  it('keep their volume from being deleted, which names them; recursively it takes them along', async () => {
    const { cloud, sim, snap } = await open();
    const volumeId = await cloud.volume(MIB, { name: 'data' });
    await snap(volumeId, 'monday');
    expect(await refusal(sim.submit('volume.delete', {}, volumeId))).to.equal('in_use Still used by snapshot monday.');
    await sim.done('volume.delete', { recursive: true, permanent: true }, volumeId);
    expect(await cloud.rows(snapshot)).to.deep.equal([]);
    expect(
      sim.world.pools
        .get(`hv1/${cloud.poolIds[0]}`)
        ?.list()
        .filter(({ kind }) => kind === 'volume'),
    ).to.deep.equal([]);
  });

  it('of a machine wait behind its deletion and are not in its way, though that is planned again', async () => {
    const { cloud, sim } = await open();
    const id = await cloud.machine();
    await sim.submit('instance.attachNic', { networkId: cloud.networkId }, id);
    const deleting = await sim.submit('instance.delete', { force: true }, id);
    const late = await sim.submit('instance.snapshot', { name: 'late' }, id);
    expect(await sim.ended(deleting.operationId)).to.include({ state: 'succeeded' });
    expect(await sim.ended(late.operationId)).to.include({ state: 'failed' });
    for (const kind of [instance, volume, snapshot, snapshotGroup]) expect(await cloud.rows(kind), kind.name).to.deep.equal([]);
    expect(await sim.quotaProblems()).to.deep.equal([]);
  });

  it('are refused by type where the pool has none, before anything changes', async () => {
    const { cloud, sim } = await open({ without: ['snapshots', 'contents'] });
    const volumeId = await cloud.volume(MIB);
    const instanceId = await cloud.machine();
    const before = await cloud.revision();
    const { name } = await cloud.row(pool, String(cloud.poolIds[0]));
    const words = `unsupported pool ${name} cannot keep snapshots.`;
    expect(await refusal(sim.submit('snapshot.create', { volumeId }))).to.equal(words);
    expect(await refusal(sim.submit('volume.create', { volumeId }))).to.equal(words);
    expect(await refusal(sim.submit('instance.snapshot', {}, instanceId))).to.equal(words);
    const cloned = await cloud.volume(4096, { imageId: cloud.imageId });
    expect(await refusal(sim.submit('volume.flatten', {}, cloned))).to.equal(words);
    await sim.done('volume.delete', { permanent: true }, cloned);
    expect(await cloud.rows(snapshot)).to.deep.equal([]);
    expect(before).to.be.greaterThan(0);
  });

  it('are not reverted to under a machine that runs, and the refusal says what to do', async () => {
    const { cloud, sim, snap, write, read } = await open();
    const instanceId = await cloud.machine({ name: 'vm' });
    const [root] = await cloud.rows(volume);
    const volumeId = String(root?.id);
    write(volumeId, 'good');
    const id = await snap(volumeId, 'good');
    expect(await cloud.row(snapshot, id)).to.include({ instanceId });
    write(volumeId, 'bad');
    expect(await refusal(sim.submit('snapshot.revert', {}, id))).to.match(
      /^in_use Volume \S+ is in use by instance vm, which is running; stop it first\.$/,
    );
    await sim.done('instance.stop', {}, instanceId);
    await sim.done('snapshot.revert', {}, id);
    expect(read(volumeId)).to.equal('good');
    await sim.done('instance.start', {}, instanceId);
    expect(sim.world.violations).to.deep.equal([]);
  });

  it('are not reverted to behind an attachment: nothing keeps the machine that got the volume from starting meanwhile', async () => {
    const { cloud, sim, snap, write, read } = await open();
    const instanceId = await cloud.machine({ name: 'vm' });
    await sim.done('instance.stop', { force: true }, instanceId);
    const volumeId = await cloud.volume(MIB);
    write(volumeId, 'good');
    const id = await snap(volumeId, 'good');
    write(volumeId, 'since');
    // Where it goes on all the same, the machine starts before the driver is asked.
    sim.around = async (point, body) => {
      if (point.path === 'images[0]') await sim.submit('instance.start', {}, instanceId).then((row) => sim.ended(row.operationId));
      return body();
    };
    const attached = await sim.submit('instance.attachVolume', { volumeId }, instanceId);
    const reverted = await sim.submit('snapshot.revert', {}, id);
    expect((await sim.ended(attached.operationId)).state).to.equal('succeeded');
    expect((await sim.ended(reverted.operationId)).error).to.include({ code: 'conflict' });
    expect(read(volumeId)).to.equal('since');
    sim.around = (_, body) => body();
    await sim.done('snapshot.revert', {}, id);
    expect(read(volumeId)).to.equal('good');
    expect(await sim.quotaProblems()).to.deep.equal([]);
  });

  it('are not reverted to under a machine where that was accepted before machines were noted: ask again', async () => {
    const { cloud, sim, snap, write, read } = await open();
    const instanceId = await cloud.machine({ name: 'vm' });
    await sim.done('instance.stop', { force: true }, instanceId);
    const volumeId = await cloud.volume(MIB);
    await sim.done('instance.attachVolume', { volumeId }, instanceId);
    write(volumeId, 'good');
    const id = await snap(volumeId, 'good');
    write(volumeId, 'since');
    sim.around = async (point, body) => {
      if (point.path !== 'ready[0]' || !sim.alive) return body();
      const [accepted] = sim.rows('journal').filter((row) => JSON.stringify(row).includes('machineIds'));
      const params = JSON.parse(JSON.stringify(accepted?.params), (name, value) => (name === 'machineIds' ? undefined : value));
      await sim.kernel.observe([{ op: 'update', table: 'journal', key: `${accepted?.operationId}/0`, set: { params } }]);
      sim.crash();
      return new Promise<never>(() => undefined);
    };
    const { operationId } = await sim.submit('snapshot.revert', {}, id);
    await sim.run(1_000);
    expect([sim.alive, JSON.stringify(sim.rows('journal')).includes('machineIds')]).to.deep.equal([false, false]);
    sim.around = undefined;
    await sim.start();
    expect((await sim.ended(operationId)).error).to.include({ code: 'conflict' });
    expect(read(volumeId)).to.equal('since');
    await sim.done('snapshot.revert', {}, id);
    expect(read(volumeId)).to.equal('good');
  });

  it('are gone within minutes, though the answer of the pool was lost: a copy that takes long is waited for longer', async () => {
    const { cloud, sim, snap } = await open();
    const id = await snap(await cloud.volume(MIB), 'first');
    sim.world.faults.add({ command: 'snapshots.delete', times: 1, effect: 'hang' });
    const accepted = await sim.submit('snapshot.delete', {}, id);
    expect((await sim.ended(accepted.operationId, 5 * 60_000)).state).to.equal('succeeded');
  });

  it('that were removed behind our back are not reverted to: nothing changes', async () => {
    const { cloud, sim, snap, write, read } = await open();
    const volumeId = await cloud.volume(MIB);
    const id = await snap(volumeId, 'first');
    write(volumeId, 'since');
    sim.world.pools.get(`hv1/${cloud.poolIds[0]}`)?.deleteSnapshot({ id, volumeId });
    const ended = await cloud.outcome('snapshot.revert', {}, id);
    expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'not_found']);
    expect(read(volumeId)).to.equal('since');
  });
});

describe('volumes made from snapshots and volumes', () => {
  it('have their content, lie beside them, and are independent once flattened', async () => {
    const { cloud, sim, snap, write, read } = await open();
    const volumeId = await cloud.volume(4096, { imageId: cloud.imageId });
    write(volumeId, 'one');
    const snapshotId = await snap(volumeId, 'first');
    write(volumeId, 'two');
    const clone = await sim.done('volume.create', { snapshotId, sizeBytes: 8192 });
    const copy = await sim.done('volume.create', { volumeId });
    expect([read(clone), read(copy)]).to.deep.equal(['one', 'two']);
    expect(await cloud.row(volume, clone)).to.include({ snapshotId, imageId: cloud.imageId, sizeBytes: 8192, poolId: cloud.poolIds[0] });
    expect((await cloud.row(volume, copy)).snapshotId).to.equal(undefined);
    expect((await cloud.rows(snapshot)).map(({ id }) => id)).to.deep.equal([snapshotId]);

    await sim.done('volume.flatten', {}, clone);
    const flat = await cloud.row(volume, clone);
    expect([flat.snapshotId, flat.imageId]).to.deep.equal([undefined, undefined]);
    await sim.done('snapshot.delete', {}, snapshotId);
    for (const id of [volumeId, copy]) await sim.done('volume.delete', { permanent: true }, id);
    await sim.done('image.delete', { permanent: true }, cloud.imageId);
    expect(read(clone)).to.equal('one');
  });

  it('refuse what cannot be: two sources, another pool, too small a size, one of another project', async () => {
    const { cloud, sim, snap } = await open();
    const volumeId = await cloud.volume(MIB);
    const snapshotId = await snap(volumeId, 'first');
    const create = (input: object) => refusal(sim.submit('volume.create', input));
    expect(await create({ snapshotId, volumeId })).to.equal('invalid_input /volumeId A volume is made from one thing.');
    expect(await create({ snapshotId, imageId: cloud.imageId })).to.equal('invalid_input /snapshotId A volume is made from one thing.');
    const poolId = await cloud.pool(String(cloud.hostIds[0]), { settings: { path: '/other' } });
    expect(await create({ snapshotId, poolId })).to.equal('invalid_input /poolId What is cloned from a snapshot is in the pool of that.');
    expect(await create({ snapshotId, sizeBytes: 512 })).to.equal('invalid_input /sizeBytes The snapshot needs 1048576 bytes (1 MiB).');
    expect(await create({ snapshotId: volumeId })).to.equal(`not_found /snapshotId No snapshot ${volumeId}.`);
  });
});

describe('snapshots that are not what their rows say', () => {
  const LOOKS_MS = 20 * HEARTBEAT_MS;
  const twoSnapshots = async () => {
    const stage = await open();
    const volumeId = await stage.cloud.volume(MIB);
    const ids = [await stage.snap(volumeId, 'first'), await stage.snap(volumeId, 'second')] as const;
    const things = stage.sim.world.pools.get(`hv1/${stage.cloud.poolIds[0]}`);
    if (things === undefined) throw new Error('the pool is not there');
    return { ...stage, volumeId, ids, things };
  };

  it('show as missing when somebody removed them, and can be deleted', async () => {
    const { sim, cloud, volumeId, ids, things, shown } = await twoSnapshots();
    await sim.run(LOOKS_MS);
    expect((await shown(ids[0])).status).to.equal('present');
    things.deleteSnapshot({ id: ids[0], volumeId });
    await sim.run(LOOKS_MS);
    const { name } = await cloud.row(pool, String(cloud.poolIds[0]));
    expect(await shown(ids[0])).to.include({ status: 'missing', statusReason: `pool ${name} answers and does not have it.` });
    expect((await shown(ids[1])).status).to.equal('present');
    await sim.done('snapshot.delete', {}, ids[0]);
    expect((await shown(ids[1])).parentId).to.equal(undefined);
  });

  it('are quarantined when nothing explains them, and removed when a person says so', async () => {
    const { sim, cloud, volumeId, things } = await twoSnapshots();
    const id = sim.kernel.services.ids.mint('snapshot');
    things.createSnapshot({ id, volumeId });
    await sim.run(LOOKS_MS);
    const [found] = await cloud.rows(stray);
    expect(found).to.include({ objectKind: 'snapshot', objectId: id, place: volumeId });
    await sim.done('stray.remove', {}, found?.id);
    expect(things.snapshotsOf(volumeId).map((each) => each.id)).not.to.include(id);
  });

  it('are removed when their making arrives after it was taken back', async () => {
    const { sim, cloud, things } = await twoSnapshots();
    const volumeId = await cloud.volume(MIB);
    sim.world.faults.add({ command: 'snapshots.create', times: 4, effect: 'late', delayMs: 300_000 });
    const ended = await cloud.outcome('snapshot.create', { volumeId });
    expect(ended.state).to.equal('failed');
    expect(things.snapshotsOf(volumeId)).to.deep.equal([]);
    for (let waitedMs = 0; things.snapshotsOf(volumeId).length === 0; waitedMs += 200) {
      expect(waitedMs, 'it arrives').to.be.lessThan(600_000);
      await sim.run(200);
    }
    await sim.run(LOOKS_MS);
    expect(things.snapshotsOf(volumeId)).to.deep.equal([]);
    expect(await cloud.rows(stray)).to.deep.equal([]);
    await sim.done('volume.delete', { permanent: true }, volumeId);
  });

  it('go with a volume that was deleted, and arrived again before them', async () => {
    const { sim, cloud, snap, things } = await twoSnapshots();
    const volumeId = await cloud.volume(MIB);
    const id = await snap(volumeId, 'third');
    await sim.done('snapshot.delete', {}, id);
    await sim.done('volume.delete', { permanent: true }, volumeId);
    things.createVolume(volumeId, MIB);
    things.createSnapshot({ id, volumeId });
    // One look takes the snapshot, the next one the volume.
    await sim.run(2 * LOOKS_MS);
    expect(things.find('volume', volumeId)).to.equal(undefined);
    expect(await cloud.rows(stray)).to.deep.equal([]);
  });

  it('do not hold the deletion of their volume when they arrive after they were taken back', async () => {
    const { sim, cloud, things } = await twoSnapshots();
    const volumeId = await cloud.volume(MIB);
    sim.world.faults.add({ command: 'snapshots.create', times: 4, effect: 'late', delayMs: 300_000 });
    expect((await cloud.outcome('snapshot.create', { volumeId })).state).to.equal('failed');
    for (let waitedMs = 0; things.snapshotsOf(volumeId).length === 0; waitedMs += 50) {
      expect(waitedMs, 'it arrives').to.be.lessThan(600_000);
      await sim.run(50);
    }
    await sim.done('volume.delete', { permanent: true }, volumeId);
    expect(things.snapshotsOf(volumeId)).to.deep.equal([]);
  });
});
