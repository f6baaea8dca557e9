import type { RowOf, Statement } from '../../kernel/index.ts';
import { hostCounter } from '../placement/contract.ts';
import type { cluster } from './cluster.ts';

/** Counts the hosts of a cluster; its limit is `hostsMax`. */
export const hostsCounter = (clusterId: string): string => `capacity/cluster/${clusterId}/hosts`;

export type Promised = Pick<RowOf<typeof cluster>, 'vcpuOvercommit' | 'memoryOvercommit'>;

/** What the host promises itself goes before what its cluster does. */
export const promisedOf = (
  row: { readonly vcpuOvercommit?: number | null; readonly memoryOvercommit?: number | null },
  of: Promised,
): Promised => ({
  vcpuOvercommit: row.vcpuOvercommit ?? of.vcpuOvercommit,
  memoryOvercommit: row.memoryOvercommit ?? of.memoryOvercommit,
});

/** What machines may take of a host in all: what it has, times what is promised of it. */
export const hostLimits = (
  hostId: string,
  has: { readonly cpus: number; readonly memoryBytes: number },
  promised: Promised,
): readonly Statement[] => [
  { op: 'limit', counter: hostCounter(hostId, 'vcpus'), limit: Math.floor(has.cpus * promised.vcpuOvercommit) },
  { op: 'limit', counter: hostCounter(hostId, 'memoryBytes'), limit: Math.floor(has.memoryBytes * promised.memoryOvercommit) },
];

/** Nothing is promised yet. */
export const noHostCapacity = (hostId: string): readonly Statement[] =>
  hostLimits(hostId, { cpus: 0, memoryBytes: 0 }, { vcpuOvercommit: 1, memoryOvercommit: 1 });

/** The counters end with the host: one at 0 without a limit is as if it had never been. */
export const forgetHostCapacity = (hostId: string): readonly Statement[] => [
  { op: 'limit', counter: hostCounter(hostId, 'vcpus'), limit: null },
  { op: 'limit', counter: hostCounter(hostId, 'memoryBytes'), limit: null },
];
