import { expect } from 'chai';
import { backend, elasticIp, listener, loadBalancer } from '../../../../src/cloud/index.ts';
import type { LoadBalancerSpec } from '../../../../src/strategy/index.ts';
import { RoutedStage } from '../routed-stage.ts';

const check = { intervalSeconds: 5, timeoutSeconds: 2, successes: 2, failures: 3 };
const nobody = '00000000-0000-7000-8000-00000000dead';

/** A balancer that listens at port 80, with a machine behind it. */
async function shop(options: Parameters<typeof RoutedStage.ready>[0] = {}) {
  const at = await RoutedStage.ready(options);
  const id = await at.sim.done('loadBalancer.create', { name: 'shop', subnetId: at.subnetId });
  const listenerId = await at.sim.done('listener.create', {
    name: 'web',
    loadBalancerId: id,
    protocol: 'tcp',
    port: 80,
    healthCheck: check,
  });
  const machine = await at.machine();
  const backendId = await at.sim.done('backend.create', { name: 'web-1', listenerId, nicId: machine.nicId, port: 8080, weight: 3 });
  const real = () => at.kept('loadBalancers', id) as LoadBalancerSpec | undefined;
  return { at, id, listenerId, backendId, machine, real };
}

describe('a load balancer', () => {
  it('is one object of the fabric, made anew with each of its parts', async () => {
    const { at, id, listenerId, backendId, machine, real } = await shop();
    const { address } = await at.stage.row(loadBalancer, id);
    const first = { id: backendId, nicId: machine.nicId, networkId: at.networkId, address: machine.address, port: 8080, weight: 3 };
    const { id: own, owner, ...rest } = real() ?? ({} as LoadBalancerSpec);
    const web = { id: listenerId, protocol: 'tcp', port: 80, backends: [first] };
    expect([own, owner === undefined]).to.deep.equal([id, false]);
    expect(rest).to.deep.equal({
      ...{ vpcId: at.vpcId, address },
      listeners: [{ ...web, healthCheck: { ...check, sources: { [at.networkId]: '10.1.0.3' } } }],
    });
    await at.sim.done('backend.update', { weight: 0 }, backendId);
    await at.sim.done('listener.update', { healthCheck: null }, listenerId);
    expect(real()?.listeners).to.deep.equal([{ ...web, backends: [{ ...first, weight: 0 }] }]);
    await at.sim.done('backend.delete', {}, backendId);
    expect(real()?.listeners).to.deep.equal([{ ...web, backends: [] }]);
    await at.sim.done('listener.delete', {}, listenerId);
    expect(real()?.listeners).to.deep.equal([]);
    await at.sim.done('loadBalancer.delete', {}, id);
    expect([real(), ...(await at.stage.rows(listener)), ...(await at.stage.rows(backend))]).to.deep.equal([undefined]);
  });

  it('keeps the weight that a backend had when the change fails', async () => {
    const { at, backendId, real } = await shop();
    at.sim.world.faults.add({ command: 'loadBalancers.ensure', times: 1, effect: 'fail', fault: 'invalid' });
    expect((await at.stage.outcome('backend.update', { weight: 50 }, backendId)).state).to.equal('failed');
    expect((await at.stage.row(backend, backendId)).weight).to.equal(3);
    expect(real()?.listeners[0]?.backends[0]?.weight).to.equal(3);
  });

  it('is refused with the field at fault', async () => {
    const { at, id, listenerId, machine } = await shop();
    const { nicId } = machine;
    const plain = await at.subnetIn(await at.stage.network());
    const elsewhere = await at.network('other', '10.1.0.0/24', await at.sim.done('vpc.create', { name: 'vpc-2' }));
    const stranger = await at.machine(elsewhere);
    const sixId = await at.sim.done('network.create', { name: 'six', vpcId: at.vpcId, subnets: [{ cidr: 'fd00::/64' }] });
    const six = await at.machine(sixId);
    const balancer6 = await at.sim.done('loadBalancer.create', { subnetId: await at.subnetIn(sixId) });
    const web = { loadBalancerId: id, protocol: 'tcp', port: 80 };
    const slow = { ...check, timeoutSeconds: 6 };
    for (const [action, input, code, pointer] of [
      ['loadBalancer.create', { subnetId: plain }, 'conflict', '/subnetId'],
      ['loadBalancer.create', { subnetId: nobody }, 'not_found', '/subnetId'],
      ['loadBalancer.create', { subnetId: at.subnetId, address: machine.address }, 'name_taken', '/address'],
      ['loadBalancer.create', { subnetId: at.subnetId, address: 'fd00::7' }, 'invalid_input', '/address'],
      ['listener.create', { ...web, loadBalancerId: nobody }, 'not_found', '/loadBalancerId'],
      ['listener.create', web, 'name_taken', '/port'],
      ['listener.create', { ...web, port: 0 }, 'invalid_input', '/port'],
      ['listener.create', { ...web, protocol: 'icmp' }, 'invalid_input', '/protocol'],
      ['listener.create', { ...web, port: 81, healthCheck: slow }, 'invalid_input', '/healthCheck/timeoutSeconds'],
      ['listener.create', { ...web, port: 81, healthCheck: { ...check, failures: 0 } }, 'invalid_input', '/healthCheck/failures'],
      ['listener.create', { ...web, loadBalancerId: balancer6, healthCheck: check }, 'unsupported', '/healthCheck'],
      ['backend.create', { listenerId: nobody, nicId }, 'not_found', '/listenerId'],
      ['backend.create', { listenerId, nicId: nobody }, 'not_found', '/nicId'],
      ['backend.create', { listenerId, nicId: stranger.nicId }, 'conflict', '/nicId'],
      ['backend.create', { listenerId, nicId: six.nicId }, 'conflict', '/nicId'],
      ['backend.create', { listenerId, nicId, port: 8080 }, 'name_taken', '/nicId'],
      ['backend.create', { listenerId, nicId, weight: 101 }, 'invalid_input', '/weight'],
      ['backend.create', { listenerId, nicId, weight: -1 }, 'invalid_input', '/weight'],
      ['backend.create', { listenerId, nicId, port: 70_000 }, 'invalid_input', '/port'],
    ] as const)
      expect(await at.refused(action, input), `${action} ${JSON.stringify(input)}`).to.deep.equal([code, pointer]);
    expect(await at.refused('listener.update', { healthCheck: slow }, listenerId)).to.deep.equal([
      'invalid_input',
      '/healthCheck/timeoutSeconds',
    ]);
  });

  it('takes many backends and listeners at once', async () => {
    const { at, id, listenerId, machine } = await shop();
    const numbers = Array.from({ length: 15 }, (_, index) => 1001 + index);
    const backends = numbers.map((port) => ({ action: 'backend.create', input: { listenerId, nicId: machine.nicId, port } }));
    const listeners = numbers.map((port) => ({ action: 'listener.create', input: { loadBalancerId: id, protocol: 'tcp', port } }));
    expect(new Set(await at.atOnce(backends))).to.deep.equal(new Set(['succeeded']));
    expect(new Set(await at.atOnce(listeners))).to.deep.equal(new Set(['succeeded']));
    expect(
      (at.kept('loadBalancers', id) as LoadBalancerSpec).listeners.map(({ backends: each }) => each.length).toSorted((a, b) => b - a)[0],
    ).to.equal(16);
  });

  it('has no more listeners and backends than it may, also of those that come at once', async function () {
    this.timeout(300_000);
    const { at, id, listenerId, machine } = await shop();
    for (let port = 81; port < 81 + 30; port += 1) await at.sim.done('listener.create', { loadBalancerId: id, protocol: 'tcp', port });
    const last = (port: number) => ({ action: 'listener.create', input: { loadBalancerId: id, protocol: 'udp', port } });
    expect((await at.atOnce([last(1), last(2), last(3)])).toSorted()).to.deep.equal(['conflict', 'conflict', 'succeeded']);
    expect(await at.refused('listener.create', last(9).input)).to.deep.equal(['conflict', '/loadBalancerId']);
    const one = (port: number) => ({ action: 'backend.create', input: { listenerId, nicId: machine.nicId, port } });
    for (let port = 1; port <= 62; port += 1) await at.sim.done('backend.create', one(port).input);
    expect((await at.atOnce([one(101), one(102), one(103)])).toSorted()).to.deep.equal(['conflict', 'conflict', 'succeeded']);
    expect(await at.refused('backend.create', one(104).input)).to.deep.equal(['conflict', '/listenerId']);
    expect([(await at.stage.rows(listener)).length, (await at.stage.rows(backend)).length]).to.deep.equal([32, 64]);
  });

  it('is reached from outside by an elastic IP, until that or it is gone', async () => {
    const { at, id, real } = await shop();
    const natGatewayId = await at.gateway();
    const eip = await at.elasticIp({ address: '203.0.113.80' });
    await at.sim.done('elasticIp.bind', { loadBalancerId: id }, eip);
    expect(await at.stage.row(elasticIp, eip)).to.include({ state: 'bound', loadBalancerId: id, natGatewayId });
    expect([real()?.externalAddress, at.kept('elasticIps', eip)]).to.deep.equal(['203.0.113.80', undefined]);
    expect(await at.refused('elasticIp.bind', { loadBalancerId: id }, await at.elasticIp())).to.deep.equal(['conflict', '/loadBalancerId']);
    await at.sim.done('elasticIp.unbind', {}, eip);
    expect(real()).not.to.have.property('externalAddress');
    await at.sim.done('elasticIp.bind', { loadBalancerId: id }, eip);
    await at.sim.done('loadBalancer.delete', {}, id);
    const row = await at.stage.row(elasticIp, eip);
    expect([row.state, row.loadBalancerId, row.natGatewayId, real()]).to.deep.equal(['available', undefined, undefined, undefined]);
  });

  it('loses a backend with its NIC', async () => {
    const { at, machine, real } = await shop();
    await at.sim.done('instance.detachNic', { nicId: machine.nicId }, machine.instanceId);
    expect(real()?.listeners[0]?.backends).to.deep.equal([]);
    expect(await at.stage.rows(backend)).to.deep.equal([]);
  });

  it('tells how its backends answer when it is asked, and whom it may tell', async () => {
    const { at, id, listenerId, backendId, machine } = await shop();
    const health = (principal = at.sim.principal) =>
      at.stage.ask('GET', '/load-balancers/{id}/health', { params: { id }, principal }) as Promise<{ backends: readonly object[] }>;
    const web = { id: backendId, name: 'web-1', listenerId, nicId: machine.nicId, weight: 3 };
    expect(await health()).to.deep.equal({ backends: [{ ...web, health: 'online' }] });
    at.sim.world.fabric.kept.offline.add(backendId);
    expect(await health()).to.deep.equal({ backends: [{ ...web, health: 'offline' }] });
    const before = await at.stage.revision();
    await at.sim.done('listener.update', { healthCheck: null }, listenerId);
    expect(await health()).to.deep.equal({ backends: [{ ...web, health: 'unchecked' }] });
    expect(await at.stage.revision()).to.be.above(before);
    const stranger = {
      ...at.sim.principal,
      projectId: '01890000-0000-7000-8000-00000000000f' as never,
      allows: (permission: string) => permission !== 'project.any',
    };
    expect(await health(stranger).catch(({ code }) => code)).to.equal('not_found');
  });
});
