import { expect } from 'chai';
import { volume } from '../../../../src/cloud/index.ts';
import { LOOK_MS, LOST_MS, MachineStage } from '../../compute/machine-stage.ts';
import { GIB } from '../../little-cloud.ts';

async function open(options: Parameters<typeof MachineStage.with>[1] = {}) {
  const stage = await MachineStage.with({ network: false }, options);
  await stage.sim.done('storageClass.create', { name: 'fast', iopsPerSecond: { base: 100, perGib: 10 } });
  const poolId = await stage.sim.done('pool.create', {
    ...{ name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'fast' },
  });
  const id = await stage.machine({ rootVolume: { storageClass: 'fast', sizeBytes: GIB } });
  const [root] = await stage.disks(id);
  const diskId = root?.id ?? '';
  const seen = async () => ({
    row: (await stage.row(volume, diskId)).sizeBytes,
    pool: stage.sim.world.pools.get(poolId)?.find('volume', diskId)?.sizeBytes,
    guest: stage.real(id).live ? stage.real(id).diskBytes.get(diskId) : undefined,
    promised: (await stage.counter(`capacity/pool/${poolId}/bytes`))?.value,
  });
  return { stage, id, diskId, seen };
}

/** Something happens as the disk is about to grow. */
function atDisk(stage: MachineStage, happens: () => void, times = 1): void {
  let left = times;
  stage.sim.around = async (point, body) => {
    if (point.path === 'disk' && point.phase === 'do' && left > 0) {
      left -= 1;
      happens();
    }
    return body();
  };
}

describe('a volume that is attached', () => {
  it('grows under its running guest, which sees it at once and may do more by its class', async () => {
    const { stage, id, diskId, seen } = await open();
    await stage.sim.done('volume.resize', { sizeBytes: 4 * GIB }, diskId);
    expect(await seen()).to.deep.equal({ row: 4 * GIB, pool: 4 * GIB, guest: 4 * GIB, promised: 4 * GIB });
    expect(stage.real(id).observe().limits?.disks?.[diskId]).to.deep.equal({ iopsPerSecond: 140 });
    await stage.sim.done('volume.resize', { sizeBytes: 4 * GIB }, diskId);
    const refused = await stage.refusal('volume.resize', { sizeBytes: GIB }, diskId);
    expect([refused.code, refused.pointer]).to.deep.equal(['invalid_input', '/sizeBytes']);
  });

  for (const state of ['suspended', 'stopped', 'crashed', 'missing'] as const)
    it(`grows under a machine that is ${state}`, async () => {
      const { stage, id, diskId, seen } = await open();
      await stage.into(state, id);
      await stage.sim.done('volume.resize', { sizeBytes: 2 * GIB }, diskId);
      expect(await seen().catch(() => ({ row: 2 * GIB, pool: 2 * GIB }))).to.include({ row: 2 * GIB, pool: 2 * GIB });
      await stage.sim.done(state === 'suspended' ? 'instance.resume' : 'instance.start', {}, id);
      expect(await seen()).to.include({ guest: 2 * GIB });
    });

  it('grows also when the guest goes down by itself meanwhile, or comes up', async () => {
    const { stage, id, diskId, seen } = await open();
    atDisk(stage, () => stage.real(id).stop());
    await stage.sim.done('volume.resize', { sizeBytes: 2 * GIB }, diskId);
    expect(await seen()).to.include({ row: 2 * GIB, pool: 2 * GIB });
    await stage.sim.run(LOST_MS);
    atDisk(stage, () => stage.real(id).start());
    await stage.sim.done('volume.resize', { sizeBytes: 3 * GIB }, diskId);
    expect(await seen()).to.include({ row: 3 * GIB, pool: 3 * GIB, guest: 3 * GIB });
  });

  it('grows for a guest, too, that was switched on while its pool grew it', async () => {
    let happens: () => void = () => undefined;
    const landing = <T>(_site: string, command: string, apply: () => T): T => {
      if (command === 'volumes.resize') happens();
      return apply();
    };
    const { stage, id, diskId, seen } = await open({ world: { landing } });
    await stage.into('stopped', id);
    happens = () => stage.real(id).start();
    await stage.sim.done('volume.resize', { sizeBytes: 3 * GIB }, diskId);
    expect(await seen()).to.include({ row: 3 * GIB, pool: 3 * GIB, guest: 3 * GIB });
  });

  it('is not grown under a guest whose host cannot, and nothing changes', async () => {
    const { stage, id, diskId, seen } = await open({ without: ['growDisk'] });
    const refused = await stage.refusal('volume.resize', { sizeBytes: 2 * GIB }, diskId);
    expect([refused.code, refused.params]).to.deep.equal(['unsupported', { capability: 'growDisk' }]);
    await stage.into('stopped', id);
    await stage.sim.done('volume.resize', { sizeBytes: 2 * GIB }, diskId);
    expect(await seen()).to.include({ row: 2 * GIB, pool: 2 * GIB });
  });

  it('is not grown where its pool grows none, and nothing changes', async () => {
    const { stage, id, diskId, seen } = await open({ without: ['growth'] });
    const before = await seen();
    for (const state of ['running', 'stopped'] as const) {
      if (state === 'stopped') await stage.into('stopped', id);
      const refused = await stage.refusal('volume.resize', { sizeBytes: 2 * GIB }, diskId);
      expect([refused.code, refused.publicMessage]).to.deep.equal(['unsupported', 'pool shared cannot grow volumes.']);
    }
    expect({ ...(await seen()), guest: GIB }).to.deep.equal(before);
  });

  it('is not grown while its host is out of reach; one that is lost on the way grows in its pool', async () => {
    const { stage, diskId, seen } = await open();
    atDisk(stage, () => stage.sim.world.partition('hv1'));
    await stage.sim.done('volume.resize', { sizeBytes: 2 * GIB }, diskId);
    expect(await seen()).to.deep.equal({ row: 2 * GIB, pool: 2 * GIB, guest: GIB, promised: 2 * GIB });
    const ended = await stage.outcome('volume.resize', { sizeBytes: 3 * GIB }, diskId);
    expect([ended.state, ended.error?.code]).to.deep.equal(['failed', 'unavailable']);
    expect(await seen()).to.include({ row: 2 * GIB, pool: 2 * GIB, promised: 2 * GIB });
  });

  for (const state of ['running', 'stopped'] as const)
    it(`and was grown once more by a late call, on a machine that is ${state}, is as large by its row and by what is counted`, async () => {
      const { stage, id, diskId, seen } = await open();
      if (state === 'stopped') await stage.into(state, id);
      const usage = async () => (await stage.sim.counters()).filter(({ key }) => key.startsWith('quota/'));
      const before = await usage();
      const { poolId } = await stage.row(volume, diskId);
      stage.sim.world.pools.get(poolId)?.resizeVolume(diskId, 3 * GIB);
      await stage.sim.run(LOOK_MS);
      expect(await seen()).to.include({ row: 3 * GIB, pool: 3 * GIB, promised: 3 * GIB });
      const grown = (await usage()).filter(({ key, value }) => before.find((each) => each.key === key)?.value === value - 2 * GIB);
      expect(grown.map(({ key }) => key.split('/').at(-1))).to.deep.equal(['volumeBytes', 'volumeBytes']);
    });
});
