import type { HypervisorFeature, StorageFeature } from '@pileus/core/testing';
import { expect } from 'chai';
import { HEARTBEAT_MS } from '../little-cloud.ts';
import { LOOK_MS, LOST_MS, MachineStage } from './machine-stage.ts';

/** A machine, and two ISOs. */
async function open(without: readonly (HypervisorFeature | StorageFeature)[] = []) {
  const stage = await MachineStage.with({}, { without });
  const [imageId, other] = [await stage.iso('debian'), await stage.iso('drivers')];
  const id = await stage.machine();
  const inDrive = () => stage.real(id).spec.iso?.imageId;
  const shown = async () => (await stage.instance(id)).isoImageId;
  return { stage, id, imageId, other, inDrive, shown };
}

describe('the drive of a machine', () => {
  for (const state of ['running', 'stopped', 'suspended'] as const)
    it(`takes an ISO while it is ${state}, once however often asked, which stays over a restart and goes`, async () => {
      const { stage, id, imageId, inDrive, shown } = await open();
      await stage.into(state, id);
      for (let round = 0; round < 2; round += 1) await stage.sim.done('instance.attachIso', { imageId }, id);
      expect([inDrive(), await shown()]).to.deep.equal([imageId, imageId]);
      if (state === 'suspended') await stage.sim.done('instance.resume', {}, id);
      if (state !== 'stopped') await stage.into('stopped', id);
      await stage.sim.done('instance.start', {}, id);
      await stage.sim.done('instance.reset', {}, id);
      expect([inDrive(), await shown()]).to.deep.equal([imageId, imageId]);
      await stage.into(state, id);
      for (let round = 0; round < 2; round += 1) await stage.sim.done('instance.detachIso', {}, id);
      expect([inDrive(), await shown()]).to.deep.equal([undefined, undefined]);
      expect(stage.sim.world.violations).to.deep.equal([]);
    });

  it('takes one at a time, and ISOs alone', async () => {
    const { stage, id, imageId, other, inDrive } = await open();
    await stage.sim.done('instance.attachIso', { imageId }, id);
    const taken = await stage.refusal('instance.attachIso', { imageId: other }, id);
    expect([taken.code, taken.pointer, taken.params]).to.deep.equal(['conflict', '/imageId', { isoImageId: imageId }]);
    expect(taken.publicMessage).to.contain('debian');
    const disk = await stage.refusal('instance.attachIso', { imageId: stage.imageId }, id);
    expect([disk.code, disk.pointer, disk.params]).to.deep.equal(['conflict', '/imageId', { format: 'raw' }]);
    const empty = await stage.sim.done('image.create', { name: 'empty' });
    expect((await stage.refusal('instance.attachIso', { imageId: empty }, id)).pointer).to.equal('/imageId');
    expect(inDrive()).to.equal(imageId);
  });

  it('is asked for in turn', async () => {
    const { stage, id, imageId, other, inDrive } = await open();
    const asked = [
      await stage.sim.submit('instance.attachIso', { imageId }, id),
      await stage.sim.submit('instance.detachIso', {}, id),
      await stage.sim.submit('instance.attachIso', { imageId: other }, id),
      await stage.sim.submit('instance.attachIso', { imageId }, id),
    ];
    const ended: (string | undefined)[] = [];
    for (const { operationId } of asked) ended.push((await stage.sim.ended(operationId)).error?.code);
    expect(ended).to.deep.equal([undefined, undefined, undefined, 'conflict']);
    expect(inDrive()).to.equal(other);
  });

  it('keeps its ISO from being deleted, until it is empty', async () => {
    const { stage, id, imageId } = await open();
    await stage.sim.done('instance.attachIso', { imageId }, id);
    const refused = await stage.refusal('image.delete', {}, imageId);
    expect(refused.code).to.equal('in_use');
    await stage.sim.done('instance.detachIso', {}, id);
    await stage.sim.done('image.delete', {}, imageId);
    // Its copy in the pool goes with a look at that.
    await stage.sim.run(LOOK_MS + HEARTBEAT_MS);
    expect([...stage.sim.world.pools.values()].flatMap((pool) => pool.list()).map(({ id: stored }) => stored)).not.to.include(imageId);
  });

  it('of a guest that has locked the tray is emptied by force alone', async () => {
    const { stage, id, imageId, inDrive, shown } = await open();
    await stage.sim.done('instance.attachIso', { imageId }, id);
    stage.real(id).trayLocked = true;
    const { error } = await stage.outcome('instance.detachIso', {}, id);
    expect([error?.code, error?.pointer]).to.deep.equal(['conflict', '/force']);
    expect([inDrive(), await shown()]).to.deep.equal([imageId, imageId]);
    await stage.sim.done('instance.detachIso', { force: true }, id);
    expect([inDrive(), await shown()]).to.deep.equal([undefined, undefined]);
  });

  it('is mended when somebody changed it behind our back', async () => {
    const { stage, id, imageId, other, inDrive } = await open();
    await stage.sim.done('instance.attachIso', { imageId }, id);
    stage.worldHost().changeIso(stage.real(id), undefined);
    await stage.sim.run(LOOK_MS);
    expect(inDrive()).to.equal(imageId);
    const iso = stage.real(id).spec.iso;
    await stage.sim.done('instance.detachIso', {}, id);
    stage.worldHost().changeIso(stage.real(id), iso);
    await stage.sim.run(LOOK_MS);
    expect(inDrive()).to.equal(undefined);
    expect(other).not.to.equal(imageId);
  });

  it('holds the root disk in its pool', async () => {
    const { stage, id, imageId } = await open();
    const poolId = await stage.pool(stage.hostIds[0] ?? '', { settings: { path: 'other' } });
    await stage.sim.done('instance.attachIso', { imageId }, id);
    const [root] = await stage.disks(id);
    const refused = await stage.refusal('volume.move', { poolId }, root?.id);
    expect([refused.code, refused.params]).to.deep.equal(['conflict', { instanceId: id, isoImageId: imageId }]);
    await stage.sim.done('instance.detachIso', {}, id);
    await stage.sim.done('volume.move', { poolId }, root?.id);
    await stage.sim.done('instance.attachIso', { imageId }, id);
  });
});

/** A machine on the first of two hosts, with a root disk in a pool that both reach, and an ISO in its drive. */
async function openWide() {
  const stage = await MachineStage.with({ hosts: 2, network: false });
  const poolId = await stage.sim.done('pool.create', {
    ...{ name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' },
  });
  const imageId = await stage.iso('debian');
  const id = await stage.machine({ hostId: stage.hostIds[0], rootVolume: { storageClass: 'shared' }, isoImageId: imageId });
  /** Who reads the copies of the ISO, one entry for each copy there is. */
  const copies = () =>
    [...stage.sim.world.pools].flatMap(([place, { things }]) =>
      [...things.values()].filter((thing) => thing.id === imageId).map(({ readers }) => [place, [...readers]]),
    );
  const isAt = async (number: number) => {
    expect(await stage.instance(id)).to.include({ hostId: stage.hostIds[number - 1], isoImageId: imageId, state: 'running' });
    expect([stage.copies(id), stage.real(id, number).spec.iso?.imageId]).to.deep.equal([1, imageId]);
    expect(copies()).to.deep.equal([[poolId, [`hv${number}/${id}`]]]);
    expect(stage.sim.world.violations).to.deep.equal([]);
  };
  return { stage, id, imageId, isAt };
}

describe('the drive of a machine that goes elsewhere', () => {
  it('has its ISO in it there after a migration, and back, read from the one copy, until it is detached', async () => {
    const { stage, id, imageId, isAt } = await openWide();
    await isAt(1);
    for (const number of [2, 1, 2]) {
      await stage.sim.done('instance.migrate', {}, id);
      await isAt(number);
    }
    expect((await stage.refusal('image.delete', {}, imageId)).code).to.equal('in_use');
    await stage.sim.run(LOOK_MS);
    await isAt(2);
    await stage.sim.done('instance.detachIso', {}, id);
    expect([stage.real(id, 2).spec.iso, (await stage.instance(id)).isoImageId]).to.deep.equal([undefined, undefined]);
    await stage.sim.done('image.delete', {}, imageId);
  });

  it('has its ISO in it there after an evacuation, read from the one copy', async () => {
    const { stage, id, isAt } = await openWide();
    await stage.lose(1);
    await stage.sim.done('instance.evacuate', {}, id);
    stage.sim.world.boot('hv1');
    await stage.sim.run(LOST_MS);
    await isAt(2);
    await stage.sim.done('instance.detachIso', {}, id);
    expect(stage.real(id, 2).spec.iso).to.equal(undefined);
  });

  for (const action of ['instance.migrate', 'instance.evacuate'] as const)
    it(`keeps it from a host without drives (${action}), before anything changes`, async () => {
      const { stage, id, imageId } = await openWide();
      stage.worldHost(2).lacks.add('drive');
      // Drivers are opened anew.
      stage.sim.crash();
      await stage.sim.start();
      await stage.sim.run(LOST_MS);
      if (action === 'instance.evacuate') await stage.lose(1);
      const refused = await stage.refusal(action, {}, id);
      expect([refused.code, refused.params]).to.deep.equal([
        'unsupported',
        { capability: 'drive', hostId: stage.hostIds[1], isoImageId: imageId },
      ]);
      expect(refused.publicMessage).to.contain('hv2');
      if (action === 'instance.evacuate') return;
      // One that is put in while the machine waits for its turn is met at the head of the queue.
      await stage.sim.done('instance.detachIso', {}, id);
      const attached = await stage.sim.submit('instance.attachIso', { imageId }, id);
      const { operationId } = await stage.sim.submit(action, {}, id);
      expect((await stage.sim.ended(attached.operationId)).state).to.equal('succeeded');
      const ended = await stage.sim.ended(operationId);
      expect([ended.state, ended.error?.code, ended.error?.params]).to.deep.equal(['failed', 'unsupported', refused.params]);
      expect(await stage.instance(id)).to.include({ hostId: stage.hostIds[0], state: 'running', isoImageId: imageId });
      await stage.sim.done('instance.detachIso', {}, id);
      await stage.sim.done(action, {}, id);
    });
});

describe('a machine that is installed from an ISO', () => {
  it('begins with an empty root disk', async () => {
    const { stage, imageId } = await open();
    const rootVolume = { sizeBytes: 8192 };
    const id = await stage.machine({ imageId: undefined, isoImageId: imageId, rootVolume });
    expect(await stage.instance(id)).to.include({ isoImageId: imageId, guestOs: 'linux', firmware: 'bios', diskBus: 'virtio' });
    expect(await stage.instance(id)).not.to.have.property('imageId');
    expect((await stage.disks(id)).map((row) => [row.sizeBytes, row.imageId, row.state])).to.deep.equal([[8192, undefined, 'attached']]);
    expect(stage.real(id).spec.iso?.imageId).to.equal(imageId);
    const both = await stage.machine({ isoImageId: imageId });
    expect(await stage.instance(both)).to.include({ imageId: stage.imageId, isoImageId: imageId });
    await stage.sim.done('instance.delete', {}, both);
    await stage.sim.done('instance.detachIso', {}, id);
  });

  it('needs what it is installed from, and where to', async () => {
    const { stage, imageId } = await open();
    for (const [more, code, pointer] of [
      [{ imageId: undefined }, 'invalid_input', '/imageId'],
      [{ imageId }, 'conflict', '/imageId'],
      [{ isoImageId: stage.imageId }, 'conflict', '/isoImageId'],
      [{ imageId: undefined, isoImageId: imageId }, 'invalid_input', '/rootVolume/sizeBytes'],
      [{ isoImageId: stage.networkId }, 'not_found', '/isoImageId'],
    ] as const) {
      const error = await stage.refusal('instance.create', stage.input(more));
      expect([error.code, error.pointer], JSON.stringify(more)).to.deep.equal([code, pointer]);
    }
    const volume = await stage.refusal('volume.create', { sizeBytes: 65_536, imageId });
    expect([volume.code, volume.pointer]).to.deep.equal(['conflict', '/imageId']);
  });
});

describe('where there are no drives', () => {
  for (const [feature, capability] of [
    ['drive', 'drive'],
    ['imageAttach', 'show an ISO to a machine'],
  ] as const)
    it(`for want of ${feature}, ISOs are refused before anything changes`, async () => {
      const { stage, id, imageId } = await open([feature]);
      for (const [action, input, target] of [
        ['instance.attachIso', { imageId }, id],
        ['instance.create', stage.input({ isoImageId: imageId }), undefined],
      ] as const) {
        const error = await stage.refusal(action, input, target);
        expect([error.code, error.params?.capability], action).to.deep.equal(['unsupported', capability]);
      }
    });
});
