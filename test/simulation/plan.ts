import { type FaultEffect, KEPT_SORTS, SHARED_SITE, SimRandom } from '@pileus/core/testing';
import { drawCascades } from './cascade-plan.ts';
import { RECEIVER_TROUBLES, type ReceiverTrouble } from './deliveries.ts';
import { drawOperator } from './operator.ts';
import { type Ask, WishList } from './wishes.ts';

export const CALL_EFFECTS = ['fail', 'fail_after', 'timeout_before', 'timeout_after', 'late', 'delay', 'duplicate'] as const;
/** Of calls that change nothing: they are refused, or what they answer is old when it comes. */
export const READ_EFFECTS = ['fail', 'timeout_after', 'aged', 'stale'] as const;
export const SITE_TROUBLES = ['crash', 'freeze', 'partition', 'disconnect'] as const;
export const KILL_POINTS = ['before_step', 'after_step', 'durable', 'instant'] as const;
export const FABRIC_TROUBLES = ['lost', 'hangs'] as const;
export const STORE_TROUBLES = ['commitFails', 'acknowledgementLost'] as const;

/** Something that is to happen at a virtual instant. Its id stays its own when others are left out. */
interface Planned {
  readonly id: number;
  readonly atMs: number;
}
export type SiteTrouble = Planned & {
  readonly type: 'site';
  readonly site: string;
  readonly how: (typeof SITE_TROUBLES)[number];
  readonly forMs: number;
};
/** The next such call anywhere meets it. */
export type CallTrouble = Planned & {
  readonly type: 'call';
  readonly command?: string;
  readonly effect: FaultEffect;
  readonly delayMs: number;
};
/** The process is killed: at that instant, or at the next such point of any saga or commit. */
export type Kill = Planned & { readonly type: 'kill'; readonly point: (typeof KILL_POINTS)[number]; readonly forMs: number };
/** The next group of commits meets it. */
export type StoreTrouble = Planned & { readonly type: 'store'; readonly how: (typeof STORE_TROUBLES)[number] };
/** Others fill a pool to the brim for a while: the one of a host, or that of a cluster. */
export type FullPool = Planned & { readonly type: 'full'; readonly pool: string; readonly forMs: number };
/** A host has nothing any more that leads to physical networks, or its switch does nothing that it is told, for a while. */
export type FabricTrouble = Planned & {
  readonly type: 'fabric';
  readonly host: string;
  readonly how: (typeof FABRIC_TROUBLES)[number];
  readonly forMs: number;
};
/** The next event that is sent to somebody outside meets it. */
export type DeliveryTrouble = Planned & { readonly type: 'delivery'; readonly how: ReceiverTrouble };
export type Request = Planned & Ask;
export type PlannedEvent = SiteTrouble | CallTrouble | Kill | StoreTrouble | FullPool | FabricTrouble | DeliveryTrouble | Request;

/** What a history is drawn for. */
export interface Ground {
  readonly seed: number;
  readonly hosts: number;
  /** As busy as so many who ask, wait for the answer, think for a moment, and ask again. */
  readonly clients: number;
  /** Virtual time of requests and trouble. */
  readonly rageMs: number;
  /**
   * Also webhooks and callbacks, moves of volumes and machines, stacks, settings, quotas that are asked for, work on hosts, a zone of its own that may go with all
   * that is in it, and reads of drivers that go wrong.
   */
  readonly further: boolean;
  /** Also VPCs, and all that lies around networks. */
  readonly networks: boolean;
}

const HOSTS_IN_CLUSTER = 40;
const PROJECTS_EACH = 2;

export const hostNames = ({ hosts }: Ground): readonly [string, ...string[]] =>
  Array.from({ length: hosts }, (_, index) => `hv${index + 1}`) as [string, ...string[]];
/** How many hosts, the last ones, are a zone with one cluster of its own. */
const annexHosts = ({ hosts, further }: Ground): number => (further ? Math.min(4, Math.floor(hosts / 3)) : 0);
export function clusterOf(ground: Ground, hostIndex: number): number {
  const main = ground.hosts - annexHosts(ground);
  return hostIndex < main ? Math.floor(hostIndex / HOSTS_IN_CLUSTER) : Math.floor((main - 1) / HOSTS_IN_CLUSTER) + 1;
}
export const clustersOf = (ground: Ground): number => clusterOf(ground, ground.hosts - 1) + 1;
export const zoneOf = (ground: Ground, cluster: number): string =>
  annexHosts(ground) > 0 && cluster === clustersOf(ground) - 1 ? ANNEX : 'zone-a';
export const ANNEX = 'zone-b';
/** The hosts of the zone that may go. */
export const annexOf = (ground: Ground): readonly string[] => hostNames(ground).slice(ground.hosts - annexHosts(ground));
/** Tenants, by the names of their projects: `a1/p1`. */
export const projectsOf = ({ hosts }: Ground): readonly [string, ...string[]] =>
  Array.from({ length: Math.min(8, 2 + Math.floor(hosts / 25)) }, (_, account) =>
    Array.from({ length: PROJECTS_EACH }, (_, project) => `a${account + 1}/p${project + 1}`),
  ).flat() as [string, ...string[]];

/** Those that change something; any other call has its turn, too. */
export const COMMANDS = [
  'machines.define',
  'machines.remove',
  'power.start',
  'power.powerOff',
  'power.suspend',
  'power.resume',
  'hotplug.attachDisk',
  'volumes.create',
  'volumes.delete',
  'volumes.attach',
  'volumes.release',
  'images.put',
  'seeds.put',
  'ensurePort',
  'deletePort',
  'ensureNetwork',
  'deleteNetwork',
] as const;

/** Those that reconcilers and sagas look by. */
export const READS = [
  'machines.list',
  'machines.inspect',
  'inventory',
  'list',
  'inspect',
  'capacity',
  'facts',
  'snapshots.list',
  'listNetworks',
  'continuity.read',
] as const;

/** What lies around networks is made and taken away by calls of the same two verbs. */
export const NETWORK_COMMANDS = KEPT_SORTS.flatMap((sort) => [`${sort}.ensure`, `${sort}.remove`]);
/** A gateway's host is asked for by those who look, and how backends are. */
export const NETWORK_READS = [...KEPT_SORTS.map((sort) => `${sort}.list`), 'readiness.port'];

/** Everything that will be asked for and go wrong, drawn beforehand: so a history can be played with parts left out. */
export function drawPlan(ground: Ground): readonly PlannedEvent[] {
  const random = new SimRandom(`plan ${ground.seed}`);
  const events: PlannedEvent[] = [];
  const { rageMs, clients } = ground;
  /** Instants, so many milliseconds apart on average. */
  const often = (everyMs: number, draw: (atMs: number) => object) => {
    for (let atMs = random.between(0, 2 * everyMs); atMs < rageMs; atMs += random.between(0, 2 * everyMs))
      events.push({ id: events.length, atMs: Math.round(atMs), ...draw(atMs) } as PlannedEvent);
  };
  // Where every other call goes wrong little is ever made that could be moved about: so some histories are milder.
  const mildness = ground.further || ground.networks ? random.pick([1, 3, 12]) : 1;
  const wishes = new WishList(random, projectsOf(ground), 2 + ground.hosts / 2, ground);
  often(900 / clients, () => wishes.draw(events.length));
  const hosts = hostNames(ground);
  for (const site of [...hosts, SHARED_SITE]) {
    let untilMs = 0;
    often(90_000, (atMs) => {
      const forMs = 200 + random.below(60_000);
      const how = random.pick<SiteTrouble['how']>([...SITE_TROUBLES]);
      // One at a time: the later begins when the earlier has ended.
      const trouble = { type: 'site', site, how, atMs: Math.round(Math.max(atMs, untilMs + 5000)), forMs };
      untilMs = trouble.atMs + forMs;
      return trouble;
    });
  }
  often((2500 * mildness) / clients, () => ({
    type: 'call',
    ...(random.chance(0.8) ? { command: random.pick<string>([...COMMANDS]) } : {}),
    effect: random.pick<FaultEffect>([...CALL_EFFECTS]),
    delayMs: 100 + random.below(40_000),
  }));
  often(25_000, () => ({ type: 'kill', point: random.pick<Kill['point']>([...KILL_POINTS]), forMs: 100 + random.below(20_000) }));
  often(3000, () => ({ type: 'store', how: random.pick<StoreTrouble['how']>([...STORE_TROUBLES]) }));
  const pools = [
    ...hosts.map((name) => `pool-${name}`),
    ...Array.from({ length: clustersOf(ground) }, (_, index) => `shared-${index + 1}`),
  ];
  often(30_000 / Math.sqrt(pools.length), () => ({
    type: 'full',
    pool: pools[random.below(pools.length)],
    forMs: 1000 + random.below(60_000),
  }));
  if (ground.further) {
    often((1500 * mildness) / clients, () => ({
      type: 'call',
      command: random.pick<string>([...READS]),
      effect: random.pick<FaultEffect>([...READ_EFFECTS]),
      delayMs: 100 + random.below(25_000),
    }));
    often(4000 / clients, () => ({ type: 'delivery', how: random.pick<ReceiverTrouble>([...RECEIVER_TROUBLES]) }));
    const troubles = events.filter((event) => event.type === 'site');
    const annex = { hosts: annexOf(ground), cluster: clustersOf(ground), zone: ANNEX };
    for (const draft of [...drawOperator(random, hosts, troubles, rageMs), ...drawCascades(random, annex, rageMs)])
      events.push({ id: events.length, ...draft });
  }
  if (ground.networks) {
    often((2500 * mildness) / clients, () => ({
      type: 'call',
      ...(random.chance(0.7)
        ? { command: pickOf(random, NETWORK_COMMANDS), effect: random.pick<FaultEffect>([...CALL_EFFECTS]) }
        : { command: pickOf(random, NETWORK_READS), effect: random.pick<FaultEffect>([...READ_EFFECTS]) }),
      delayMs: 100 + random.below(40_000),
    }));
    for (const host of hosts)
      often(60_000, () => ({
        type: 'fabric',
        host,
        how: random.pick<FabricTrouble['how']>([...FABRIC_TROUBLES]),
        forMs: 1000 + random.below(90_000),
      }));
  }
  return events.filter(({ atMs }) => atMs < rageMs).sort((a, b) => a.atMs - b.atMs || a.id - b.id);
}

const pickOf = (random: SimRandom, from: readonly string[]): string => from[random.below(from.length)] ?? '';

/** One line for people. */
export function told(event: PlannedEvent): string {
  const { id, atMs, type, ...rest } = event;
  return `${String(id).padStart(6)}  ${(atMs / 1000).toFixed(3).padStart(8)} s  ${type} ${JSON.stringify(rest)}`;
}
