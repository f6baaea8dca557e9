import { bytesText } from '../../kernel/index.ts';
import { misfitOf } from '../storage/contract.ts';
import type { CapacityIndex } from './capacity-index.ts';
import type { GroupRule } from './group-seats.ts';
import type { IndexedCluster, IndexedHost, IndexedPool } from './indexed.ts';
import type { PlacementRequest } from './placement.ts';
import type { HostFilter, HostScorer } from './points.ts';

/** A request with everything read that binds it. */
export interface Ask {
  readonly request: PlacementRequest;
  readonly only: ReadonlySet<string> | undefined;
  readonly except: ReadonlySet<string>;
  readonly group: GroupRule | undefined;
  readonly filters: readonly HostFilter[];
  readonly scorers: readonly HostScorer[];
}

export interface Candidate {
  readonly host: IndexedHost;
  readonly poolIds: readonly string[];
  readonly score: number;
}

export interface Refusal {
  readonly filter: string;
  readonly reason: string;
}

const WEIGHTS = { vcpus: 0.4, memory: 0.4, storage: 0.2 };
/** What the request itself, its networks or its volumes rule out. */
export const ELSEWHERE = 'elsewhere';

/**
 * Hosts that fit, the best first, found one cluster at a time: as near as can be to what a soft policy wants, then the idlest cluster, in it the idlest host.
 * `onRefused` is told of the others in the clusters that were looked into.
 */
export function* ranking(ask: Ask, index: CapacityIndex, onRefused: (at: IndexedHost, why: Refusal) => void): Generator<Candidate> {
  const clusters = clustersOf(ask, index);
  for (const distance of ask.group?.distances ?? [0])
    for (const of of byIdleness(clusters)) {
      const { vcpusMax, memoryBytesMax } = of.summary;
      if (vcpusMax < ask.request.vcpus || memoryBytesMax < ask.request.memoryBytes) continue;
      yield* inCluster(ask, index, of, distance, onRefused);
    }
}

/** Why the host is not to be taken, or how good it is. */
export function consider(ask: Ask, index: CapacityIndex, at: IndexedHost): Candidate | Refusal {
  const refusal = refusalOf(ask, index, at);
  if (refusal !== undefined) return refusal;
  const { request } = ask;
  const storage = placeVolumes(request.volumes, index, at);
  if (typeof storage === 'string') return { filter: 'storage', reason: storage };
  const own =
    WEIGHTS.vcpus * at.vcpus.share(request.vcpus) +
    WEIGHTS.memory * at.memoryBytes.share(request.memoryBytes) +
    WEIGHTS.storage * storage.share;
  return { host: at, poolIds: storage.poolIds, score: ask.scorers.reduce((sum, { weight, score }) => sum + weight * score(at), own) };
}

function clustersOf({ only }: Ask, index: CapacityIndex): readonly IndexedCluster[] {
  if (only === undefined) return index.clusterList;
  const clusters = [...only].map((id) => index.hosts.get(id)?.cluster).filter((of) => of !== undefined);
  return [...new Set(clusters)];
}

/** Mostly the first will do, and the others need not be sorted. */
function* byIdleness(clusters: readonly IndexedCluster[]): Generator<IndexedCluster> {
  const compare = (a: IndexedCluster, b: IndexedCluster) => b.summary.idleness - a.summary.idleness || (a.id < b.id ? -1 : 1);
  let first = clusters[0];
  if (first === undefined) return;
  for (const of of clusters) if (compare(of, first) < 0) first = of;
  yield first;
  for (const of of clusters.toSorted(compare)) if (of !== first) yield of;
}

function* inCluster(
  ask: Ask,
  index: CapacityIndex,
  of: IndexedCluster,
  distance: number,
  onRefused: (at: IndexedHost, why: Refusal) => void,
): Generator<Candidate> {
  const found: Candidate[] = [];
  for (const at of of.hosts.values()) {
    if (ask.group !== undefined && ask.group.distance(at) !== distance) continue;
    const answer = consider(ask, index, at);
    if ('host' in answer) found.push(answer);
    else onRefused(at, answer);
  }
  yield* found.sort((a, b) => b.score - a.score || (a.host.id < b.host.id ? -1 : 1));
}

function refusalOf(ask: Ask, index: CapacityIndex, at: IndexedHost): Refusal | undefined {
  const { request } = ask;
  const no = (filter: string, reason: string): Refusal => ({ filter, reason });
  if (ask.only?.has(at.id) === false) return no(ELSEWHERE, 'not where its volumes and networks are, or not the host asked for');
  if (request.clusterId !== undefined && at.clusterId !== request.clusterId)
    return no(ELSEWHERE, 'is in another cluster than its networks');
  if (ask.except.has(at.id)) return no('excluded', 'excluded');
  if (at.state !== 'enabled') return no('state', at.state === 'maintenance' ? 'is in maintenance' : `is ${at.state}`);
  if (at.status !== 'connected') return no('status', `is ${at.status}`);
  if (!at.computes) return no('role', 'does not run machines');
  if (at.virtType === 'tcg' && !at.cluster.allowEmulation)
    return no('emulation', 'has no hardware virtualisation, and its cluster does not allow emulation');
  if (at.isUnfit) return no('storage network', 'has ways to storage that are not as they are to be');
  for (const [label, value] of Object.entries(request.hostLabels ?? {}))
    if (at.labels[label] !== value) return no('labels', `lacks the label ${label}=${value}`);
  for (const id of request.reaching ?? []) {
    const pool = index.pools.get(id);
    if (pool?.reachedBy(at) !== true) return no('reach', 'does not reach the volumes to be attached');
    if (at.unreached.has(id)) return no('reach', unreached(pool));
  }
  const unconnected = request.unconnected?.(at.hostname);
  if (unconnected !== undefined) return no('network', unconnected);
  const apart = ask.group?.refuse(at);
  if (apart !== undefined) return no('group', apart);
  for (const filter of ask.filters) {
    const reason = filter.refuse(at);
    if (reason !== undefined) return no(filter.name, reason);
  }
  return full(request, at);
}

function full({ vcpus, memoryBytes }: PlacementRequest, at: IndexedHost): Refusal | undefined {
  if (at.vcpus.free < vcpus) return { filter: 'vcpus', reason: `has ${Math.max(0, at.vcpus.free)} of ${vcpus} virtual processors free` };
  if (at.memoryBytes.free >= memoryBytes) return undefined;
  const [has, wants] = [bytesText(Math.max(0, at.memoryBytes.free)), bytesText(memoryBytes)];
  return { filter: 'memory', reason: `has ${has} of memory free, not ${wants}` };
}

/** Addresses of backends are not for tenants. */
const unreached = ({ name }: IndexedPool): string => `does not reach pool ${name}`;

/** The emptiest fitting pool for each volume, counting those placed before it. Of equals the older. */
function placeVolumes(
  volumes: PlacementRequest['volumes'],
  index: CapacityIndex,
  at: IndexedHost,
): { readonly poolIds: readonly string[]; readonly share: number } | string {
  if (volumes.length === 0) return { poolIds: [], share: 1 };
  const reached = [...at.pools, ...at.cluster.pools, ...(index.zonePools.get(at.zoneId) ?? [])];
  const taken = new Map<IndexedPool, number>();
  const poolIds: string[] = [];
  let share = 1;
  for (const { storageClass, poolId, sizeBytes, encrypted } of volumes) {
    const left = (pool: IndexedPool) => pool.bytes.free - (taken.get(pool) ?? 0);
    let best: IndexedPool | undefined;
    let refusal: string | undefined;
    for (const pool of reached) {
      if ((poolId !== undefined && pool.id !== poolId) || (storageClass !== undefined && pool.storageClass !== storageClass)) continue;
      const why = pool.refusal ?? misfitOf(pool, index.demandedBy(pool), encrypted);
      if (why !== undefined) refusal ??= `its pool ${pool.name} ${why}`;
      else if (at.unreached.has(pool.id)) refusal ??= unreached(pool);
      else if (best === undefined || left(pool) > left(best) || (left(pool) === left(best) && pool.id < best.id)) best = pool;
    }
    if (best === undefined) return refusal ?? (storageClass === undefined ? 'reaches no pool' : `reaches no pool of class ${storageClass}`);
    if (left(best) < sizeBytes) return `reaches no pool with ${bytesText(sizeBytes)} free`;
    share = Math.min(share, best.bytes.share());
    taken.set(best, (taken.get(best) ?? 0) + sizeBytes);
    poolIds.push(best.id);
  }
  return { poolIds, share };
}
