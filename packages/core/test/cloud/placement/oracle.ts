import type { PlacementRequest } from '../../../src/cloud/placement/contract.ts';
import { domainOf, type SeenHost, type SeenPool, type Setting, two } from './ground.ts';

export interface Answer {
  readonly hostId: string;
  readonly poolIds: readonly string[];
}

const free = ([taken, limit]: readonly [number, number]) => limit - taken;
const share = ([taken, limit]: readonly [number, number], more = 0) => (limit === 0 ? 0 : (limit - taken - more) / limit);
const isUsable = ({ state, status, compute }: SeenHost) => state === 'enabled' && status === 'connected' && compute;

/** The rules written down again, without speed or state: every host that passes all filters, as a soft policy wants, the idlest cluster first, the best score. */
export function oracle(setting: Setting, request: PlacementRequest): readonly Answer[] {
  const { clusters, hosts } = setting;
  const idleness = clusters.map((_, number) => {
    const usable = hosts.filter((entry) => entry.cluster % clusters.length === number && isUsable(entry));
    const sum = usable.reduce((total, entry) => total + (share(entry.vcpus) + share(entry.memory)) / 2, 0);
    return usable.length === 0 ? 0 : sum / usable.length;
  });
  return hosts
    .flatMap((entry, index) => {
      const volumes = fits(setting, request, index) ? poolsFor(setting, request, index) : undefined;
      if (volumes === undefined) return [];
      const storage = Math.min(1, ...volumes.map((at) => share(setting.pools[at]?.bytes ?? [0, 0])));
      const score = 0.4 * share(entry.vcpus, request.vcpus) + 0.4 * share(entry.memory, request.memoryBytes) + 0.2 * storage;
      const poolIds = volumes.map((at) => `p${two(at)}`);
      return [
        { hostId: `h${two(index)}`, poolIds, score, cluster: entry.cluster % clusters.length, distance: distance(setting, request, index) },
      ];
    })
    .sort(
      (a, b) =>
        a.distance - b.distance ||
        (idleness[b.cluster] ?? 0) - (idleness[a.cluster] ?? 0) ||
        a.cluster - b.cluster ||
        b.score - a.score ||
        (a.hostId < b.hostId ? -1 : 1),
    )
    .map(({ hostId, poolIds }) => ({ hostId, poolIds }));
}

function fits(setting: Setting, request: PlacementRequest, index: number): boolean {
  const entry = setting.hosts[index] as SeenHost;
  const id = `h${two(index)}`;
  return (
    isUsable(entry) &&
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
