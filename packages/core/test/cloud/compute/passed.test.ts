import { expect } from 'chai';
import { volume } from '../../../src/cloud/index.ts';
import { CloudError, operation } from '../../../src/kernel/index.ts';
import { MachineStage } from './machine-stage.ts';

const STUCK_MS = 15 * 60_000;
const HOUR_MS = 3600_000;

async function open() {
  const stage = await MachineStage.with({ hosts: 2, network: false });
  const { sim } = stage;
  const poolId = await sim.done('pool.create', {
    name: 'shared',
    driver: 'simulated-shared',
    clusterId: stage.clusterId,
    storageClass: 'shared',
  });
  const machine = (index: number) => stage.machine({ hostId: stage.hostIds[index], rootVolume: { storageClass: 'shared' } });
  const volumeId = await stage.volume(8192, { poolId });
  const stateOf = async (id: string) => (await stage.row(operation, id)).state;
  return { stage, sim, machine, volumeId, stateOf };
}

describe('what is stuck, and a forced deletion', () => {
  it('lets no other machine have a volume whose plugging is not taken back yet, and goes on where the deletion comes to nothing', async () => {
    const { sim, machine, volumeId, stateOf } = await open();
    const [id, other] = [await machine(0), await machine(1)];
    sim.world.faults.add({ host: 'hv1', command: 'hotplug.attachDisk', effect: 'timeout_after' });
    const mended = sim.world.faults.add({ host: 'hv1', command: 'hotplug.detachDisk', effect: 'fail', fault: 'unavailable' });
    const { operationId: stuck } = await sim.submit('instance.attachVolume', { volumeId }, id);
    await sim.run(STUCK_MS);
    expect(await stateOf(stuck)).to.equal('needs_attention');
    let forced = '';
    let asked = '';
    sim.around = async (point, body, at) => {
      if (point.operationId === forced && point.path === 'verify' && asked === '') {
        const { principal } = at;
        asked = (await at.kernel.submit({ action: 'instance.attachVolume', input: { volumeId }, resourceId: other, principal }))
          .operationId;
        await new Promise<void>((resolve) => void sim.environment.timers.after(20_000, () => resolve()));
        throw new CloudError('conflict', 'Planned.');
      }
      return body();
    };
    forced = (await sim.submit('instance.delete', { force: true }, id)).operationId;
    await sim.run(60_000);
    expect([await stateOf(forced), await stateOf(stuck), await stateOf(asked)]).to.deep.equal(['failed', 'needs_attention', 'queued']);
    mended();
    await sim.run(HOUR_MS);
    expect([await stateOf(stuck), await stateOf(asked), sim.world.violations]).to.deep.equal(['failed', 'succeeded', []]);
  });

  it('is not ended by the deletion of something else that shares its keys', async () => {
    const { stage, sim, volumeId, stateOf } = await open();
    const snapshotId = await sim.done('snapshot.create', { name: 'before', volumeId });
    const mended = sim.world.faults.add({ command: 'volumes.resize', effect: 'fail_after', fault: 'unavailable' });
    const { operationId: stuck } = await sim.submit('volume.resize', { sizeBytes: 16_384 }, volumeId);
    await sim.run(STUCK_MS);
    expect(await stateOf(stuck)).to.equal('needs_attention');
    const { operationId: forced } = await sim.submit('snapshot.delete', { force: true }, snapshotId);
    await sim.run(STUCK_MS);
    expect([await stateOf(stuck), await stateOf(forced)]).to.deep.equal(['needs_attention', 'queued']);
    mended();
    await sim.run(STUCK_MS);
    expect([await stateOf(stuck), await stateOf(forced)]).to.deep.equal(['succeeded', 'succeeded']);
    expect((await stage.row(volume, volumeId)).sizeBytes).to.equal(16_384);
  });

  it('is gone with what waits behind it and was to add to what goes', async () => {
    const { sim, machine, volumeId, stateOf } = await open();
    const id = await machine(0);
    const networkId = await sim.done('network.create', { name: 'wide', driver: 'simulated-shared', subnets: [{ cidr: '10.9.0.0/24' }] });
    sim.world.faults.add({ host: 'hv1', command: 'hotplug.attachDisk', effect: 'timeout_after' });
    sim.world.faults.add({ host: 'hv1', command: 'hotplug.detachDisk', effect: 'fail', fault: 'unavailable' });
    const { operationId: stuck } = await sim.submit('instance.attachVolume', { volumeId }, id);
    await sim.run(STUCK_MS);
    const { operationId: behind } = await sim.submit('instance.attachNic', { networkId }, id);
    const { operationId: forced } = await sim.submit('instance.delete', { force: true }, id);
    await sim.run(STUCK_MS);
    expect([await stateOf(stuck), await stateOf(behind), await stateOf(forced)]).to.deep.equal(['failed', 'failed', 'succeeded']);
    expect(sim.rows('nic')).to.deep.equal([]);
  });
});
