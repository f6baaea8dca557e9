import { access } from 'node:fs/promises';
import { everyRow, type OpenVswitch, OvsdbClient, openVswitch } from '@pileus/drivers-ovs/ovsdb';

/** What Open vSwitch makes of links. */
export interface SwitchLinks {
  readonly bridges: readonly SwitchBridge[];
  /** Names by which ways out are known, and the bridges that they begin at. */
  readonly mappings: readonly (readonly [label: string, bridge: string])[];
  /** Where tunnels of tenants' networks end. */
  readonly tunnelAddresses: readonly string[];
}

export interface SwitchBridge {
  readonly name: string;
  readonly ports: readonly SwitchPort[];
}

/** With several interfaces it is a bond. */
export interface SwitchPort {
  readonly name: string;
  readonly bondMode: string | undefined;
  readonly interfaces: readonly SwitchInterface[];
}

export interface SwitchInterface {
  readonly name: string;
  readonly type: string;
  readonly isUp: boolean;
  readonly speedMbits: number | undefined;
  readonly mtuBytes: number | undefined;
  /** It is a machine's, or another's to whom the switch is to serve. */
  readonly isServed: boolean;
}

const MEGA = 1_000_000;
const TIMEOUT_MS = 2_000;
const { Bridge, Interface, Open_vSwitch: Root, Port } = openVswitch.tables;

/** Asks the database of Open vSwitch. Connects when it is first asked; undefined where there is none on this host. */
export class SwitchWitness {
  readonly #socket: string;
  #client: OvsdbClient<OpenVswitch> | undefined;

  constructor(socket: string) {
    this.#socket = socket;
  }

  async look(signal: AbortSignal): Promise<SwitchLinks | undefined> {
    if (this.#client === undefined) {
      const isThere = await access(this.#socket).then(
        () => true,
        () => false,
      );
      if (!isThere) return undefined;
      this.#client = new OvsdbClient({ database: openVswitch, remotes: [{ kind: 'unix', path: this.#socket }] });
    }
    const [roots, bridges, ports, interfaces] = await this.#client.transact(
      [
        Root.select(everyRow, ['external_ids']),
        Bridge.select(everyRow, ['name', 'ports']),
        Port.select(everyRow, ['name', 'interfaces', 'bond_mode']),
        Interface.select(everyRow, ['name', 'type', 'external_ids', 'link_state', 'link_speed', 'mtu']),
      ],
      { signal, timeoutMs: TIMEOUT_MS },
    );
    const portOf = new Map(ports.map((port) => [port._uuid, port]));
    const interfaceOf = new Map(interfaces.map((each) => [each._uuid, each]));
    const ids: Ids = roots[0]?.external_ids ?? {};
    return {
      bridges: bridges.map((bridge) => ({
        name: bridge.name,
        ports: bridge.ports.flatMap((uuid) => {
          const port = portOf.get(uuid);
          if (port === undefined) return [];
          const members = port.interfaces.flatMap((id) => interfaceOf.get(id) ?? []);
          return [{ name: port.name, bondMode: port.bond_mode, interfaces: members.map(seen) }];
        }),
      })),
      mappings: ['ovn-bridge-mappings', 'pileus-bridge-mappings'].flatMap((key) => pairsIn(ids[key] ?? '')),
      tunnelAddresses: ['ovn-encap-ip', 'pileus-tunnel-ip'].flatMap((key) => (ids[key] ?? '').split(',')).filter((each) => each !== ''),
    };
  }

  async close(): Promise<void> {
    await this.#client?.[Symbol.asyncDispose]();
  }
}

type Ids = Readonly<Record<string, string | undefined>>;

interface InterfaceRow {
  readonly name: string;
  readonly type: string;
  readonly external_ids: Ids;
  readonly link_state: 'up' | 'down' | undefined;
  readonly link_speed: number | undefined;
  readonly mtu: number | undefined;
}

const seen = ({ name, type, external_ids, link_state, link_speed, mtu }: InterfaceRow): SwitchInterface => ({
  name,
  type,
  isUp: link_state === 'up',
  speedMbits: link_speed === undefined || link_speed < MEGA ? undefined : Math.floor(link_speed / MEGA),
  mtuBytes: mtu,
  isServed: 'iface-id' in external_ids || 'attached-mac' in external_ids,
});

/** `physnet1:br-ex,physnet2:br-storage` */
const pairsIn = (text: string): readonly (readonly [string, string])[] =>
  text.split(',').flatMap((pair) => {
    const [label = '', bridge = ''] = pair.trim().split(':');
    return label === '' || bridge === '' ? [] : [[label, bridge] as const];
  });
