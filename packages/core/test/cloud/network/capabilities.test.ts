import { expect } from 'chai';
import { MachineStage } from '../compute/machine-stage.ts';

interface Told {
  readonly hypervisors: readonly { readonly driver: string }[];
  readonly storage: readonly { readonly driver: string; readonly scope: string }[];
  readonly networks: readonly { readonly driver: string; readonly features: Readonly<Record<string, boolean>> }[];
}

const FEATURES = ['dnsRecords', 'elasticIps', 'loadBalancers', 'natGateways', 'peerings', 'portForwards', 'securityGroups', 'vpcs'];
const all = (can: boolean) => Object.fromEntries(FEATURES.map((feature) => [feature, can]));

describe('what a cloud can', () => {
  it('is told of each driver, before anybody is refused', async () => {
    const stage = await MachineStage.with({ network: false });
    const told = (await stage.ask('GET', '/capabilities', {})) as Told;
    expect(told.hypervisors).to.deep.equal([{ driver: 'simulated' }]);
    expect(told.storage).to.deep.equal([
      { driver: 'simulated', scope: 'host' },
      { driver: 'simulated-shared', scope: 'cluster' },
    ]);
    expect(told.networks).to.deep.equal([
      { driver: 'simulated', scope: 'host', modes: ['nat', 'isolated'], encapsulations: [], lacks: [], features: all(false) },
      {
        driver: 'simulated-shared',
        scope: 'zone',
        modes: ['nat', 'isolated', 'routed', 'provider'],
        overlayMtuBytes: 1442,
        encapsulations: [],
        lacks: [],
        features: all(true),
      },
    ]);
  });
});
