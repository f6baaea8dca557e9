import { expect } from 'chai';
import type { ServedMachine, ServedNames, ServedNetwork } from '../../../src/agent/index.ts';
import { agent, host, network, nic } from '../../../src/cloud/index.ts';
import { change, type Id } from '../../../src/kernel/index.ts';
import { LOOK_MS, LOST_MS, MachineStage } from '../compute/machine-stage.ts';

const URLS = ['https://192.0.2.1:7430', 'https://192.0.2.2:7430'] as const;
const SOON_MS = 2_000;

/** Two hosts with an agent each, a VPC with a network, and how to look at what its first agent serves. */
async function stageWithAgents() {
  const stage = await MachineStage.with({ hosts: 2, network: false });
  const { sim } = stage;
  const agentIds: string[] = [];
  for (const [index, hostId] of stage.hostIds.entries())
    agentIds.push(await sim.done('agent.create', { hostId, url: URLS[index], fingerprint: String(index).repeat(64) }));
  const vpcId = await sim.done('vpc.create', { name: 'vpc-1' });
  const networkId = await sim.done('network.create', { vpcId, subnets: [{ cidr: '10.0.0.0/24' }] });
  const machine = (number: 1 | 2, more: object = {}) =>
    stage.machine({ hostId: stage.hostIds[number - 1], nics: [{ networkId }], ...more });
  const served = (number: 1 | 2) => {
    const { networks, machines, names } = sim.agents.at(URLS[number - 1] ?? '').served;
    return {
      networks: [...networks.values()].map(({ input }) => input as ServedNetwork),
      machines: [...machines.values()].map(({ input }) => input as ServedMachine),
      records: [...names.values()].flatMap(({ input }) =>
        (input as ServedNames).records.map(({ name, addresses }) => [name, ...addresses]),
      ),
    };
  };
  await sim.run(LOOK_MS);
  return { stage, sim, agentIds, vpcId, networkId, machine, served };
}

describe('what agents serve', () => {
  it('is told as soon as a machine is there, to the agent of its host, and names to all that have the VPC', async () => {
    const { stage, sim, networkId, vpcId, machine, served } = await stageWithAgents();
    const one = await machine(1, { hostname: 'web', userData: '#cloud-config\n', sshKeys: [] });
    await sim.run(SOON_MS);
    const [row] = await stage.nics(one);
    const address = row?.address ?? '';
    expect(served(1).networks).to.deep.equal([
      {
        ...{ networkId, vpcId, bridge: 'br-int', interfaceId: `service-${networkId}`, mac: '02:00:00:00:00:fe' },
        addresses: [{ address: '10.0.0.2', prefixLength: 24 }],
      },
    ]);
    const [told] = served(1).machines;
    expect(told).to.deep.include({
      instanceId: one,
      hostname: 'web',
      fqdn: 'web.vpc-1.internal',
      zone: 'zone',
      userData: '#cloud-config\n',
    });
    expect(told?.nics.map(({ mac, addresses, dnsServers }) => [mac, addresses[0]?.address, dnsServers])).to.deep.equal([
      [row?.mac, address, ['10.0.0.2']],
    ]);
    expect([served(1).records, served(2).networks]).to.deep.equal([[['web.vpc-1.internal', address]], []]);
    const two = await machine(2, { hostname: 'db' });
    await sim.run(SOON_MS);
    const [other] = await stage.nics(two);
    const records = [
      ['db.vpc-1.internal', other?.address],
      ['web.vpc-1.internal', address],
    ];
    expect([served(1).records, served(2).records]).to.deep.equal([records, records]);
    expect(served(2).machines.map(({ instanceId }) => instanceId)).to.deep.equal([two]);
  });

  it('follows NICs, records and machines that come and go, and nothing is left of what went', async () => {
    const { stage, sim, vpcId, networkId, machine, served } = await stageWithAgents();
    const id = await machine(1, { hostname: 'web' });
    const recordId = await sim.done('dnsRecord.create', { vpcId, hostname: 'db.vpc-1.internal', addresses: ['10.0.0.77'] });
    await sim.run(SOON_MS);
    expect(served(1).records.map(([name]) => name)).to.deep.equal(['db.vpc-1.internal', 'web.vpc-1.internal']);
    const second = await sim.done('network.create', { vpcId, subnets: [{ cidr: '10.0.1.0/24' }] });
    await sim.done('instance.attachNic', { networkId: second }, id);
    await sim.run(SOON_MS);
    expect([served(1).networks.length, served(1).machines[0]?.nics.length]).to.deep.equal([2, 2]);
    const gone = (await stage.nics(id)).find(({ networkId }) => networkId === second);
    await sim.done('instance.detachNic', { nicId: gone?.id }, id);
    await sim.done('dnsRecord.delete', {}, recordId);
    await sim.run(SOON_MS);
    expect([served(1).networks.length, served(1).records.map(([name]) => name)]).to.deep.equal([1, ['web.vpc-1.internal']]);
    expect((await stage.rows(nic)).filter(({ deletedAt }) => deletedAt === undefined)).to.have.length(1);
    await sim.done('subnet.create', { networkId, cidr: '10.0.2.0/24' });
    await sim.run(SOON_MS);
    expect(served(1).networks[0]?.addresses.map((one) => one.address)).to.deep.equal(['10.0.0.2', '10.0.2.2']);
    await sim.done('instance.delete', {}, id);
    await sim.run(SOON_MS);
    expect(served(1)).to.deep.equal({ networks: [], machines: [], records: [] });
  });

  it('is told of networks of no VPC, too, which have metadata and no names', async () => {
    const { stage, sim, vpcId, networkId, served } = await stageWithAgents();
    const [hostId] = stage.hostIds;
    const [clusterId] = (await stage.rows(host)).map((row) => row.clusterId);
    const physicalNetworkId = await sim.done('physicalNetwork.create', { clusterId, label: 'physnet1', role: 'tenant' });
    const subnets = [{ cidr: '172.20.0.0/24' }, { cidr: 'fd00:20::/64' }];
    const wired = await sim.done('network.create', { physicalNetworkId, vlanId: 0, subnets });
    const id = await stage.machine({ hostId, hostname: 'web', nics: [{ networkId: wired }] });
    await sim.run(SOON_MS);
    expect(served(1).networks).to.deep.equal([
      {
        ...{ networkId: wired, bridge: 'br-int', interfaceId: `service-${wired}`, mac: '02:00:00:00:00:fe' },
        ...{ addresses: [], mtuBytes: 1500, onLink: ['172.20.0.0/24', 'fd00:20::/64'] },
      },
    ]);
    const told = () => served(1).machines.map(({ instanceId, fqdn, nics }) => [instanceId, fqdn, nics.map((one) => one.networkId)]);
    expect([told(), served(1).records]).to.deep.equal([[[id, 'web', [wired]]], []]);
    await sim.done('instance.attachNic', { networkId }, id);
    await sim.run(SOON_MS);
    expect([told(), served(1).networks.map((one) => one.vpcId)]).to.deep.equal([
      [[id, 'web.vpc-1.internal', [wired, networkId]]],
      [undefined, vpcId],
    ]);
    await sim.done('instance.delete', {}, id);
    await sim.run(SOON_MS);
    expect(served(1)).to.deep.equal({ networks: [], machines: [], records: [] });
  });

  it('has the names of another VPC while both sides want to share them', async () => {
    const { sim, stage, vpcId, machine, served } = await stageWithAgents();
    await machine(1, { hostname: 'web' });
    const [otherId, thirdId] = [await sim.done('vpc.create', { name: 'vpc-2' }), await sim.done('vpc.create', { name: 'vpc-3' })];
    const far = await sim.done('network.create', { vpcId: otherId, subnets: [{ cidr: '10.1.0.0/24' }] });
    await stage.machine({ hostId: stage.hostIds[1], hostname: 'db', nics: [{ networkId: far }] });
    const agree = (from: string, to: string, more = {}) => sim.done('peering.create', { vpcId: from, peerVpcId: to, ...more });
    const ours = await agree(vpcId, otherId, { sharesNames: true });
    const theirs = await agree(otherId, vpcId);
    const names = async (number: 1 | 2) => {
      await sim.run(SOON_MS);
      return served(number).records.map(([name]) => name);
    };
    expect([await names(1), await names(2)]).to.deep.equal([['web.vpc-1.internal'], ['db.vpc-2.internal']], 'one side alone');
    await sim.done('peering.update', { sharesNames: true }, theirs);
    const both = ['db.vpc-2.internal', 'web.vpc-1.internal'];
    expect([await names(1), await names(2)]).to.deep.equal([both, both]);
    // What changes on the other side is heard of; what is of one's own domain is not for others to say.
    await sim.done('dnsRecord.create', { vpcId: otherId, hostname: 'new.vpc-2.internal', addresses: ['10.1.0.9'] });
    const trap = await sim.done('vpc.create', { name: 'trap', domain: 'vpc-1.internal' });
    await sim.done('dnsRecord.create', { vpcId: trap, hostname: 'bank.vpc-1.internal', addresses: ['10.9.9.9'] });
    await sim.done('dnsRecord.create', { vpcId: trap, hostname: 'web.vpc-1.internal', addresses: ['10.9.9.9'] });
    await agree(trap, vpcId, { sharesNames: true });
    await agree(vpcId, trap, { sharesNames: true });
    expect(await names(1)).to.deep.equal(['db.vpc-2.internal', 'new.vpc-2.internal', 'web.vpc-1.internal']);
    expect(served(1).records.find(([name]) => name === 'web.vpc-1.internal')?.[1]).to.match(/^10\.0\.0\./);
    // No further than to those one agrees with oneself.
    await sim.done('dnsRecord.create', { vpcId: thirdId, hostname: 'far.vpc-3.internal', addresses: ['10.3.0.9'] });
    await agree(thirdId, otherId, { sharesNames: true });
    await agree(otherId, thirdId, { sharesNames: true });
    expect(await names(1)).not.to.include('far.vpc-3.internal');
    expect(await names(2)).to.include('far.vpc-3.internal');
    await sim.done('peering.delete', {}, ours);
    expect([await names(1), await names(2)]).to.deep.equal([
      ['web.vpc-1.internal'],
      ['db.vpc-2.internal', 'far.vpc-3.internal', 'new.vpc-2.internal'],
    ]);
  });

  it('is everything that can be served, and the rest when it can be', async () => {
    const { sim, vpcId, networkId, machine, served } = await stageWithAgents();
    const second = await sim.done('network.create', { vpcId, subnets: [{ cidr: '10.0.1.0/24' }] });
    const { cannot } = sim.agents.at(URLS[0]);
    cannot.add(networkId);
    await machine(1, { hostname: 'web', nics: [{ networkId }, { networkId: second }] });
    await sim.run(SOON_MS);
    const seen = () => [served(1).networks.map((one) => one.networkId), served(1).machines.length, served(1).records.length];
    expect(seen()).to.deep.equal([[second], 1, 1]);
    cannot.clear();
    await sim.run(LOOK_MS);
    expect(seen()).to.deep.equal([[second, networkId], 1, 1]);
  });

  it('is what other networks have while the driver of one is not installed, and of that one what was told before', async () => {
    const { sim, stage, networkId, machine, served } = await stageWithAgents();
    const alone = await sim.done('vpc.create', { name: 'vpc-2' });
    const orphan = await sim.done('network.create', { vpcId: alone, subnets: [{ cidr: '10.1.0.0/24' }] });
    const physicalNetworkId = await sim.done('physicalNetwork.create', { clusterId: stage.clusterId, label: 'physnet1', role: 'tenant' });
    const wired = await sim.done('network.create', { physicalNetworkId, vlanId: 0, subnets: [{ cidr: '172.20.0.0/24' }] });
    const kept = await machine(1, { hostname: 'kept', nics: [{ networkId: wired }] });
    const mixed = await machine(1, { hostname: 'mixed', nics: [{ networkId: orphan }, { networkId: wired }] });
    await sim.run(SOON_MS);
    const seen = () => ({
      networks: served(1)
        .networks.map((one) => one.networkId)
        .sort(),
      machines: served(1)
        .machines.map(({ instanceId }) => instanceId)
        .sort(),
      names: served(1)
        .records.map(([name]) => name)
        .sort(),
    });
    const before = seen();
    expect(before).to.deep.equal({ networks: [orphan, wired].sort(), machines: [kept, mixed].sort(), names: ['mixed.vpc-2.internal'] });
    const taken = [orphan, wired].map((id) => change(network, id as Id<'network'>, { driver: 'taken-out' }));
    expect((await sim.environment.complete(sim.kernel.observe(taken))).ok).to.equal(true);
    const web = await machine(1, { hostname: 'web' });
    await sim.run(2 * LOOK_MS);
    expect(seen()).to.deep.equal({
      networks: [networkId, ...before.networks].sort(),
      machines: [web, ...before.machines].sort(),
      names: ['mixed.vpc-2.internal', 'web.vpc-1.internal'],
    });
    const after = [orphan, wired].map((id) => change(network, id as Id<'network'>, { driver: 'simulated-shared' }));
    expect((await sim.environment.complete(sim.kernel.observe(after))).ok).to.equal(true);
    await sim.done('instance.delete', {}, kept);
    await sim.run(2 * LOOK_MS);
    expect(seen().machines).to.deep.equal([web, mixed].sort());
  });

  it('is nothing of networks of a hypervisor', async () => {
    const { stage, sim, served } = await stageWithAgents();
    await stage.machine({ nics: [{ networkId: await stage.network({ subnets: [{ cidr: '10.5.0.0/24' }] }) }] });
    await sim.run(LOOK_MS);
    expect(served(1)).to.deep.equal({ networks: [], machines: [], records: [] });
  });

  it('is told anew to an agent that was away, or has forgotten everything', async () => {
    const { sim, agentIds, machine, served, stage } = await stageWithAgents();
    const [url] = URLS;
    sim.agents.at(url).isAway = true;
    await sim.run(LOST_MS);
    expect((await stage.row(agent, agentIds[0] ?? '')).status).to.equal('lost');
    await machine(1, { hostname: 'web' });
    await sim.run(LOOK_MS);
    expect(served(1).machines).to.deep.equal([]);
    sim.agents.at(url).isAway = false;
    await sim.run(LOOK_MS);
    expect([(await stage.row(agent, agentIds[0] ?? '')).status, served(1).machines.length]).to.deep.equal(['connected', 1]);
    sim.agents.reinstall(url);
    await sim.run(LOOK_MS);
    expect([served(1).networks.length, served(1).machines.length, served(1).records.length]).to.deep.equal([1, 1, 1]);
  });

  it('is what the rows say after a crash, too, and what they do not say goes', async () => {
    const { sim, machine, served } = await stageWithAgents();
    const id = await machine(1, { hostname: 'web' });
    await sim.run(SOON_MS);
    const deleting = sim.submit('instance.delete', {}, id);
    const { operationId } = await deleting;
    await sim.ended(operationId);
    sim.crash();
    await sim.start();
    await sim.run(LOOK_MS);
    expect(served(1)).to.deep.equal({ networks: [], machines: [], records: [] });
  });

  it('is not told again while it stays the same', async () => {
    const { sim, machine } = await stageWithAgents();
    await machine(1);
    await sim.run(LOOK_MS);
    const { commands } = sim.agents.at(URLS[0]);
    const before = commands.size;
    await sim.run(4 * LOOK_MS);
    expect(commands.size).to.equal(before);
  });
});
