import type { RowOf, Statement } from '../../kernel/index.ts';
import { hostCounter } from '../placement/contract.ts';
import type { cluster } from './cluster.ts';

/** Counts the hosts of a cluster; its limit is `hostsMax`. */
export const hostsCounter = (clusterId: string): string => `capacity/cluster/${clusterId}/hosts`;

/** What machines may take of a host in all: what it has, times what its cluster promises of it. */
export const hostLimits = (
  hostId: string,
  has: { readonly cpus: number; readonly memoryBytes: number },
  promised: Pick<RowOf<typeof cluster>, 'vcpuOvercommit' | 'memoryOvercommit'>,
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
