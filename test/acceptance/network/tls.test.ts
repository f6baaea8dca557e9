import { join } from 'node:path';
import type { Call, NetworkFactory } from '@pileus/core/strategy';
import { expect } from 'chai';
import { PrivateCentral } from '../../../packages/drivers-ovs/test/ovn/private-central.ts';
import { call, routedSpec, vpcSpec } from '../../../packages/drivers-ovs/test/ovn/specs.ts';
import { parseConfig } from '../../../packages/server/src/index.ts';
import { networkPlugins } from '../../../packages/server/src/network-plugins.ts';

describe('OVN whose databases ask for certificates', function () {
  this.timeout(60_000);
  let central: PrivateCentral;
  before(async () => {
    central = await PrivateCentral.start({ tls: true });
    await central.addChassis('chassis-1');
  });
  after(() => central?.[Symbol.asyncDispose]());

  const configured = async (names: boolean): Promise<NetworkFactory> => {
    const written = (addresses: PrivateCentral['options']['northbound']) =>
      addresses.map((address) => (address.kind === 'tls' ? `ssl:${address.host}:${address.port}` : 'none'));
    const { northbound, southbound } = central.options;
    const tls = { caFile: 'ca.pem', certFile: 'pileus.pem', keyFile: 'pileus.key', names };
    const config = parseConfig({ network: { ovn: { northbound: written(northbound), southbound: written(southbound), tls } } });
    const [plugin] = await networkPlugins(config.network, join(central.credentialsDir));
    return plugin?.strategies?.network?.[0] ?? expect.fail('no driver');
  };

  for (const names of [true, false])
    it(`is written and read by what the configuration names, ${names ? 'with' : 'without'} the names in certificates`, async () => {
      const driver = (await configured(names)).open({});
      try {
        const within: Call = call();
        await driver.vpcs?.ensure(vpcSpec('shop'), within);
        await driver.ensureNetwork(routedSpec('front', 'shop', '10.0.1.0/24'), within);
        await central.settled();
        expect(await central.sbctl('--bare', '--columns=_uuid', 'list', 'Datapath_Binding')).to.not.equal('');
        expect((await driver.hosts?.list(within))?.map(({ host }) => host)).to.deep.equal(['chassis-1']);
        await driver.deleteNetwork(routedSpec('front', 'shop', '10.0.1.0/24').id, within);
        await driver.vpcs?.remove(vpcSpec('shop').id, within);
      } finally {
        await driver.close();
      }
    });
});
