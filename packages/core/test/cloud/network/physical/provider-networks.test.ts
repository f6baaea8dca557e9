import { expect } from 'chai';
import { network } from '../../../../src/cloud/index.ts';
import { MachineStage } from '../../compute/machine-stage.ts';
import { codeOf } from '../../little-cloud.ts';

const subnets = (number: number) => ({ subnets: [{ cidr: `10.${number}.0.0/24` }] });

async function stageWithCables(more: object = {}) {
  const stage = await MachineStage.with({ hosts: 2, network: false });
  const { clusterId } = stage;
  const physicalNetworkId = await stage.sim.done('physicalNetwork.create', {
    ...{ name: 'cables', label: 'physnet1', role: 'tenant', clusterId, firstVlanId: 100, lastVlanId: 102, ...more },
  });
  return { stage, physicalNetworkId };
}

describe('physical networks', () => {
  it('are refused with the field at fault', async () => {
    const { stage } = await stageWithCables();
    const good = { clusterId: stage.clusterId, label: 'physnet2', role: 'tenant' };
    for (const [more, code, pointer] of [
      [{ firstVlanId: 7 }, 'invalid_input', '/lastVlanId'],
      [{ lastVlanId: 7 }, 'invalid_input', '/firstVlanId'],
      [{ firstVlanId: 9, lastVlanId: 7 }, 'invalid_input', '/lastVlanId'],
      [{ firstVlanId: 0, lastVlanId: 7 }, 'invalid_input', '/firstVlanId'],
      [{ firstVlanId: 1, lastVlanId: 4095 }, 'invalid_input', '/lastVlanId'],
      [{ mtuBytes: 576 }, 'invalid_input', '/mtuBytes'],
      [{ role: 'other' }, 'invalid_input', '/role'],
      [{ clusterId: stage.hostIds[0] }, 'not_found', '/clusterId'],
      [{ label: 'physnet1' }, 'name_taken', '/label'],
      [{ label: '-o' }, 'invalid_input', '/label'],
    ] as const) {
      const error = await stage.refusal('physicalNetwork.create', { ...good, ...more });
      expect([error.code, error.pointer], JSON.stringify(more)).to.deep.equal([code, pointer]);
    }
    const again = await stage.refusal('physicalNetwork.create', { ...good, label: 'physnet1' });
    expect(again.publicMessage).to.equal('Another live physical network of this cluster has this label.');
  });
});

describe('networks on a physical network', () => {
  it('are segments of it, with a VLAN of their own and its frame size', async () => {
    const { stage, physicalNetworkId } = await stageWithCables({ mtuBytes: 9000 });
    const id = await stage.sim.done('network.create', { physicalNetworkId, ...subnets(1) });
    const untaggedId = await stage.sim.done('network.create', { physicalNetworkId, vlanId: 0, mtuBytes: 1500, ...subnets(2) });
    expect(await stage.row(network, id)).to.include({ mode: 'provider', driver: 'simulated-shared', vlanId: 100, mtuBytes: 9000 });
    const segments = [id, untaggedId].map((each) => stage.sim.world.fabric.networks.get(each)?.spec.segment);
    const { clusterId } = stage;
    expect(segments).to.deep.equal([
      { physicalNetwork: 'physnet1', clusterId, vlanId: 100 },
      { physicalNetwork: 'physnet1', clusterId, apartFromHosts: true },
    ]);
  });

  it('never have the same VLAN, also when made side by side, and no more are made than there are', async () => {
    const { stage, physicalNetworkId } = await stageWithCables();
    const { kernel, principal, environment } = stage.sim;
    const ask = (more: object, number: number) =>
      codeOf(kernel.submit({ action: 'network.create', input: { physicalNetworkId, ...subnets(number), ...more }, principal }));
    const codes = await environment.complete(Promise.all([ask({}, 1), ask({}, 2), ask({ vlanId: 101 }, 3), ask({ vlanId: 101 }, 4)]));
    expect(codes.filter((code) => code === 'succeeded').length).to.be.within(2, 3);
    await stage.sim.run(5000);
    while ((await codeOf(stage.sim.submit('network.create', { physicalNetworkId, ...subnets(9) }))) === 'succeeded')
      await stage.sim.run(2000);
    const vlans = (await stage.rows(network)).map(({ vlanId }) => vlanId);
    expect(vlans.toSorted()).to.deep.equal([100, 101, 102]);
    const full = await stage.refusal('network.create', { physicalNetworkId, ...subnets(10) });
    expect([full.code, full.pointer]).to.deep.equal(['no_capacity', '/physicalNetworkId']);
  });

  it('are refused with the field at fault: none reaches storage or management', async () => {
    const { stage, physicalNetworkId } = await stageWithCables();
    await stage.sim.done('network.create', { physicalNetworkId, vlanId: 101, ...subnets(1) });
    const { clusterId } = stage;
    const roles = await Promise.all(
      ['storage', 'management'].map((role) => stage.sim.done('physicalNetwork.create', { name: role, label: role, role, clusterId })),
    );
    const bare = await stage.sim.done('physicalNetwork.create', { name: 'bare', label: 'bare', role: 'external', clusterId });
    for (const [more, code, pointer] of [
      [{ physicalNetworkId: roles[0] }, 'invalid_input', '/physicalNetworkId'],
      [{ physicalNetworkId: roles[1] }, 'invalid_input', '/physicalNetworkId'],
      [{ physicalNetworkId: stage.clusterId }, 'not_found', '/physicalNetworkId'],
      [{ mode: 'isolated' }, 'invalid_input', '/mode'],
      [{ driver: 'simulated' }, 'unsupported', '/driver'],
      [{ driver: 'simulated', mode: 'provider' }, 'unsupported', '/mode'],
      [{ hostId: stage.hostIds[0] }, 'invalid_input', '/hostId'],
      [{ vlanId: 99 }, 'invalid_input', '/vlanId'],
      [{ vlanId: 4095 }, 'invalid_input', '/vlanId'],
      [{ vlanId: 101 }, 'name_taken', '/vlanId'],
      [{ physicalNetworkId: bare, vlanId: 100 }, 'invalid_input', '/vlanId'],
      [{ mtuBytes: 9000 }, 'invalid_input', '/mtuBytes'],
    ] as const) {
      const error = await stage.refusal('network.create', { physicalNetworkId, ...subnets(2), ...more });
      expect([error.code, error.pointer], JSON.stringify(more)).to.deep.equal([code, pointer]);
    }
    const { principal, kernel, environment } = stage.sim;
    const tenant = { ...principal, allows: (permission: string) => permission === 'network.create' };
    const asked = kernel.submit({ action: 'network.create', input: { physicalNetworkId, ...subnets(2) }, principal: tenant });
    expect(await environment.complete(codeOf(asked))).to.equal('permission_denied');
  });

  it('keep machines to the hosts of its cluster, new ones and those that get another NIC', async () => {
    const { stage, physicalNetworkId } = await stageWithCables();
    const networkId = await stage.sim.done('network.create', { physicalNetworkId, ...subnets(1) });
    const { zoneId } = (await stage.rows(stage.sim.kernel.registry.kind('cluster')))[0] as unknown as { zoneId: string };
    const otherCluster = await stage.sim.done('cluster.create', { name: 'elsewhere', zoneId });
    stage.sim.world.addHost('far', { cpus: 512 });
    const far = await stage.sim.done('host.create', { name: 'far', clusterId: otherCluster, uri: 'sim://far' });
    await stage.pool(far);
    const hostOf = async (id: string) => (await stage.instance(id)).hostId;
    for (let count = 0; count < 3; count += 1) expect(await hostOf(await stage.machine({ nics: [{ networkId }] }))).to.not.equal(far);
    expect((await stage.refusal('instance.create', stage.input({ nics: [{ networkId }], hostId: far }))).code).to.equal('no_capacity');
    const there = await stage.machine({ hostId: far });
    const error = await stage.refusal('instance.attachNic', { networkId }, there);
    expect([error.code, error.pointer]).to.deep.equal(['conflict', '/networkId']);
  });

  it('keep machines from hosts that tell nothing that leads to it, with the host and the label at fault', async () => {
    const { stage, physicalNetworkId } = await stageWithCables();
    const networkId = await stage.sim.done('network.create', { name: 'office', physicalNetworkId, ...subnets(1) });
    const [near, far] = [stage.worldHost(1), stage.worldHost(2)];
    const words = (name: string) => `is not connected to network office: it tells no bridge for ${name}`;
    near.unconnected.add('physnet1');
    const hostOf = async (id: string) => (await stage.instance(id)).hostId;
    for (let count = 0; count < 3; count += 1)
      expect(await hostOf(await stage.machine({ nics: [{ networkId }] }))).to.equal(stage.hostIds[1]);
    const there = await stage.refusal('instance.create', stage.input({ nics: [{ networkId }], hostId: stage.hostIds[0] }));
    expect(there.code).to.equal('no_capacity');
    expect(there.params?.reasons).to.deep.include({ hv1: words('physnet1') });
    const elsewhere = await stage.machine({ hostId: stage.hostIds[0] });
    const plugged = await stage.refusal('instance.attachNic', { networkId }, elsewhere);
    expect([plugged.code, plugged.pointer]).to.deep.equal(['conflict', '/networkId']);
    expect(plugged.publicMessage).to.equal(`Host hv1 ${words('physnet1')}.`);
    far.unconnected.add('physnet1');
    const nowhere = await stage.refusal('instance.create', stage.input({ nics: [{ networkId }] }));
    expect([nowhere.code, nowhere.params?.reasons]).to.deep.equal(['no_capacity', { hv1: words('physnet1'), hv2: words('physnet1') }]);
    near.unconnected.clear();
    expect(await hostOf(await stage.machine({ nics: [{ networkId }] }))).to.equal(stage.hostIds[0]);
  });

  it('make no machine on a host of which that is known only after its place was chosen', async () => {
    const { stage, physicalNetworkId } = await stageWithCables();
    const networkId = await stage.sim.done('network.create', { name: 'office', physicalNetworkId, ...subnets(1) });
    const asked = await stage.sim.submit('instance.create', stage.input({ nics: [{ networkId }], hostId: stage.hostIds[0] }));
    stage.worldHost(1).unconnected.add('physnet1');
    const { state, error } = await stage.sim.ended(asked.operationId);
    expect([state, error?.code, error?.message]).to.deep.equal([
      'failed',
      'conflict',
      'Host hv1 is not connected to network office: it tells no bridge for physnet1.',
    ]);
    expect(stage.worldHost(1).machines.size).to.equal(0);
    expect(stage.sim.world.fabric.networks.get(networkId)?.ports.size).to.equal(0);
  });

  it('start no machine where its host has lost what led to it', async () => {
    const { stage, physicalNetworkId } = await stageWithCables();
    const networkId = await stage.sim.done('network.create', { name: 'office', physicalNetworkId, ...subnets(1) });
    const id = await stage.into('stopped', await stage.machine({ nics: [{ networkId }], hostId: stage.hostIds[0] }));
    stage.worldHost(1).unconnected.add('physnet1');
    const refused = await stage.sim.ended((await stage.sim.submit('instance.start', {}, id)).operationId);
    expect([refused.state, refused.error?.code, refused.error?.message]).to.deep.equal([
      'failed',
      'conflict',
      'Host hv1 is not connected to network office: it tells no bridge for physnet1.',
    ]);
    expect(stage.real(id).live).to.equal(false);
    stage.worldHost(1).unconnected.clear();
    await stage.sim.done('instance.start', {}, id);
  });

  it('let no machine move to a host that does not lead there', async () => {
    const { stage, physicalNetworkId } = await stageWithCables();
    const networkId = await stage.sim.done('network.create', { name: 'office', physicalNetworkId, ...subnets(1) });
    const shared = { driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' };
    await stage.sim.done('pool.create', { name: 'shared', ...shared });
    const id = await stage.machine({ hostId: stage.hostIds[0], rootVolume: { storageClass: 'shared' }, nics: [{ networkId }] });
    stage.worldHost(2).unconnected.add('physnet1');
    const refused = await stage.refusal('instance.migrate', {}, id);
    expect(refused.code).to.equal('no_capacity');
    expect(refused.params?.reasons).to.deep.include({ hv2: 'is not connected to network office: it tells no bridge for physnet1' });
    stage.worldHost(2).unconnected.clear();
    await stage.sim.done('instance.migrate', {}, id);
  });
});
