import { expect } from 'chai';
import { elasticIp, nic, reservedAddress } from '../../../../src/cloud/index.ts';
import { keptElasticIp } from '../../../../src/cloud/network/nat/elastic-ip-kept.ts';
import { type AnyKind, equals, rowsNeeded } from '../../../../src/kernel/index.ts';
import { LOST_MS } from '../../compute/machine-stage.ts';
import { internetOf } from '../../routed.ts';
import { RoutedStage } from '../routed-stage.ts';

const HOUR_MS = 3600_000;
const withTrash = { presets: { 'trash.retentionSeconds': 24 * 3600 } };

describe('an elastic IP', () => {
  it('is bound to a NIC and taken from it while the machine runs', async () => {
    const at = await RoutedStage.ready();
    const gatewayId = await at.gateway();
    const { nicId, address } = await at.machine();
    const id = await at.elasticIp({ address: '203.0.113.77', distributed: true });
    await at.sim.done('elasticIp.bind', { nicId }, id);
    expect(await at.stage.row(elasticIp, id)).to.include({ state: 'bound', nicId, natGatewayId: gatewayId, distributed: true });
    expect(at.kept('elasticIps', id)).to.deep.include({
      ...{ vpcId: at.vpcId, gatewayId, externalAddress: '203.0.113.77', nicId, nicAddress: address, distributed: true },
    });
    await at.sim.done('elasticIp.unbind', {}, id);
    const row = await at.stage.row(elasticIp, id);
    expect([row.state, row.nicId, row.natGatewayId, at.kept('elasticIps', id)]).to.deep.equal([
      'available',
      undefined,
      undefined,
      undefined,
    ]);
    await at.sim.done('elasticIp.bind', { nicId, distributed: false }, id);
    expect(at.kept('elasticIps', id)).to.deep.include({ distributed: false });
  });

  it('that is bound as asked already is said to be, and nothing is done', async () => {
    const at = await RoutedStage.ready();
    await at.gateway();
    const { nicId } = await at.machine();
    const id = await at.elasticIp();
    await at.sim.done('elasticIp.bind', { nicId }, id);
    const { generation } = await at.stage.row(elasticIp, id);
    const { operationId } = await at.sim.submit('elasticIp.bind', { nicId }, id);
    expect(await at.sim.ended(operationId)).to.include({ state: 'succeeded', stepsDone: 0 });
    expect((await at.stage.row(elasticIp, id)).generation).to.equal(generation);
    expect(await at.refused('elasticIp.bind', { nicId, distributed: true }, id)).to.deep.equal(['conflict', undefined]);
  });

  it('is never bound twice, nor two to one, also when all ask at once', async () => {
    const at = await RoutedStage.ready();
    await at.gateway();
    const [a, b] = [await at.machine(), await at.machine()];
    const [first, second] = [await at.elasticIp(), await at.elasticIp()];
    const bind = (nicId: string, resourceId: string) => ({ action: 'elasticIp.bind', input: { nicId }, resourceId });
    const ends = await at.atOnce([bind(a.nicId, first), bind(b.nicId, first), bind(a.nicId, second), bind(a.nicId, first)]);
    const rows = await at.stage.rows(elasticIp);
    expect(ends.filter((end) => end === 'succeeded').length).to.equal(rows.filter(({ nicId }) => nicId !== undefined).length);
    expect(rows.filter(({ nicId }) => nicId === a.nicId)).to.have.length(1);
    const taken = rows.find(({ nicId }) => nicId === a.nicId)?.id;
    expect(await at.refused('elasticIp.bind', { nicId: a.nicId }, await at.elasticIp())).to.deep.equal(['conflict', '/nicId']);
    expect(await at.refused('elasticIp.bind', { nicId: (await at.machine()).nicId }, taken)).to.deep.equal(['conflict', undefined]);
  });

  it('needs a gateway of the VPC on its own network', async () => {
    const at = await RoutedStage.ready();
    const { nicId } = await at.machine();
    const id = await at.elasticIp();
    expect(await at.refused('elasticIp.bind', { nicId }, id)).to.deep.equal(['conflict', '/nicId']);
    const other = await internetOf(at.sim, { name: 'other', cidr: '198.51.100.0/24' });
    await at.gateway({ externalNetworkId: other });
    expect(await at.refused('elasticIp.bind', { nicId }, id)).to.deep.equal(['conflict', '/nicId']);
    await at.sim.done('elasticIp.bind', { nicId }, await at.elasticIp({ externalNetworkId: other }));
  });

  it('is refused with the field at fault', async () => {
    const at = await RoutedStage.ready();
    await at.gateway();
    const { nicId } = await at.machine();
    const loadBalancerId = await at.sim.done('loadBalancer.create', { subnetId: at.subnetId });
    const ofSix = await at.subnetIn(await at.network('six', 'fd00:6::/64'));
    const balancerOfSix = await at.sim.done('loadBalancer.create', { subnetId: ofSix });
    const id = await at.elasticIp();
    const plain = await at.machine(await at.stage.network());
    const nobody = '00000000-0000-7000-8000-00000000dead';
    for (const [input, code, pointer] of [
      [{}, 'invalid_input', ''],
      [{ nicId, loadBalancerId }, 'invalid_input', ''],
      [{ nicId: nobody }, 'not_found', '/nicId'],
      [{ loadBalancerId: nobody }, 'not_found', '/loadBalancerId'],
      [{ loadBalancerId: balancerOfSix }, 'conflict', '/loadBalancerId'],
      [{ nicId: plain.nicId }, 'conflict', '/nicId'],
      [{ loadBalancerId, distributed: true }, 'invalid_input', '/distributed'],
    ] as const) {
      expect(await at.refused('elasticIp.bind', input, id), JSON.stringify(input)).to.deep.equal([code, pointer]);
    }
    const { internetId: externalNetworkId } = at;
    for (const [input, code, pointer] of [
      [{ externalNetworkId: at.networkId }, 'invalid_input', '/externalNetworkId'],
      [{ externalNetworkId, subnetId: at.subnetId }, 'not_found', '/subnetId'],
      [{ externalNetworkId, address: '10.1.0.9' }, 'invalid_input', '/address'],
      [{ externalNetworkId, address: 'fd00::9' }, 'invalid_input', '/address'],
      [{ externalNetworkId, address: (await at.stage.row(elasticIp, id)).address }, 'name_taken', '/address'],
    ] as const)
      expect(await at.refused('elasticIp.create', input), JSON.stringify(input)).to.deep.equal([code, pointer]);
  });

  it('is distributed only where the host of the machine is connected to the external network', async () => {
    const at = await RoutedStage.ready();
    await at.gateway();
    const { stage, sim } = at;
    const [cluster] = await stage.rows(sim.kernel.registry.kind('cluster'));
    const { zoneId } = cluster as unknown as { readonly zoneId: string };
    const clusterId = await sim.done('cluster.create', { name: 'elsewhere', zoneId });
    sim.world.addHost('far');
    const hostId = await sim.done('host.create', { name: 'far', clusterId, uri: 'sim://far' });
    await stage.pool(hostId);
    const [far] = await stage.nics(await stage.machine({ nics: [{ networkId: at.networkId }], hostId }));
    const id = await at.elasticIp({ distributed: true });
    expect(await at.refused('elasticIp.bind', { nicId: far?.id }, id)).to.deep.equal(['conflict', '/distributed']);
    await sim.done('elasticIp.bind', { nicId: far?.id, distributed: false }, id);
    await sim.done('elasticIp.unbind', {}, id);
    const { nicId } = await at.machine();
    stage.worldHost(1).unconnected.add('phys-internet');
    expect(await at.refused('elasticIp.bind', { nicId, distributed: true }, id)).to.deep.equal(['conflict', '/distributed']);
    stage.worldHost(1).unconnected.clear();
    await sim.done('elasticIp.bind', { nicId, distributed: true }, id);
    expect(at.kept('elasticIps', id)).to.deep.include({ distributed: true });
  });

  it('that is distributed comes in through the gateway while its machine is on a host that is not connected', async () => {
    const at = await RoutedStage.ready({ hosts: 2 });
    await at.gateway();
    const { stage, sim } = at;
    const { nicId, instanceId } = await at.machine();
    const id = await at.elasticIp({ distributed: true });
    await sim.done('elasticIp.bind', { nicId }, id);
    const { hostId: hereId } = await stage.instance(instanceId);
    const thereId = stage.hostIds.find((each) => each !== hereId);
    /** As if the machine were there, and that host in another cluster. */
    const moved = async (clusterId?: string) => {
      const { reader } = sim.kernel;
      const get = async (kind: AnyKind, key: string) => {
        const row = await reader.get(kind, key as never);
        if (key === instanceId) return { ...row, hostId: thereId };
        return key === thereId && clusterId !== undefined ? { ...row, clusterId } : row;
      };
      const fabrics = { of: async () => ({ missing: () => undefined }) };
      const ctx = { reader: { ...reader, find: reader.find.bind(reader), list: reader.list.bind(reader), get }, fabrics, cloudId: 'cloud' };
      const row = await stage.row(elasticIp, id);
      return sim.environment.complete(keptElasticIp.spec(ctx as never, row));
    };
    expect([await moved(), await moved('0190a000-0000-7000-8000-000000000001')].map((spec) => spec?.distributed)).to.deep.equal([
      true,
      false,
    ]);
    expect((await stage.row(elasticIp, id)).distributed, 'as it was asked for').to.equal(true);
  });

  it('that is distributed is made anew with the move of its machine', async () => {
    const at = await RoutedStage.ready({ hosts: 2 });
    await at.gateway();
    const { stage, sim } = at;
    await sim.done('pool.create', { name: 'shared', driver: 'simulated-shared', clusterId: stage.clusterId, storageClass: 'shared' });
    const rootVolume = { storageClass: 'shared' };
    const instanceId = await stage.machine({ hostId: stage.hostIds[0], rootVolume, nics: [{ networkId: at.networkId }] });
    const [port] = await stage.nics(instanceId);
    const id = await at.elasticIp({ distributed: true });
    await sim.done('elasticIp.bind', { nicId: port?.id }, id);
    sim.world.partition('hv1');
    await sim.run(LOST_MS);
    const kept = sim.world.fabric.kept.of('elasticIps');
    const spec = at.kept('elasticIps', id);
    kept.set(id, { spec: { ...spec, distributed: false } as never, owner: undefined });
    await sim.done('instance.evacuate', {}, instanceId);
    expect(at.kept('elasticIps', id)).to.deep.equal(spec);
  });

  it('that is distributed and a forwarded port keep apart, whoever comes first', async () => {
    const at = await RoutedStage.ready();
    const natGatewayId = await at.gateway();
    const { nicId } = await at.machine();
    const id = await at.elasticIp({ distributed: true });
    const wish = { natGatewayId, nicId, protocol: 'tcp', externalPort: 80 };
    const forwardId = await at.sim.done('portForward.create', wish);
    expect(await at.refused('elasticIp.bind', { nicId }, id)).to.deep.equal(['conflict', '/distributed']);
    await at.sim.done('portForward.delete', {}, forwardId);
    await at.sim.done('elasticIp.bind', { nicId }, id);
    expect(await at.refused('portForward.create', wish)).to.deep.equal(['conflict', '/nicId']);
    await at.sim.done('elasticIp.unbind', {}, id);
    const ends = await at.atOnce([
      { action: 'portForward.create', input: wish },
      { action: 'elasticIp.bind', input: { nicId }, resourceId: id },
    ]);
    expect(ends.filter((end) => end === 'succeeded')).to.have.length(1);
  });

  it('that is distributed and a backend of a load balancer keep apart, whoever comes first', async () => {
    const at = await RoutedStage.ready();
    await at.gateway();
    const { nicId } = await at.machine();
    const loadBalancerId = await at.sim.done('loadBalancer.create', { subnetId: at.subnetId });
    const listenerId = await at.sim.done('listener.create', { loadBalancerId, protocol: 'tcp', port: 80 });
    const id = await at.elasticIp({ distributed: true });
    await at.sim.done('elasticIp.bind', { nicId }, id);
    expect(await at.refused('backend.create', { listenerId, nicId })).to.deep.equal(['conflict', '/nicId']);
    await at.sim.done('elasticIp.unbind', {}, id);
    const ends = await at.atOnce([
      { action: 'elasticIp.bind', input: { nicId }, resourceId: id },
      { action: 'backend.create', input: { listenerId, nicId } },
    ]);
    expect(ends.filter((end) => end === 'succeeded')).to.have.length(1);
    if (ends[1] !== 'succeeded') {
      await at.sim.done('elasticIp.unbind', {}, id);
      await at.sim.done('backend.create', { listenerId, nicId });
    }
    expect(await at.refused('elasticIp.bind', { nicId }, id)).to.deep.equal(['conflict', '/distributed']);
    await at.sim.done('elasticIp.bind', { nicId, distributed: false }, id);
  });

  for (const [how, gone] of [
    [
      'is detached',
      async (at: RoutedStage, { instanceId, nicId }: { instanceId: string; nicId: string }) =>
        at.sim.done('instance.detachNic', { nicId }, instanceId),
    ],
    [
      'is deleted with its machine',
      async (at: RoutedStage, { instanceId }: { instanceId: string }) => at.sim.done('instance.delete', { permanent: true }, instanceId),
    ],
    [
      'goes into the trash',
      async (at: RoutedStage, { instanceId }: { instanceId: string }) => at.sim.done('instance.delete', {}, instanceId),
    ],
  ] as const)
    it(`lets go of a NIC that ${how}, here and in the fabric, and stays the project’s`, async () => {
      const at = await RoutedStage.ready(withTrash);
      await at.gateway();
      const machine = await at.machine();
      const id = await at.elasticIp();
      await at.sim.done('elasticIp.bind', { nicId: machine.nicId }, id);
      await gone(at, machine);
      const row = await at.stage.row(elasticIp, id);
      expect([row.state, row.nicId, row.natGatewayId, at.kept('elasticIps', id)]).to.deep.equal([
        'available',
        undefined,
        undefined,
        undefined,
      ]);
      await at.sim.done('elasticIp.bind', { nicId: (await at.machine()).nicId }, id);
    });

  it('is not taken back by a machine that is recovered, whose ports and backends lead to it again', async () => {
    const at = await RoutedStage.ready(withTrash);
    const natGatewayId = await at.gateway();
    const { instanceId, nicId, address } = await at.machine();
    const id = await at.elasticIp();
    await at.sim.done('elasticIp.bind', { nicId }, id);
    const forward = await at.sim.done('portForward.create', { natGatewayId, nicId, protocol: 'tcp', externalPort: 80 });
    const loadBalancerId = await at.sim.done('loadBalancer.create', { subnetId: at.subnetId });
    const listenerId = await at.sim.done('listener.create', { loadBalancerId, protocol: 'tcp', port: 80 });
    await at.sim.done('backend.create', { listenerId, nicId });
    const backends = () =>
      (
        at.kept('loadBalancers', loadBalancerId) as { listeners: readonly { backends: readonly { address: string }[] }[] }
      ).listeners[0]?.backends.map((each) => each.address);
    await at.sim.done('instance.delete', {}, instanceId);
    expect([at.kept('portForwards', forward), backends()]).to.deep.equal([undefined, []]);
    await at.sim.done('instance.recover', {}, instanceId);
    expect((await at.stage.row(nic, nicId)).state).to.equal('attached');
    expect([at.kept('portForwards', forward) === undefined, backends()]).to.deep.equal([false, [address]]);
    expect([(await at.stage.row(elasticIp, id)).state, at.kept('elasticIps', id)]).to.deep.equal(['available', undefined]);
  });

  it('that is bound is not deleted, and leaves nothing when it is', async () => {
    const at = await RoutedStage.ready();
    await at.gateway();
    const { nicId } = await at.machine();
    const id = await at.elasticIp();
    await at.sim.done('elasticIp.bind', { nicId }, id);
    const { code, publicMessage, params } = await at.stage.refusal('elasticIp.delete', { force: true }, id);
    expect([code, params?.kind, params?.id]).to.deep.equal(['conflict', 'nic', nicId]);
    expect(publicMessage).to.match(/^It is bound to NIC .+; unbind it first\.$/);
    await at.sim.done('elasticIp.unbind', {}, id);
    await at.sim.done('elasticIp.delete', {}, id);
    expect((await at.stage.rows(reservedAddress)).filter(({ elasticIpId }) => elasticIpId === id)).to.deep.equal([]);
  });

  for (const to of ['nicId', 'loadBalancerId'] as const)
    it(`is not taken by the stack that has made it from what stays and has it by ${to}, and goes with it once it is unbound`, async () => {
      const at = await RoutedStage.ready();
      await at.gateway();
      const target = to === 'nicId' ? (await at.machine()).nicId : await at.sim.done('loadBalancer.create', { subnetId: at.subnetId });
      const resources = { front: { kind: 'elasticIp', properties: { name: 'front', externalNetworkId: at.internetId } } };
      const stackId = await at.sim.done('stack.create', { name: 'edge', template: { resources } });
      const [row] = await at.stage.rows(elasticIp);
      const id = row?.id ?? '';
      await at.sim.done('elasticIp.bind', { [to]: target }, id);
      const outside = () => (at.kept('loadBalancers', target) as { externalAddress?: string } | undefined)?.externalAddress;
      expect(to === 'nicId' ? at.kept('elasticIps', id) : outside()).not.to.equal(undefined);
      expect((await at.stage.refusal('stack.delete', {}, stackId)).code).to.equal('in_use');
      expect(to === 'nicId' ? at.kept('elasticIps', id) : outside()).not.to.equal(undefined);
      await at.sim.done('elasticIp.unbind', {}, id);
      await at.sim.done('stack.delete', {}, stackId);
      expect([await at.stage.rows(elasticIp), at.kept('elasticIps', id), outside()]).to.deep.equal([[], undefined, undefined]);
      await at.sim.done('elasticIp.bind', { [to]: target }, await at.elasticIp());
    });
});

describe('an address that was let go of', () => {
  it('is kept from other projects for a while, who are told until when, and not from its own', async () => {
    const at = await RoutedStage.ready();
    const neighbour = await at.neighbour();
    const address = '203.0.113.99';
    const wish = { externalNetworkId: at.internetId, address };
    await at.sim.done('elasticIp.delete', {}, await at.elasticIp({ address }));
    const { error } = await at.makes(neighbour, 'elasticIp.create', wish);
    expect([error?.code, error?.pointer, error?.params?.address]).to.deep.equal(['conflict', '/address', address]);
    const until = Date.parse(String(error?.params?.until)) - at.sim.environment.clock.nowMs();
    expect(until).to.be.within(HOUR_MS - 10_000, HOUR_MS);
    await at.sim.done('elasticIp.delete', {}, await at.elasticIp({ address }));
    await at.sim.run(HOUR_MS);
    expect((await at.makes(neighbour, 'elasticIp.create', wish)).error).to.equal(undefined);
  });

  it('is chosen for nobody while another is free, then for its own project, and for others not at all', async () => {
    const at = await RoutedStage.ready({ internet: '203.0.113.0/29' });
    const neighbour = await at.neighbour();
    const rests = await at.elasticIp();
    const { address } = await at.stage.row(elasticIp, rests);
    await at.sim.done('elasticIp.delete', {}, rests);
    const made = async () => (await at.stage.row(elasticIp, await at.elasticIp())).address;
    const others = [await made(), await made(), await made(), await made()];
    expect(others).not.to.include(address);
    const { error } = await at.makes(neighbour, 'elasticIp.create', { externalNetworkId: at.internetId });
    expect(error?.code).to.equal('no_capacity');
    expect(await made()).to.equal(address);
    expect((await at.makes(at.sim.principal, 'elasticIp.create', { externalNetworkId: at.internetId })).error?.code).to.equal(
      'no_capacity',
    );
  });

  it('rests not at all where the setting says so', async () => {
    const at = await RoutedStage.ready({ presets: { 'network.elasticIpReuseSeconds': 0 } });
    const neighbour = await at.neighbour();
    const wish = { externalNetworkId: at.internetId, address: '203.0.113.99' };
    await at.sim.done('elasticIp.delete', {}, await at.elasticIp({ address: wish.address }));
    expect((await at.makes(neighbour, 'elasticIp.create', wish)).error).to.equal(undefined);
  });

  it('is not had by a NIC of others, either', async () => {
    const at = await RoutedStage.ready({ internet: '203.0.113.0/29' });
    const neighbour = await at.neighbour();
    await at.sim.done('share.create', { resourceKind: 'image', resourceId: at.stage.imageId, with: 'all' });
    for (const address of ['203.0.113.3', '203.0.113.4']) await at.elasticIp({ address });
    for (const address of ['203.0.113.5', '203.0.113.6']) await at.sim.done('elasticIp.delete', {}, await at.elasticIp({ address }));
    const machine = (more: object = {}) => at.stage.input({ start: false, nics: [{ networkId: at.internetId, ...more }] });
    const { error } = await at.makes(neighbour, 'instance.create', machine({ address: '203.0.113.5' }));
    expect([error?.code, error?.pointer]).to.deep.equal(['conflict', '/nics/0/address']);
    expect((await at.makes(neighbour, 'instance.create', machine())).error).to.equal(undefined);
    expect((await at.stage.rows(nic)).map(({ address }) => address)).to.deep.equal(['203.0.113.2']);
    expect((await at.makes(neighbour, 'instance.create', machine())).error?.code).to.equal('no_capacity');
  });

  it('is remembered for as long as it rests', async () => {
    const at = await RoutedStage.ready();
    await at.sim.done('elasticIp.delete', {}, await at.elasticIp());
    const { kernel, environment } = at.sim;
    const [row] = await environment.complete(
      kernel.reader.list(reservedAddress, equals('subnetId', await at.subnetIn(at.internetId)), { deleted: true }),
    );
    const needed = () =>
      environment.complete(kernel.registry.hooks.collect(rowsNeeded, { kind: reservedAddress.name, ids: [row?.id ?? ''] }));
    expect((await needed()).flat()).to.deep.equal([row?.id]);
    await at.sim.run(HOUR_MS);
    expect((await needed()).flat()).to.deep.equal([]);
  });

  it('of a gateway rests, too', async () => {
    const at = await RoutedStage.ready();
    const neighbour = await at.neighbour();
    await at.sim.done('natGateway.delete', {}, await at.gateway({ address: '203.0.113.50' }));
    const wish = { externalNetworkId: at.internetId, address: '203.0.113.50' };
    expect((await at.makes(neighbour, 'elasticIp.create', wish)).error?.code).to.equal('conflict');
  });
});
