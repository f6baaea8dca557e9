import { isFinished, type Operation } from '@pileus/core/kernel';
import { quotaProblems, type SimCloud } from '@pileus/core/testing';

type Row = Readonly<Record<string, unknown>>;

/** What must be true at every instant, whatever goes wrong. */
export function always(sim: SimCloud): readonly string[] {
  const problems = [...sim.world.violations.filter((text) => harms(sim, text))];
  const addresses = new Set<string>();
  for (const nic of sim.rows('nic')) {
    for (const key of [`${nic.subnetId} ${nic.address}`, `${nic.networkId} ${nic.mac}`]) {
      if (addresses.has(key)) problems.push(`two NICs have ${key}`);
      addresses.add(key);
    }
  }
  problems.push(...runningTwice(sim), ...brokenGroups(sim));
  for (const { key, value, limit } of sim.counters())
    if (value < 0 || (limit !== null && value > limit)) problems.push(`counter ${key} is ${value} of ${limit}`);
  return problems;
}

/** What keeps together has one place, and what keeps apart shares none. */
function brokenGroups(sim: SimCloud): readonly string[] {
  const places = new Map<string, string[]>();
  for (const { placementGroupId: group, placementDomain: domain } of sim.rows('instance'))
    if (domain !== undefined) places.set(String(group), [...(places.get(String(group)) ?? []), String(domain)]);
  return [...places].flatMap(([group, domains]) => {
    const policy = sim.row('placementGroup', group)?.policy;
    const different = new Set(domains).size;
    const isBroken = (policy === 'affinity' && different > 1) || (policy === 'antiAffinity' && different < domains.length);
    return isBroken ? [`group ${group} of policy ${policy} has members in ${domains.join(', ')}`] : [];
  });
}

/**
 * No machine runs twice, but for one that a creation has given up with its host: nobody can know whether it runs there, and it goes when the host is back.
 * Until then the two must have nothing in common.
 */
function runningTwice(sim: SimCloud): readonly string[] {
  const running = new Map<string, { readonly hostname: string; readonly parts: readonly string[] }[]>();
  for (const { hostname, machines } of sim.world.hosts.values())
    for (const { live, spec } of machines.values()) {
      if (!live) continue;
      const parts = [...spec.disks.map((disk) => disk.volumeId), ...spec.nics.map((nic) => nic.nicId)];
      running.set(spec.id, [...(running.get(spec.id) ?? []), { hostname, parts }]);
    }
  return [...running].flatMap(([id, copies]) => {
    if (copies.length < 2) return [];
    const givenUp = (sim.row('instance', id)?.formerHostIds ?? []) as readonly string[];
    const here = copies.filter(({ hostname }) => !givenUp.some((hostId) => sim.row('host', hostId)?.name === hostname));
    const parts = copies.flatMap((copy) => copy.parts);
    const told = `machine ${id} runs on ${copies.map((copy) => copy.hostname).join(' and on ')}`;
    return here.length > 1 || new Set(parts).size < parts.length ? [told] : [];
  });
}

/**
 * A start that was given up may land after the removal of its machine, whose disks are deleted next: that harms nobody, and the late machine goes at the next
 * look. A disk taken from a machine that its owner still has is lost data.
 */
function harms(sim: SimCloud, violation: string): boolean {
  const [, hostname, id = ''] = /under ([^/]+)\/(\S+)$/.exec(violation) ?? [];
  const row = sim.row('instance', id);
  const lives = row !== undefined && row.deletedAt === undefined && row.state !== 'creating' && row.state !== 'deleting';
  return id === '' || (lives && sim.row('host', String(row.hostId))?.name === hostname);
}

/** What must be true when everything is healed, and nothing moves any more. */
export function atQuiet(sim: SimCloud, operations: readonly string[]): readonly string[] {
  const problems = [...always(sim)];
  for (const id of operations) {
    const row = sim.row('operation', id) as Operation | undefined;
    if (row === undefined || !isFinished(row)) problems.push(`operation ${id} was accepted and has not ended: ${JSON.stringify(row)}`);
  }
  for (const row of sim.rows('operation') as unknown as readonly Operation[])
    if (!isFinished(row) && !operations.includes(row.id)) problems.push(`operation ${row.id} has not ended: ${JSON.stringify(row)}`);
  if (sim.kernel.operations.unfinished !== 0) problems.push(`${sim.kernel.operations.unfinished} operations are still held`);
  for (const debt of sim.rows('debt')) problems.push(`still owed: ${JSON.stringify(debt)}`);
  for (const stray of sim.rows('stray')) problems.push(`stray of unknown origin: ${JSON.stringify(stray)}`);
  for (const notice of sim.rows('outbox')) problems.push(`notice not taken: ${JSON.stringify(notice)}`);
  return [...problems, ...recounted(sim), ...explained(sim), ...settled(sim)];
}

const COUNTED = /^(capacity|placement)\//;

/** Counters against the rows that they count. */
function recounted(sim: SimCloud): readonly string[] {
  const expected = new Map<string, number>();
  const add = (key: string, by: unknown) => expected.set(key, (expected.get(key) ?? 0) + Number(by));
  for (const row of sim.rows('instance')) {
    if (row.placementDomain !== undefined) add(`placement/group/${row.placementGroupId}/${row.placementDomain}`, 1);
    if (row.hostId === undefined) continue;
    add(`capacity/host/${row.hostId}/vcpus`, row.vcpus);
    add(`capacity/host/${row.hostId}/memoryBytes`, row.memoryBytes);
  }
  for (const row of sim.rows('volume')) add(`capacity/pool/${row.poolId}/bytes`, row.sizeBytes);
  for (const row of sim.rows('host')) add(`capacity/cluster/${row.clusterId}/hosts`, 1);
  const actual = new Map(sim.counters().flatMap(({ key, value }) => (COUNTED.test(key) ? [[key, value] as const] : [])));
  const wrong = [...new Set([...expected.keys(), ...actual.keys()])]
    .filter((key) => (expected.get(key) ?? 0) !== (actual.get(key) ?? 0))
    .map((key) => `counter ${key} is ${actual.get(key) ?? 0}, but the rows count ${expected.get(key) ?? 0}`);
  const kinds = sim.kernel.registry.kinds();
  return [...wrong, ...quotaProblems({ kinds, rows: (kind) => sim.rows(kind), counters: sim.counters() })];
}

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
  readonly stored: readonly {
    readonly id: string;
    readonly kind: string;
    readonly pool: string;
    readonly sizeBytes: number;
    readonly attachedTo: readonly string[];
  }[];
}

const POWER: Readonly<Record<string, string>> = { running: 'running', paused: 'suspended', stopped: 'stopped', crashed: 'crashed' };

/** Everything that backends list against the rows, both ways. */
function explained(sim: SimCloud): readonly string[] {
  const problems: string[] = [];
  const say = (text: string) => problems.push(text);
  const listed = JSON.parse(sim.world.snapshot()) as Listed;
  const byId = (table: string) => new Map<string, Row>(sim.rows(table).map((row) => [String(row.id), row]));
  const [instances, volumes, networks, nics, hosts, images] = ['instance', 'volume', 'network', 'nic', 'host', 'image'].map(byId) as [
    Map<string, Row>,
    Map<string, Row>,
    Map<string, Row>,
    Map<string, Row>,
    Map<string, Row>,
    Map<string, Row>,
  ];
  const hostName = (id: unknown) => String(hosts.get(String(id))?.name);
  for (const machine of listed.machines) {
    const row = instances.get(machine.id);
    if (row === undefined || hostName(row.hostId) !== machine.host)
      say(`machine ${machine.id} on ${machine.host} has no row there: ${JSON.stringify(row)}`);
    else if (row.state !== POWER[machine.power]) say(`instance ${machine.id} is ${row.state}, its machine ${machine.power}`);
    if (row !== undefined && (row.vcpus !== machine.vcpus || row.memoryBytes !== machine.memoryBytes))
      say(
        `machine ${machine.id} has ${machine.vcpus} processors and ${machine.memoryBytes} bytes, its row ${row.vcpus} and ${row.memoryBytes}`,
      );
    const disks = [...volumes.values()].filter((volume) => volume.instanceId === machine.id).map((volume) => volume.id);
    if (disks.sort().join() !== [...machine.diskIds].sort().join())
      say(`machine ${machine.id} has disks ${machine.diskIds}, its rows ${disks}`);
    const ports = [...nics.values()].filter((nic) => nic.instanceId === machine.id).map((nic) => nic.id);
    if (ports.sort().join() !== [...machine.nicIds].sort().join())
      say(`machine ${machine.id} has NICs ${machine.nicIds}, its rows ${ports}`);
  }
  for (const row of instances.values())
    if (row.state !== 'missing' && !listed.machines.some((machine) => machine.id === row.id))
      say(`instance ${row.id} is ${row.state}, and on no host`);
  for (const network of listed.networks) {
    if (!networks.has(network.id)) say(`network ${network.id} on ${network.host} has no row`);
    for (const { nicId } of network.ports) if (!nics.has(nicId)) say(`port ${nicId} in network ${network.id} has no row`);
  }
  for (const row of networks.values())
    if (!listed.networks.some((network) => network.id === row.id)) say(`network ${row.id} is on no host`);
  for (const row of nics.values())
    if (!listed.networks.some((network) => network.ports.some((port) => port.nicId === row.id))) say(`NIC ${row.id} has no port`);
  for (const thing of listed.stored) {
    const owner = { volume: volumes, image: images, seed: instances }[thing.kind]?.get(thing.id);
    if (owner === undefined) say(`${thing.kind} ${thing.id} in ${thing.pool} has no row`);
    if (thing.kind === 'volume' && owner !== undefined && owner.sizeBytes !== thing.sizeBytes)
      say(`volume ${thing.id} has ${thing.sizeBytes} bytes, its row ${owner.sizeBytes}`);
    if (thing.attachedTo.length > 1) say(`volume ${thing.id} is attached to ${thing.attachedTo}`);
  }
  for (const row of volumes.values())
    if (!listed.stored.some((thing) => thing.kind === 'volume' && thing.id === row.id && thing.pool.endsWith(String(row.poolId))))
      say(`volume ${row.id} is ${row.state}, and in no pool`);
  return problems;
}

const RESTING: Readonly<Record<string, readonly string[]>> = {
  instance: ['running', 'suspended', 'stopped', 'crashed', 'missing'],
  volume: ['available', 'attached'],
  network: ['available'],
  subnet: ['available'],
  nic: ['attached'],
  host: ['enabled'],
  pool: ['available'],
};

/** No row stays in a state that only an operation may hold. */
const settled = (sim: SimCloud): readonly string[] =>
  Object.entries(RESTING).flatMap(([table, states]) =>
    sim.rows(table).flatMap((row) => (states.includes(String(row.state)) ? [] : [`${table} ${row.id} rests as ${row.state}`])),
  );
