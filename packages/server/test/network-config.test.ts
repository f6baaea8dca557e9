import { expect } from 'chai';
import { ConfigError, parseConfig } from '../src/index.ts';
import { networkPlugins } from '../src/network-plugins.ts';

const plugins = (ovn: object) => networkPlugins(parseConfig({ network: { ovn } }).network, '/nowhere');
const failure = async (ovn: object): Promise<Error> => {
  try {
    await plugins(ovn);
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
};

describe('server: configuration of networks', () => {
  const both = { northbound: ['tcp:192.0.2.7:6641'], southbound: ['unix:/run/ovn/ovnsb_db.sock'] };

  it('has libvirt alone unless OVN is said', async () => {
    expect(await networkPlugins(parseConfig({}).network, '/nowhere')).to.deep.equal([]);
  });

  it('makes the driver of OVN, for VPCs and physical networks', async () => {
    const [plugin, ...others] = await plugins(both);
    expect(others).to.deep.equal([]);
    expect(plugin?.strategies?.network?.[0]).to.deep.include({
      ...{ name: 'ovn', scope: 'zone', modes: ['routed', 'isolated', 'provider'] },
      overlayMtuBytes: 1442,
    });
  });

  it('takes addresses of IPv6', async () => {
    expect(await plugins({ ...both, northbound: ['tcp:[2001:db8::7]:6641', 'tcp:[2001:db8::8]:6641'] })).to.have.length(1);
  });

  for (const [what, ovn, told] of [
    ['a database that is not said', { northbound: both.northbound }, 'network.ovn.southbound'],
    ['no servers', { ...both, northbound: [] }, 'network.ovn.northbound'],
    ['what is no address', { ...both, northbound: ['192.0.2.7'] }, 'network.ovn.northbound[0]'],
    ['a port that is none', { ...both, southbound: ['tcp:192.0.2.7:6642', 'tcp:192.0.2.8:66420'] }, 'network.ovn.southbound[1]'],
    [
      'addresses that need certificates',
      { ...both, northbound: ['ssl:192.0.2.7:6641'] },
      'network.ovn.northbound[0] needs network.ovn.tls',
    ],
    ['files that are not there', { ...both, tls: { caFile: 'ca.pem', certFile: 'c.pem', keyFile: 'k.pem' } }, 'network.ovn.tls.caFile'],
    ['an unknown key', { ...both, brige: 'br0' }, 'network.ovn.brige'],
  ] as const)
    it(`names ${what}`, async () => {
      const error = await failure(ovn);
      expect(error).to.be.instanceOf(ConfigError);
      expect(error.message).to.include(told);
    });
});
