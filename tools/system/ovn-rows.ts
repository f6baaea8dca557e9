import { run } from './command.ts';

/** Rows that OVN keeps of itself, whatever networks there are. */
const OF_ITSELF: Readonly<Record<OvnDatabase, ReadonlySet<string>>> = {
  OVN_Northbound: new Set(['NB_Global', 'Connection', 'SSL']),
  OVN_Southbound: new Set([
    ...['SB_Global', 'Connection', 'SSL', 'Chassis', 'Chassis_Private', 'Encap', 'RBAC_Role', 'RBAC_Permission'],
    // All options that there are, not those of a network.
    ...['DHCP_Options', 'DHCPv6_Options'],
  ]),
};
/** The one address set that it keeps for itself, made anew with a southbound database that was lost: who asks machines for their health. */
const OWN_ADDRESS_SET = 'svc_monitor_mac';
export type OvnDatabase = 'OVN_Northbound' | 'OVN_Southbound';

interface DumpedTable {
  readonly caption: string;
  readonly headings: readonly string[];
  readonly data: readonly (readonly unknown[])[];
}

/** The rows that networks have in one of OVN's databases, one line each: table and uuid. */
export async function ovnRows(remote: string, database: OvnDatabase): Promise<readonly string[]> {
  return (await dumped(remote, database)).map(({ table, row }) => `${table} ${(row._uuid as readonly string[])[1]}`);
}

/** The same with all that they hold, but for what OVN writes there by itself. */
export async function ovnContents(remote: string, database: OvnDatabase): Promise<readonly string[]> {
  return (await dumped(remote, database)).map(({ table, row: { up: _, ...row } }) => `${table} ${JSON.stringify(row)}`).sort();
}

/** What of a switch somebody has to take away again: the rest goes with what it belongs to. */
const OF_A_SWITCH = ['Bridge', 'Port', 'QoS', 'Queue', 'Mirror'];

/** What there is of a switch, one line each: `port eth0`, `qos UUID`. Those that have names by them. */
export async function switchRows(remote: string): Promise<readonly string[]> {
  const rows = (await dumped(remote, 'Open_vSwitch')).filter(({ table }) => OF_A_SWITCH.includes(table));
  return rows.map(({ table, row }) => `${table.toLowerCase()} ${row.name ?? (row._uuid as readonly string[])[1]}`);
}

/** Asked of `ovsdb-client`, which knows nothing of our own. */
async function dumped(remote: string, database: OvnDatabase | 'Open_vSwitch') {
  // A document for each table, one behind the other.
  const dump = await run(['ovsdb-client', '--format=json', '--timeout=60', 'dump', remote, database]);
  const texts = dump.split(/\n(?=\{)/).filter((text) => text.trim() !== '');
  return texts.flatMap((text) => {
    const { caption, headings, data } = JSON.parse(text) as DumpedTable;
    const table = caption.replace(/ table$/, '');
    if (database !== 'Open_vSwitch' && OF_ITSELF[database].has(table)) return [];
    const rows = data.map((values) => ({
      table,
      row: Object.fromEntries(headings.map((name, at) => [name, values[at]])) as Readonly<Record<string, unknown>>,
    }));
    return rows.filter(({ row }) => table !== 'Address_Set' || row.name !== OWN_ADDRESS_SET);
  });
}
