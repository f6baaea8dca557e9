import { expect } from 'chai';
import { isFinished, operation } from '../../../../src/kernel/index.ts';
import { LOOK_MS, MachineStage } from '../machine-stage.ts';

describe('a machine that arrives', () => {
  it('is let go on where its disks were released there meanwhile, as was asked before it came', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const { sim, hostIds } = stage;
    const poolId = await sim.done('pool.create', {
      ...{ name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' },
    });
    const id = await stage.machine({ hostId: hostIds[0], rootVolume: { storageClass: 'shared' } });
    const disks = () => [...(sim.world.pools.get(poolId)?.things.values() ?? [])].filter(({ kind }) => kind === 'volume');
    let released = 0;
    sim.around = (point, body) => {
      if (point.path === 'arrive' && point.phase === 'do' && released === 0)
        for (const { attachedTo } of disks()) released += attachedTo.delete('hv2') ? 1 : 0;
      return body();
    };
    const { operationId } = await sim.submit('instance.migrate', {}, id);
    await sim.run(LOOK_MS);
    const row = await stage.row(operation, operationId);
    expect([released, isFinished(row), row.state, row.attention]).to.deep.equal([1, true, 'succeeded', undefined]);
    expect(await stage.instance(id)).to.include({ state: 'running', hostId: hostIds[1] });
    expect([stage.copies(id), stage.real(id, 2).power, sim.world.violations]).to.deep.equal([1, 'running', []]);
    expect(disks().map(({ attachedTo }) => [...attachedTo])).to.deep.equal([['hv2']]);
    sim.dispose();
  });
});
