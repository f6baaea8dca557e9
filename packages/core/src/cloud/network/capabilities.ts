import { type Static, Type } from 'typebox';
import { AUTHENTICATED, type Endpoint } from '../../kernel/index.ts';
import type { KeptSort, NetworkFactory } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { modesOf } from './network-place.ts';

/** What may be made of a network beside networks and NICs, as the API calls it, and what its driver has to keep for that. */
const FEATURES = {
  vpcs: 'vpcs',
  peerings: 'peerings',
  securityGroups: 'securityGroups',
  natGateways: 'gateways',
  elasticIps: 'elasticIps',
  portForwards: 'portForwards',
  loadBalancers: 'loadBalancers',
  dnsRecords: 'dnsRecords',
} as const satisfies Readonly<Record<string, KeptSort>>;

const driver = Type.String({ description: 'Name of the driver.' });
const scope = Type.String({ description: 'What one of it belongs to: host, cluster or zone.' });

const answer = Type.Object({
  hypervisors: Type.Array(Type.Object({ driver })),
  storage: Type.Array(Type.Object({ driver, scope })),
  networks: Type.Array(
    Type.Object({
      driver,
      scope,
      modes: Type.Array(Type.String(), { description: 'Of networks that it makes; `routed`: within VPCs, `provider`: on physical ones.' }),
      overlayMtuBytes: Type.Optional(Type.Integer({ description: 'The most that networks of VPCs may have for their `mtuBytes`.' })),
      encapsulations: Type.Array(Type.String(), { description: 'Of physical networks that it makes tunnels for, e.g. `vxlan`.' }),
      lacks: Type.Array(Type.String(), {
        description:
          'What NICs do not get: `dhcp`, by which guests are told addresses; `antiSpoofing`, which keeps them from sending from others.',
      }),
      features: Type.Object(
        Object.fromEntries(Object.keys(FEATURES).map((feature) => [feature, Type.Boolean()])) as Record<
          keyof typeof FEATURES,
          ReturnType<typeof Type.Boolean>
        >,
        { description: 'Which kinds it can make. What is false is refused with `unsupported`.' },
      ),
    }),
  ),
});
type Answer = Static<typeof answer>;

/** So that nobody has to find out by refusals what this cloud can. */
export const capabilitiesEndpoint = (services: CloudServices): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/capabilities',
  summary: 'Answers which drivers there are, and what of networks they can make.',
  permission: AUTHENTICATED,
  answer,
  handle: async (): Promise<Answer> => {
    const { registry } = services.kernel();
    const named = (contract: 'hypervisor' | 'storage' | 'network') => registry.strategyNames(contract);
    return {
      hypervisors: named('hypervisor').map((name) => ({ driver: name })),
      storage: named('storage').map((name) => ({ driver: name, scope: services.pools.factory(name).scope })),
      networks: await Promise.all(named('network').map((name) => told(services, services.fabrics.factory(name)))),
    };
  },
});

async function told({ fabrics }: CloudServices, factory: NetworkFactory): Promise<Answer['networks'][number]> {
  const modes = modesOf(factory);
  // All of them are about VPCs, which are no single host's.
  const fabric = modes.includes('routed') && factory.scope !== 'host' ? await fabrics.of({ driver: factory.name }) : undefined;
  const features = Object.entries(FEATURES).map(([feature, sort]) => [feature, fabric?.keeps(sort) === true]);
  return {
    driver: factory.name,
    scope: factory.scope,
    modes: [...modes],
    ...(factory.overlayMtuBytes === undefined ? {} : { overlayMtuBytes: factory.overlayMtuBytes }),
    encapsulations: [...(factory.encapsulations ?? [])],
    lacks: [...(factory.lacks ?? [])],
    features: Object.fromEntries(features) as Answer['networks'][number]['features'],
  };
}
