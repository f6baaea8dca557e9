import { expect } from 'chai';
import { host, instance, placementFilter, placementScorer } from '../../../src/cloud/index.ts';
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

  it('keep machines off hosts whose taints their type does not tolerate', async () => {
    const stage = await MachineStage.with({ hosts: 3, network: false });
    const placed = async (input: object) => (await stage.instance(await stage.sim.done('instance.create', input))).hostId;
    const there = await placed(stage.input({ hostId: stage.hostIds[0] }));
    await stage.sim.done('host.update', { taints: [{ key: 'gpu', value: 'a100', effect: 'hard' }] }, stage.hostIds[0]);
    await stage.sim.done('host.update', { taints: [{ key: 'old', effect: 'soft' }] }, stage.hostIds[1]);
    expect(
      (await stage.rows(instance)).map((row) => [row.hostId, row.state]),
      'what is there stays',
    ).to.deep.equal([[there, 'running']]);
    await stage.sim.done('instanceType.create', {
      name: 'gpu',
      vcpus: 1,
      memoryBytes: 2 ** 30,
      tolerations: [{ key: 'gpu', value: 'a100' }],
    });
    await stage.sim.done('instanceType.create', {
      name: 'other',
      vcpus: 1,
      memoryBytes: 2 ** 30,
      tolerations: [{ key: 'gpu', value: 'h100' }],
    });
    expect(await placed(stage.input())).to.equal(stage.hostIds[2]);
    expect(await placed(stage.input({ instanceType: 'other' }))).to.equal(stage.hostIds[2]);
    expect(await placed(stage.input({ instanceType: 'gpu' }))).to.equal(stage.hostIds[0]);
    await stage.sim.done('host.disable', {}, stage.hostIds[2]);
    expect(await placed(stage.input()), 'the soft one only now').to.equal(stage.hostIds[1]);
    const named = await stage.refusal('instance.create', stage.input({ hostId: stage.hostIds[0] }));
    expect(named.code).to.equal('no_capacity');
    expect(named.params?.reasons).to.include({ hv1: 'is reserved by the taint gpu=a100, which the machine does not tolerate' });
    const waiting = await stage.sim.submit('instance.create', stage.input({ hostId: stage.hostIds[0], whenFull: 'wait' }));
    await stage.sim.done('host.update', { taints: null }, stage.hostIds[0]);
    expect((await stage.sim.ended(waiting.operationId)).state).to.equal('succeeded');
  });

  it('keep machines that go to another host off tainted ones, too', async () => {
    const stage = await MachineStage.with({ hosts: 3, network: false });
    const { sim, hostIds } = stage;
    await sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' });
    const id = await sim.done('instance.create', stage.input({ rootVolume: { storageClass: 'shared' }, hostId: hostIds[0] }));
    await sim.done('host.update', { taints: [{ key: 'new', effect: 'hard' }] }, hostIds[1]);
    const named = await stage.refusal('instance.migrate', { hostId: hostIds[1] }, id);
    expect(named.params?.reasons).to.include({ hv2: 'is reserved by the taint new, which the machine does not tolerate' });
    await sim.done('instance.migrate', {}, id);
    expect((await stage.instance(id)).hostId).to.equal(hostIds[2]);
    await sim.done('host.update', { taints: [{ key: 'old', effect: 'soft' }] }, hostIds[0]);
    await sim.done('host.drain', {}, hostIds[2]);
    expect((await stage.instance(id)).hostId).to.equal(hostIds[0]);
  });

  it('tolerate at the second place of a new machine what they do at the first', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const { sim, hostIds } = stage;
    for (const hostId of hostIds) await sim.done('host.update', { taints: [{ key: 'gpu', effect: 'hard' }] }, hostId);
    await sim.done('instanceType.create', { name: 'gpu', vcpus: 1, memoryBytes: 2 ** 30, tolerations: [{ key: 'gpu' }] });
    let lost: string | undefined;
    sim.around = async ({ path, phase }, body) => {
      if (path === 'define' && phase === 'do' && lost === undefined) {
        lost = String(sim.rows('instance')[0]?.hostId);
        sim.world.crash(`hv${hostIds.indexOf(lost ?? '') + 1}`);
      }
      return body();
    };
    const { operationId, resourceId } = await sim.submit('instance.create', stage.input({ instanceType: 'gpu' }));
    expect((await sim.ended(operationId)).state).to.equal('succeeded');
    const { hostId } = await stage.instance(resourceId);
    expect([hostId === lost, hostIds.some((each) => each === hostId)]).to.deep.equal([false, true]);
  });

  it('refuse taints and tolerations that are too many, twice the same or none', async () => {
    const stage = await MachineStage.with({ network: false });
    const [hostId] = stage.hostIds;
    const of = (key: string) => ({ key, effect: 'hard' });
    const many = Array.from({ length: 33 }, (_, index) => `key-${index}`);
    const size = { vcpus: 1, memoryBytes: 2 ** 30 };
    const refused = async (action: string, input: object, id?: string) => {
      const { code, pointer } = await stage.refusal(action, input, id);
      return [code, pointer];
    };
    expect(await refused('host.update', { taints: [of('gpu'), { key: 'gpu', value: 'a', effect: 'soft' }] }, hostId)).to.deep.equal([
      ...['invalid_input', '/taints/1/key'],
    ]);
    const twice = { name: 'new', clusterId: stage.clusterId, uri: 'sim://new', taints: [of('a'), of('b'), of('a')] };
    expect(await refused('host.create', twice)).to.deep.equal(['invalid_input', '/taints/2/key']);
    expect(await refused('host.update', { taints: many.map(of) }, hostId)).to.deep.equal(['invalid_input', '/taints']);
    expect(await refused('host.update', { taints: [{ key: 'gpu', effect: 'none' }] }, hostId)).to.deep.equal([
      ...['invalid_input', '/taints/0/effect'],
    ]);
    expect(await refused('instanceType.create', { ...size, tolerations: many.map((key) => ({ key })) })).to.deep.equal([
      ...['invalid_input', '/tolerations'],
    ]);
    expect(await refused('instanceType.create', { ...size, tolerations: [{ key: 'a' }, { key: 'a' }] })).to.deep.equal([
      ...['invalid_input', '/tolerations'],
    ]);
    expect((await stage.rows(host)).map(({ taints }) => taints)).to.deep.equal([undefined]);
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
