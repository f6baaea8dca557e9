import { expect } from 'chai';
import { snapshot, stray, volume } from '../../../src/cloud/index.ts';
import { debt, equals, operation } from '../../../src/kernel/index.ts';
import { LOOK_MS, LOST_MS, MachineStage } from '../compute/machine-stage.ts';

const MIB = 2 ** 20;
/** Long enough for a step to be tried five times. */
const STUCK_MS = 15 * 60_000;
/** `volumes.returnSeconds`. */
const RETURN_MS = 600_000;

async function open(hosts = 2) {
  const stage = await MachineStage.with({ hosts });
  const { sim } = stage;
  const [here = '', there = ''] = stage.poolIds;
  const stored = (poolId: string) =>
    [...sim.world.pools.values()]
      .find((each) => each.poolId === poolId)
      ?.list()
      .flatMap(({ kind, id }) => (kind === 'volume' ? [id] : []));
  const promised = async (poolId: string) => (await stage.counter(`capacity/pool/${poolId}/bytes`))?.value ?? 0;
  const moved = (id: string, poolId: string, more: object = {}) => stage.outcome('volume.move', { poolId, ...more }, id);
  return { stage, sim, here, there, stored, promised, moved };
}

describe('moves of volumes between pools', () => {
  it('take content, bytes and limits along, to and fro, and leave nothing', async () => {
    const { stage, sim, here, there, stored, promised, moved } = await open();
    const id = await stage.volume(9 * MIB, { poolId: here, imageId: stage.imageId });
    for (const offsetBytes of [0, 4 * MIB - 32, 9 * MIB - 64]) sim.world.write(id, `at ${offsetBytes}`, offsetBytes);
    const copies = await stage.counter('quota/all');
    for (const [to, from] of [
      [there, here],
      [here, there],
      [there, here],
    ] as const) {
      await sim.run(RETURN_MS);
      const ended = await moved(id, to, { verify: to === here });
      expect(ended.error).to.equal(undefined);
      expect([stored(to), stored(from)]).to.deep.equal([[id], []]);
      expect([await promised(to), await promised(from)]).to.deep.equal([9 * MIB, 0]);
      const row = await stage.row(volume, id);
      expect(row).to.include({ state: 'available', poolId: to, sizeBytes: 9 * MIB });
      expect([row.movingToPoolId, row.leftPoolId, row.imageId]).to.deep.equal([undefined, undefined, undefined]);
      for (const offsetBytes of [0, 4 * MIB - 32, 9 * MIB - 64]) expect(sim.world.read(id, offsetBytes)).to.equal(`at ${offsetBytes}`);
    }
    expect(await stage.counter('quota/all')).to.deep.equal(copies);
    expect((await moved(id, there)).state, 'it is there already').to.equal('succeeded');
    await sim.done('volume.delete', {}, id);
    expect([await promised(here), await promised(there), stored(there)]).to.deep.equal([0, 0, []]);
  });

  it('give back each reservation once when a forced deletion ends one that is stuck behind its switch', async () => {
    const { stage, sim, here, there, stored, promised } = await open();
    const id = await stage.volume(9 * MIB, { poolId: here });
    const mended = sim.world.faults.add({ command: 'volumes.delete', effect: 'fail' });
    const { operationId } = await sim.submit('volume.move', { poolId: there }, id);
    await sim.run(STUCK_MS);
    expect((await stage.row(operation, operationId)).state).to.equal('needs_attention');
    expect([await promised(here), await promised(there)]).to.deep.equal([9 * MIB, 9 * MIB]);
    mended();
    await sim.done('volume.delete', { force: true }, id);
    await sim.run(10 * LOOK_MS);
    expect([await promised(here), await promised(there), stored(here), stored(there)]).to.deep.equal([0, 0, [], []]);
  });

  it('end where an operator passes over a source that cannot be removed; it goes when it can be, and then the volume may move again', async () => {
    const { stage, sim, here, there, stored, promised, moved } = await open();
    const id = await stage.volume(9 * MIB, { poolId: here });
    const mended = sim.world.faults.add({ command: 'volumes.delete', effect: 'fail' });
    const { operationId } = await sim.submit('volume.move', { poolId: there }, id);
    await sim.run(STUCK_MS);
    expect((await stage.row(operation, operationId)).attention?.step).to.equal('source');
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    const { state, poolId, leftPoolId, pastPools } = await stage.row(volume, id);
    expect([state, poolId, leftPoolId, pastPools?.map((each) => each.poolId)]).to.deep.equal(['available', there, here, [here]]);
    expect([await promised(here), await promised(there), stored(here)]).to.deep.equal([0, 9 * MIB, [id]]);
    mended();
    await sim.run(10 * LOOK_MS + RETURN_MS);
    expect([(await stage.row(volume, id)).leftPoolId, stored(here), stored(there)]).to.deep.equal([undefined, [], [id]]);
    expect((await moved(id, here)).state).to.equal('succeeded');
  });

  it('are refused for what is unclear, used, kept, or out of reach, before anything changes', async () => {
    const { stage, sim, here, there } = await open();
    const refusal = (input: object, id: string) => stage.refusal('volume.move', input, id);
    const id = await stage.volume(MIB, { poolId: here });
    expect(await refusal({}, id)).to.include({ code: 'invalid_input', pointer: '/poolId' });
    expect(await refusal({ poolId: there, storageClass: 'fast' }, id)).to.include({ code: 'invalid_input', pointer: '/storageClass' });
    expect(await refusal({ poolId: id }, id)).to.include({ code: 'not_found', pointer: '/poolId' });
    expect(await refusal({ storageClass: 'unheard-of' }, id)).to.include({ code: 'no_capacity' });
    const snapshotId = await sim.done('snapshot.create', { name: 'first', volumeId: id });
    expect(await refusal({ poolId: there }, id)).to.deep.include({
      code: 'in_use',
      params: { blockers: [{ kind: snapshot.name, id: snapshotId, name: 'first' }] },
    });
    const machineId = await stage.machine({ name: 'web' });
    const [root] = await stage.disks(machineId);
    const elsewhere = stage.poolIds.find((poolId) => poolId !== root?.poolId) ?? '';
    expect(await refusal({ poolId: elsewhere }, root?.id ?? '')).to.include({ code: 'conflict', pointer: '/poolId' });
    expect(await refusal({ poolId: elsewhere, verify: true }, root?.id ?? '')).to.include({ code: 'unsupported', pointer: '/verify' });
    expect(await refusal({ poolId: there, bytesPerSecond: MIB }, id)).to.include({ code: 'invalid_input', pointer: '/bytesPerSecond' });
    await sim.done('instance.stop', { force: true }, machineId);
    expect(await refusal({ poolId: elsewhere }, root?.id ?? '')).to.include({ code: 'conflict', pointer: '/poolId' });
    expect((await stage.rows(volume)).map(({ movingToPoolId }) => movingToPoolId)).to.deep.equal([undefined, undefined]);
  });

  it('leave backups as they are, and take what the cloud keeps beside the volume out of its old pool', async () => {
    const { stage, sim, here, there, stored, moved } = await open();
    await sim.done('backupStore.create', { name: 'store', driver: 'simulated' });
    const id = await stage.volume(MIB, { poolId: here });
    sim.world.write(id, 'first');
    const first = await sim.done('backup.create', { volumeId: id });
    expect(await stage.rows(snapshot)).to.have.length(1);
    expect((await moved(id, there)).error).to.equal(undefined);
    expect([await stage.rows(snapshot), stored(here)]).to.deep.equal([[], []]);
    sim.world.write(id, 'second');
    const second = await sim.done('backup.create', { volumeId: id });
    for (const [backupId, text] of [
      [first, 'first'],
      [second, 'second'],
    ] as const) {
      const { notes } = await stage.outcome('backup.restore', {}, backupId);
      expect(sim.world.read(String(notes?.volumeId))).to.equal(text);
    }
  });

  it('that fail on the way leave the volume where it was, and move nowhere until nothing is left of them', async () => {
    const { stage, sim, here, there, stored, promised, moved } = await open();
    const id = await stage.volume(MIB, { poolId: here });
    sim.world.write(id, 'kept');
    const heal = sim.world.faults.add({ command: 'contents.write', effect: 'fail_after', fault: 'exhausted' });
    expect(await moved(id, there)).to.deep.include({ state: 'failed' });
    heal();
    expect([stored(here), stored(there), sim.world.read(id)]).to.deep.equal([[id], [], 'kept']);
    expect([await promised(here), await promised(there)]).to.deep.equal([MIB, 0]);
    expect(await stage.row(volume, id)).to.include({ poolId: here, leftPoolId: there });
    // What arrives late goes with the next look, and no sooner can the name be used there again.
    const other = [...sim.world.pools.values()].find((each) => each.poolId === there);
    other?.createVolume(id, MIB);
    expect(await stage.refusal('volume.move', { poolId: there }, id)).to.deep.include({ code: 'conflict', params: { leftPoolId: there } });
    await sim.run(2 * LOOK_MS);
    expect(stored(there)).to.deep.equal([]);
    expect((await stage.row(volume, id)).leftPoolId).to.equal(undefined);
    expect(await stage.refusal('volume.move', { poolId: there }, id)).to.include({ code: 'conflict', pointer: '/poolId' });
    await sim.run(RETURN_MS);
    expect((await moved(id, there)).state).to.equal('succeeded');
    expect(sim.world.read(id)).to.equal('kept');
  });

  it('end with a volume that was deleted before it was their turn', async () => {
    const { sim, here, there, promised, stage } = await open();
    const id = await stage.volume(9 * MIB, { poolId: here });
    sim.world.faults.add({ command: 'volumes.resize', effect: 'delay', delayMs: 5000 });
    await sim.submit('volume.resize', { sizeBytes: 10 * MIB }, id);
    const deleted = await sim.submit('volume.delete', {}, id);
    const { operationId } = await sim.submit('volume.move', { poolId: there }, id);
    expect((await sim.ended(deleted.operationId)).state).to.equal('succeeded');
    const { state, error } = await sim.ended(operationId);
    expect([state, error?.code]).to.deep.equal(['failed', 'not_found']);
    expect([await promised(here), await promised(there)]).to.deep.equal([0, 0]);
  });

  for (const [path, command, withinMs] of [
    ['content', 'contents.changes', 35 * 60_000],
    ['verified', 'inspect', STUCK_MS],
  ] as const)
    it(`do not wait for an answer to ${command} that was lost for as long as a copy may take`, async () => {
      const { stage, sim, here, there, moved } = await open();
      const id = await stage.volume(9 * MIB, { poolId: here });
      sim.world.write(id, 'kept', 8 * MIB);
      sim.around = (point, body) => {
        if (point.path === path) {
          sim.around = undefined;
          sim.world.faults.add({ command, effect: 'timeout_after', times: 1 });
        }
        return body();
      };
      const beganMs = sim.environment.clock.nowMs();
      expect((await moved(id, there)).state).to.equal('succeeded');
      expect(sim.environment.clock.nowMs() - beganMs).to.be.below(withinMs);
      expect(sim.world.read(id, 8 * MIB)).to.equal('kept');
    });

  it('return nowhere while what removed them there may be late, and then keep what they are', async () => {
    const { stage, sim, here, there, stored, moved } = await open();
    const id = await stage.volume(MIB, { poolId: here });
    sim.world.write(id, 'kept');
    // Given up after it was done, done again, and that arrives once more.
    sim.world.faults.add({ command: 'volumes.delete', times: 1, effect: 'fail_after', fault: 'unavailable' });
    sim.world.faults.add({ command: 'volumes.delete', times: 1, effect: 'duplicate', delayMs: 120_000 });
    expect((await moved(id, there)).state).to.equal('succeeded');
    const { message, params, pointer } = await stage.refusal('volume.move', { poolId: here }, id);
    expect(pointer).to.equal('/poolId');
    expect(message).to.match(/has only just left pool .*: it may return from 20\d\d-.*Z on\.$/);
    expect(params).to.include.keys('leftPoolId', 'returnsAt');
    const returnsMs = Date.parse(String((params as { readonly returnsAt: string }).returnsAt));
    await sim.run(returnsMs - sim.environment.clock.nowMs());
    expect((await moved(id, here)).state).to.equal('succeeded');
    expect((await stage.row(volume, id)).leftPools?.map(({ poolId }) => poolId)).to.deep.equal([there]);
    await sim.run(RETURN_MS);
    expect([stored(here), stored(there), sim.world.read(id)]).to.deep.equal([[id], [], 'kept']);
  });

  it('go to another pool of the class that is asked for, where one will not have them yet', async () => {
    const { stage, sim, here, there, moved } = await open(1);
    const [hostId = ''] = stage.hostIds;
    const fast = (path: string) => stage.pool(hostId, { storageClass: 'fast', settings: { path } });
    const first = await fast('first');
    const id = await stage.volume(MIB, { poolId: first });
    expect(there).to.equal('');
    expect((await moved(id, here)).state).to.equal('succeeded');
    const refused = await stage.refusal('volume.move', { storageClass: 'fast' }, id);
    expect(refused).to.include({ code: 'conflict', pointer: '/storageClass' });
    expect(refused.params).to.include({ leftPoolId: first });
    const second = await fast('second');
    // The first one is the older, and of equals it would be taken.
    await sim.done('volume.move', { storageClass: 'fast' }, id);
    expect((await stage.row(volume, id)).poolId).to.equal(second);
  });

  it('that have left something of which nothing was known show it, and go nowhere near it until somebody has removed it', async () => {
    const { stage, sim, here, there, stored, moved } = await open();
    const id = await stage.volume(MIB, { poolId: here });
    sim.world.write(id, 'kept');
    const other = [...sim.world.pools.values()].find((each) => each.poolId === there);
    other?.createVolume(id, MIB);
    await sim.run(2 * LOOK_MS);
    const [found] = await stage.rows(stray);
    expect(found).to.include({ objectKind: 'volume', objectId: id, place: there });
    expect(stored(there), 'a restored store may be wrong about where the volume is').to.deep.equal([id]);
    const refused = await stage.refusal('volume.move', { poolId: there }, id);
    expect(refused).to.deep.include({ code: 'conflict', params: { strayId: found?.id } });
    const adopted = await stage.refusal('stray.adopt', {}, found?.id);
    expect(adopted.code).to.equal('conflict');
    await sim.done('stray.remove', {}, found?.id);
    expect([stored(here), stored(there)]).to.deep.equal([[id], []]);
    expect((await moved(id, there)).state).to.equal('succeeded');
    await sim.run(2 * LOOK_MS);
    expect([await stage.rows(stray), sim.world.read(id)]).to.deep.equal([[], 'kept']);
  });

  it('owe the removal of the source to a host that is lost meanwhile', async () => {
    const { stage, sim, here, there, stored, promised } = await open();
    const id = await stage.volume(MIB, { poolId: here });
    sim.world.write(id, 'kept');
    sim.around = async (point, body) => {
      if (point.path === 'source') {
        sim.around = undefined;
        sim.world.disconnect('hv1');
      }
      return body();
    };
    const { operationId } = await sim.submit('volume.move', { poolId: there }, id);
    await sim.run(LOST_MS);
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect((await stage.rows(debt)).map(({ task, target }) => ({ task, target }))).to.deep.equal([
      { task: 'volume.delete', target: { poolId: here, id } },
    ]);
    expect(await stage.row(volume, id)).to.include({ poolId: there, leftPoolId: here });
    expect(await promised(here)).to.equal(0);
    sim.world.reconnect('hv1');
    await sim.run(4 * LOOK_MS);
    expect([stored(here), stored(there), await stage.rows(debt)]).to.deep.equal([[], [id], []]);
    expect((await stage.row(volume, id)).leftPoolId).to.equal(undefined);
    expect(sim.world.read(id)).to.equal('kept');
  });

  it('are followed by what was asked for meanwhile: it finds the volume where it is then, or fails whole', async () => {
    const { stage, sim, here, there, stored, promised } = await open();
    const [first, second] = [await stage.volume(MIB, { poolId: here }), await stage.volume(MIB, { poolId: here })];
    const asked = [
      await sim.submit('volume.move', { poolId: there }, first),
      await sim.submit('volume.delete', {}, first),
      await sim.submit('volume.move', { poolId: there }, second),
      await sim.submit('volume.resize', { sizeBytes: 2 * MIB }, second),
      await sim.submit('snapshot.create', { name: 'late', volumeId: second }),
    ];
    const states: string[] = [];
    for (const { operationId } of asked) states.push((await sim.ended(operationId)).state);
    expect(states).to.deep.equal(['succeeded', 'succeeded', 'succeeded', 'failed', 'failed']);
    expect([stored(here), stored(there)]).to.deep.equal([[], [second]]);
    expect([await promised(here), await promised(there)]).to.deep.equal([0, MIB]);
    expect(await sim.environment.complete(sim.kernel.reader.list(snapshot, equals('volumeId', second)))).to.deep.equal([]);
  });

  it('fail behind an attachment: nothing keeps the machine that got the volume from starting meanwhile', async () => {
    const { stage, sim, here, there, stored, promised } = await open();
    const id = await stage.volume(MIB, { poolId: here });
    const machineId = await stage.machine({ hostId: stage.hostIds[0] });
    await sim.done('instance.stop', { force: true }, machineId);
    const attached = await sim.submit('instance.attachVolume', { volumeId: id }, machineId);
    const moved = await sim.submit('volume.move', { poolId: there }, id);
    expect((await sim.ended(attached.operationId)).state).to.equal('succeeded');
    expect((await sim.ended(moved.operationId)).error).to.include({ code: 'conflict' });
    const row = await stage.row(volume, id);
    expect([row.poolId, row.instanceId, row.movingToPoolId, row.leftPoolId]).to.deep.equal([here, machineId, undefined, undefined]);
    expect([stored(there), await promised(there)]).to.deep.equal([[], 0]);
  });

  it('of a root disk take the machine along, which starts from it', async () => {
    const { stage, sim } = await open(1);
    const fast = await stage.pool(stage.hostIds[0] ?? '', { storageClass: 'fast', settings: { path: 'fast' } });
    const id = await stage.machine({ name: 'web' });
    const [root] = await stage.disks(id);
    sim.world.write(root?.id ?? '', 'root');
    await sim.done('instance.stop', { force: true }, id);
    await sim.done('volume.move', { storageClass: 'fast' }, root?.id);
    expect(await stage.row(volume, root?.id ?? '')).to.include({ poolId: fast, state: 'attached' });
    await sim.run(2 * LOOK_MS);
    await sim.done('instance.start', {}, id);
    await sim.run(2 * LOOK_MS);
    const kept = [...sim.world.pools.values()].map((each) =>
      each
        .list()
        .flatMap(({ kind }) => (kind === 'image' ? [] : [kind]))
        .sort(),
    );
    expect(kept).to.deep.equal([[], ['seed', 'volume']]);
    expect([sim.world.read(root?.id ?? ''), sim.world.violations]).to.deep.equal(['root', []]);
    await sim.done('instance.delete', {}, id);
    expect([...sim.world.pools.values()].flatMap((each) => each.list()).filter(({ kind }) => kind !== 'image')).to.deep.equal([]);
  });
});
