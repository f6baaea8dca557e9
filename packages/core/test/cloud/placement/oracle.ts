import type { PlacementRequest } from '../../../src/cloud/placement/contract.ts';
import { domainOf, type SeenHost, type SeenPool, type Setting, two } from './ground.ts';

export interface Answer {
  readonly hostId: string;
  readonly poolIds: readonly string[];
}

const free = ([taken, limit]: readonly [number, number]) => limit - taken;
const share = ([taken, limit]: readonly [number, number], more = 0) => (limit === 0 ? 0 : (limit - taken - more) / limit);
const isUsable = ({ state, status, compute }: SeenHost) => state === 'enabled' && status === 'connected' && compute;

/** Less than a tenth, as `docs/internals/placement.md` says. */
const BEHIND_MAX = 0.1 - 1e-6;

export interface Fit extends Answer {
  readonly cluster: number;
  /** Of its score: processors and memory. */
  readonly idle: number;
  readonly score: number;
  /** What comes before idleness: whether it has a soft taint, and how far it is from what a soft policy wants. */
  readonly level: readonly [avoided: number, distance: number];
}

export const byLevel = ({ level: a }: Fit, { level: b }: Fit) => a[0] - b[0] || a[1] - b[1];
const byScore = (a: Fit, b: Fit) => b.score - a.score || (a.hostId < b.hostId ? -1 : 1);

/** The rules written down again, without speed or state: every host that passes all filters, without soft taints first, then as a soft policy wants, then one cluster after the other, the best score. */
export function oracle(setting: Setting, request: PlacementRequest): readonly Answer[] {
  const ranked: Fit[] = [];
  let left = allFits(setting, request);
  while (left.length > 0) {
    const [first] = left.toSorted(byLevel) as [Fit];
    const there = idlestCluster(
      setting,
      left.filter((each) => byLevel(each, first) === 0),
    );
    ranked.push(...there.toSorted(byScore));
    left = left.filter((each) => !there.includes(each));
  }
  return ranked.map(({ hostId, poolIds }) => ({ hostId, poolIds }));
}

/** The best of all by their scores, whatever their clusters. */
export function flat(setting: Setting, request: PlacementRequest): Fit | undefined {
  return allFits(setting, request).sort((a, b) => byLevel(a, b) || byScore(a, b))[0];
}

export function allFits(setting: Setting, request: PlacementRequest): Fit[] {
  const { clusters, hosts } = setting;
  return hosts.flatMap((entry, index) => {
    const volumes = fits(setting, request, index) ? poolsFor(setting, request, index) : undefined;
    if (volumes === undefined) return [];
    const storage = Math.min(1, ...volumes.map((at) => share(setting.pools[at]?.bytes ?? [0, 0])));
    const idle = 0.4 * share(entry.vcpus, request.vcpus) + 0.4 * share(entry.memory, request.memoryBytes);
    const level = [keptOff(request, entry, 'soft') ? 1 : 0, distance(setting, request, index)] as const;
    const poolIds = volumes.map((at) => `p${two(at)}`);
    return [{ hostId: `h${two(index)}`, poolIds, idle, score: idle + 0.2 * storage, cluster: entry.cluster % clusters.length, level }];
  });
}

/** Of those of one level: what is in the idlest cluster of which one host is nearly as idle as any. */
function idlestCluster({ clusters, hosts }: Setting, fitting: readonly Fit[]): readonly Fit[] {
  const idleness = clusters.map((_, number) => {
    const usable = hosts.filter((entry) => entry.cluster % clusters.length === number && isUsable(entry));
    const sum = usable.reduce((total, entry) => total + (share(entry.vcpus) + share(entry.memory)) / 2, 0);
    return usable.length === 0 ? 0 : sum / usable.length;
  });
  const most = Math.max(...fitting.map(({ idle }) => idle));
  const near = fitting.filter(({ idle }) => idle >= most - BEHIND_MAX).map(({ cluster }) => cluster);
  const [chosen] = near.sort((a, b) => (idleness[b] ?? 0) - (idleness[a] ?? 0) || a - b);
  return fitting.filter(({ cluster }) => cluster === chosen);
}

const keptOff = ({ tolerations = [] }: PlacementRequest, { taints = [] }: SeenHost, by: 'hard' | 'soft'): boolean =>
  taints.some(
    ({ key, value, effect }) =>
      effect === by && !tolerations.some((each) => each.key === key && (each.value === undefined || each.value === value)),
  );

function fits(setting: Setting, request: PlacementRequest, index: number): boolean {
  const entry = setting.hosts[index] as SeenHost;
  const id = `h${two(index)}`;
  return (
    isUsable(entry) &&
    !keptOff(request, entry, 'hard') &&
    (entry.virtType === 'kvm' || setting.clusters[entry.cluster % setting.clusters.length]?.allowEmulation === true) &&
    (request.onlyHosts?.includes(id) ?? true) &&
    !(request.exceptHosts?.includes(id) ?? false) &&
    Object.entries(request.hostLabels ?? {}).every(([label, value]) => label === 'disk' && entry.disk === value) &&
    (request.reaching ?? []).every((pool) => {
      const found = setting.pools[Number(pool.slice(1))];
      return found !== undefined && reaches(setting, found, index);
    }) &&
    isAllowed(setting, request, index) &&
    free(entry.vcpus) >= request.vcpus &&
    free(entry.memory) >= request.memoryBytes
  );
}

/** How many members are where one on this host would count, and how many there are. */
function company(setting: Setting, request: PlacementRequest, index: number): readonly [here: number, all: number] {
  if (setting.group === undefined || request.placementGroupId === undefined) return [0, 0];
  const { over, members } = setting.group;
  const here = domainOf(setting, over, index);
  return [members.filter((at) => domainOf(setting, over, at) === here).length, members.length];
}

function isAllowed(setting: Setting, request: PlacementRequest, index: number): boolean {
  const [here, all] = company(setting, request, index);
  if (setting.group?.policy === 'antiAffinity') return here === 0;
  return setting.group?.policy !== 'affinity' || all === 0 || here > 0;
}

function distance(setting: Setting, request: PlacementRequest, index: number): number {
  const [here, all] = company(setting, request, index);
  if (setting.group?.policy === 'softAntiAffinity') return here;
  return setting.group?.policy === 'softAffinity' && all > 0 && here === 0 ? 1 : 0;
}

function reaches({ clusters, hosts }: Setting, { scope, at }: SeenPool, index: number): boolean {
  const of = (hosts[index] as SeenHost).cluster % clusters.length;
  if (scope === 'host') return at % hosts.length === index;
  return scope === 'cluster' ? at % clusters.length === of : at % 2 === clusters[of]?.zone;
}

/** The emptiest pool for each volume, counting those before it; undefined when one does not fit. */
function poolsFor(setting: Setting, { volumes }: PlacementRequest, index: number): readonly number[] | undefined {
  const left = setting.pools.map((each) => free(each.bytes));
  const chosen: number[] = [];
  for (const volume of volumes) {
    let best = -1;
    setting.pools.forEach((each, at) => {
      if (!reaches(setting, each, index)) return;
      if (volume.storageClass !== undefined && volume.storageClass !== each.storageClass) return;
      if (best < 0 || (left[at] ?? 0) > (left[best] ?? 0)) best = at;
    });
    if (best < 0 || (left[best] ?? 0) < volume.sizeBytes) return undefined;
    left[best] = (left[best] ?? 0) - volume.sizeBytes;
    chosen.push(best);
  }
  return chosen;
}
