import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../sdk/test/fixture/simulated-server.ts';
import { Pileus } from './pileus.ts';

describe('cli: reach', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let pileus: Pileus;
  before(async () => {
    server = await startSimulatedServer();
    pileus = await Pileus.at(server);
    const { cloud } = server;
    const vpc = await cloud.vpcs.create({ name: 'shop' }).wait();
    const network = await cloud.networks.create({ name: 'inside', vpcId: vpc.id, subnets: [{ cidr: '10.20.0.0/24' }] }).wait();
    const closed = await cloud.securityGroups.create({ name: 'closed', vpcId: vpc.id }).wait();
    const image = await cloud.images.get('debian');
    const machine = (name: string, more: object) =>
      cloud.instances
        .create({ name, instanceType: 'small', imageId: image.id, nics: [{ networkId: network.id, ...more }] } as never)
        .wait();
    await machine('web-1', { address: '10.20.0.11' });
    await machine('web-2', { address: '10.20.0.12' });
    await machine('db-1', { address: '10.20.0.13', securityGroupIds: [closed.id] });
  });
  after(async () => {
    await server.close();
    await pileus.remove();
  });

  it('shows the way from machine to machine, and ends with 1 where something stops it', async () => {
    const open = await pileus.ok('reach', 'web-1', 'web-2', '--port', '443');
    expect(open).to.match(/^10\.20\.0\.11 to 10\.20\.0\.12: reachable\n/);
    expect(open).to.match(/^ok +securityGroups +Rule .* lets tcp 443 out to 10\.20\.0\.12\.$/m);
    const { code, out, err } = await pileus.run('reach', 'web-1', 'db-1', '--port', '5432');
    expect(code).to.equal(1);
    expect(out).to.match(/^STOPS +securityGroups /m);
    expect(err).to.include('(closed) lets tcp 5432 in from 10.20.0.11.');
    expect(err).not.to.include('--help');
    expect(await pileus.json('reach', 'web-1', '10.20.0.12')).to.deep.include({ verdict: 'reachable', ids: {} });
    expect(await pileus.json('reach', '10.20.0.11', '10.20.0.12', '--vpc', 'shop')).to.deep.include({ verdict: 'reachable' });
    const nobody = await pileus.run('reach', 'web-1', 'nobody');
    expect(nobody.code).to.equal(3);
    expect(nobody.err).to.include('There is no machine and no NIC nobody, nor is that an address.\n');
    const beyond = await pileus.run('reach', 'web-1', 'web-2', '--port', '99999');
    expect(beyond.code).to.equal(2);
    expect(beyond.err).to.include('\n  at: --port\n');
  });

  it('takes the groups of a new NIC, and of what is there, by name', async () => {
    const flags = ['--instance-type', 'small', '--image', 'debian', '--nic', 'network=inside,security-group=closed'];
    await pileus.ok('instances', 'create', 'db-2', ...flags, '--wait');
    expect((await pileus.run('reach', 'db-2', 'web-1')).code).to.equal(1);
    await pileus.ok('security-group-rules', 'create', 'closed-out', '--security-group', 'closed', '--direction', 'outbound', '--wait');
    await pileus.ok(
      'security-group-rules',
      'create',
      'pings',
      '--security-group',
      'closed',
      '--direction',
      'inbound',
      '--remote-group',
      'closed',
      '--protocol',
      'icmp',
      '--wait',
    );
    expect(await pileus.ok('security-group-rules', 'list', '--filter', "name = 'pings'")).to.match(
      /^NAME +STATE +SECURITY GROUP +DIRECTION +FAMILY +PROTOCOL +FIRST PORT +LAST PORT +CIDRS +REMOTE GROUP +AGE +ID\npings +available +closed +inbound +4 +icmp +- +- +- +closed /,
    );
    expect(await pileus.ok('reach', 'db-1', 'db-2')).to.include('reachable');
  });
});
