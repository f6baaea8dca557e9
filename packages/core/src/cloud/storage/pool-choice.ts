import { both, bytesText, CloudError, equals, type Reader, type RowOf } from '../../kernel/index.ts';
import { poolCounter } from '../placement/contract.ts';
import { cluster, host } from '../topology/contract.ts';
import { pool } from './pool.ts';

type PoolRow = RowOf<typeof pool>;

export interface RankedPool {
  readonly row: PoolRow;
  /** Bytes that may still be promised. */
  readonly freeBytes: number;
}

/** Where a host stands: what it reaches by scope. */
export interface HostPlace {
  readonly hostId: string;
  readonly clusterId: string;
  readonly zoneId: string | undefined;
}

export const reaches = (row: PoolRow, at: HostPlace): boolean =>
  row.scope === 'host' ? row.hostId === at.hostId : row.scope === 'cluster' ? row.clusterId === at.clusterId : row.zoneId === at.zoneId;

/** Pools that fit, the emptiest first; of equals the older. Pure, so that placement and volumes rank alike. */
export const rankPools = (
  pools: readonly RankedPool[],
  wanted: { readonly storageClass?: string; readonly poolId?: string; readonly at?: HostPlace },
): readonly RankedPool[] =>
  pools
    .filter(
      ({ row }) =>
        row.state === 'available' &&
        row.status === 'connected' &&
        (wanted.poolId === undefined || row.id === wanted.poolId) &&
        (wanted.storageClass === undefined || row.storageClass === wanted.storageClass) &&
        (wanted.at === undefined || reaches(row, wanted.at)),
    )
    .sort((a, b) => b.freeBytes - a.freeBytes || (a.row.id < b.row.id ? -1 : 1));

export async function hostPlace(reader: Reader, hostId: string, pointer?: string): Promise<HostPlace> {
  const { clusterId } = await reader.get(host, hostId, pointer);
  return { hostId, clusterId, zoneId: (await reader.find(cluster, clusterId))?.zoneId };
}

/** All pools that a host reaches, along their indexes: there may be as many pools as hosts. */
export async function poolsReached(reader: Reader, at: HostPlace): Promise<readonly PoolRow[]> {
  const { hostId, clusterId, zoneId } = at;
  const near = [equals('hostId', hostId), equals('clusterId', clusterId), ...(zoneId === undefined ? [] : [equals('zoneId', zoneId)])];
  const rows = (await Promise.all(near.map((where) => reader.list(pool, where)))).flat();
  return rows.filter((row) => reaches(row, at));
}

/** The pools in use with what is left of each. */
export async function readPools(reader: Reader): Promise<readonly RankedPool[]> {
  const [rows, counters] = await Promise.all([
    reader.list(pool, both(equals('state', 'available'), equals('status', 'connected'))),
    reader.counters('capacity/pool/'),
  ]);
  const left = new Map(counters.map(({ key, value, limit }) => [key, (limit ?? 0) - value]));
  return rows.map((row) => ({ row, freeBytes: left.get(poolCounter(row.id)) ?? 0 }));
}

/**
 * The pool for one volume. The guard of the commit decides; who lost (`attempt` > 0) looks one further down.
 * @throws CloudError not_found, no_capacity with the reason for each pool
 */
export async function choosePool(
  reader: Reader,
  wanted: {
    readonly sizeBytes: number;
    readonly poolId?: string;
    readonly storageClass?: string;
    readonly hostId?: string;
    readonly attempt: number;
  },
): Promise<PoolRow> {
  if (wanted.poolId !== undefined) await reader.get(pool, wanted.poolId, '/poolId');
  const at = wanted.hostId === undefined ? undefined : await hostPlace(reader, wanted.hostId, '/hostId');
  const ranked = rankPools(await readPools(reader), { ...wanted, ...(at === undefined ? {} : { at }) });
  const fitting = ranked.filter(({ freeBytes }) => freeBytes >= wanted.sizeBytes);
  const chosen = fitting[wanted.attempt % Math.max(1, fitting.length)];
  if (chosen !== undefined) return chosen.row;
  const reasons = Object.fromEntries(ranked.map(({ row, freeBytes }) => [row.name, shortage(freeBytes, wanted.sizeBytes)]));
  throw new CloudError('no_capacity', ranked.length === 0 ? await whyNone(reader) : 'No pool has room for it.', { params: { reasons } });
}

const shortage = (freeBytes: number, wantedBytes: number) => `has ${bytesText(freeBytes)} free, not ${bytesText(wantedBytes)}`;

const whyNone = async (reader: Reader) =>
  (await reader.list(pool, undefined, { limit: 1 })).length === 0
    ? 'There are no pools; create one first.'
    : 'No available pool fits the request.';

/** For what grows in a pool that it cannot leave; the guard of the commit decides. @throws CloudError no_capacity */
export async function refuseFull(reader: Reader, poolId: string, wantedBytes: number): Promise<void> {
  const counter = await reader.counter(poolCounter(poolId));
  const freeBytes = (counter?.limit ?? 0) - (counter?.value ?? 0);
  if (freeBytes >= wantedBytes) return;
  const { name } = await reader.get(pool, poolId);
  throw new CloudError('no_capacity', 'Its pool has no room for it.', {
    params: { reasons: { [name]: shortage(freeBytes, wantedBytes) } },
  });
}
