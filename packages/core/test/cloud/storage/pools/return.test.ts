import { expect } from 'chai';
import { pool } from '../../../../src/cloud/index.ts';
import { GIB, HEARTBEAT_MS, LittleCloud } from '../../little-cloud.ts';

const SETTINGS = { path: 'shelf' };
/** `volumes.returnSeconds`. */
const WAIT_MS = 600_000;
const LATE_MS = 60_000;
const A_LOOK_MS = 10 * HEARTBEAT_MS;

async function open(presets: Readonly<Record<string, number>> = {}) {
  const cloud = await LittleCloud.open({ presets });
  const { sim } = cloud;
  const hostId = await cloud.host('hv1');
  const imageId = await cloud.image(65_536);
  const registered = (on = hostId) => cloud.pool(on, { settings: SETTINGS });
  const cloned = () => cloud.volume(GIB, { imageId });
  const copies = () => sim.world.pools.get('hv1/shelf')?.list() ?? [];
  /** What is registered there now is refused with. */
  const refusal = async (on = hostId) => {
    const asked = sim.submit('pool.create', { driver: 'simulated', hostId: on, settings: SETTINGS });
    return asked.then(
      () => expect.fail('it was registered'),
      (error: { readonly code: string; readonly message: string; readonly pointer: string; readonly params: Record<string, unknown> }) =>
        error,
    );
  };
  return { cloud, sim, hostId, imageId, registered, cloned, copies, refusal };
}

describe('places of deleted pools', () => {
  it('get no other pool while a removal of copies of images may be late, and then keep the new copies', async () => {
    const { sim, imageId, registered, cloned, copies, refusal } = await open();
    const id = await registered();
    await sim.done('volume.delete', {}, await cloned());
    // The removal is carried out twice, as when a connection is lost and its daemon stood still.
    sim.world.faults.add({ command: 'images.delete', effect: 'duplicate', times: 1, delayMs: LATE_MS });
    await sim.done('pool.delete', {}, id);
    const { code, message, pointer, params } = await refusal();
    expect([code, pointer, params.deletedPoolId]).to.deep.equal(['conflict', '/settings', id]);
    expect(message).to.match(/has only just been deleted, .*: another may be registered there from 20\d\d-.*Z on\.$/);
    const waitMs = Date.parse(String(params.returnsAt)) - sim.environment.clock.nowMs();
    expect(waitMs).to.be.within(LATE_MS, WAIT_MS);
    await sim.run(waitMs);
    await registered();
    await sim.done('volume.delete', {}, await cloned());
    await sim.run(2 * LATE_MS);
    expect(copies().map((copy) => copy.id)).to.deep.equal([imageId]);
  });

  it('wait also when the first try of the removal was all that was to be seen of it', async () => {
    const { sim, registered, cloned, refusal } = await open();
    const id = await registered();
    await sim.done('volume.delete', {}, await cloned());
    sim.world.faults.add({ command: 'images.delete', effect: 'fail_after', fault: 'unavailable', times: 1 });
    await sim.done('pool.delete', {}, id);
    expect((await refusal()).code).to.equal('conflict');
  });

  it('wait for as long as `volumes.returnSeconds` says', async () => {
    const { sim, registered, cloned } = await open({ 'volumes.returnSeconds': 0 });
    const id = await registered();
    await sim.done('volume.delete', {}, await cloned());
    await sim.done('pool.delete', {}, id);
    await registered();
  });

  it('wait after a removal that was owed, from when that was done', async () => {
    const { sim, registered, cloned, refusal } = await open();
    const id = await registered();
    await sim.done('volume.delete', {}, await cloned());
    sim.world.crash('hv1');
    await sim.run(A_LOOK_MS);
    await sim.done('pool.delete', { force: true }, id);
    await sim.run(WAIT_MS);
    sim.world.boot('hv1');
    await sim.run(A_LOOK_MS);
    expect(sim.rows('debt')).to.deep.equal([]);
    expect((await refusal()).params.deletedPoolId).to.equal(id);
    await sim.run(WAIT_MS);
    await registered();
  });

  it('get another pool at once where there was no copy of an image', async () => {
    const { cloud, sim, registered, cloned, copies } = await open();
    const id = await registered();
    await sim.done('volume.delete', {}, await cloud.volume(GIB));
    await sim.done('pool.delete', {}, id);
    expect((await cloud.row(pool, await registered())).state).to.equal('available');
    await cloned();
    expect(copies()).to.have.length(2);
  });

  it('are known again on a host that was registered anew', async () => {
    const { cloud, sim, hostId, registered, cloned, refusal } = await open();
    await registered();
    await sim.done('volume.delete', {}, await cloned());
    await sim.done('host.disable', {}, hostId);
    await sim.done('host.delete', { recursive: true }, hostId);
    const again = await sim.done('host.create', { name: 'hv1', clusterId: cloud.clusterId, uri: 'sim://hv1' });
    expect((await refusal(again)).code).to.equal('conflict');
    // Another directory is another place.
    await cloud.pool(again, { settings: { path: 'other' } });
  });
});
