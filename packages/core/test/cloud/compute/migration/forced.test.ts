import { expect } from 'chai';
import { operation } from '../../../../src/kernel/index.ts';
import { MachineStage } from '../machine-stage.ts';

/** Long enough for a step to be tried five times. */
const STUCK_MS = 15 * 60_000;

describe('the deletion by force of a machine whose migration is stuck behind its switch', () => {
  it('gives back what it has reserved once', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const { sim } = stage;
    await sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' });
    const id = await stage.machine({ hostId: stage.hostIds[0], rootVolume: { storageClass: 'shared' } });
    const mended = sim.world.faults.add({ command: 'power.resume', effect: 'fail' });
    const { operationId } = await sim.submit('instance.migrate', {}, id);
    await sim.run(STUCK_MS);
    expect((await stage.row(operation, operationId)).attention?.step).to.equal('arrive');
    mended();
    await sim.done('instance.delete', { force: true }, id);
    for (const hostId of stage.hostIds) expect((await stage.taken(hostId)).map((value) => value ?? 0)).to.deep.equal([0, 0]);
    expect([stage.copies(id), sim.world.violations]).to.deep.equal([0, []]);
  });
});
