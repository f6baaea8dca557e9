import type { Call, NetworkDriver, NetworkFactory } from '../../src/strategy/index.ts';
import { SimError } from './fault.ts';
import type { SimHost } from './host.ts';
import type { DriverEnvironment } from './link.ts';
import { SimLink } from './link.ts';
import { hostnameOf } from './uri.ts';
import type { SimWorld } from './world.ts';

function openNetworks(world: SimWorld, environment: DriverEnvironment, hostname: string): NetworkDriver {
  const link = new SimLink(world, () => world.hosts.get(hostname)?.site, environment);
  const ask = <T>(command: string, call: Call, apply: (host: SimHost) => T) =>
    link.ask({ command, call, apply: () => apply(world.host(hostname)) });
  return {
    ensureNetwork: (spec, call) => ask('ensureNetwork', call, (host) => host.ensureNetwork(spec)),
    deleteNetwork: (id, call) => ask('deleteNetwork', call, (host) => host.deleteNetwork(id)),
    inspectNetwork: (id, call) =>
      ask('inspectNetwork', call, (host) => {
        const network = host.networks.get(id);
        return network && host.observeNetwork(network);
      }),
    listNetworks: (call) => ask('listNetworks', call, (host) => [...host.networks.values()].map((network) => host.observeNetwork(network))),
    ensurePort: (port, call) => ask('ensurePort', call, (host) => host.ensurePort(port)),
    deletePort: ({ networkId, nicId }, call) => ask('deletePort', call, (host) => void host.networks.get(networkId)?.ports.delete(nicId)),
    classify: (error) => SimError.classify(error),
    close: async () => link.close(),
  };
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
