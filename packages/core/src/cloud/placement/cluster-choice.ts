import type { Candidate } from './choice.ts';
import { type IndexedCluster, type IndexedHost, idlenessWithin } from './indexed.ts';

/**
 * Less than a tenth of a score may the idlest host of the chosen cluster be behind the idlest of all: docs/internals/placement.md. Hosts are often exactly a tenth
 * behind; so those are not, however the sums were rounded.
 */
const BEHIND_MAX = 0.1 - 1e-6;
const NONE = Number.NEGATIVE_INFINITY;

export interface Looks {
  readonly size: { readonly vcpus: number; readonly memoryBytes: number };
  /** Whether hosts with the labels and taints of this one are taken. */
  readonly takes: (like: IndexedHost) => boolean;
  /** Its hosts that fit. */
  readonly look: (of: IndexedCluster) => Candidate[];
}

/**
 * What fits in one cluster after the other: the idlest whose idlest fitting host is less than a tenth behind the idlest fitting host of all those that are left.
 * What a cluster can have at most is known from its summary, so that mostly one or two are looked into: the others cannot be so much better.
 */
export function* clustersInTurn(clusters: readonly IndexedCluster[], looks: Looks): Generator<Candidate[]> {
  const [idlest, most] = glance(clusters);
  if (idlest === undefined) return;
  const found = mostOf(idlest, looks) < most - BEHIND_MAX ? undefined : looks.look(idlest);
  const isFirst = found !== undefined && found.length > 0 && idlestOf(found) >= most - BEHIND_MAX;
  if (isFirst) yield found;
  const left = new ClustersLeft(isFirst ? clusters.filter((of) => of !== idlest) : clusters, looks);
  for (let next = left.take(); next !== undefined; next = left.take()) yield next;
}

const isIdler = (one: IndexedCluster, than: IndexedCluster): boolean => {
  const more = one.summary.idleness - than.summary.idleness;
  return more > 0 || (more === 0 && one.id < than.id);
};

/** The idlest cluster, and more than what any host can have. */
function glance(clusters: readonly IndexedCluster[]): readonly [idlest: IndexedCluster | undefined, most: number] {
  let idlest: IndexedCluster | undefined;
  let most = NONE;
  for (const of of clusters) {
    if (of.summary.idlenessMax > most) most = of.summary.idlenessMax;
    if (idlest === undefined || isIdler(of, idlest)) idlest = of;
  }
  return [idlest, most];
}

/** The most that the idlest fitting host of the cluster can have. */
function mostOf({ summary }: IndexedCluster, { size, takes }: Looks): number {
  let most = NONE;
  for (const part of summary.parts) {
    const can = idlenessWithin(part, size);
    if (can > most && (part.like === undefined || takes(part.like))) most = can;
  }
  return most;
}

const idlestOf = (found: readonly Candidate[]): number => found.reduce((most, { idleness }) => Math.max(most, idleness), NONE);

/** Clusters of which none was taken yet, with what is known of each. */
class ClustersLeft {
  readonly #clusters: readonly IndexedCluster[];
  readonly #looks: Looks;
  /** The most that the idlest fitting host of each can have; of those that were looked into, what it has. */
  readonly #most: number[];
  readonly #found = new Map<number, Candidate[]>();
  /** Of the idlest fitting host that was seen. */
  #seenMost = NONE;

  constructor(clusters: readonly IndexedCluster[], looks: Looks) {
    this.#clusters = clusters;
    this.#looks = looks;
    this.#most = clusters.map((of) => mostOf(of, looks));
  }

  take(): Candidate[] | undefined {
    for (;;) {
      const [at, best] = this.#idlestAndBest();
      if (at === undefined) return undefined;
      const found = this.#found.get(at);
      // What was seen is no more than that ahead: the best was not looked into.
      if (this.#of(at) < this.#of(best) - BEHIND_MAX) this.#lookInto(best);
      else if (found === undefined) this.#lookInto(at);
      else return this.#taken(at, found);
    }
  }

  #of(at: number): number {
    return this.#most[at] ?? NONE;
  }

  /** The idlest that is not too far behind what was seen, and the one that can have most. */
  #idlestAndBest(): readonly [idlest: number | undefined, best: number] {
    const [clusters, all] = [this.#clusters, this.#most];
    const least = this.#seenMost - BEHIND_MAX;
    let idlest: number | undefined;
    let best = 0;
    for (let at = 0; at < all.length; at += 1) {
      const most = all[at] ?? NONE;
      if (most === NONE || most < least) continue;
      if (most > (all[best] ?? NONE)) best = at;
      if (idlest === undefined || isIdler(clusters[at] as IndexedCluster, clusters[idlest] as IndexedCluster)) idlest = at;
    }
    return [idlest, best];
  }

  #lookInto(at: number): void {
    const found = this.#looks.look(this.#clusters[at] as IndexedCluster);
    const most = idlestOf(found);
    this.#found.set(at, found);
    this.#most[at] = most;
    this.#seenMost = Math.max(this.#seenMost, most);
  }

  #taken(at: number, found: Candidate[]): Candidate[] {
    this.#most[at] = NONE;
    this.#found.delete(at);
    this.#seenMost = NONE;
    for (const each of this.#found.keys()) this.#seenMost = Math.max(this.#seenMost, this.#of(each));
    return found;
  }
}
