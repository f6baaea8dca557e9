import type { BackendAt, FabricHost, SegmentSpec } from '@pileus/core/strategy';
import {
  type Address,
  type CallOptions,
  type OvnSouthbound,
  OvsdbClient,
  ovnSouthbound,
  type Replica,
  type SouthboundRows,
} from '../ovsdb/index.ts';
import type { Bounds } from './bounds.ts';

const SELECTION = {
  Chassis: { indexes: [['hostname']] },
  Chassis_Private: true,
  Encap: true,
  // Of ports that are plugged in: the others tell nothing that the northbound database does not.
  Port_Binding: { columns: ['logical_port', 'type', 'chassis', 'up'], where: [['chassis', '!=', undefined]] },
  SB_Global: { columns: ['nb_cfg'] },
  Service_Monitor: true,
} as const;
type Tables = Pick<OvnSouthbound, 'Chassis' | 'Chassis_Private' | 'Encap' | 'Service_Monitor'> & {
  readonly SB_Global: Pick<SouthboundRows.SBGlobal, '_uuid' | 'nb_cfg'>;
  readonly Port_Binding: Pick<SouthboundRows.PortBinding, '_uuid' | 'logical_port' | 'type' | 'chassis' | 'up'>;
};

/** What the hosts tell: who they are, what they carry, how far they have got. */
export class Southbound implements AsyncDisposable {
  readonly #client: OvsdbClient<OvnSouthbound>;
  readonly replica: Replica<Tables>;
  /** What each host has said last, by its name. OVN forgets a host whose controller ends in good order, and all of them with its database: it is as it was. */
  readonly #told = new Map<string, SouthboundRows.Chassis>();

  constructor(remotes: readonly [Address, ...Address[]]) {
    this.#client = new OvsdbClient({ database: ovnSouthbound, remotes });
    this.replica = this.#client.replicate(SELECTION) as unknown as Replica<Tables>;
    this.replica.subscribe((event) => {
      if (event.kind !== 'changes') return;
      for (const change of event.changes)
        if (change.table === 'Chassis' && change.row !== undefined) this.#told.set(change.row.hostname, change.row);
    });
  }

  ready(options: CallOptions): Promise<void> {
    return this.replica.ready(options);
  }

  /** Resolves when we have what the hosts had told when it was called. */
  async look(bounds: Bounds): Promise<void> {
    await this.ready(bounds.left);
    await this.#client.transact([this.#client.database.tables.SB_Global.select([['nb_cfg', '<', 0]], ['nb_cfg'])], bounds.left);
  }

  hosts(): readonly FabricHost[] {
    return [...this.replica.tables.Chassis].map((chassis) => ({
      host: chassis.hostname,
      datapath: datapathOf(chassis),
      tunnelAddress: chassis.encaps.map((uuid) => this.replica.tables.Encap.get(uuid)?.ip).find((ip) => ip !== undefined) ?? '',
      physicalNetworks: mappingsOf(chassis),
    }));
  }

  /**
   * Whether a switch runs in user space: that of the host, or of any when none is named. One that has never told anything is taken for it: what works there works
   * in a kernel, too, but not the other way round.
   */
  isUserspace(host: string | undefined): boolean {
    return this.knownUserspace(host) ?? true;
  }

  /** The same as far as it is known: undefined of one that has never told anything. */
  knownUserspace(host: string | undefined): boolean | undefined {
    const asked = host === undefined ? [...this.#told.values()] : [this.#told.get(host)].filter((chassis) => chassis !== undefined);
    return asked.length === 0 ? undefined : asked.some((chassis) => datapathOf(chassis) === 'userspace');
  }

  /** What a host lacks to carry a segment. Of one that has not told anything nothing is known. */
  missing(host: string, { physicalNetwork }: SegmentSpec): string | undefined {
    const chassis = this.#told.get(host);
    if (chassis === undefined || mappingsOf(chassis).includes(physicalNetwork)) return undefined;
    return `tells no bridge for ${physicalNetwork}`;
  }

  /** How OVN calls a host. Undefined of one that has never told anything. */
  chassisOf(host: string): string | undefined {
    return this.#told.get(host)?.name;
  }

  /** Tells of each backend that ceases to answer: who asks it says so where it has answered, or had not said anything yet. */
  watchBackends(wentOut: (at: BackendAt) => void): () => void {
    return this.replica.subscribe((event) => {
      if (event.kind !== 'changes') return;
      for (const change of event.changes) {
        if (change.table !== 'Service_Monitor' || change.kind !== 'modify' || isOut(change.before) || !isOut(change.row)) continue;
        const { logical_port: nicId, ip: address, protocol = 'tcp', port } = change.row;
        wentOut({ nicId, address, protocol: protocol === 'udp' ? 'udp' : 'tcp', port });
      }
    });
  }

  /** Where a logical port is, as OVN sees it: undefined when nowhere. */
  bindingOf(logicalPort: string): { readonly chassis: SouthboundRows.Chassis; readonly isUp: boolean } | undefined {
    const [binding] = this.replica.tables.Port_Binding.find({ logical_port: logicalPort });
    const chassis = binding?.chassis === undefined ? undefined : this.replica.tables.Chassis.get(binding.chassis);
    return chassis === undefined ? undefined : { chassis, isUp: binding?.up === true };
  }

  /** Up to which configuration OVN has told hosts what is to be. */
  get configuration(): number {
    const [row] = [...this.replica.tables.SB_Global];
    return row?.nb_cfg ?? 0;
  }

  /** Up to which configuration a host has all flows. */
  configurationOf(chassis: string): number {
    for (const each of this.replica.tables.Chassis_Private) if (each.name === chassis) return each.nb_cfg;
    return 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
  }
}

const isOut = ({ status }: Pick<SouthboundRows.ServiceMonitor, 'status'>): boolean => status !== undefined && status !== 'online';

type Configured = Pick<SouthboundRows.Chassis, 'other_config' | 'external_ids'>;

/** Hosts tell it in the one column since OVN 20.06, in the other before. */
const told = ({ other_config, external_ids }: Configured, key: string): string => other_config[key] ?? external_ids[key] ?? '';

const datapathOf = (chassis: Configured): FabricHost['datapath'] => (told(chassis, 'datapath-type') === 'netdev' ? 'userspace' : 'kernel');

const mappingsOf = (chassis: Configured): readonly string[] =>
  told(chassis, 'ovn-bridge-mappings')
    .split(',')
    .flatMap((mapping) => mapping.split(':')[0] || []);
