import type { ServedNetwork } from '@pileus/core/agent';
import { CloudError } from '@pileus/core/kernel';
import { clearLeftQueues } from '@pileus/drivers-ovs/openvswitch';
import { type OpenVswitch, OvsdbClient, openVswitch } from '@pileus/drivers-ovs/ovsdb';

/** The virtual switch of the host. */
export interface SwitchPorts {
  /** Plugs the interface of this name in. Repeating it changes nothing. */
  plug(name: string, network: ServedNetwork, signal: AbortSignal): Promise<void>;
  /** Absent is done. */
  unplug(name: string, signal: AbortSignal): Promise<void>;
  /** Takes away what libvirt has left of machines that are off. Nothing where nothing has been plugged in yet. */
  clearLeft(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const TIMEOUT_MS = 10_000;

/** Open vSwitch, by its database. Connects when it is first used: a host may have none. */
export function ovsPorts(socket: string): SwitchPorts {
  let client: OvsdbClient<OpenVswitch> | undefined;
  const { Bridge, Interface, Port } = openVswitch.tables;
  const connected = () => {
    client ??= new OvsdbClient({ database: openVswitch, remotes: [{ kind: 'unix', path: socket }] });
    return client;
  };
  const unplug = async (name: string, signal: AbortSignal) => {
    const options = { signal, timeoutMs: TIMEOUT_MS };
    const [ports] = await connected().transact([Port.select([['name', '==', name]], ['name'])], options);
    const uuids = ports.map(({ _uuid }) => _uuid);
    // A port that no bridge has goes by itself, and its interface with it.
    if (uuids.length > 0)
      await connected().transact([Bridge.mutate([['ports', 'includes', uuids]], { ports: { delete: uuids } })], options);
  };
  return {
    async plug(name, { bridge, interfaceId, mac }, signal) {
      const options = { signal, timeoutMs: TIMEOUT_MS };
      const ids = { 'iface-id': interfaceId, 'attached-mac': mac, 'iface-status': 'active' };
      const [bridges, ports, interfaces] = await connected().transact(
        [
          Bridge.select([['name', '==', bridge]], ['ports']),
          Port.select([['name', '==', name]], ['name']),
          Interface.select([['name', '==', name]], ['external_ids']),
        ],
        options,
      );
      const [on] = bridges;
      if (on === undefined) throw new CloudError('unavailable', `There is no bridge ${bridge} on this host.`);
      const [port] = ports;
      if (port !== undefined && !new Set(on.ports).has(port._uuid)) await unplug(name, signal);
      else if (port !== undefined && interfaces[0] !== undefined) {
        await connected().transact([Interface.update(interfaces[0]._uuid, { external_ids: ids })], options);
        return;
      }
      const iface = Interface.insert({ name, external_ids: ids });
      const added = Port.insert({ name, interfaces: [iface.row as string] });
      await connected().transact([iface, added, Bridge.mutate(on._uuid, { ports: { insert: [added.row as string] } })], options);
    },
    unplug,
    clearLeft: async (signal) => {
      if (client !== undefined) await clearLeftQueues(client, { signal, timeoutMs: TIMEOUT_MS });
    },
    close: async () => client?.[Symbol.asyncDispose](),
  };
}
