import type { SimPool } from '@pileus/core/testing';
import { expect } from 'chai';
import { pool, volume } from '../../../src/cloud/index.ts';
import { type CloudError, debt, operation } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { codeOf, GIB, HEARTBEAT_MS, LittleCloud } from '../little-cloud.ts';

const POOL_BYTES = 100 * GIB;
const A_LOOK_MS = 10 * HEARTBEAT_MS;

async function open() {
  const cloud = await LittleCloud.open({ world: { poolBytes: POOL_BYTES } });
  const hostId = await cloud.host('hv1');
  const poolId = await cloud.pool(hostId);
  const promised = async (id: string) => (await cloud.counter(`capacity/pool/${id}/bytes`))?.value;
  const stored = (id: string, hostname = 'hv1') => cloud.sim.world.pools.get(`${hostname}/${id}`)?.list() ?? [];
  return { cloud, hostId, poolId, promised, stored };
}

describe('volumes', () => {
  it('are made in a pool, and their bytes are taken of it once', async () => {
    const { cloud, poolId, promised, stored } = await open();
    const id = await cloud.volume(GIB, { description: 'data' });
    expect(await cloud.row(volume, id)).to.include({
      state: 'available',
      sizeBytes: GIB,
      poolId,
      description: 'data',
      deleteWithInstance: false,
    });
    expect((await cloud.row(volume, id)).name).to.equal(`volume-${id.slice(-12)}`);
    expect(stored(poolId)).to.deep.equal([{ kind: 'volume', id, sizeBytes: GIB }]);
    expect(await promised(poolId)).to.equal(GIB);
    await cloud.sim.done('volume.delete', {}, id);
    expect(stored(poolId)).to.deep.equal([]);
    expect(await promised(poolId)).to.equal(0);
  });

  it('have a size of whole sectors, one at least', async () => {
    const { cloud } = await open();
    const refusalOf = (action: string, sizeBytes: number, id?: string) =>
      cloud.sim.submit(action, { sizeBytes }, id).then(
        () => 'accepted',
        (error: CloudError) => `${error.code} ${error.pointer} ${error.publicMessage}`,
      );
    const id = await cloud.volume(512);
    for (const [action, of] of [
      ['volume.create', undefined],
      ['volume.resize', id],
    ] as const) {
      expect(await refusalOf(action, 0, of)).to.equal('invalid_input /sizeBytes The field /sizeBytes must be at least 512.');
      expect(await refusalOf(action, 513, of)).to.equal('invalid_input /sizeBytes The field /sizeBytes must be a multiple of 512.');
      expect(await refusalOf(action, 2 ** 53, of)).to.equal(
        'invalid_input /sizeBytes The field /sizeBytes must be at most 9007199254740991.',
      );
    }
    expect(await refusalOf('volume.resize', 1024, id)).to.equal('accepted');
  });

  it('that a machine has are not deleted, and the refusal names it and what to do', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ name: 'web', rootVolume: { name: 'root' }, volumes: [{ name: 'data', sizeBytes: 8192 }] });
    // What is asked while its creation still holds it is looked at when its turn comes.
    await stage.sim.run(HEARTBEAT_MS);
    const blockers = [{ kind: 'instance', id, name: 'web' }];
    const [root, data] = await stage.disks(id);
    expect(await stage.refusal('volume.delete', {}, data?.id)).to.deep.include({
      code: 'in_use',
      publicMessage: 'Volume data is attached to instance web; run detach-volume on the instance first.',
      params: { blockers },
    });
    expect(await stage.refusal('volume.delete', { force: true }, root?.id)).to.deep.include({
      code: 'in_use',
      publicMessage: 'Volume root is the root disk of instance web; delete the instance first.',
      params: { blockers },
    });
    await stage.sim.done('instance.detachVolume', { volumeId: data?.id }, id);
    await stage.sim.done('volume.delete', {}, data?.id);
  });

  it('go to the emptiest pool that fits', async () => {
    const { cloud, hostId, poolId } = await open();
    const fast = await cloud.pool(hostId, { storageClass: 'fast' });
    const second = await cloud.pool(await cloud.host('hv2'));
    await cloud.volume(GIB, { poolId: second });
    const where = async (more: object) => (await cloud.row(volume, await cloud.volume(10 * GIB, more))).poolId;
    expect(await where({ storageClass: 'standard' })).to.equal(poolId);
    expect(await where({ storageClass: 'standard' })).to.equal(second);
    expect(await where({ storageClass: 'fast' })).to.equal(fast);
    expect(await where({ hostId, storageClass: 'standard' })).to.equal(poolId);
  });

  it('are refused with the reason of each pool when there is no room', async () => {
    const { cloud, poolId } = await open();
    await cloud.volume(60 * GIB);
    const revision = await cloud.revision();
    const asked = cloud.sim.submit('volume.create', { sizeBytes: 60 * GIB });
    const error = await asked.then(
      () => undefined,
      (cause: { code: string; params: { reasons: Record<string, string> } }) => cause,
    );
    const { name } = await cloud.row(pool, poolId);
    expect(error?.code).to.equal('no_capacity');
    expect(error?.params.reasons).to.deep.equal({ [name]: `has ${40 * GIB} bytes (40 GiB) free, not ${60 * GIB} bytes (60 GiB)` });
    expect(await cloud.revision()).to.equal(revision);
  });

  it('never take more than a pool promises, however many ask at once', async () => {
    const { cloud, poolId, promised } = await open();
    const asked = Array.from({ length: 20 }, () => codeOf(cloud.sim.kernel.submit({ ...request, input: { sizeBytes: 30 * GIB } })));
    const answers = await cloud.sim.environment.complete(Promise.all(asked));
    expect(answers.filter((code) => code === 'succeeded')).to.have.length(3);
    expect(new Set(answers)).to.deep.equal(new Set(['succeeded', 'no_capacity']));
    expect(await promised(poolId)).to.equal(90 * GIB);
  });

  it('are clones of an image, and no smaller', async () => {
    const { cloud, poolId, stored } = await open();
    const imageId = await cloud.image(65_536);
    const row = await cloud.row(volume, await cloud.sim.done('volume.create', { imageId }));
    expect(row).to.include({ sizeBytes: 65_536, imageId });
    expect(await codeOf(cloud.sim.submit('volume.create', { imageId, sizeBytes: 512 }))).to.equal('invalid_input');
    expect(await codeOf(cloud.sim.submit('volume.create', {}))).to.equal('invalid_input');
    await cloud.volume(GIB, { imageId });
    expect(stored(poolId).filter(({ kind }) => kind === 'image')).to.have.length(1);
  });

  it('leave nothing when their making fails for good', async () => {
    const { cloud } = await open();
    const before = await cloud.sim.residue();
    cloud.sim.world.faults.add({ command: 'volumes.create', effect: 'fail_after', fault: 'exhausted', times: 1 });
    expect((await cloud.outcome('volume.create', { sizeBytes: GIB })).error?.code).to.equal('no_capacity');
    expect(await cloud.sim.residue()).to.equal(before);
  });

  it('leave a visible debt when their host is lost half way, paid when it is back', async () => {
    const { cloud, hostId, poolId, promised, stored } = await open();
    cloud.sim.world.faults.add({ command: 'volumes.create', effect: 'timeout_after', times: 3 });
    const { operationId } = await cloud.sim.submit('volume.create', { sizeBytes: GIB });
    await cloud.sim.run(30_000);
    cloud.sim.world.partition('hv1');
    const row = await cloud.sim.ended(operationId);
    expect(row.state).to.equal('failed');
    expect((await cloud.rows(debt)).map(({ task, place }) => ({ task, place }))).to.deep.equal([{ task: 'volume.delete', place: hostId }]);
    expect(await promised(poolId)).to.equal(0);
    cloud.sim.world.reconnect('hv1');
    await cloud.sim.run(A_LOOK_MS);
    expect(await cloud.rows(debt)).to.deep.equal([]);
    expect(stored(poolId)).to.deep.equal([]);
  });

  it('of a host out of reach are deleted only by force', async () => {
    const { cloud } = await open();
    const id = await cloud.volume(GIB);
    cloud.sim.world.crash('hv1');
    await cloud.sim.run(A_LOOK_MS);
    expect((await cloud.outcome('volume.delete', {}, id)).error?.code).to.equal('unavailable');
    expect((await cloud.row(volume, id)).state).to.equal('available');
    await cloud.sim.done('volume.delete', { force: true }, id);
    expect(await cloud.rows(volume)).to.deep.equal([]);
    expect(await cloud.rows(debt)).to.have.length(1);
  });

  for (const step of ['reach', 'disk'])
    it(`of a machine that goes are gone, and their bytes free again, where an operator passes over a ${step} that fails`, async () => {
      const stage = await MachineStage.with({ network: false });
      const id = await stage.machine();
      stage.sim.around = (point, body) => (point.path === `remove[0.0]/${step}` ? Promise.reject(new Error('struck')) : body());
      const { operationId } = await stage.sim.submit('instance.delete', {}, id);
      await stage.sim.run(60_000);
      expect((await stage.row(operation, operationId)).state).to.equal('needs_attention');
      stage.sim.around = undefined;
      await stage.sim.environment.complete(stage.sim.kernel.operations.steer(operationId, 'skip'));
      expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
      expect(await stage.rows(volume)).to.deep.equal([]);
      expect((await stage.counter(`capacity/pool/${stage.poolIds[0]}/bytes`))?.value).to.equal(0);
    });

  it('are waited for as long as they are large, where their pool writes all of them', async () => {
    const { cloud, hostId } = await open();
    const { world } = cloud.sim;
    world.faults.add({ command: 'volumes.create', effect: 'delay', delayMs: 30 * 60_000 });
    for (const fillsVolumes of [false, true]) {
      world.fillsVolumes = fillsVolumes;
      const poolId = await cloud.pool(hostId);
      const { state, error } = await cloud.outcome('volume.create', { sizeBytes: GIB, poolId });
      expect([state, error?.code]).to.deep.equal(fillsVolumes ? ['succeeded', undefined] : ['failed', 'timeout']);
    }
  });

  it('grow, and only grow', async () => {
    const { cloud, poolId, promised, stored } = await open();
    const id = await cloud.volume(GIB);
    await cloud.sim.done('volume.resize', { sizeBytes: 2 * GIB }, id);
    expect((await cloud.row(volume, id)).sizeBytes).to.equal(2 * GIB);
    expect(stored(poolId)).to.deep.equal([{ kind: 'volume', id, sizeBytes: 2 * GIB }]);
    expect(await promised(poolId)).to.equal(2 * GIB);
    expect(await codeOf(cloud.sim.submit('volume.resize', { sizeBytes: GIB }, id))).to.equal('invalid_input');
    const full = await cloud.sim.submit('volume.resize', { sizeBytes: 2 * POOL_BYTES }, id).catch((error: CloudError) => error);
    const { name } = await cloud.row(pool, poolId);
    expect(full).to.deep.include({
      code: 'no_capacity',
      params: { reasons: { [name]: `has ${98 * GIB} bytes (98 GiB) free, not ${198 * GIB} bytes (198 GiB)` } },
    });
  });

  it('are refused for want of any pool when there is none', async () => {
    const cloud = await LittleCloud.open();
    const refused = await cloud.sim.submit('volume.create', { sizeBytes: GIB }).catch((error: CloudError) => error);
    expect(refused).to.include({ code: 'no_capacity', publicMessage: 'There are no pools; create one first.' });
  });

  it('are refused with what no pool is like that was asked for', async () => {
    const { cloud, poolId } = await open();
    const { name } = await cloud.row(pool, poolId);
    const why = (wanted: object) =>
      cloud.sim.submit('volume.create', { sizeBytes: GIB, ...wanted }).then(
        () => 'accepted',
        (error: CloudError) => `${error.code}: ${error.publicMessage}`,
      );
    expect(await why({ storageClass: 'gold' })).to.equal('no_capacity: There is no available pool of class gold.');
    expect(await why({ storageClass: 'gold', poolId })).to.equal(`no_capacity: Pool ${name} is of class standard, not gold.`);
    const far = await cloud.host('far');
    expect(await why({ hostId: far, poolId })).to.equal(`no_capacity: Pool ${name} is none that host far reaches.`);
    expect(await why({ hostId: far })).to.equal('no_capacity: There is no available pool that host far reaches.');
    await cloud.sim.done('pool.disable', {}, poolId);
    expect(await why({ poolId })).to.equal(`no_capacity: Pool ${name} is disabled.`);
  });

  it('whose content is gone, or larger than wanted, are not resized, and nothing waits for that', async () => {
    const { cloud, poolId, promised } = await open();
    const id = await cloud.volume(GIB);
    const place = cloud.sim.world.pools.get(`hv1/${poolId}`);
    const { name } = await cloud.row(volume, id);
    place?.resizeVolume(id, 4 * GIB);
    expect((await cloud.outcome('volume.resize', { sizeBytes: 2 * GIB }, id)).error?.code).to.equal('conflict');
    place?.delete('volume', id);
    const { state, error } = await cloud.outcome('volume.resize', { sizeBytes: 2 * GIB }, id);
    expect([state, error?.code]).to.deep.equal(['failed', 'not_found']);
    expect(error?.message).to.include(`has nothing of volume ${name}.`);
    expect(await promised(poolId)).to.equal(GIB);
    await cloud.sim.done('volume.delete', {}, id);
  });

  it('do not get a name that another has: refused at once, or when another was accepted before', async () => {
    const { cloud } = await open();
    const [one, two, three] = [await cloud.volume(GIB, { name: 'one' }), await cloud.volume(GIB), await cloud.volume(GIB)];
    const refused = { code: 'name_taken', pointer: '/name', params: { field: 'name', kind: 'volume' } };
    const revision = await cloud.revision();
    const atOnce = await cloud.sim.submit('volume.update', { name: 'one' }, two).catch((error: CloudError) => error);
    expect(atOnce).to.include({ code: 'name_taken', pointer: '/name', publicMessage: 'Another live volume has this name.' });
    expect(await cloud.revision()).to.equal(revision);
    await cloud.sim.done('volume.update', { name: 'one', description: 'mine' }, one);
    const rename = (id: string) => cloud.sim.kernel.submit({ ...request, action: 'volume.update', resourceId: id, input: { name: 'new' } });
    const asked = await cloud.sim.environment.complete(Promise.all([rename(two), rename(three)]));
    const ended = await Promise.all(asked.map(({ operationId }) => cloud.sim.ended(operationId)));
    expect(ended.map(({ state }) => state).sort()).to.deep.equal(['failed', 'succeeded']);
    expect(ended.find(({ state }) => state === 'failed')?.error).to.deep.include({
      ...refused,
      message: 'Another live volume has this name.',
    });
  });

  it('resized twice at once keep their account right', async () => {
    const { cloud, poolId, promised } = await open();
    const id = await cloud.volume(GIB);
    const ask = (sizeBytes: number) =>
      cloud.sim.kernel.submit({ ...request, action: 'volume.resize', resourceId: id, input: { sizeBytes } });
    const accepted = await cloud.sim.environment.complete(Promise.all([ask(5 * GIB), ask(9 * GIB)]));
    const states = [];
    for (const { operationId } of accepted) states.push((await cloud.sim.ended(operationId)).state);
    expect(states).to.have.members(['succeeded', 'failed']);
    const { sizeBytes } = await cloud.row(volume, id);
    expect(sizeBytes).to.equal(states[0] === 'succeeded' ? 5 * GIB : 9 * GIB);
    expect(await promised(poolId)).to.equal(sizeBytes);
  });

  it('whose disk somebody removed show that, until it is back', async () => {
    const { cloud, poolId } = await open();
    const id = await cloud.volume(GIB);
    const things = cloud.sim.world.pools.get(`hv1/${poolId}`);
    expect((await cloud.row(volume, id)).status).to.equal('present');
    things?.delete('volume', id);
    await cloud.sim.run(2 * A_LOOK_MS);
    const missing = await cloud.row(volume, id);
    expect(missing).to.include({ state: 'available', status: 'missing' });
    expect(missing.statusReason).to.match(/^Pool .* answers and does not have it\.$/);
    await cloud.sim.run(A_LOOK_MS);
    expect((await cloud.row(volume, id)).generation).to.equal(missing.generation);
    things?.createVolume(id, GIB, undefined);
    await cloud.sim.run(A_LOOK_MS);
    const back = await cloud.row(volume, id);
    expect(back.status).to.equal('present');
    expect(back).not.to.have.property('statusReason');
  });

  it('are not called missing for one look that did not find them, nor for looks that failed', async () => {
    const { cloud, poolId } = await open();
    const id = await cloud.volume(GIB);
    const things = cloud.sim.world.pools.get(`hv1/${poolId}`);
    const { generation } = await cloud.row(volume, id);
    for (const round of [1, 2, 3]) {
      things?.delete('volume', id);
      await aLook(cloud, poolId);
      things?.createVolume(id, GIB, undefined);
      await aLook(cloud, poolId);
      expect(await cloud.row(volume, id), `round ${round}`).to.include({ status: 'present', generation });
    }
    const heal = cloud.sim.world.faults.add({ command: 'inspect', effect: 'fail', fault: 'unavailable' });
    things?.delete('volume', id);
    await cloud.sim.run(3 * A_LOOK_MS);
    expect((await cloud.row(volume, id)).status).to.equal('present');
    heal();
    await cloud.sim.run(2 * A_LOOK_MS);
    expect((await cloud.row(volume, id)).status).to.equal('missing');
  });
});

/** Lets time pass until the pool has been looked at once more. */
async function aLook(cloud: LittleCloud, poolId: string): Promise<void> {
  const things = cloud.sim.world.pools.get(`hv1/${poolId}`) as SimPool;
  let looks = 0;
  const list = things.list;
  things.list = () => {
    looks += 1;
    return list.call(things);
  };
  while (looks === 0) await cloud.sim.run(HEARTBEAT_MS / 10);
  things.list = list;
}

const request = {
  action: 'volume.create',
  principal: {
    actor: 'test',
    projectId: '00000000-0000-7000-8000-000000000001' as never,
    accountId: '00000000-0000-7000-8000-000000000002' as never,
    allows: () => true,
  },
};
