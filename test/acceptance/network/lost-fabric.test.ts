import { expect } from 'chai';
import { FULL } from '../../../tools/test/slice.ts';
import { until } from '../../lab/waiting.ts';
import { type CloudMachine, OvnCloud, reaches } from './ovn-cloud.ts';

describe('OVN whose northbound database comes back empty', function () {
  this.timeout(600_000);
  let cloud: OvnCloud;
  let networkId: string;
  let vpcId: string;
  let a: CloudMachine;
  let b: CloudMachine;

  before(async () => {
    cloud = await OvnCloud.up({ hosts: 2 });
    ({ vpcId, networkId } = await cloud.vpc('shop'));
    a = await cloud.machine('a', 0, { networkId });
    b = await cloud.machine('b', 1, { networkId });
    await b.probe.serve({ protocol: 'tcp', port: 80 });
    await reaches(a.probe, { address: b.address, port: 80 });
  });
  after(() => cloud?.[Symbol.asyncDispose]());

  const fabric = async () => {
    const [row] = await cloud.rows('fabric');
    return row ?? expect.fail('no fabric');
  };
  const routers = async () => (await cloud.lab.ovn.central.nbctl('--bare', '--columns=name', 'list', 'Logical_Router')).trim();

  /** As it was before it was lost the first time. */
  let bringBack: () => Promise<void>;
  const isLost = () =>
    until('the fabric to be lost', async () => {
      const row = await fabric();
      return row.state === 'lost' ? row : undefined;
    });

  it('is not written to until an operator says so, and then has all of it again', async () => {
    expect(await fabric()).to.include({ driver: 'ovn', state: 'ready' });
    const former = await cloud.done('vpc.create', { name: 'former' });
    const [group] = await cloud.rows('securityGroup', 'vpcId', vpcId);
    const rule = (port: number) => {
      const allowed = { direction: 'inbound', protocol: 'tcp', firstPort: port, lastPort: port, cidrs: ['10.1.0.0/16'] };
      return cloud.done('securityGroupRule.create', { securityGroupId: group?.id, ...allowed });
    };
    const route = (nextHop: string) => cloud.done('route.create', { vpcId, destination: '10.99.0.0/16', nextHop });
    const formerRule = await rule(22);
    const formerRoute = await route(a.address);
    const recordId = await cloud.done('dnsRecord.create', { vpcId, hostname: 'db.shop.internal', addresses: ['10.0.0.98'] });
    bringBack = await cloud.lab.ovn.central.keptNorthbound();
    await cloud.done('vpc.delete', {}, former);
    await cloud.done('securityGroupRule.delete', {}, formerRule);
    await rule(23);
    await cloud.done('route.delete', {}, formerRoute);
    await route(b.address);
    await cloud.done('dnsRecord.update', { addresses: ['10.0.0.99'] }, recordId);
    await cloud.lab.ovn.central.loseNorthbound();
    const lost = await isLost();
    expect(lost.stateReason).to.include({ code: 'fabric_lost' });
    for (const [action, input] of [
      ['vpc.create', { name: 'other' }],
      ['network.create', { vpcId, subnets: [{ cidr: '10.9.0.0/24' }] }],
      ['instance.create', cloud.machineInput('c', 0, { networkId })],
    ] as const) {
      const { code, publicMessage } = await cloud.refused(action, input);
      expect([action, code]).to.deep.equal([action, 'conflict']);
      expect(publicMessage).to.contain('fabric.rebuild');
    }
    expect(await routers()).to.equal('');

    await cloud.done('fabric.rebuild', {}, lost.id);
    await until('the router', async () => ((await routers()) === '' ? undefined : true));
    await reaches(a.probe, { address: b.address, port: 80 });
    expect((await fabric()).state).to.equal('ready');
    const c = await cloud.machine('c', 0, { networkId });
    await reaches(c.probe, { address: b.address, port: 80 });
  });

  if (FULL)
    it('is not written to either when it comes back as it was before, and then has all that there is now, and nothing else', async () => {
      const b2 = await cloud.machine('b2', 1, { networkId });
      await b2.probe.serve({ protocol: 'tcp', port: 80 });
      await cloud.lab.ovn.central.settle();
      // OVN makes its own rows anew.
      const wanted = async () => (await cloud.wanted()).map((line) => line.replace(/^(southbound \S+) .*/, '$1')).sort();
      const before = await wanted();
      await bringBack();
      const lost = await isLost();
      expect((await cloud.refused('vpc.create', { name: 'other' })).code).to.equal('conflict');
      expect(await cloud.lab.ovn.central.nbctl('--bare', '--columns=name', 'list', 'Logical_Switch_Port')).to.not.include(b2.nicId);
      await cloud.done('fabric.rebuild', {}, lost.id);
      await reaches(a.probe, { address: b2.address, port: 80 });
      const same = async () => (JSON.stringify(await wanted()) === JSON.stringify(before) ? true : undefined);
      await until('what there was', same).catch(async () => expect(await wanted()).to.deep.equal(before));
    });

  it('leaves nothing in OVN and on the hosts', async () => {
    expect(await cloud.clear()).to.deep.equal([]);
  });
});
