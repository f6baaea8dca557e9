import type { SimRandom } from '@pileus/core/testing';
import { asks, type Draft } from './operator.ts';

/** What may go with all that is in it. */
export interface Annex {
  readonly hosts: readonly string[];
  /** The number in its name. */
  readonly cluster: number;
  readonly zone: string;
}

/** Of the histories that have an annex. */
const SHARE = 0.5;
/** Some are refused, or fail: what is in it is at work, or hosts of it are out of reach. */
const TRIES = 3;

/** In some histories a host goes, or a cluster, or a zone, with all that is in it; and comes again. */
export function drawCascades(random: SimRandom, { hosts, cluster, zone }: Annex, rageMs: number): readonly Draft[] {
  const [host] = hosts;
  if (host === undefined || !random.chance(SHARE)) return [];
  const named = { host: `@named/host/${host}`, cluster: `@named/cluster/cluster-${cluster}`, zone: `@named/zone/${zone}` };
  const kind = random.pick<keyof typeof named>(['host', 'cluster', 'zone']);
  const drafts: Draft[] = [];
  let atMs = rageMs * random.between(0.3, 0.6);
  for (let attempt = 0; attempt < TRIES; attempt += 1, atMs += random.between(4000, 15_000)) {
    const force = random.chance(0.3) ? { force: true } : {};
    const previews = random.chance(0.7) ? { previews: true } : {};
    drafts.push({ ...asks(atMs, `${kind}.delete`, named[kind], { recursive: true, ...force }), ...previews });
  }
  const shared = `shared-${cluster}`;
  const again: readonly (readonly [string, Draft['input']])[] = [
    ['zone.create', { name: zone }],
    ['cluster.create', { name: `cluster-${cluster}`, zoneId: named.zone, hypervisor: 'simulated' }],
    ['pool.create', { name: shared, driver: 'simulated-shared', clusterId: named.cluster, settings: {}, storageClass: 'shared' }],
    ...hosts.flatMap((name) => [
      ['host.create', { name, clusterId: named.cluster, uri: `sim://${name}` }] as const,
      ['pool.create', { name: `pool-${name}`, driver: 'simulated', hostId: `@named/host/${name}`, settings: {} }] as const,
    ]),
  ];
  // What is there still is refused for its name.
  for (let attempt = 0; attempt < TRIES; attempt += 1)
    for (const [action, input] of again) {
      atMs += random.between(500, 2000);
      const { on: _, ...draft } = asks(atMs, action, '', input);
      drafts.push(draft);
    }
  return drafts;
}
