import { expect } from 'chai';
import { rbd } from '../../src/rbd/index.ts';
import { endpointsOf } from '../../src/rbd/settings.ts';

describe('the settings of a Ceph pool', () => {
  const [storage] = rbd().strategies.storage ?? [];
  const right = { monitors: '[v2:192.0.2.5:3300,v1:192.0.2.5:6789],192.0.2.6', pool: 'volumes', user: 'pileus', key: 'AQD0aB+/==' };
  const faultOf = (change: Readonly<Record<string, string>>) => storage?.settingFault?.({ ...right, ...change });

  it('are taken as keyrings and mon_host have them', () => {
    for (const change of [{}, { namespace: 'a' }, { dataPool: 'ec' }, { user: 'client.pileus' }, { key: ' AQD0aB+/==\n' }])
      expect(faultOf(change), JSON.stringify(change)).to.equal(undefined);
  });

  it('tell where hosts connect to: each monitor, by both messengers where no port says by which', () => {
    expect(endpointsOf(['[v2:192.0.2.5:3300,v1:192.0.2.5:6789]', '192.0.2.6', '[fd00::1]:3300', 'mon.example.org:6790'])).to.deep.equal([
      ...['192.0.2.5:3300', '192.0.2.5:6789', '192.0.2.6:3300', '192.0.2.6:6789', '[fd00::1]:3300', 'mon.example.org:6790'],
    ]);
  });

  it('are refused by name where no pool can be opened with them, and the key is not quoted', () => {
    for (const change of [
      { monitors: ' , ' },
      { monitors: '192.0.2.5,a b' },
      { monitors: '[v2:192.0.2.5:3300' },
      { pool: '' },
      { pool: 'a/b' },
      { user: 'a b' },
      { key: 'no key' },
      { namespace: 'a@b' },
      { dataPool: 'a/b' },
    ]) {
      const fault = faultOf(change);
      expect(fault?.setting, JSON.stringify(change)).to.equal(Object.keys(change)[0]);
      expect(fault?.reason).not.to.include('no key');
    }
  });
});
