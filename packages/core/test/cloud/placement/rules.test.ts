import { expect } from 'chai';
import { placementFilter, placementScorer } from '../../../src/cloud/index.ts';
import { type CloudError, onContribution, type Plugin } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';

/** What a plugin of somebody else may add: a filter that counts licences, and a scorer that likes one host. */
const outside: Plugin = {
  id: 'outside',
  version: '1.0.0',
  hooks: [
    onContribution(placementFilter, ({ vcpus }) =>
      vcpus < 2
        ? undefined
        : { name: 'licence', refuse: (at) => (at.name === 'hv1' ? undefined : 'has no licence for so many processors') },
    ),
    onContribution(placementScorer, () => ({ name: 'favourite', weight: 10, score: (at) => (at.name === 'hv2' ? 1 : 0) })),
  ],
};

describe('rules of placement', () => {
  it('come from plugins too', async () => {
    const stage = await MachineStage.with({ hosts: 3, network: false }, { plugins: [outside] });
    await stage.sim.done('instanceType.create', { name: 'large', vcpus: 2, memoryBytes: 2 ** 30 });
    for (const [type, name] of [
      ['small', 1],
      ['small', 1],
      ['large', 0],
    ] as const) {
      const id = await stage.machine({ instanceType: type });
      expect((await stage.instance(id)).hostId).to.equal(stage.hostIds[name]);
    }
    await stage.sim.done('host.disable', {}, stage.hostIds[0]);
    const refused: CloudError = await stage.refusal('instance.create', stage.input({ instanceType: 'large' }));
    expect(refused.params?.reasons).to.deep.equal({
      hv1: 'is disabled',
      hv2: 'has no licence for so many processors',
      hv3: 'has no licence for so many processors',
    });
  });

  it('send a machine to a host with the labels of its type and of the request', async () => {
    const stage = await MachineStage.with({ hosts: 3, network: false });
    await stage.sim.done('instanceType.create', { name: 'quick', vcpus: 1, memoryBytes: 2 ** 30, hostLabels: { disk: 'nvme' } });
    const quick = (more: object = {}) => stage.input({ instanceType: 'quick', ...more });
    expect((await stage.refusal('instance.create', quick())).params?.reasons).to.have.property('hv1', 'lacks the label disk=nvme');
    await stage.sim.done('host.update', { labels: { disk: 'nvme' } }, stage.hostIds[1]);
    await stage.sim.done('host.update', { labels: { disk: 'nvme', gpu: 'a100' } }, stage.hostIds[2]);
    const placed = async (input: object) => (await stage.instance(await stage.sim.done('instance.create', input))).hostId;
    expect(await placed(quick({ hostLabels: { gpu: 'a100' } }))).to.equal(stage.hostIds[2]);
    expect(await placed(quick())).to.equal(stage.hostIds[1]);
    const torn = await stage.refusal('instance.create', quick({ hostLabels: { disk: 'sata' } }));
    expect([torn.code, torn.pointer]).to.deep.equal(['invalid_input', '/hostLabels/disk']);
    await stage.sim.done('host.update', { labels: null }, stage.hostIds[1]);
    expect(await placed(quick())).to.equal(stage.hostIds[2]);
  });

  it('promise of a host what it says itself, else what its cluster says', async () => {
    const stage = await MachineStage.with({ cpus: 2, network: false, cluster: { vcpuOvercommit: 4 } });
    const [hostId] = stage.hostIds;
    const limit = async () => (await stage.counter(`capacity/host/${hostId}/vcpus`))?.limit;
    await stage.sim.done('host.update', { vcpuOvercommit: 2 }, hostId);
    expect(await limit()).to.equal(4);
    await stage.sim.done('cluster.update', { vcpuOvercommit: 8 }, stage.clusterId);
    expect(await limit()).to.equal(4);
    await stage.sim.done('host.update', { vcpuOvercommit: null }, hostId);
    expect(await limit()).to.equal(16);
    stage.sim.world.addHost('own', { cpus: 2 });
    const own = await stage.sim.done('host.create', { name: 'own', clusterId: stage.clusterId, uri: 'sim://own', vcpuOvercommit: 1 });
    expect((await stage.counter(`capacity/host/${own}/vcpus`))?.limit).to.equal(2);
  });

  it('take a host that reaches the pools of the volumes that come along', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const zoneId = (await stage.row(stage.sim.kernel.registry.kind('cluster'), stage.clusterId)) as unknown as { zoneId: string };
    const clusterId = await stage.sim.done('cluster.create', { name: 'other', zoneId: zoneId.zoneId });
    stage.sim.world.addHost('far');
    const far = await stage.sim.done('host.create', { name: 'far', clusterId, uri: 'sim://far' });
    await stage.pool(far);
    const poolId = await stage.sim.done('pool.create', { driver: 'simulated-shared', clusterId });
    const volumeId = await stage.volume(4096, { poolId });
    const id = await stage.machine({ attachVolumeIds: [volumeId] });
    expect((await stage.instance(id)).hostId).to.equal(far);
  });
});
