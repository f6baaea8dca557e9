import { expect } from 'chai';
import { subnet } from '../../../src/cloud/index.ts';
import { RoutedStage } from './routed-stage.ts';

describe('a subnet that is changed', () => {
  const told = (at: RoutedStage) => {
    const { spec } = at.sim.world.fabric.networks.get(at.networkId) ?? {};
    const [{ dnsServers, hostRoutes } = { dnsServers: undefined, hostRoutes: undefined }] = spec?.subnets ?? [];
    return { dnsServers, hostRoutes };
  };

  it('tells its guests other servers and routes, and in the end what it told at first', async () => {
    const at = await RoutedStage.ready();
    const before = told(at);
    expect(before).to.deep.equal({ dnsServers: ['10.1.0.2'], hostRoutes: undefined });
    const hostRoutes = [{ destination: '172.16.0.0/12', nextHop: '10.1.0.9' }];
    await at.sim.done('subnet.update', { name: 'renamed', dnsServers: ['2001:DB8::1', '9.9.9.9'], hostRoutes }, at.subnetId);
    expect(told(at)).to.deep.equal({ dnsServers: ['2001:db8::1', '9.9.9.9'], hostRoutes });
    expect(await at.stage.row(subnet, at.subnetId)).to.deep.include({ name: 'renamed', state: 'available', hostRoutes });
    await at.sim.done('subnet.update', { hostRoutes: null }, at.subnetId);
    expect(told(at)).to.deep.equal({ dnsServers: ['2001:db8::1', '9.9.9.9'], hostRoutes: undefined });
    await at.sim.done('subnet.update', { dnsServers: null }, at.subnetId);
    expect(told(at)).to.deep.equal(before);
  });

  it('is refused with the field at fault, and nothing changes', async () => {
    const at = await RoutedStage.ready();
    const before = await at.stage.row(subnet, at.subnetId);
    for (const [input, code, pointer] of [
      [{}, 'invalid_input', ''],
      [{ dnsServers: ['9.9.9.9', 'dns'] }, 'invalid_input', '/dnsServers/1'],
      [{ hostRoutes: [{ destination: '172.16.0.1/12', nextHop: '10.1.0.9' }] }, 'invalid_input', '/hostRoutes/0/destination'],
      [{ hostRoutes: [{ destination: '172.16.0.0/12', nextHop: '10.2.0.9' }] }, 'invalid_input', '/hostRoutes/0/nextHop'],
    ] as const)
      expect(await at.refused('subnet.update', input, at.subnetId), JSON.stringify(input)).to.deep.equal([code, pointer]);
    expect(await at.stage.row(subnet, at.subnetId)).to.deep.equal(before);
  });

  it('of a network that stands for itself gets another name, and nothing else', async () => {
    const at = await RoutedStage.ready();
    const id = await at.subnetIn(await at.stage.network());
    expect(await at.refused('subnet.update', { dnsServers: ['9.9.9.9'] }, id)).to.deep.equal(['unsupported', '/dnsServers']);
    await at.sim.done('subnet.update', { name: 'plain' }, id);
    expect((await at.stage.row(subnet, id)).name).to.equal('plain');
  });
});
