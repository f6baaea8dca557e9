import type { JsonObject, Reader, Statement } from '../../kernel/index.ts';
import type { Toleration } from '../taints.ts';

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
    /** Where nothing is said, the class of its pool decides. */
    readonly encrypted?: boolean;
  }[];
  /** Hosts allowed by scope and request; undefined = any. */
  readonly onlyHosts?: readonly string[];
  readonly exceptHosts?: readonly string[];
  /** The only cluster that has all of its networks. */
  readonly clusterId?: string;
  /** Pools of volumes that are there already: the host has to reach them all. */
  readonly reaching?: readonly string[];
  /** Why the host of that name cannot have its networks; undefined where nothing is known against it. */
  readonly unconnected?: (hostname: string) => string | undefined;
  /** Labels that the host must have. */
  readonly hostLabels?: Readonly<Record<string, string>>;
  /** Taints that do not keep it off. */
  readonly tolerations?: readonly Toleration[];
  readonly placementGroupId?: string;
  /** The seat in that group that is given up for the new one. */
  readonly leaving?: GroupSeat;
  /** The seat in that group that is kept beside the new one, until the machine has gone. */
  readonly keeping?: GroupSeat;
  /** Who asks, for filters and scorers of plugins. */
  readonly instanceId?: string;
  readonly instanceTypeId?: string;
  readonly projectId?: string;
  /** How often this request lost its place to another already: later tries look further down the ranking. */
  readonly attempt: number;
  /** Nobody will commit what is reserved: it is left free for others. */
  readonly rehearses?: boolean;
}

/** Where a placement group counts a member. */
export interface GroupSeat {
  readonly groupId: string;
  /** The host, failure domain or cluster, as it was when the member got its place. */
  readonly domain: string;
}

export interface Placed {
  readonly hostId: string;
  /** Pool of each new volume, in the order of the request. */
  readonly poolIds: readonly string[];
  /** Its seat in the placement group. */
  readonly seat?: GroupSeat;
  /** Reserves the capacity and the seat, guarded: fails when another request took it meanwhile. */
  readonly reserve: readonly Statement[];
  /** Why this host, and why not the others. */
  readonly reasons: {
    readonly chosen: string;
    readonly score: number;
    /** By name of the host; the first few of those that were looked at. */
    readonly refused: Readonly<Record<string, string>>;
    /** Further hosts that were looked at and refused for reasons of their own. */
    readonly more?: number;
    /** Hosts that its volumes, its networks or the request itself rule out. */
    readonly elsewhere?: number;
  };
  /** The same without the names of hosts: the kinds of reasons against those that were looked at. */
  readonly refusedFor: readonly string[];
}

export interface Placement {
  /** @throws CloudError `no_capacity` with the reason for each host, or of a great many for each group of hosts. */
  place(request: PlacementRequest, reader: Reader): Promise<Placed>;
}

/** What is kept with the operation; only who may see hosts reads their names there. */
export const placementNote = ({ reasons, refusedFor }: Placed, namesHosts: boolean): JsonObject =>
  namesHosts ? reasons : { refused: refusedFor };

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

/** Whether a guard that failed was won by another request, so that another place may do. */
export const isPlaceTaken = (statement: Statement | undefined): boolean =>
  (statement?.op === 'adjust' && /^(capacity|placement)\//.test(statement.counter)) ||
  ((statement?.op === 'update' || statement?.op === 'expect') && statement.table === 'placementGroup');
