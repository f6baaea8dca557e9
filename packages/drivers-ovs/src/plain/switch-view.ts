import type { OpenVswitch, Replica, Selected } from '../ovsdb/index.ts';
import type { SwitchFacts } from './compile.ts';
import { bridgeName, wireName } from './names.ts';
import { NETWORK, nicsOf, readNetwork, type StoredNetwork } from './stored-network.ts';

/** What is replicated of a host's database: nothing that changes by itself, such as counters. */
export const SELECTION = {
  Open_vSwitch: { columns: ['external_ids', 'bridges'] },
  Bridge: { columns: ['name', 'datapath_type', 'fail_mode', 'controller', 'ports', 'external_ids'], indexes: [['name']] },
  Port: { columns: ['name', 'interfaces', 'tag', 'vlan_mode', 'trunks', 'protected', 'external_ids'], indexes: [['name']] },
  Interface: { columns: ['name', 'type', 'options', 'external_ids', 'ofport', 'error', 'admin_state'] },
} as const;

type Tables = Selected<OpenVswitch, typeof SELECTION>;
export type SwitchReplica = Replica<Tables>;
export type BridgeRow = Tables['Bridge'];
export type PortRow = Tables['Port'];
export type InterfaceRow = Tables['Interface'];

/** A network as a host has it. */
export interface Carried {
  readonly network: StoredNetwork;
  readonly nicIds: readonly string[];
  /** Interfaces that hypervisors have plugged in, or whoever else. */
  readonly plugged: readonly InterfaceRow[];
  /** What the switch says of what is wrong with it. */
  readonly errors: readonly string[];
}

/** A host's switch as it is known at this moment. */
export class SwitchView {
  readonly #host: string;
  readonly #tables: SwitchReplica['tables'];

  constructor(host: string, { tables }: Pick<SwitchReplica, 'tables'>) {
    this.#host = host;
    this.#tables = tables;
  }

  bridge(name: string): BridgeRow | undefined {
    return this.#tables.Bridge.find({ name })[0];
  }
  port(name: string): PortRow | undefined {
    return this.#tables.Port.find({ name })[0];
  }
  bridgeOf({ _uuid }: PortRow): BridgeRow | undefined {
    return [...this.#tables.Bridge].find(({ ports }) => ports.includes(_uuid));
  }
  interfaceOf({ interfaces: [uuid] }: PortRow): InterfaceRow | undefined {
    return uuid === undefined ? undefined : this.#tables.Interface.get(uuid);
  }

  networkBridge(networkId: string): BridgeRow | undefined {
    const row = this.bridge(bridgeName(networkId));
    return row?.external_ids[NETWORK] === networkId ? row : undefined;
  }

  /** What was made for a network: ports of its bridge, and what joins it to a cable. */
  portsOf(networkId: string): readonly { readonly bridge: BridgeRow; readonly port: PortRow }[] {
    const own = this.networkBridge(networkId);
    const wire = this.port(wireName(networkId));
    const cable = wire === undefined ? undefined : this.bridgeOf(wire);
    const all = [
      ...(own === undefined ? [] : this.#portsIn(own).map((port) => ({ bridge: own, port }))),
      ...(wire === undefined || cable === undefined || cable === own ? [] : [{ bridge: cable, port: wire }]),
    ];
    return all.filter(({ port }) => port.external_ids[NETWORK] === networkId);
  }

  carried(networkId: string): Carried | undefined {
    const row = this.networkBridge(networkId);
    const network = row && readNetwork(row.external_ids);
    if (row === undefined || network === undefined) return undefined;
    const isOurs = (port: PortRow) => port.external_ids[NETWORK] === networkId;
    const interfaces = (some: readonly PortRow[]) => some.flatMap((port) => this.interfaceOf(port) ?? []);
    return {
      network,
      nicIds: nicsOf(row.external_ids),
      plugged: interfaces(this.#portsIn(row).filter((port) => !isOurs(port))),
      errors: interfaces(this.portsOf(networkId).map(({ port }) => port)).flatMap(({ error }) => error ?? []),
    };
  }

  networkIds(): readonly string[] {
    return [...this.#tables.Bridge].flatMap(({ external_ids }) => readNetwork(external_ids)?.id ?? []);
  }

  /** Whether the host has said anything of itself. */
  get isKnown(): boolean {
    return this.#tables.Open_vSwitch.size > 0;
  }

  /** What the host says of itself: by our keys, or by those that OVN has for the same. */
  facts(): SwitchFacts {
    const [row] = [...this.#tables.Open_vSwitch];
    const ids = row?.external_ids ?? {};
    const tunnelAddress = ids['pileus-tunnel-ip'] ?? ids['ovn-encap-ip'];
    const bridges = mappingsOf(ids['pileus-bridge-mappings'] ?? ids['ovn-bridge-mappings'] ?? '');
    const told = ids['pileus-datapath-type'] ?? ids['ovn-bridge-datapath-type'];
    // Patches join bridges of one sort alone.
    const type = told ?? Object.values(bridges).map((name) => this.bridge(name)?.datapath_type)[0];
    return {
      host: this.#host,
      ...(tunnelAddress === undefined ? {} : { tunnelAddress }),
      bridges,
      open: Object.values(bridges).filter((name) => this.#isOpen(name)),
      datapathType: type === 'netdev' ? 'netdev' : '',
    };
  }

  /** Whether the host has what comes untagged to a bridge: by the bridge's own port, which has its name. */
  #isOpen(bridge: string): boolean {
    const own = this.port(bridge);
    if (own === undefined || this.interfaceOf(own)?.admin_state !== 'up') return false;
    const { tag, trunks, vlan_mode: mode = tag === undefined ? 'trunk' : 'access' } = own;
    const isOfOne = mode === 'access' || mode === 'dot1q-tunnel';
    return isOfOne ? (tag ?? 0) === 0 : tag === 0 || trunks.length === 0 || trunks.includes(0);
  }

  #portsIn({ ports }: BridgeRow): readonly PortRow[] {
    return ports.flatMap((uuid) => this.#tables.Port.get(uuid) ?? []);
  }
}

/** `physnet1:br-ex,physnet2:br-storage` */
const mappingsOf = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text.split(',').flatMap((pair) => {
      const [network = '', bridge = ''] = pair.trim().split(':');
      return network === '' || bridge === '' ? [] : [[network, bridge]];
    }),
  );
