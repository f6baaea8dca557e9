import { expect } from 'chai';
import { network, stray, subnet } from '../../../src/cloud/index.ts';
import { debt, operation } from '../../../src/kernel/index.ts';
import { LOOK_MS, LOST_MS, MachineStage } from '../compute/machine-stage.ts';
import { codeOf } from '../little-cloud.ts';
import { RoutedStage } from './routed-stage.ts';

const cidr = (text: string, more: object = {}) => ({ subnets: [{ cidr: text, ...more }] });

describe('networks', () => {
  it('are made with their subnets on a host, in canonical form', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const id = await stage.network({
      hostId: stage.hostIds[1],
      mode: 'isolated',
      domain: 'lab',
      ...cidr('fd00::/64', { gateway: 'FD00:0::5', dnsServers: ['2001:DB8::0001', '1.1.1.1'] }),
    });
    expect(await stage.row(network, id)).to.include({ state: 'available', scope: 'host', hostId: stage.hostIds[1], mode: 'isolated' });
    const [row] = await stage.rows(subnet);
    expect(row).to.include({ state: 'available', gateway: 'fd00::5', firstAddress: 'fd00::1', lastAddress: 'fd00::ffff:ffff:ffff:fffe' });
    expect(row?.dnsServers).to.deep.equal(['2001:db8::1', '1.1.1.1']);
    const real = stage.worldHost(2).networks.get(id);
    expect(real?.spec).to.deep.include({ mode: 'isolated', domain: 'lab' });
    expect(real?.spec.subnets).to.deep.equal([{ id: row?.id, cidr: 'fd00::/64', gateway: 'fd00::5', dnsServers: row?.dnsServers }]);
  });

  it('are refused with the field at fault, and nothing changes', async () => {
    const stage = await MachineStage.with({ network: false });
    const nobody = '00000000-0000-7000-8000-00000000dead';
    for (const [input, code, pointer] of [
      [cidr('10.0.0.1/24'), 'invalid_input', '/subnets/0/cidr'],
      [cidr('10.0.0.0'), 'invalid_input', '/subnets/0/cidr'],
      [cidr('10.0.0.0/31'), 'invalid_input', '/subnets/0/cidr'],
      ...[
        '0.0.0.0/8',
        '0.0.0.0/0',
        '127.1.0.0/16',
        '169.254.8.0/24',
        '224.0.0.0/24',
        '255.255.255.0/24',
        '::/64',
        'fe80::/64',
        'ff02::/16',
      ].map((text) => [cidr(text), 'invalid_input', '/subnets/0/cidr'] as const),
      [cidr('10.0.0.0/24', { gateway: '10.0.1.1' }), 'invalid_input', '/subnets/0/gateway'],
      [cidr('10.0.0.0/24', { gateway: '10.0.0.0' }), 'invalid_input', '/subnets/0/gateway'],
      [cidr('10.0.0.0/24', { gateway: '10.0.0.255' }), 'invalid_input', '/subnets/0/gateway'],
      [cidr('10.0.0.0/24', { dnsServers: ['1.1.1.1', 'dns'] }), 'invalid_input', '/subnets/0/dnsServers/1'],
      [{ subnets: [{ cidr: '10.0.0.0/16' }, { cidr: '10.0.4.0/24' }] }, 'invalid_input', '/subnets/1/cidr'],
      [{ subnets: [] }, 'invalid_input', '/subnets'],
      [{ ...cidr('10.0.0.0/24'), driver: 'none' }, 'unsupported', '/driver'],
      [{ ...cidr('10.0.0.0/24'), hostId: nobody }, 'not_found', '/hostId'],
    ] as const) {
      const error = await stage.refusal('network.create', input);
      expect([error.code, error.pointer], JSON.stringify(input)).to.deep.equal([code, pointer]);
    }
  });

  it('never get overlapping subnets, also not from two who add one at once', async () => {
    const stage = await MachineStage.with();
    const { networkId } = stage;
    const overlapping = await stage.refusal('subnet.create', { networkId, cidr: '10.0.0.128/25' });
    expect([overlapping.code, overlapping.pointer]).to.deep.equal(['invalid_input', '/cidr']);
    const { kernel, principal, environment } = stage.sim;
    const add = (text: string) => codeOf(kernel.submit({ action: 'subnet.create', input: { networkId, cidr: text }, principal }));
    const codes = await environment.complete(Promise.all(['10.1.0.0/16', '10.1.2.0/24', '10.2.0.0/24', '10.3.0.0/24'].map(add)));
    expect(codes.filter((code) => code === 'succeeded')).to.have.length(3);
    expect(codes.filter((code) => code === 'invalid_input')).to.have.length(1);
    await stage.sim.run(5000);
    expect(stage.worldHost().networks.get(networkId)?.spec.subnets).to.have.length(4);
  });

  it('stay while something is on them', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
    const [row] = await stage.rows(subnet);
    expect((await stage.refusal('network.delete', {}, stage.networkId)).code).to.equal('in_use');
    expect((await stage.refusal('subnet.delete', {}, row?.id)).code).to.equal('in_use');
    const { kernel, environment } = stage.sim;
    const request = { force: false, limit: 10, recursive: false, permanent: false, sees: async () => true };
    const preview = kernel.previewDeletion(
      kernel.registry.action('network.delete'),
      (await stage.row(network, stage.networkId)) as never,
      request,
    );
    const { blocked } = await environment.complete(preview);
    expect([blocked.total, blocked.kinds], 'one NIC, whatever it holds').to.deep.equal([1, [{ kind: 'nic', total: 1 }]]);
    expect(blocked.rows[0]?.reason).to.include('The networkId of this NIC').and.include('The subnetId of this NIC');
    expect(stage.sim.kernel.registry.findAction('nic.delete'), 'a NIC goes with its machine, or is detached').to.equal(undefined);
    await stage.into('deleted', id);
    await stage.sim.done('network.delete', {}, stage.networkId);
    expect(stage.worldHost().networks.size).to.equal(0);
    expect(await stage.rows(subnet)).to.deep.equal([]);
  });

  it('pin what is on them to their host', async () => {
    const stage = await MachineStage.with({ hosts: 3, network: false });
    const networkId = await stage.network({ hostId: stage.hostIds[2] });
    for (let count = 0; count < 5; count += 1)
      expect((await stage.instance(await stage.machine({ nics: [{ networkId }] }))).hostId).to.equal(stage.hostIds[2]);
    const elsewhere = await stage.network({ hostId: stage.hostIds[0], ...cidr('10.9.0.0/24') });
    expect((await stage.refusal('instance.create', stage.input({ nics: [{ networkId }, { networkId: elsewhere }] }))).code).to.equal(
      'conflict',
    );
    expect((await stage.refusal('instance.create', stage.input({ nics: [{ networkId }], hostId: stage.hostIds[0] }))).code).to.equal(
      'conflict',
    );
    await stage.sim.done('host.disable', {}, stage.hostIds[2]);
    const error = await stage.refusal('instance.create', stage.input({ nics: [{ networkId }] }));
    expect(error.code).to.equal('no_capacity');
    expect(error.params?.reasons).to.include({ hv3: 'is disabled' });
  });

  it('of a host out of reach are deleted only by force, and the rest is owed', async () => {
    const stage = await MachineStage.with();
    await stage.lose(1);
    const before = await stage.sim.residue();
    expect((await stage.outcome('network.delete', {}, stage.networkId)).error?.code).to.equal('unavailable');
    const [row] = await stage.rows(subnet);
    expect((await stage.outcome('subnet.delete', {}, row?.id)).error?.code).to.equal('unavailable');
    expect(await stage.sim.residue()).to.equal(before);
    await stage.sim.done('network.delete', { force: true }, stage.networkId);
    expect((await stage.rows(debt)).map((entry) => entry.task)).to.deep.equal(['network.delete']);
    stage.sim.world.boot('hv1');
    await stage.sim.run(LOST_MS);
    expect(stage.worldHost().networks.size).to.equal(0);
    expect(await stage.rows(debt)).to.deep.equal([]);
  });

  it('give up a subnet whose making met a lost host, and are whole when it is back', async () => {
    const stage = await MachineStage.with();
    await stage.lose(1);
    const made = await stage.outcome('subnet.create', { networkId: stage.networkId, cidr: '10.5.0.0/24' });
    expect([made.state, made.error?.code]).to.deep.equal(['failed', 'unavailable']);
    stage.sim.world.boot('hv1');
    await stage.sim.run(LOST_MS);
    expect(stage.worldHost().networks.get(stage.networkId)?.spec.subnets).to.have.length(1);
  });
});

describe('a look at the networks of a host', () => {
  it('makes a network that was removed behind our back again, with the ports of its machines', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
    const { networks } = stage.worldHost();
    const port = [...(networks.get(stage.networkId)?.ports.values() ?? [])];
    networks.delete(stage.networkId);
    await stage.sim.run(LOOK_MS);
    expect(networks.get(stage.networkId)?.active).to.equal(true);
    expect([...(networks.get(stage.networkId)?.ports.values() ?? [])]).to.deep.equal(port);
    const revision = await stage.revision();
    await stage.sim.run(5 * LOOK_MS);
    expect(await stage.revision()).to.equal(revision);
    await stage.into('deleted', id);
  });

  it('starts one that was stopped', async () => {
    const stage = await MachineStage.with();
    const real = stage.worldHost().networks.get(stage.networkId);
    if (real === undefined) throw new Error('no network');
    real.active = false;
    await stage.sim.run(LOOK_MS);
    expect(real.active).to.equal(true);
  });

  it('removes one that arrives after it was given up', async () => {
    const stage = await MachineStage.with({ network: false });
    stage.sim.world.faults.add({ command: 'ensureNetwork', times: 3, effect: 'late', delayMs: 20_000 });
    expect((await stage.outcome('network.create', { hostId: stage.hostIds[0], ...cidr('10.0.0.0/24') })).error?.code).to.equal('timeout');
    await stage.sim.run(120_000);
    expect(stage.worldHost().networks.size).to.equal(0);
    expect(await stage.rows(stray)).to.deep.equal([]);
  });

  it('removes a port that arrives after it was given up, also where the deletion of its network waits for that', async () => {
    const stage = await MachineStage.with();
    const id = await stage.machine({ nics: [{ networkId: stage.networkId }] });
    const [port] = stage.worldHost().networks.get(stage.networkId)?.ports.values() ?? [];
    if (port === undefined) throw new Error('no port');
    await stage.sim.done('instance.delete', {}, id);
    stage.worldHost().ensurePort(port);
    await stage.sim.done('network.delete', {}, stage.networkId);
    expect(stage.worldHost().networks.size).to.equal(0);
  });

  it('removes one that is made again by a late call while the deletion of its VPC waits for that', async () => {
    const at = await RoutedStage.ready();
    const { networks } = at.sim.world.fabric;
    const late = networks.get(at.networkId);
    if (late === undefined) throw new Error('no network');
    const mended = at.sim.world.faults.add({ command: 'vpcs.remove', effect: 'fail' });
    const { operationId } = await at.sim.submit('vpc.delete', { recursive: true }, at.vpcId);
    await at.sim.run(15 * 60_000);
    expect(networks.has(at.networkId)).to.equal(false);
    networks.set(at.networkId, late);
    mended();
    await at.sim.run(15 * 60_000);
    expect((await at.stage.row(operation, operationId)).state).to.equal('succeeded');
    expect(networks.has(at.networkId)).to.equal(false);
  });

  it('quarantines one with our mark that is unknown, which only an operator removes, and passes over those of others', async () => {
    const stage = await MachineStage.with();
    const unknown = stage.sim.kernel.services.ids.mint('network');
    stage.worldHost().ensureNetwork({ id: unknown, name: 'unknown', owner: 'simulated-cloud', mode: 'nat', subnets: [] });
    const foreign = stage.worldHost().addForeignNetwork('theirs');
    await stage.sim.run(3 * LOOK_MS);
    const rows = await stage.rows(stray);
    expect(rows.map(({ objectKind, objectId, state }) => [objectKind, objectId, state])).to.deep.equal([
      ['network', unknown, 'quarantined'],
    ]);
    await stage.sim.done('stray.remove', {}, rows[0]?.id);
    expect([...stage.worldHost().networks.keys()]).to.have.members([stage.networkId, foreign]);
  });
});

describe('a look at networks that span all hosts', () => {
  const shared = { driver: 'simulated-shared', ...cidr('10.1.0.0/24') };

  it('makes one that was removed behind our back again, and removes what arrives after it was given up', async () => {
    const stage = await MachineStage.with({ network: false, hosts: 2 });
    const { networks } = stage.sim.world.fabric;
    const networkId = await stage.sim.done('network.create', shared);
    const id = await stage.machine({ nics: [{ networkId }] });
    const [port] = networks.get(networkId)?.ports.values() ?? [];
    if (port === undefined) throw new Error('no port');
    networks.delete(networkId);
    await stage.sim.run(3 * LOOK_MS);
    expect([...(networks.get(networkId)?.ports.values() ?? [])]).to.deep.equal([port]);
    await stage.sim.done('instance.delete', {}, id);
    stage.sim.world.fabric.ensurePort(port);
    await stage.sim.done('network.delete', {}, networkId);
    stage.sim.world.fabric.ensureNetwork({ id: networkId, name: 'late', owner: 'simulated-cloud', mode: 'nat', subnets: [] });
    await stage.sim.run(3 * LOOK_MS);
    expect(networks.size).to.equal(0);
    expect(await stage.rows(stray)).to.deep.equal([]);
  });

  it('quarantines one with our mark that is unknown once, whichever host it is seen through, until an operator removes it', async () => {
    const stage = await MachineStage.with({ network: false, hosts: 2 });
    const unknown = stage.sim.kernel.services.ids.mint('network');
    const { fabric } = stage.sim.world;
    fabric.ensureNetwork({ id: unknown, name: 'unknown', owner: 'simulated-cloud', mode: 'nat', subnets: [] });
    await stage.sim.run(6 * LOOK_MS);
    const rows = await stage.rows(stray);
    expect(rows.map(({ objectKind, objectId, place }) => [objectKind, objectId, place])).to.deep.equal([
      ['network', unknown, 'simulated-shared'],
    ]);
    await stage.sim.done('stray.remove', {}, rows[0]?.id);
    expect(fabric.networks.size).to.equal(0);
  });
});
