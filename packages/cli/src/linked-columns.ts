import { isPileusError } from '@pileus/sdk';
import type { KindDescription } from '@pileus/sdk/document';
import { asRow } from './accept.ts';
import { defaultColumns, type Row } from './format.ts';
import { kindCalled, type Server } from './server.ts';

/** A column of a list that is no field of its rows, and what it says of each row, by the row's id. */
export interface LinkedColumn {
  readonly name: string;
  cells(rows: readonly Row[], signal: AbortSignal): Promise<ReadonlyMap<unknown, string>>;
}

/** Shown unasked, where the server has them, before what a row goes with. */
const SHOWN: Readonly<Record<string, readonly string[]>> = {
  instance: ['addresses'],
  volume: ['instance'],
  attachment: ['volume', 'instance'],
  snapshot: ['volume'],
  snapshotGroup: ['instance', 'consistency'],
  backupSet: ['instance', 'consistency'],
  nic: ['instance', 'network'],
  physicalNetwork: ['cluster'],
  natGateway: ['vpc'],
  loadBalancer: ['vpc'],
  securityGroupMember: ['securityGroup'],
  project: ['account'],
  roleBinding: ['builtIn', 'role', 'user', 'group', 'serviceAccount'],
  apiKey: ['user', 'serviceAccount', 'expiresAt'],
  share: ['resourceId'],
  tag: ['resourceId'],
  systemTag: ['resourceId'],
};

/** Shown unasked behind what every row has: what a list is read for, though not every row has it. */
const SHOWN_BEHIND: Readonly<Record<string, readonly string[]>> = {
  host: ['cluster'],
  pool: ['status', 'health', 'totalBytes', 'freeBytes'],
  storageClass: ['replicas', 'encrypted', 'iopsPerSecond', 'bytesPerSecond'],
  fabric: ['trouble'],
  network: ['vpc', 'physicalNetwork', 'vlanId'],
  nic: ['ipv6Address'],
  route: ['nextHop'],
  peering: ['peerVpcId', 'sharesNames'],
  natGateway: ['address', 'ipv6Address'],
  elasticIp: ['nic', 'loadBalancer'],
  backend: ['heldReason', 'heldUntil'],
  dnsRecord: ['addresses'],
  image: ['format', 'sizeBytes'],
  securityGroupRule: ['protocol', 'firstPort', 'lastPort', 'cidrs', 'remoteGroup'],
  backup: ['takenAt', 'condition'],
  backupSet: ['takenAt'],
  backupPlan: ['recoveryPointAt', 'nextRunAt'],
};

const IDS_PER_REQUEST = 50;

/** The names of what a kind's rows point to (`instance` for `instanceId`), and the addresses of what points to them. */
export function linkedColumns(kind: KindDescription, server: Server): readonly LinkedColumn[] {
  const names = Object.entries(kind.row.properties ?? {}).flatMap(([field, schema]): LinkedColumn[] => {
    const target = kindCalled(schema['x-ref']?.kind ?? '', server.description);
    const name = field.replace(/Id$/, '');
    if (target === undefined || name === field || name in (kind.row.properties ?? {})) return [];
    return [{ name, cells: (rows, signal) => namesOf(server, target, field, rows, signal) }];
  });
  const addressed = addressedBy(kind, server);
  return addressed === undefined ? names : [...names, addressed];
}

/** Age and id. */
const ENDS = 2;

/** What a list shows unasked. */
export function listColumns(kind: KindDescription, linked: readonly LinkedColumn[]): readonly string[] {
  const [name = 'name', state = 'state', ...more] = defaultColumns(kind);
  const owners = Object.entries(kind.row.properties ?? {}).flatMap(([field, schema]) =>
    schema['x-ref']?.onDelete === 'cascade' ? [field.replace(/Id$/, '')] : [],
  );
  const there = (column: string) => linked.some((one) => one.name === column) || kind.row.properties?.[column] !== undefined;
  const shown = [...new Set([...(SHOWN[kind.kind] ?? []), ...owners])].filter((column) => there(column) && !more.includes(column));
  const behind = (SHOWN_BEHIND[kind.kind] ?? []).filter((column) => there(column) && !more.includes(column) && !shown.includes(column));
  return [name, state, ...shown, ...more.slice(0, -ENDS), ...behind, ...more.slice(-ENDS)];
}

/** The rows with the columns of those that are asked for. */
export async function withLinked(
  rows: readonly Row[],
  linked: readonly LinkedColumn[],
  columns: readonly string[],
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const asked = linked.filter(({ name }) => columns.includes(name));
  if (asked.length === 0 || rows.length === 0) return rows;
  const cells = await Promise.all(asked.map(async ({ name, cells }) => ({ name, found: await cells(rows, signal) })));
  return rows.map((row) => ({ ...row, ...Object.fromEntries(cells.map(({ name, found }) => [name, found.get(row.id)])) }));
}

/** A kind of rows with an address that point to one of these. */
function addressedBy(kind: KindDescription, server: Server): LinkedColumn | undefined {
  for (const other of server.description.kinds) {
    const fields = Object.entries(other.row.properties ?? {});
    const field = fields.find(([, schema]) => schema['x-ref']?.kind === kind.kind)?.[0];
    if (field === undefined || other.row.properties?.address === undefined || 'addresses' in (kind.row.properties ?? {})) continue;
    return { name: 'addresses', cells: (rows, signal) => addressesOf(server, other, field, rows, signal) };
  }
  return undefined;
}

async function namesOf(server: Server, target: KindDescription, field: string, rows: readonly Row[], signal: AbortSignal) {
  const ids = rows.map((row) => row[field]);
  const names = new Map((await found(server, target, 'id', ids, signal)).map((row) => [row.id, String(row.name)]));
  return new Map(
    rows.flatMap((row): [unknown, string][] => (row[field] === undefined ? [] : [[row.id, names.get(row[field]) ?? String(row[field])]])),
  );
}

async function addressesOf(server: Server, other: KindDescription, field: string, rows: readonly Row[], signal: AbortSignal) {
  const addresses = new Map<unknown, string>();
  const ids = rows.map((row) => row.id);
  for (const { [field]: id, address } of await found(server, other, field, ids, signal))
    addresses.set(id, [addresses.get(id) ?? [], address].flat().join(', '));
  return addresses;
}

/** Rows whose field is one of the ids; none where the key may not see them: a list shows what it can. */
async function found(
  server: Server,
  kind: KindDescription,
  field: string,
  given: readonly unknown[],
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const ids = [...new Set(given.filter((id) => typeof id === 'string'))];
  const rows: Row[] = [];
  for (let at = 0; at < ids.length; at += IDS_PER_REQUEST) {
    const filter = `${field} in (${ids
      .slice(at, at + IDS_PER_REQUEST)
      .map((id) => `'${id}'`)
      .join(', ')})`;
    const page = await server.cloud
      .resource(kind)
      .list({ filter, signal })
      .toArray()
      .catch((error: unknown) => {
        if (isPileusError(error) && error.code === 'permission_denied') return [];
        throw error;
      });
    rows.push(...page.map(asRow));
  }
  return rows;
}
