import type { Reader, Statement } from '../../kernel/index.ts';

/** What has to find its place. Everything that pins (a host-scoped volume or network) comes as a restriction. */
export interface PlacementRequest {
  readonly vcpus: number;
  readonly memoryBytes: number;
  /** New volumes, each in some pool of its class that the host can reach. */
  readonly volumes: readonly {
    readonly id: string;
    readonly sizeBytes: number;
    readonly storageClass?: string;
    readonly poolId?: string;
  }[];
  /** Hosts allowed by scope and request; undefined = any. */
  readonly onlyHosts?: readonly string[];
  readonly exceptHosts?: readonly string[];
  /** How often this request lost its place to another already: later tries look further down the ranking. */
  readonly attempt: number;
  /** Nobody will commit what is reserved: it is left free for others. */
  readonly rehearses?: boolean;
}

export interface Placed {
  readonly hostId: string;
  /** Pool of each new volume, in the order of the request. */
  readonly poolIds: readonly string[];
  /** Reserves the capacity, guarded: fails when another request took it meanwhile. */
  readonly reserve: readonly Statement[];
  /** Why this host, and why not the others. */
  readonly reasons: {
    readonly chosen: string;
    readonly score: number;
    /** By name of the host; the first few. */
    readonly refused: Readonly<Record<string, string>>;
    /** Further hosts that were refused for reasons of their own. */
    readonly more?: number;
    /** Hosts that its volumes, its networks or the request itself rule out. */
    readonly elsewhere?: number;
  };
}

export interface Placement {
  /** @throws CloudError `no_capacity` with the reason for each host. */
  place(request: PlacementRequest, reader: Reader): Promise<Placed>;
}

export const hostCounter = (hostId: string, resource: 'vcpus' | 'memoryBytes'): string => `capacity/host/${hostId}/${resource}`;
export const poolCounter = (poolId: string): string => `capacity/pool/${poolId}/bytes`;

/** What one machine takes of its host; negative to give it back. */
export const hostCapacity = (
  hostId: string,
  size: { readonly vcpus: number; readonly memoryBytes: number },
  sign: 1 | -1,
): readonly Statement[] => [
  { op: 'adjust', counter: hostCounter(hostId, 'vcpus'), by: sign * size.vcpus },
  { op: 'adjust', counter: hostCounter(hostId, 'memoryBytes'), by: sign * size.memoryBytes },
];
export const poolCapacity = (poolId: string, sizeBytes: number, sign: 1 | -1): Statement => ({
  op: 'adjust',
  counter: poolCounter(poolId),
  by: sign * sizeBytes,
});
