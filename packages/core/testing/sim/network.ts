import type {
  Call,
  FabricHost,
  FabricTroubles,
  HostPorts,
  Keeper,
  KeptSort,
  NetworkDriver,
  NetworkExtras,
  NetworkFactory,
  NetworkObject,
} from '../../src/strategy/index.ts';
import { SimError } from './fault.ts';
import type { SimHost } from './host.ts';
import { KEPT_SORTS } from './kept.ts';
import type { DriverEnvironment } from './link.ts';
import { SimLink } from './link.ts';
import { hostnameOf } from './uri.ts';
import type { SimWorld } from './world.ts';

type Ask = <T>(command: string, call: Call, apply: (at: SimHost) => T) => Promise<T>;

/** The networks of a host, or with undefined those that span all hosts. */
function openNetworks(world: SimWorld, environment: DriverEnvironment, hostname: string | undefined): NetworkDriver {
  const link = new SimLink(world, () => (hostname === undefined ? world.shared : world.hosts.get(hostname)?.site), environment);
  const place = () => (hostname === undefined ? world.fabric : world.host(hostname));
  const ask: Ask = (command, call, apply) => link.ask({ command, call, apply: () => apply(place()) });
  return {
    ...(hostname === undefined ? sharedExtras(world, link, ask) : {}),
    ensureNetwork: (spec, call) => ask('ensureNetwork', call, (at) => at.ensureNetwork(spec)),
    deleteNetwork: (id, call) => ask('deleteNetwork', call, (at) => at.deleteNetwork(id)),
    inspectNetwork: (id, call) =>
      ask('inspectNetwork', call, (at) => {
        const network = at.networks.get(id);
        return network && at.observeNetwork(network);
      }),
    listNetworks: (call) => ask('listNetworks', call, (at) => [...at.networks.values()].map((network) => at.observeNetwork(network))),
    ensurePort: (port, call) => ask('ensurePort', call, (at) => at.ensurePort(port)),
    deletePort: ({ networkId, nicId }, call) => ask('deletePort', call, (at) => void at.networks.get(networkId)?.ports.delete(nicId)),
    classify: (error) => SimError.classify(error),
    close: async () => link.close(),
  };
}

/** A keeper of each sort. */
function sharedExtras(world: SimWorld, link: SimLink, ask: Ask): NetworkExtras {
  const keeper = (sort: KeptSort): Keeper<NetworkObject> => ({
    ensure: (spec, call) => ask(`${sort}.ensure`, call, (at) => at.kept.ensure(sort, spec, (id) => at.networks.has(id))),
    remove: (id, call) =>
      ask(`${sort}.remove`, call, (at) => {
        if (sort === 'vpcs') refuseOccupied(at, id);
        at.kept.remove(sort, id);
      }),
    list: (call) =>
      ask(`${sort}.list`, call, (at) =>
        [...at.kept.of(sort).values()].map(({ spec, owner }) => ({ id: spec.id, ...(owner === undefined ? {} : { owner }) })),
      ),
  });
  const keepers = Object.fromEntries(KEPT_SORTS.map((sort) => [sort, keeper(sort)])) as Required<Pick<NetworkExtras, KeptSort>>;
  const isUp = (name: string) => world.hosts.get(name)?.site.isTroubled === false;
  return {
    ...keepers,
    services: { portOf: (networkId) => ({ bridge: 'br-int', interfaceId: `service-${networkId}`, mac: '02:00:00:00:00:fe' }) },
    gateways: { ...keepers.gateways, activeHost: (id, call) => ask('gateways.activeHost', call, (at) => at.kept.activeHost(id, isUp)) },
    readiness: { port: (nicId, call) => ask('readiness.port', call, () => world.readiness(nicId)) },
    continuity: {
      read: (call) => ask('continuity.read', call, (at) => at.kept.mark),
      write: (mark, call) =>
        ask('continuity.write', call, (at) => {
          at.kept.mark = mark;
        }),
    },
    connections: {
      missing: (host, { physicalNetwork }) =>
        world.hosts.get(host)?.unconnected.has(physicalNetwork) === true ? `tells no bridge for ${physicalNetwork}` : undefined,
    },
    sending: { isBounded: () => world.boundsSending },
    hosts: { list: (call) => ask('hosts.list', call, () => [...world.hosts.values()].map(hostFacts)) },
    health: { troubles: (hosts, call) => ask('health.troubles', call, (at) => troublesOf(world, at, hosts)) },
    loadBalancers: {
      ...keepers.loadBalancers,
      health: (id, call) => ask('loadBalancers.health', call, (at) => at.kept.health(id)),
      watch: (wentOut) =>
        world.fabric.kept.watch((at) => {
          if (link.open) wentOut(at);
        }),
    },
  };
}

/** Of hosts of this world: those of others are not known here. */
function troublesOf(world: SimWorld, { switchTrouble: reason }: SimHost, hosts: readonly HostPorts[]): FabricTroubles {
  const seen = hosts.flatMap(({ host, nicIds }) => {
    const at = world.hosts.get(host);
    if (at === undefined) return [];
    const unplugged = nicIds.filter((id) => at.pluggedAtMs(id) === undefined || at.unplugged.has(id));
    return [{ host, unplugged, ...(at.switchTrouble === undefined ? {} : { reason: at.switchTrouble }) }];
  });
  const troubled = seen.filter((each) => 'reason' in each || each.unplugged.length > 0);
  return { ...(reason === undefined ? {} : { reason }), hosts: troubled };
}

const hostFacts = ({ hostname, unconnected }: SimHost): FabricHost => ({
  host: hostname,
  datapath: 'kernel',
  tunnelAddress: `tunnel-${hostname}`,
  physicalNetworks: ['physnet1'].filter((label) => !unconnected.has(label)),
});

function refuseOccupied(at: SimHost, vpcId: string): void {
  for (const { spec } of at.networks.values())
    if (spec.vpcId === vpcId) throw new SimError('conflict', `network ${spec.id} is in VPC ${vpcId}`);
}

export function simulatedNetwork(world: SimWorld, environment: DriverEnvironment): NetworkFactory {
  return {
    name: 'simulated',
    scope: 'host',
    open: ({ host }) => {
      if (host === undefined) throw new SimError('invalid', 'the simulated network has scope host and needs one');
      return openNetworks(world, environment, hostnameOf(host));
    },
  };
}

export function simulatedSharedNetwork(world: SimWorld, environment: DriverEnvironment): NetworkFactory {
  return {
    name: 'simulated-shared',
    scope: 'zone',
    modes: ['nat', 'isolated', 'routed', 'provider'],
    overlayMtuBytes: 1442,
    open: () => openNetworks(world, environment, undefined),
  };
}
