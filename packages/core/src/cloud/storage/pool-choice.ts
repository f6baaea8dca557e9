import { bytesText, CloudError, equals, type JsonObject, type Reader, type RowOf, readPermission } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { poolCounter } from '../placement/contract.ts';
import { cluster, host } from '../topology/contract.ts';
import { demandingClasses, encryptedOnly, misfitOf } from './class-encryption.ts';
import { pool } from './pool.ts';
import { notTaking } from './pool-health.ts';

type PoolRow = RowOf<typeof pool>;

export interface RankedPool {
  readonly row: PoolRow;
  /** Bytes that may still be promised. */
  readonly freeBytes: number;
  /** The class that takes encrypted volumes only, by name. */
  readonly demandedBy?: string;
}

/** Where a host stands: what it reaches by scope. */
export interface HostPlace {
  readonly hostId: string;
  readonly clusterId: string;
  readonly zoneId: string | undefined;
  /** Pools that it is to reach and does not. */
  readonly unreached?: ReadonlySet<string>;
}

/** Whether the host reaches the pool, as far as is known. */
export const reaches = (row: PoolRow, at: HostPlace): boolean => isWithin(row, at) && at.unreached?.has(row.id) !== true;

/** Whether the host is to reach the pool. */
export const isWithin = (row: PoolRow, at: HostPlace): boolean =>
  row.scope === 'host' ? row.hostId === at.hostId : row.scope === 'cluster' ? row.clusterId === at.clusterId : row.zoneId === at.zoneId;

/** What pools there are, and how full each is, are the operator's to know. */
const UNSEEN = { permission: readPermission(pool), params: {} };

interface WantedPlace {
  readonly storageClass?: string;
  readonly poolId?: string;
  readonly at?: HostPlace;
  /** Whether the volume is to be encrypted; where nothing is said, the class of its pool decides. */
  readonly encrypted?: boolean;
}

/** Why nothing of the kind is placed there now. */
const refusalOf = ({ row, demandedBy }: RankedPool, { encrypted, at }: WantedPlace): string | undefined =>
  notTaking(row) ??
  (at?.unreached?.has(row.id) === true ? 'is not reached from that host' : undefined) ??
  misfitOf(row, demandedBy, encrypted);

/** Whether the request is for such a pool, whether it takes anything now or not. */
const isMeant = ({ row }: RankedPool, { poolId, storageClass, at }: WantedPlace): boolean =>
  (poolId === undefined || row.id === poolId) &&
  (storageClass === undefined || row.storageClass === storageClass) &&
  (at === undefined || isWithin(row, at));

/** Pools that fit, the emptiest first; of equals the older. Pure, so that placement and volumes rank alike. */
export const rankPools = (pools: readonly RankedPool[], wanted: WantedPlace): readonly RankedPool[] =>
  pools
    .filter((each) => refusalOf(each, wanted) === undefined && isMeant(each, wanted))
    .sort((a, b) => b.freeBytes - a.freeBytes || (a.row.id < b.row.id ? -1 : 1));

export async function hostPlace(reader: Reader, hostId: string, pointer?: string): Promise<HostPlace> {
  const { clusterId, unreachedPools = [] } = await reader.get(host, hostId, pointer);
  const unreached = new Set<string>(unreachedPools.map(({ poolId }) => poolId));
  return { hostId, clusterId, zoneId: (await reader.find(cluster, clusterId))?.zoneId, unreached };
}

/** All pools that a host is to reach, along their indexes: there may be as many pools as hosts. */
export async function poolsReached(reader: Reader, at: HostPlace): Promise<readonly PoolRow[]> {
  const { hostId, clusterId, zoneId } = at;
  const near = [equals('hostId', hostId), equals('clusterId', clusterId), ...(zoneId === undefined ? [] : [equals('zoneId', zoneId)])];
  const rows = (await Promise.all(near.map((where) => reader.list(pool, where)))).flat();
  return rows.filter((row) => isWithin(row, at));
}

/** The pools with what is left of each. */
export async function readPools(reader: Reader): Promise<readonly RankedPool[]> {
  const [rows, counters, demanding] = await Promise.all([
    reader.list(pool, equals('state', 'available')),
    reader.counters('capacity/pool/'),
    demandingClasses(reader),
  ]);
  const left = new Map(counters.map(({ key, value, limit }) => [key, (limit ?? 0) - value]));
  return rows.map((row) => ({
    row,
    freeBytes: left.get(poolCounter(row.id)) ?? 0,
    ...given({ demandedBy: row.classId === undefined ? undefined : demanding.get(row.classId) }),
  }));
}

/**
 * The pool for one volume. The guard of the commit decides; who lost (`attempt` > 0) looks one further down.
 * @throws CloudError what `notIn` says, not_found, no_capacity with the reason for each pool, unsupported where none can encrypt, conflict where all take encrypted volumes only
 */
export async function choosePool(
  reader: Reader,
  wanted: {
    readonly sizeBytes: number;
    readonly poolId?: string;
    readonly storageClass?: string;
    readonly hostId?: string;
    readonly encrypted?: boolean;
    /** The field that says so. Default: `/encrypted`. */
    readonly encryptedBy?: string;
    readonly attempt: number;
    /** What keeps it out of one that fits otherwise: another is taken, and where there is none, it is thrown. */
    readonly notIn?: (poolId: PoolRow['id']) => Promise<CloudError | undefined>;
  },
): Promise<PoolRow> {
  if (wanted.poolId !== undefined) await reader.get(pool, wanted.poolId, '/poolId');
  const at = wanted.hostId === undefined ? undefined : await hostPlace(reader, wanted.hostId, '/hostId');
  const where = { ...wanted, ...(at === undefined ? {} : { at }) };
  const all = await readPools(reader);
  const ranked = rankPools(all, where);
  const fitting = ranked.filter(({ freeBytes }) => freeBytes >= wanted.sizeBytes);
  const { notIn = async () => undefined } = wanted;
  let barred: CloudError | undefined;
  for (const index of fitting.keys()) {
    const { row } = fitting[(wanted.attempt + index) % fitting.length] as RankedPool;
    const why = await notIn(row.id);
    if (why === undefined) return row;
    barred ??= why;
  }
  if (barred !== undefined) throw barred;
  const fits = all.filter((each) => isMeant(each, where));
  const reasons = Object.fromEntries(
    fits.map((each) => [each.row.name, refusalOf(each, where) ?? shortage(each.freeBytes, wanted.sizeBytes)]),
  );
  refuseMisfits(fits, wanted, reasons);
  const isOfClass = ranked.length === 0 && wanted.storageClass !== undefined;
  throw new CloudError('no_capacity', fits.length === 0 ? await whyNone(reader, wanted) : 'No pool takes it.', {
    ...given({ pointer: isOfClass ? '/storageClass' : undefined }),
    params: { reasons },
    unless: UNSEEN,
  });
}

/** Where it is only for encryption that none of them will do. @throws CloudError unsupported, conflict */
function refuseMisfits(
  fits: readonly RankedPool[],
  { encrypted, encryptedBy = '/encrypted' }: { readonly encrypted?: boolean; readonly encryptedBy?: string },
  reasons: JsonObject,
): void {
  const [first] = fits;
  if (first === undefined || !fits.every(({ row, demandedBy }) => misfitOf(row, demandedBy, encrypted) !== undefined)) return;
  if (encrypted === false && first.demandedBy !== undefined) throw encryptedOnly(first.demandedBy, encryptedBy);
  if (encrypted === true)
    throw new CloudError('unsupported', 'No pool that it may be in can encrypt volumes.', {
      pointer: encryptedBy,
      params: { reasons },
      unless: UNSEEN,
    });
}

const shortage = (freeBytes: number, wantedBytes: number) => `has ${bytesText(freeBytes)} free, not ${bytesText(wantedBytes)}`;

/** Why no pool at all is meant by a request. */
async function whyNone(
  reader: Reader,
  { poolId, storageClass, hostId }: { readonly poolId?: string; readonly storageClass?: string; readonly hostId?: string },
): Promise<string> {
  if ((await reader.list(pool, undefined, { limit: 1 })).length === 0) return 'There are no pools; create one first.';
  const from = hostId === undefined ? '' : ` that host ${(await reader.get(host, hostId)).name} reaches`;
  if (poolId === undefined) return `There is no available pool${storageClass === undefined ? '' : ` of class ${storageClass}`}${from}.`;
  const row = await reader.get(pool, poolId);
  if (row.state !== 'available') return `Pool ${row.name} is ${row.state}.`;
  if (storageClass !== undefined && row.storageClass !== storageClass)
    return `Pool ${row.name} is of class ${row.storageClass}, not ${storageClass}.`;
  return `Pool ${row.name} is none${from}.`;
}

/** For what grows in a pool that it cannot leave; the guard of the commit decides. @throws CloudError no_capacity */
export async function refuseFull(reader: Reader, poolId: string, wantedBytes: number): Promise<void> {
  const row = await reader.get(pool, poolId);
  const refuse = (why: string) =>
    new CloudError('no_capacity', 'Its pool has no room for it.', { params: { reasons: { [row.name]: why } }, unless: UNSEEN });
  if (wantedBytes > 0 && row.isNearlyFull === true) throw refuse('is nearly full');
  const counter = await reader.counter(poolCounter(poolId));
  const freeBytes = (counter?.limit ?? 0) - (counter?.value ?? 0);
  if (freeBytes >= wantedBytes) return;
  throw refuse(shortage(freeBytes, wantedBytes));
}
