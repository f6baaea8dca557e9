import { expect } from 'chai';
import { machine, smallCloud } from '../small-cloud.ts';

describe('rows that refer to nothing that lives', () => {
  it('are told, and there are none after what the kernel does', async () => {
    const at = await smallCloud();
    const { sim } = at;
    const orphans = () => sim.environment.complete(sim.call('GET', '/orphans'));
    const id = await sim.done('instance.create', machine(at));
    expect(await orphans()).to.deep.equal({ orphans: [], absentPlugins: [] });
    await sim.done('instance.delete', {}, id);
    expect(await orphans()).to.deep.equal({ orphans: [], absentPlugins: [] });
    // What only a hand in the store can do.
    const volumeId = await sim.done('volume.create', { name: 'left', sizeBytes: 8192, poolId: at.poolId });
    const nowhere = '01890000-0000-7000-8000-00000000000a';
    await sim.environment.complete(sim.kernel.observe([{ op: 'update', table: 'volume', key: volumeId, set: { poolId: nowhere } }]));
    expect(await orphans()).to.deep.equal({
      orphans: [
        { kind: 'volume', id: volumeId, name: 'left', state: 'available', field: 'poolId', refersTo: { kind: 'pool', id: nowhere } },
      ],
      absentPlugins: [],
    });
  });
});
