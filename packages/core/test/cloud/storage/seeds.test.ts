import { expect } from 'chai';
import { stray } from '../../../src/cloud/index.ts';
import { LOOK_MS, MachineStage } from '../compute/machine-stage.ts';

/** Two hosts, each with a pool, and a pool that both reach. */
async function open() {
  const stage = await MachineStage.with({ hosts: 2, network: false });
  const shared = await stage.sim.done('pool.create', { driver: 'simulated-shared', clusterId: stage.clusterId });
  const pools = [`hv1/${stage.poolIds[0]}`, `hv2/${stage.poolIds[1]}`, shared];
  const things = (index: number) => {
    const found = stage.sim.world.pools.get(pools[index] ?? '');
    if (found === undefined) throw new Error(`no pool ${index} in the world`);
    return found;
  };
  /** In which of the pools the machine has a seed. */
  const seedsOf = (id: string) => pools.flatMap((_, index) => (things(index).find('seed', id) === undefined ? [] : [index]));
  const machine = () => stage.machine({ hostId: stage.hostIds[0], rootVolume: { storageClass: 'standard' } });
  return { stage, things, seedsOf, machine };
}

describe('seeds of machines', () => {
  it('go with a stray machine, in whatever pool that its host reaches', async () => {
    const { stage, things, seedsOf, machine } = await open();
    const { spec } = stage.real(await machine());
    const unknown = stage.sim.kernel.services.ids.mint('instance');
    for (const index of [0, 1, 2]) things(index).putSeed(unknown, 100);
    const { seed: _, ...unseeded } = spec;
    stage.worldHost().define({ ...unseeded, id: unknown, name: 'unknown', disks: [], nics: [] });
    await stage.sim.run(LOOK_MS);
    // Nobody knows whose they are: until an operator says so, they stay.
    expect(seedsOf(unknown)).to.deep.equal([0, 1, 2]);
    // A pool that was looked at before the machine's host shows the seed there by itself.
    const row = (await stage.rows(stray)).find(({ objectKind }) => objectKind === 'machine');
    await stage.sim.done('stray.remove', {}, row?.id);
    expect(seedsOf(unknown)).to.deep.equal([1]);
  });

  it('stay with the machine that is right when its twin elsewhere is removed', async () => {
    const { stage, seedsOf, machine } = await open();
    const id = await machine();
    const before = seedsOf(id);
    stage.worldHost(2).define({ ...stage.real(id).spec, disks: [], nics: [] });
    await stage.sim.run(2 * LOOK_MS);
    const [row] = await stage.rows(stray);
    await stage.sim.done('stray.remove', {}, row?.id);
    expect([seedsOf(id), before.length, stage.copies(id)]).to.deep.equal([before, 1, 1]);
  });

  it('are removed where they arrived late: of a machine that is gone, or is elsewhere', async () => {
    const { stage, things, seedsOf, machine } = await open();
    const [gone, elsewhere] = [await machine(), await machine()];
    await stage.into('deleted', gone);
    const right = seedsOf(elsewhere);
    for (const id of [gone, elsewhere]) for (const index of [0, 1, 2]) things(index).putSeed(id, 100);
    await stage.sim.run(2 * LOOK_MS);
    expect([seedsOf(gone), seedsOf(elsewhere)]).to.deep.equal([[], right]);
  });

  it('leave a pool with the root disk that is moved, without waiting for a look there', async () => {
    const { stage, seedsOf, machine } = await open();
    await stage.sim.done('pool.create', { driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'other' });
    const id = await machine();
    const before = seedsOf(id);
    await stage.sim.done('instance.stop', { force: true }, id);
    const [root] = stage.sim.rows('volume').filter(({ instanceId }) => instanceId === id);
    await stage.sim.done('volume.move', { storageClass: 'other' }, String(root?.id));
    expect([before.length, seedsOf(id)]).to.deep.equal([1, []]);
    await stage.sim.done('instance.start', {}, id);
    expect(stage.real(id).power).to.equal('running');
  });
});
