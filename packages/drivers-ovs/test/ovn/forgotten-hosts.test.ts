import type { NetworkDriver } from '@pileus/core/strategy';
import { expect } from 'chai';
import { PrivateCentral } from './private-central.ts';
import { call, gatewaySpec, idOf, portSpec, providerSpec, routedSpec, vpcSpec } from './specs.ts';

/** As when a controller ends in good order, or when the southbound database comes back empty. */
describe('hosts that OVN does not know for a moment', function () {
  this.timeout(60_000);
  let central: PrivateCentral;
  let driver: NetworkDriver;
  const gate = gatewaySpec('gate', 'shop', 'outside');
  const port = portSpec('w1', 'front', '10.0.1.11', { vpcId: idOf('shop'), outboundBytesPerSecond: 1_000_000 });
  const plug = { type: 'ovsPort', bridge: 'br-int', interfaceId: port.nicId };

  before(async () => {
    central = await PrivateCentral.start({ northd: false });
    await central.nbctl('init');
    await central.sbctl('init');
    driver = central.open();
    await remember();
    await driver.vpcs?.ensure(vpcSpec('shop'), call());
    await driver.ensureNetwork(routedSpec('front', 'shop', '10.0.1.0/24'), call());
    await driver.ensureNetwork(providerSpec('outside', '192.0.2.0/24'), call());
  });
  after(async () => {
    await driver?.close();
    await central?.[Symbol.asyncDispose]();
  });

  const known = async () => (await driver.hosts?.list(call()))?.length;
  const remember = async () => {
    for (const name of ['1', '2'])
      await central.addChassis(`chassis-${name}`, { hostname: `host-${name}`, datapath: name === '1' ? 'netdev' : 'system' });
    expect(await known()).to.equal(2);
  };
  const forget = async () => {
    for (const name of ['chassis-1', 'chassis-2']) await central.sbctl('chassis-del', name);
    expect(await known()).to.equal(0);
  };

  const rules = async () => (await central.nbctl('--bare', '--columns=match', 'list', 'QoS')).trim();
  const carriers = async () => (await central.nbctl('--bare', '--columns=chassis_name', 'list', 'HA_Chassis')).split('\n').filter(Boolean);
  const plugged = (host: string) => driver.ensurePort({ ...port, host }, call());
  const asBefore = async ({ isHeard = true } = {}) => {
    await driver.gateways?.ensure(gate, call());
    expect(await carriers()).to.have.members(['chassis-1', 'chassis-2']);
    expect(await plugged('host-1')).to.deep.equal({ ...plug, offloads: false });
    expect(driver.sending?.isBounded('host-1')).to.equal(isHeard ? true : undefined);
    expect(await rules()).to.equal(`inport == "${port.nicId}"`);
  };

  it('are not judged by a driver that has not heard yet what they say', async () => {
    await using fresh = { driver: central.open(), [Symbol.asyncDispose]: () => fresh.driver.close() };
    const bounded = () => ['host-1', 'host-2', undefined].map((host) => fresh.driver.sending?.isBounded(host));
    expect(bounded()).to.deep.equal([undefined, undefined, undefined]);
    expect(await fresh.driver.hosts?.list(call())).to.have.length(2);
    expect(bounded()).to.deep.equal([true, false, true]);
  });

  it('stay what they said they are', async () => {
    await asBefore();
    await forget();
    await asBefore();
    expect(driver.connections?.missing('host-2', { physicalNetwork: 'physnet2' })).to.equal('tells no bridge for physnet2');
    expect(await plugged('host-2')).to.deep.equal(plug);
    expect(driver.sending?.isBounded('host-2')).to.equal(false);
    expect(await rules()).to.equal('');
    await asBefore();
  });

  it('keep what they have from a driver that has never heard of them, and get what holds on every sort', async () => {
    await driver.close();
    driver = central.open();
    expect(await known()).to.equal(0);
    await asBefore({ isHeard: false });
    expect(await plugged('host-2')).to.deep.equal({ ...plug, offloads: false });
    expect(['host-2', undefined].map((host) => driver.sending?.isBounded(host))).to.deep.equal([undefined, undefined]);
    expect(await rules()).to.equal(`inport == "${port.nicId}"`);
    await remember();
    expect(await plugged('host-2')).to.deep.equal(plug);
    expect(await rules()).to.equal('');
    await asBefore();
  });
});
