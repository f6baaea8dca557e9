/**
 * Ceph's librados and librbd for Node: images, snapshots, clones and bytes of pools, and commands of the monitors, through a process of its own for each
 * cluster and user, so that nothing that hangs or crashes there reaches the caller.
 *
 * ```ts
 * await using cluster = RadosCluster.open({ monitors: ['10.0.0.1:3300'], user: 'pileus', key });
 * const pool = cluster.pool('volumes');
 * await pool.create('web-1', { sizeBytes: 10 * 2 ** 30 }, { timeoutMs: 5_000 });
 * ```
 *
 * - `RadosCluster`: one cluster as one user: `pool`, `monCommand`, `df`, `health`, `pools`, `blocklist`.
 * - `RbdPool`, `RbdImage`, `OpenImage`, `RbdTrash`: what is in a pool.
 * - `RbdBulk`: whole files into images and back.
 * - `RadosError` when the cluster refuses; an `UnansweredError` with its `outcome` when it does not answer.
 */
export type { BlocklistEntry, RadosBlocklist } from './blocklist.ts';
export type { FileFormat, LocalFile, RbdBulk } from './bulk.ts';
export type {
  CallOptions,
  Child,
  ClusterInfo,
  ImageFeature,
  ImageName,
  ImageParent,
  ImageSize,
  ImageStat,
  ImageUsage,
  Locker,
  Locks,
  NewImageOptions,
  PoolStat,
  Renaming,
  Snapshot,
  TrashEntry,
  WatchKey,
} from './calls.ts';
export { IMAGE_FEATURES } from './calls.ts';
export type { ClusterOptions, MonCommand } from './cluster.ts';
export { RadosCluster } from './cluster.ts';
export type { Outcome, Watcher } from './errors.ts';
export { AbortedError, BusyError, ConnectionLostError, RadosError, TimeoutError, UnansweredError, UnsupportedError } from './errors.ts';
export type { ImageMetadata, ImageSnapshots, OpenOptions, RbdImage } from './image.ts';
export type { ClusterDf, ClusterHealth, HealthCheck, PoolDetail, PoolDf } from './monitor.ts';
export { entriesOf, hostsOf, monitorsIn } from './monitors.ts';
export { type DiffOptions, type Extent, IO_BYTES_MAX, type OpenImage } from './open-image.ts';
export type { CloneSource, NewClone, NewImage, PageOptions, RbdNamespaces, RbdPool } from './pool.ts';
export { ToolError } from './tool.ts';
export type { RbdTrash } from './trash.ts';
