import { bytesText } from '../../kernel/index.ts';
import { misfitOf } from '../storage/contract.ts';
import { isTolerated, type Taint, taintText } from '../taints.ts';
import type { CapacityIndex } from './capacity-index.ts';
import { clustersInTurn } from './cluster-choice.ts';
import type { GroupRule } from './group-seats.ts';
import { type IndexedCluster, type IndexedHost, type IndexedPool, WEIGHTS } from './indexed.ts';
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
  /** How much of its processors and memory is free, of the score. */
  readonly idleness: number;
  readonly score: number;
}

export interface Refusal {
  readonly filter: string;
  readonly reason: string;
}

/** What the request itself, its networks or its volumes rule out. */
export const ELSEWHERE = 'elsewhere';

/**
 * Hosts that fit, the best first, one cluster after the other: those without soft taints, as near as can be to what a soft policy wants, the idlest cluster that
 * `clustersInTurn` allows, in it the best score. `onRefused` is told of the others in the clusters that were looked into.
 */
export function* ranking(ask: Ask, index: CapacityIndex, onRefused: (at: IndexedHost, why: Refusal) => void): Generator<Candidate> {
  const clusters = clustersOf(ask, index);
  for (const avoided of [false, true])
    for (const distance of ask.group?.distances ?? [0]) {
      const look = (of: IndexedCluster) => inCluster(ask, index, of, { avoided, distance }, onRefused);
      const looks = { size: ask.request, takes: (at: IndexedHost) => mayTake(ask, at, avoided), look };
      for (const found of clustersInTurn(clusters, looks)) yield* found.sort(byScore);
    }
}

const byScore = (a: Candidate, b: Candidate) => b.score - a.score || (a.host.id < b.host.id ? -1 : 1);

/** Why the host is not to be taken, or how good it is. */
export function consider(ask: Ask, index: CapacityIndex, at: IndexedHost): Candidate | Refusal {
  const refusal = refusalOf(ask, index, at);
  if (refusal !== undefined) return refusal;
  const { request } = ask;
  const storage = placeVolumes(request.volumes, index, at);
  if (typeof storage === 'string') return { filter: 'storage', reason: storage };
  const idleness = at.idlenessWith(request);
  const own = idleness + WEIGHTS.storage * storage.share;
  const score = ask.scorers.reduce((sum, { weight, score: part }) => sum + weight * part(at), own);
  return { host: at, poolIds: storage.poolIds, idleness, score };
}

/** Those that can have a host for it, as far as the request itself tells. */
function clustersOf({ only, request: { clusterId } }: Ask, index: CapacityIndex): readonly IndexedCluster[] {
  if (only !== undefined) return [...new Set([...only].map((id) => index.hosts.get(id)?.cluster).filter((of) => of !== undefined))];
  if (clusterId === undefined) return index.clusterList;
  const of = index.clusters.get(clusterId);
  return of === undefined ? [] : [of];
}

function inCluster(
  ask: Ask,
  index: CapacityIndex,
  of: IndexedCluster,
  at: { readonly avoided: boolean; readonly distance: number },
  onRefused: (at: IndexedHost, why: Refusal) => void,
): Candidate[] {
  const found: Candidate[] = [];
  for (const each of of.hosts.values()) {
    if (isAvoided(ask, each) !== at.avoided || (ask.group !== undefined && ask.group.distance(each) !== at.distance)) continue;
    const answer = consider(ask, index, each);
    if ('host' in answer) found.push(answer);
    else onRefused(each, answer);
  }
  return found;
}

/** Whether hosts with the same labels and taints are taken at all, and at this turn. */
const mayTake = (ask: Ask, at: IndexedHost, avoided: boolean): boolean =>
  lackedBy(ask, at) === undefined && barredBy(ask, at) === undefined && isAvoided(ask, at) === avoided;

const lackedBy = ({ request }: Ask, at: IndexedHost): string | undefined => {
  for (const label in request.hostLabels) if (at.labels[label] !== request.hostLabels[label]) return label;
  return undefined;
};

const barredBy = ({ request }: Ask, at: IndexedHost): Taint | undefined =>
  at.taints.length === 0 ? undefined : at.taints.find((taint) => taint.effect === 'hard' && !isTolerated(taint, request.tolerations));

/** Whether it is only for those that find no room elsewhere. */
const isAvoided = ({ request }: Ask, at: IndexedHost): boolean =>
  at.taints.length > 0 && at.taints.some((taint) => taint.effect === 'soft' && !isTolerated(taint, request.tolerations));

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
  const lacked = lackedBy(ask, at);
  if (lacked !== undefined) return no('labels', `lacks the label ${lacked}=${request.hostLabels?.[lacked]}`);
  const taint = barredBy(ask, at);
  if (taint !== undefined)
    return no(`taint ${taintText(taint)}`, `is reserved by the taint ${taintText(taint)}, which the machine does not tolerate`);
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
