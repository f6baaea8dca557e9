import { contribution } from '../../kernel/index.ts';

/** A host as filters and scorers see it. Live: valid during one choice only. */
export interface HostView {
  readonly id: string;
  readonly name: string;
  readonly clusterId: string;
  readonly zoneId: string;
  readonly failureDomain: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly virtType: string | undefined;
  /** `free` may still be promised; `limit` is what may be promised in all. */
  readonly vcpus: { readonly free: number; readonly limit: number };
  readonly memoryBytes: { readonly free: number; readonly limit: number };
}

/** What looks for a place, told to filters and scorers. */
export interface PlacementAsk {
  readonly vcpus: number;
  readonly memoryBytes: number;
  readonly instanceId?: string;
  readonly instanceTypeId?: string;
  readonly projectId?: string;
}

/** Rules hosts out. Asked of every host that is looked at: quick, synchronous, and the same answer for the same host. */
export interface HostFilter {
  /** Names the group of its refusals, e.g. `licence`. */
  readonly name: string;
  /** Why not this host; undefined lets it pass. */
  refuse(host: HostView): string | undefined;
}

/** Prefers some hosts of a cluster to others. */
export interface HostScorer {
  readonly name: string;
  /** Of its score, beside those of the built-in ones: processors 0.4, memory 0.4, storage 0.2. */
  readonly weight: number;
  /** 0 to 1; more is better. */
  score(host: HostView): number;
}

/** Asked once for each request: a filter for it, or undefined where there is nothing to rule out. What it has to read it reads here. */
export const placementFilter = contribution<PlacementAsk, HostFilter | undefined>('placement.filter');

/** Asked once for each request: a scorer for it, or undefined. */
export const placementScorer = contribution<PlacementAsk, HostScorer | undefined>('placement.scorer');
