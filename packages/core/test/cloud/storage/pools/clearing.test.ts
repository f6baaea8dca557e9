import { expect } from 'chai';
import { pool } from '../../../../src/cloud/index.ts';
import { debt, operation } from '../../../../src/kernel/index.ts';
import { GIB, HEARTBEAT_MS, LittleCloud } from '../../little-cloud.ts';

const A_LOOK_MS = 10 * HEARTBEAT_MS;
/** `volumes.returnSeconds`. */
const RETURN_MS = 600_000;

/** A pool with the copy of an image, and a clone of that, of which the deletion was carried out before the making. */
async function withLeft() {
  const cloud = await LittleCloud.open();
  const { sim } = cloud;
  const hostId = await cloud.host('hv1');
  const register = () => cloud.pool(hostId, { settings: { path: 'shelf' } });
  const poolId = await register();
  const imageId = await cloud.image(65_536);
  const volumeId = await cloud.volume(GIB, { imageId });
  await sim.done('volume.delete', {}, volumeId);
  const things = sim.world.pools.get('hv1/shelf');
  things?.createVolume(volumeId, GIB, imageId);
  const there = () =>
    things
      ?.list()
      .map(({ id }) => id)
      .toSorted();
  const stuck = async (operationId: string) => (await cloud.row(operation, operationId)).state === 'needs_attention';
  return { cloud, sim, register, poolId, imageId, volumeId, things, there, stuck };
}

describe('the clearing of a pool that is deleted', () => {
  it('leaves what a restored store says was deleted, until the restore is confirmed and the place registered again', async () => {
    const { cloud, sim, register, poolId, imageId, volumeId, there } = await withLeft();
    await sim.environment.complete(
      sim.kernel.observe([{ op: 'update', table: 'setting', key: 'incarnation.confirmed', set: { value: 'yesterday' } }]),
    );
    await sim.done('pool.delete', {}, poolId);
    expect(await cloud.rows(pool)).to.deep.equal([]);
    expect(there(), 'with the copy that it is a clone of').to.deep.equal([imageId, volumeId].toSorted());
    await sim.run(RETURN_MS);
    await register();
    await sim.run(A_LOOK_MS);
    expect(there()).to.include(volumeId);
    await sim.environment.complete(sim.kernel.confirmRecovery());
    await sim.run(A_LOOK_MS);
    expect(there()).to.deep.equal([imageId]);
  });

  for (const what of ['it', 'a snapshot of it'] as const)
    it(`leaves what was deleted while something is at work with ${what}`, async () => {
      const { sim, poolId, volumeId, things, there } = await withLeft();
      const snapshotId = '00000000-0000-7000-8000-00000000e15f';
      things?.createSnapshot({ id: snapshotId, volumeId });
      const { kernel } = sim;
      const holds = kernel.holdsAhead.bind(kernel);
      kernel.holdsAhead = (key, by) => key === (what === 'it' ? volumeId : snapshotId) || holds(key, by);
      await sim.done('pool.delete', {}, poolId);
      expect(there()).to.include(volumeId);
      expect(things?.snapshotsOf(volumeId).map(({ id }) => id)).to.deep.equal([snapshotId]);
    });

  it('takes what it has deleted itself, and arrived late', async () => {
    const { cloud, sim, poolId, imageId, things, there } = await withLeft();
    const volumeId = await cloud.volume(GIB, { imageId });
    let planted = 0;
    sim.around = (point, body) => {
      if (point.path.endsWith('/clear')) {
        planted += 1;
        things?.createVolume(volumeId, GIB, imageId);
      }
      return body();
    };
    await sim.done('pool.delete', { recursive: true }, poolId);
    expect([planted, there()]).to.deep.equal([1, []]);
  });

  it('leaves what was deleted and is in use, with what that is cloned from', async () => {
    const { cloud, sim, poolId, imageId, volumeId, there } = await withLeft();
    sim.world.faults.add({ command: 'volumes.delete', effect: 'fail', fault: 'conflict' });
    await sim.done('pool.delete', {}, poolId);
    expect([await cloud.rows(pool), there()]).to.deep.equal([[], [imageId, volumeId].toSorted()]);
  });

  it('needs attention where something unknown is cloned from a copy, or the pool refuses for another reason', async () => {
    const { sim, poolId, imageId, volumeId, things, there, stuck } = await withLeft();
    const unknown = '00000000-0000-7000-8000-00000000e15e';
    things?.createVolume(unknown, GIB, imageId);
    const heal = sim.world.faults.add({ command: 'volumes.delete', effect: 'fail', fault: 'unavailable' });
    const { operationId } = await sim.submit('pool.delete', {}, poolId);
    await sim.run(A_LOOK_MS);
    expect([await stuck(operationId), there()?.includes(volumeId)]).to.deep.equal([true, true]);
    heal();
    await sim.run(RETURN_MS);
    expect([await stuck(operationId), there()]).to.deep.equal([true, [imageId, unknown].toSorted()]);
    things?.delete('volume', unknown);
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'retry'));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect(there()).to.deep.equal([]);
  });

  it('takes the secrets from hosts where an operator passes over what cannot be removed', async () => {
    const cloud = await LittleCloud.open();
    const { sim, clusterId } = cloud;
    await cloud.host('hv1');
    const secrets = { key: 'a key' };
    const poolId = await sim.done('pool.create', { driver: 'simulated-shared', clusterId, settings: { user: 'vm' }, secrets });
    const imageId = await cloud.image(65_536);
    await sim.done('instanceType.create', { name: 'small', vcpus: 1, memoryBytes: GIB });
    const id = await sim.done('instance.create', { instanceType: 'small', imageId });
    await sim.done('instance.delete', { permanent: true }, id);
    const given = () => sim.world.host('hv1').secrets.size;
    expect(given()).to.equal(1);
    sim.around = (point, body) => (point.path.endsWith('/clear') ? Promise.reject(new Error('struck')) : body());
    const { operationId } = await sim.submit('pool.delete', {}, poolId);
    await sim.run(A_LOOK_MS);
    expect((await cloud.row(operation, operationId)).state).to.equal('needs_attention');
    await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    expect([given(), await cloud.rows(pool), sim.rows('sealed')]).to.deep.equal([0, [], []]);
  });

  it('by force is followed by a release that the host is owed, where it went away in between', async () => {
    const { cloud, sim, poolId, there } = await withLeft();
    sim.around = async (point, body) => {
      if (point.path.endsWith('/release') && sim.world.host('hv1').site.up) {
        sim.world.crash('hv1');
        await new Promise<void>((resolve) => sim.environment.timers.after(A_LOOK_MS, resolve));
      }
      return body();
    };
    const { operationId } = await sim.submit('pool.delete', { force: true }, poolId);
    expect((await sim.ended(operationId, 10 * A_LOOK_MS)).state).to.equal('succeeded');
    expect(there()).to.deep.equal([]);
    expect((await cloud.rows(debt)).map(({ task }) => task)).to.deep.equal(['pool.release']);
    sim.world.boot('hv1');
    await sim.run(A_LOOK_MS);
    expect(await cloud.rows(debt)).to.deep.equal([]);
  });
});
