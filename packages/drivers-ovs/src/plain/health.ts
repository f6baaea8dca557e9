import type { Call, FabricTroubles, HostPorts, HostTrouble } from '@pileus/core/strategy';
import { Bounds } from '../ovn/bounds.ts';
import type { HostSwitch } from './host-switch.ts';
import type { Switches } from './switches.ts';

/** How long one host may take: hosts are asked side by side, and one that does not answer is to hold up no look at the others. */
const PATIENCE_MS = 5_000;

/** Whether switches of hosts answer, and do what their databases say for the ports that are to be there. */
export async function troubles(switches: Switches, hosts: readonly HostPorts[], { signal, timeoutMs }: Call): Promise<FabricTroubles> {
  const bounds = new Bounds({ signal, timeoutMs: Math.min(PATIENCE_MS, timeoutMs) });
  return { hosts: (await Promise.all(hosts.map((ports) => troubleOf(switches, ports, bounds)))).flat() };
}

async function troubleOf(switches: Switches, { host, nicIds }: HostPorts, bounds: Bounds): Promise<readonly HostTrouble[]> {
  try {
    const at = await switches.lookAt(host, bounds);
    if (at === undefined) return [];
    const reason = (await at.follows(bounds))
      ? errorOf(at)
      : 'does not do what its Open vSwitch is told: ovs-vswitchd has stopped, or hangs';
    const plugged = new Set(carried(at).flatMap((each) => each.plugged.map(({ external_ids }) => external_ids['iface-id'])));
    const unplugged = nicIds.filter((id) => !plugged.has(id));
    return reason === undefined && unplugged.length === 0 ? [] : [{ host, unplugged, ...(reason === undefined ? {} : { reason }) }];
  } catch (error) {
    return [
      {
        host,
        unplugged: [],
        reason: `has an Open vSwitch that does not answer: ${error instanceof Error ? error.message : String(error)}`,
      },
    ];
  }
}

const carried = ({ view }: HostSwitch) => view.networkIds().flatMap((id) => view.carried(id) ?? []);

/** What the switch could not make of what it was told, or has lost of it. */
function errorOf(at: HostSwitch): string | undefined {
  const { bridges } = at.view.facts();
  for (const { network, errors } of carried(at)) {
    const { physicalNetwork, tunnel } = network.segment;
    const bridge = tunnel === undefined ? bridges[physicalNetwork] : undefined;
    if (bridge !== undefined && at.view.bridge(bridge) === undefined)
      return `has no bridge ${bridge}, which it tells for ${physicalNetwork}`;
    if (errors[0] !== undefined) return `has an Open vSwitch that cannot do what it is told: ${errors[0]}`;
  }
  return undefined;
}
