import { expect } from 'chai';
import type { HostLink } from '../../../src/agent/index.ts';
import { host, hostStorageNetworkDegraded, hostStorageNetworkRecovered } from '../../../src/cloud/index.ts';
import { wayBy } from '../../../src/cloud/network/physical/way.ts';
import { type JsonObject, type Notice, onNotice, type Plugin } from '../../../src/kernel/index.ts';
import { LOOK_MS, MachineStage } from '../compute/machine-stage.ts';

const URL = 'https://192.0.2.1:7430';

const link = (name: string, more: Partial<HostLink> = {}): HostLink => ({
  ...{ name, sort: 'device', isUp: true, mtuBytes: 9000, addresses: [], lowers: [] },
  ...more,
});
const fast = (name: string, more: Partial<HostLink> = {}) => link(name, { speedMbits: 10_000, ...more });
/** As a host should be: a bond of two, with an address for storage. */
const GOOD = [
  link('bond0', { sort: 'bond', bondMode: '802.3ad', speedMbits: 20_000, addresses: ['10.9.0.1'], lowers: ['eth0', 'eth1'] }),
  fast('eth0'),
  fast('eth1'),
];
const with_ = (...changed: HostLink[]) => [...GOOD.filter(({ name }) => !changed.some((each) => each.name === name)), ...changed];

async function stageWithStorage(more: object = {}) {
  const heard: [string, JsonObject][] = [];
  const told = <T extends JsonObject>(point: Notice<T>) => onNotice(point, async (event) => void heard.push([point.id, event]));
  const hooks = [told(hostStorageNetworkDegraded), told(hostStorageNetworkRecovered)];
  const stage = await MachineStage.with(
    { hosts: 2, network: false },
    { plugins: [{ id: 'listener', version: '1.0.0', requires: ['network'], hooks } as Plugin] },
  );
  const { sim } = stage;
  const agent = sim.agents.at(URL);
  agent.links = GOOD;
  const [hostId = ''] = stage.hostIds;
  const agentId = await sim.done('agent.create', { hostId, url: URL, fingerprint: 'a'.repeat(64) });
  const storage = {
    name: 'storage',
    label: 'stor0',
    role: 'storage',
    cidr: '10.9.0.0/24',
    mtuBytes: 9000,
    clusterId: stage.clusterId,
    ...more,
  };
  const physicalNetworkId = await sim.done('physicalNetwork.create', storage);
  const look = () => sim.run(2 * LOOK_MS);
  const seen = async (id = hostId) => {
    const { storageNetworkStatus: status, storageNetworks: [network] = [] } = await stage.row(host, id);
    return { status, network, findings: network?.findings.map(({ code, level }) => `${level} ${code}`) ?? [] };
  };
  await look();
  return { stage, sim, agent, agentId, hostId, physicalNetworkId, look, seen, heard };
}

describe('storage networks of hosts', () => {
  it('show by what they go, and that it is as it should be; without an agent that nothing is known', async () => {
    const { stage, physicalNetworkId, seen, heard, look } = await stageWithStorage();
    const { status, network } = await seen();
    const members = ['eth0', 'eth1'].map((name) => ({ name, isUp: true, speedMbits: 10_000 }));
    expect([status, network]).to.deep.equal([
      'fit',
      {
        ...{ physicalNetworkId, link: 'bond0', isUp: true, speedMbits: 20_000, mtuBytes: 9000, isOverlay: false, findings: [] },
        bond: { name: 'bond0', mode: '802.3ad', members },
      },
    ]);
    const other = await seen(stage.hostIds[1]);
    expect([other.status, other.findings]).to.deep.equal(['unknown', ['warning not_told']]);
    expect(heard).to.deep.equal([['host.storageNetworkDegraded', { hostId: stage.hostIds[1], findings: ['not_told'] }]]);
    const { generation } = await stage.row(host, stage.hostIds[0] ?? '');
    await look();
    expect((await stage.row(host, stage.hostIds[0] ?? '')).generation).to.equal(generation, 'a look that finds nothing new writes nothing');
    await stage.sim.done('physicalNetwork.delete', {}, physicalNetworkId);
    await look();
    const { status: after, network: gone } = await seen();
    expect([after, gone]).to.deep.equal([undefined, undefined]);
  });

  it('are told of once when a bond loses a member, and once more when it has it again', async () => {
    const { agent, hostId, look, seen, heard } = await stageWithStorage();
    heard.length = 0;
    agent.links = with_(fast('eth1', { isUp: false }));
    await look();
    const { status, network, findings } = await seen();
    expect([status, findings]).to.deep.equal(['warned', ['warning bond_degraded']]);
    expect(network?.findings[0]).to.deep.include({ found: '1 of 2 members up', wanted: '2 members up' });
    await look();
    expect((await seen()).network?.findings[0]?.since).to.equal(network?.findings[0]?.since);
    agent.links = GOOD;
    await look();
    expect((await seen()).status).to.equal('fit');
    expect(heard).to.deep.equal([
      ['host.storageNetworkDegraded', { hostId, findings: ['bond_degraded'] }],
      ['host.storageNetworkRecovered', { hostId }],
    ]);
  });

  const bond = GOOD[0] as HostLink;
  for (const [what, links, expected] of [
    ['a way that is slow', with_({ ...bond, speedMbits: 2_000 }), ['error slow']],
    ['one that does not tell how fast it is', [link('eth0', { addresses: ['10.9.0.1'] })], ['warning speed_unknown', 'warning not_bonded']],
    ['one without a bond', [fast('eth0', { addresses: ['10.9.0.1'] })], ['warning not_bonded']],
    ['a bond of one', with_({ ...bond, lowers: ['eth0'] }), ['warning not_bonded']],
    ['one that is down', with_(fast('eth0', { isUp: false }), fast('eth1', { isUp: false })), ['error down', 'warning bond_degraded']],
    ['no link', [fast('eth0')], ['error not_there']],
    [
      'a tunnel over the bond',
      [...GOOD.map((each) => ({ ...each, addresses: [] })), link('vx0', { sort: 'tunnel', addresses: ['10.9.0.1'], lowers: ['bond0'] })],
      ['error overlay'],
    ],
    ['frames that are too large for a member', with_(fast('eth1', { mtuBytes: 1500 })), ['warning small_mtu']],
    ["tenants' tunnels", [...GOOD, link('vlan7', { sort: 'vlan', hasTunnels: true, lowers: ['bond0'] })], ['warning shared']],
    ['ports of machines', with_({ ...bond, hasMachines: true }), ['warning shared']],
    ['a circle', with_({ ...bond, speedMbits: 20_000, lowers: ['bond0', 'eth0', 'eth1'] }), []],
  ] as const)
    it(`are told of with ${what}`, async () => {
      const { agent, look, seen } = await stageWithStorage();
      agent.links = links;
      await look();
      const { findings, status } = await seen();
      expect(findings).to.deep.equal(expected);
      expect(status).to.equal(expected.length === 0 ? 'fit' : 'warned');
    });

  it('are told of where a network of tenants goes the same way, by its name', async () => {
    const { stage, agent, look, seen } = await stageWithStorage();
    const bridge = link('br-ex', { sort: 'bridge', labels: ['physnet1'], lowers: ['bond0'] });
    agent.links = [...GOOD, bridge];
    await look();
    expect((await seen()).status).to.equal('fit');
    await stage.sim.done('physicalNetwork.create', { name: 'cables', label: 'physnet1', role: 'tenant', clusterId: stage.clusterId });
    await look();
    const { network } = await seen();
    expect(network?.findings.map(({ code, found }) => [code, found])).to.deep.equal([['shared', 'physical network cables']]);
  });

  it('are found by their label where no addresses are told', async () => {
    const { agent, look, seen, sim, physicalNetworkId } = await stageWithStorage();
    await sim.done('physicalNetwork.update', { cidr: null }, physicalNetworkId);
    await look();
    expect((await seen()).findings).to.deep.equal(['error not_there']);
    agent.links = [...GOOD, link('br-st', { sort: 'bridge', labels: ['stor0'], lowers: ['bond0'] })];
    await look();
    const { status, network } = await seen();
    expect([status, network?.link, network?.speedMbits, network?.bond?.name]).to.deep.equal(['fit', 'br-st', 20_000, 'bond0']);
  });

  it('are as the settings of the host, its cluster or the cloud want them', async () => {
    const { stage, sim, agent, hostId, look, seen } = await stageWithStorage();
    agent.links = [fast('eth0', { speedMbits: 1_000, addresses: ['10.9.0.1'] })];
    const set = (key: string, value: unknown, at: object = {}) => sim.done('settingValue.set', { key, value, ...at });
    await set('storageNetwork.bond', 'required');
    await look();
    expect((await seen()).findings).to.deep.equal(['error slow', 'error not_bonded']);
    await set('storageNetwork.bond', 'ignored', { resourceKind: 'cluster', resourceId: stage.clusterId });
    await set('storageNetwork.speedMbits', 1_000, { resourceKind: 'host', resourceId: hostId });
    await look();
    expect((await seen()).status).to.equal('fit');
  });

  it('keep machines from a host only where the operator wants that, and none where nothing is known', async () => {
    const { stage, sim, agent, hostId, look, seen } = await stageWithStorage();
    agent.links = with_({ ...bond, speedMbits: 1_000 });
    await look();
    await stage.machine({ hostId });
    await sim.done('settingValue.set', { key: 'storageNetwork.placement', value: 'refuse' });
    await look();
    expect((await seen()).status).to.equal('unfit');
    const error = await stage.refusal('instance.create', stage.input({ hostId }));
    expect(error.code).to.equal('no_capacity');
    expect(error.params?.reasons).to.include({ hv1: 'has ways to storage that are not as they are to be' });
    expect((await seen(stage.hostIds[1])).status).to.equal('unknown');
    expect((await stage.instance(await stage.machine())).hostId).to.equal(stage.hostIds[1]);
    agent.links = GOOD;
    await look();
    await stage.machine({ hostId });
  });

  it('are not known any more when the agent is gone, and stay as they were over a restart of the cloud', async () => {
    const { stage, sim, agent, look, seen, heard } = await stageWithStorage();
    const before = await stage.row(host, stage.hostIds[0] ?? '');
    sim.crash();
    await sim.start();
    await look();
    expect((await seen()).network).to.deep.equal(before.storageNetworks?.[0]);
    heard.length = 0;
    agent.isAway = true;
    await sim.run(10 * LOOK_MS);
    expect([(await seen()).status, (await seen()).findings]).to.deep.equal(['unknown', ['warning not_told']]);
    agent.isAway = false;
    await sim.run(4 * LOOK_MS);
    expect((await seen()).status).to.equal('fit');
    agent.links = undefined;
    await sim.run(4 * LOOK_MS);
    expect((await seen()).status).to.equal('unknown');
  });

  it('are refused with the field at fault', async () => {
    const stage = await MachineStage.with({ network: false });
    const good = { clusterId: stage.clusterId, label: 'stor0', role: 'storage', cidr: '10.9.0.0/24' };
    for (const [more, pointer] of [
      [{ cidr: '10.9.0.1/24' }, '/cidr'],
      [{ cidr: 'storage' }, '/cidr'],
      [{ role: 'tenant' }, '/cidr'],
      [{ encapsulation: 'vxlan' }, '/encapsulation'],
    ] as const) {
      const error = await stage.refusal('physicalNetwork.create', { ...good, ...more });
      expect([error.code, error.pointer], JSON.stringify(more)).to.deep.equal(['invalid_input', pointer]);
    }
    const id = await stage.sim.done('physicalNetwork.create', { ...good, role: 'external', cidr: undefined });
    expect((await stage.refusal('physicalNetwork.update', { cidr: '10.9.0.0/24' }, id)).pointer).to.equal('/cidr');
  });
});

describe('ways by links of a host', () => {
  it('are as fast as what they stand on, by how a bond sends', () => {
    const two = [fast('p0'), fast('p1')];
    const way = (bondMode: string, members = two) =>
      wayBy(
        [...members, link('b', { sort: 'bond', bondMode, lowers: ['p0', 'p1'] })],
        link('b', { sort: 'bond', bondMode, lowers: ['p0', 'p1'] }),
      );
    expect(way('active-backup').speedMbits).to.equal(10_000);
    expect(way('balance-slb').speedMbits).to.equal(20_000);
    expect(way('balance-slb', [fast('p0'), fast('p1', { isUp: false })]).speedMbits).to.equal(10_000);
    // A port that a program made for the host says 10 Mbit/s, whatever is behind it.
    const local = link('stor', { sort: 'virtual', speedMbits: 10, lowers: ['br'] });
    expect(wayBy([...two, local, link('br', { sort: 'bridge', speedMbits: 10, lowers: ['p0'] })], local).speedMbits).to.equal(10_000);
  });
});
