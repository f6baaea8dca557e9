import { isFinished, type Operation } from '@pileus/core/kernel';
import type { KeptSort } from '@pileus/core/strategy';
import { SHARED_SITE, type SimCloud } from '@pileus/core/testing';
import { poolIdOf } from './emptied.ts';
import { Invariants } from './invariants.ts';
import { Mirror, type Row } from './mirror.ts';
import type { Site } from './site.ts';

/** What is granted until an instant is taken back within a minute of it, or two. */
const EXPIRES_MS = 120_000;

/** All that is wrong with a cloud in which nothing moves, and which nobody has watched. */
export function unrest(sim: SimCloud): readonly string[] {
  const problems: string[] = [];
  const site: Site = { known: new Map(), members: new Map(), planted: [] };
  const mirror = new Mirror(sim);
  const invariants = new Invariants(sim, mirror, site, (problem) => void problems.push(problem));
  invariants.committed(mirror.sync());
  invariants.looked();
  invariants.whole();
  return [...problems, ...atQuiet(sim, mirror, site, [])];
}

/** What must be true when everything is healed, and nothing moves any more. */
export function atQuiet(sim: SimCloud, mirror: Mirror, site: Site, operations: Iterable<string>): readonly string[] {
  const problems: string[] = [];
  for (const id of operations) {
    const row = sim.row('operation', id) as Operation | undefined;
    if (row === undefined || !isFinished(row)) problems.push(`an operation was accepted and has not ended: ${JSON.stringify(row ?? id)}`);
  }
  for (const row of mirror.unfinished.values()) problems.push(`an operation has not ended: ${JSON.stringify(row)}`);
  if (sim.kernel.operations.unfinished !== 0) problems.push(`${sim.kernel.operations.unfinished} operations are still held`);
  for (const debt of mirror.rows('debt').values()) problems.push(`still owed: ${JSON.stringify(debt)}`);
  for (const notice of sim.rows('outbox')) problems.push(`notice not taken: ${JSON.stringify(notice)}`);
  const planted = new Set(site.planted.map(({ id }) => id));
  for (const stray of mirror.rows('stray').values())
    if (!planted.has(String(stray.objectId))) problems.push(`stray of unknown origin: ${JSON.stringify(stray)}`);
  const overMs = sim.environment.clock.nowMs() - EXPIRES_MS;
  for (const { id, state, expiresAt } of mirror.rows('quotaRequest').values())
    if (state === 'applied' && expiresAt !== undefined && Date.parse(String(expiresAt)) < overMs)
      problems.push(`quota request ${id} was granted until ${expiresAt}, and still is`);
  return [...problems, ...explained(sim, mirror, planted), ...settled(mirror), ...astray(sim, mirror)];
}

/** Rows that refer to what is gone. */
const astray = (sim: SimCloud, mirror: Mirror): readonly string[] =>
  sim.kernel.registry.kinds().flatMap(({ name, refs }) =>
    [...mirror.rows(name).values()].flatMap((row) =>
      refs.flatMap(({ field, kind }) => {
        const id = row[field];
        return id === undefined || mirror.row(kind, id) !== undefined ? [] : [`${name} ${row.id} refers to ${kind} ${id}, which is gone`];
      }),
    ),
  );

interface Listed {
  readonly machines: readonly {
    readonly id: string;
    readonly host: string;
    readonly power: string;
    readonly vcpus: number;
    readonly memoryBytes: number;
    readonly diskIds: readonly string[];
    readonly nicIds: readonly string[];
  }[];
  readonly networks: readonly { readonly id: string; readonly host: string; readonly ports: readonly { readonly nicId: string }[] }[];
  readonly kept: readonly { readonly sort: KeptSort; readonly id: string }[];
  readonly stored: readonly {
    readonly id: string;
    readonly kind: string;
    readonly pool: string;
    readonly sizeBytes: number;
    readonly attachedTo: readonly string[];
  }[];
}

const POWER: Readonly<Record<string, string>> = { running: 'running', paused: 'suspended', stopped: 'stopped', crashed: 'crashed' };

/** Everything that backends list with our mark against the rows, both ways. */
function explained(sim: SimCloud, mirror: Mirror, planted: ReadonlySet<string>): readonly string[] {
  const problems: string[] = [];
  const say = (text: string) => problems.push(text);
  const listed = ofPlacesThatAre(mirror, JSON.parse(sim.world.snapshot('simulated-cloud')) as Listed);
  const networks = listed.networks.filter(({ id }) => !planted.has(id));
  for (const { id } of [...listed.machines, ...listed.networks, ...listed.kept])
    if (planted.has(id) && ![...mirror.rows('stray').values()].some(({ objectId }) => objectId === id))
      say(`nobody tells of ${id}, which nobody here has made`);
  machines(
    mirror,
    listed.machines.filter(({ id }) => !planted.has(id)),
    say,
  );
  const ports = new Set(networks.flatMap((network) => network.ports.map(({ nicId }) => nicId)));
  for (const network of networks)
    if (mirror.row('network', network.id) === undefined) say(`network ${network.id} on ${network.host} has no row`);
  for (const nicId of ports) if (mirror.row('nic', nicId) === undefined) say(`port ${nicId} has no row`);
  const realized = new Set(networks.map(({ id }) => id));
  for (const id of mirror.rows('network').keys()) if (!realized.has(id)) say(`network ${id} is on no host`);
  for (const id of mirror.rows('nic').keys()) if (!ports.has(id)) say(`NIC ${id} has no port`);
  around(
    mirror,
    listed.kept.filter(({ id }) => !planted.has(id)),
    say,
  );
  disks(mirror, listed.stored, say);
  if (!attachesLate(sim)) forgotten(mirror, listed.stored, say);
  return problems;
}

/** Of hosts and pools that are gone `Emptied` tells. */
function ofPlacesThatAre(mirror: Mirror, { machines, networks, stored, ...listed }: Listed): Listed {
  const hosts = new Set([...mirror.rows('host').values()].map(({ name }) => name));
  const pools = mirror.rows('pool');
  return {
    ...listed,
    machines: machines.filter(({ host }) => hosts.has(host)),
    networks: networks.filter(({ host }) => host === SHARED_SITE || hosts.has(host)),
    stored: stored.filter(({ pool }) => pools.has(poolIdOf(pool))),
  };
}

/** By the sort of object in the fabric: whose rows are kept as such, and in which state. */
const KEPT: Readonly<Record<KeptSort, { readonly table: string; readonly isKept?: (row: Row) => boolean }>> = {
  vpcs: { table: 'vpc' },
  // Two rows are one link, which has the id of the older.
  peerings: { table: 'peering', isKept: ({ state }) => state === 'active' },
  securityGroups: { table: 'securityGroup' },
  gateways: { table: 'natGateway' },
  elasticIps: { table: 'elasticIp', isKept: ({ state, nicId }) => state === 'bound' && nicId !== undefined },
  portForwards: { table: 'portForward' },
  loadBalancers: { table: 'loadBalancer' },
  dnsRecords: { table: 'dnsRecord' },
};

/** What lies around networks against the rows, both ways. What it is made of is compared by `unlikeRows`. */
function around(mirror: Mirror, kept: Listed['kept'], say: (text: string) => void): void {
  for (const sort of Object.keys(KEPT) as readonly KeptSort[]) {
    const { table, isKept = () => true } = KEPT[sort];
    const there = new Set(kept.filter((each) => each.sort === sort).map(({ id }) => id));
    for (const id of there) if (mirror.row(table, id) === undefined) say(`in the fabric, ${id} of the ${sort} has no row`);
    for (const [id, row] of mirror.rows(table))
      if (isKept(row) && !isNewerSide(mirror, table, row) && !there.has(id)) say(`${table} ${id} is ${row.state}, and not in the fabric`);
  }
}

function isNewerSide(mirror: Mirror, table: string, { id, vpcId, peerVpcId }: Row): boolean {
  const sides = table === 'peering' ? [...mirror.rows('peering').values()] : [];
  return sides.some((other) => other.vpcId === peerVpcId && other.peerVpcId === vpcId && String(other.id) < String(id));
}

function machines(mirror: Mirror, listed: Listed['machines'], say: (text: string) => void): void {
  const parts = (...tables: readonly string[]) => {
    const owned = new Map<unknown, string[]>();
    for (const table of tables)
      for (const [id, { instanceId, volumeId = id, state }] of mirror.rows(table))
        if (state !== 'trashed') owned.set(instanceId, [...(owned.get(instanceId) ?? []), String(volumeId)]);
    return (id: string) => (owned.get(id) ?? []).sort().join();
  };
  const [disksOf, nicsOf] = [parts('volume', 'attachment'), parts('nic')];
  for (const machine of listed) {
    const row = mirror.row('instance', machine.id);
    const told = `machine ${machine.id}`;
    if (row === undefined || mirror.row('host', row.hostId)?.name !== machine.host)
      say(`${told} on ${machine.host} has no row there: ${JSON.stringify(row)}`);
    else if (row.state !== POWER[machine.power]) say(`instance ${machine.id} is ${row.state}, its machine ${machine.power}`);
    if (row !== undefined && (row.vcpus !== machine.vcpus || row.memoryBytes !== machine.memoryBytes))
      say(`${told} has ${machine.vcpus} processors and ${machine.memoryBytes} bytes, its row ${row.vcpus} and ${row.memoryBytes}`);
    const [diskIds, nicIds] = [[...machine.diskIds].sort().join(), [...machine.nicIds].sort().join()];
    if (disksOf(machine.id) !== diskIds) say(`${told} has disks ${diskIds}, its rows ${disksOf(machine.id)}`);
    if (nicsOf(machine.id) !== nicIds) say(`${told} has NICs ${nicIds}, its rows ${nicsOf(machine.id)}`);
  }
  const there = new Set(listed.map(({ id }) => id));
  // One that was evacuated, and could not be defined at its new place: its start makes it (decision 26).
  for (const [id, { state, stateReason }] of mirror.rows('instance'))
    if (state !== 'missing' && (stateReason as Row | undefined)?.code !== 'not_started' && !there.has(id))
      say(`instance ${id} is ${state}, and on no host`);
}

function disks(mirror: Mirror, listed: Listed['stored'], say: (text: string) => void): void {
  const tables: Readonly<Record<string, string>> = { volume: 'volume', image: 'image', seed: 'instance' };
  const there = new Set<string>();
  // By way of one of its hosts: what came late into one that has none left is found when it has one again.
  const clusters = new Set([...mirror.rows('host').values()].map(({ clusterId }) => clusterId));
  const isLookedAt = ({ clusterId }: Row = {}) => clusterId === undefined || clusters.has(clusterId);
  for (const { kind, id, pool, sizeBytes } of listed) {
    const owner: Row | undefined = mirror.row(tables[kind] ?? kind, id);
    if (owner === undefined && isLookedAt(mirror.row('pool', poolIdOf(pool)))) say(`${kind} ${id} in ${pool} has no row`);
    if (kind === 'volume' && owner !== undefined && owner.sizeBytes !== sizeBytes)
      say(`volume ${id} has ${sizeBytes} bytes, its row ${owner.sizeBytes}`);
    if (kind !== 'volume' || owner === undefined) continue;
    if (pool.endsWith(String(owner.poolId))) there.add(id);
    else say(`volume ${id} is in pool ${owner.poolId}, and a copy of it in ${pool}`);
  }
  for (const [id, { state }] of mirror.rows('volume')) if (!there.has(id)) say(`volume ${id} is ${state}, and in no pool`);
}

/** Whether a volume may have become reachable from a host after all who knew of it had given up: no driver lists that, and it harms nobody. */
const attachesLate = ({ world }: SimCloud): boolean =>
  world.shared.met.held > 0 || (['late', 'delay', 'duplicate'] as const).some((effect) => world.faults.met('volumes.attach', effect));

/** What all hosts reach is attached where it is used, and nowhere else. */
function forgotten(mirror: Mirror, listed: Listed['stored'], say: (text: string) => void): void {
  for (const { kind, id, pool, attachedTo } of listed) {
    if (kind !== 'volume' || pool.includes('/')) continue;
    const attachments = [...mirror.rows('attachment').values()].filter(({ volumeId, state }) => volumeId === id && state !== 'trashed');
    const used = [mirror.row('volume', id), ...attachments].map((row) => {
      const user = mirror.row('instance', row?.instanceId);
      return mirror.row('host', user?.hostId)?.name;
    });
    for (const host of attachedTo) if (!used.includes(host)) say(`volume ${id} is left attached to ${host}`);
  }
}

const RESTING: Readonly<Record<string, readonly string[]>> = {
  instance: ['running', 'suspended', 'stopped', 'crashed', 'missing'],
  volume: ['available', 'attached'],
  network: ['available'],
  subnet: ['available'],
  nic: ['attached'],
  attachment: ['attached'],
  host: ['enabled', 'disabled', 'maintenance'],
  pool: ['available', 'disabled'],
  stack: ['ready'],
  stackRevision: ['available'],
  stackResource: ['available'],
  image: ['available'],
  snapshot: ['available'],
  settingValue: ['available'],
  vpc: ['available'],
  route: ['available'],
  peering: ['pending', 'active'],
  securityGroup: ['available'],
  securityGroupRule: ['available'],
  securityGroupMember: ['available'],
  dnsRecord: ['available'],
  natGateway: ['available'],
  natPortBlock: ['available'],
  elasticIp: ['available', 'bound'],
  portForward: ['available'],
  reservedAddress: ['available'],
  loadBalancer: ['available'],
  listener: ['available'],
  backend: ['available'],
  fabric: ['ready'],
};

/** No row stays in a state that only an operation may hold. */
const settled = (mirror: Mirror): readonly string[] =>
  Object.entries(RESTING).flatMap(([table, states]) =>
    [...mirror.rows(table).values()].flatMap((row) => [
      ...(states.includes(String(row.state)) ? [] : [`${table} ${row.id} rests as ${row.state}`]),
      ...(row.migratingToHostId === undefined ? [] : [`${table} ${row.id} rests on its way to ${row.migratingToHostId}`]),
    ]),
  );
