import { both, bytesText, type Clock, CloudError, equals, type Reader, type RowOf } from '../../kernel/index.ts';
import { pool, type RankedPool, rankPools, reaches } from '../storage/contract.ts';
import { cluster, host } from '../topology/contract.ts';
import { hostCapacity, hostCounter, type Placed, type Placement, type PlacementRequest, poolCapacity, poolCounter } from './placement.ts';

type HostRow = RowOf<typeof host>;
type PoolRow = RowOf<typeof pool>;
type ClusterRow = RowOf<typeof cluster>;

/** What was free when it was last read; requests placed since are taken off. The guards of the commit decide, this only ranks. */
interface Free {
  free: number;
  readonly limit: number;
}
interface Snapshot {
  readonly readAtMs: number;
  readonly hosts: readonly HostRow[];
  readonly clusters: ReadonlyMap<string, ClusterRow>;
  readonly pools: readonly PoolRow[];
  readonly free: ReadonlyMap<string, Free>;
}
interface Candidate {
  readonly host: HostRow;
  readonly poolIds: readonly string[];
  readonly score: number;
}

const SNAPSHOT_MS = 1000;
const ELSEWHERE = 'not where its volumes and networks are, or not the host asked for';
/** Hosts that a successful placement names: its reasons are kept with the operation, and read with it. */
const REFUSED_SHOWN = 8;
const WEIGHTS = { vcpus: 0.4, memory: 0.4, storage: 0.2 };

/**
 * Filter, then weighted score: the idlest cluster that has room first, in it the idlest host. Same state, same request: same answer. A request that lost its
 * place to another looks one further down the ranking.
 */
export class TwoLevelPlacement implements Placement {
  readonly #clock: Clock;
  #snapshot: Snapshot | undefined;
  #reading: Promise<Snapshot> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async place(request: PlacementRequest, reader: Reader): Promise<Placed> {
    const snapshot = request.attempt === 0 ? await this.#recent(reader) : await this.#newest(reader);
    const first = this.#choose(request, snapshot);
    if (first.chosen !== undefined) return this.#reserve(request, first.chosen, snapshot, first.refused);
    // What was refused on an old view is asked again on a new one before anybody hears no.
    const anew = request.attempt === 0 ? await this.#newest(reader) : snapshot;
    const second = anew === snapshot ? first : this.#choose(request, anew);
    if (second.chosen !== undefined) return this.#reserve(request, second.chosen, anew, second.refused);
    const why = anew.hosts.length === 0 ? 'There are no hosts; create one first.' : 'No host can take it.';
    throw new CloudError('no_capacity', why, { params: { reasons: second.refused } });
  }

  async #recent(reader: Reader): Promise<Snapshot> {
    const known = this.#snapshot;
    if (known !== undefined && this.#clock.monotonicMs() - known.readAtMs < SNAPSHOT_MS) return known;
    return this.#shared(reader);
  }

  /** Read from now on: it knows of every commit before. */
  async #newest(reader: Reader): Promise<Snapshot> {
    await this.#reading?.catch(() => undefined);
    return this.#shared(reader);
  }

  /** All who ask meanwhile get the same snapshot, and so see what the others among them take of it. */
  #shared(reader: Reader): Promise<Snapshot> {
    this.#reading ??= this.#read(reader).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(reader: Reader): Promise<Snapshot> {
    const [hosts, clusters, pools, counters] = await Promise.all([
      reader.list(host),
      reader.list(cluster),
      reader.list(pool, both(equals('state', 'available'), equals('status', 'connected'))),
      reader.counters('capacity/'),
    ]);
    const free = new Map(
      counters.map((counter) => [counter.key, { free: (counter.limit ?? 0) - counter.value, limit: counter.limit ?? 0 }]),
    );
    this.#snapshot = {
      readAtMs: this.#clock.monotonicMs(),
      hosts,
      clusters: new Map(clusters.map((row) => [row.id as string, row])),
      pools,
      free,
    };
    return this.#snapshot;
  }

  #choose(
    request: PlacementRequest,
    snapshot: Snapshot,
  ): { readonly chosen: Candidate | undefined; readonly refused: Record<string, string> } {
    const refused: Record<string, string> = {};
    const byCluster = new Map<string, Candidate[]>();
    for (const row of snapshot.hosts) {
      const candidate = this.#consider(request, row, snapshot);
      if (typeof candidate === 'string') refused[row.name] = candidate;
      else byCluster.set(row.clusterId, [...(byCluster.get(row.clusterId) ?? []), candidate]);
    }
    const mean = (candidates: readonly Candidate[]) => candidates.reduce((sum, candidate) => sum + candidate.score, 0) / candidates.length;
    const ranking = [...byCluster.values()]
      .sort((a, b) => mean(b) - mean(a))
      .flatMap((candidates) => candidates.sort((a, b) => b.score - a.score || (a.host.id < b.host.id ? -1 : 1)));
    const chosen = ranking[request.attempt % Math.max(1, ranking.length)];
    return { chosen, refused };
  }

  /** A candidate, or the reason why not. */
  #consider(request: PlacementRequest, row: HostRow, snapshot: Snapshot): Candidate | string {
    if (request.onlyHosts !== undefined && !request.onlyHosts.includes(row.id)) return ELSEWHERE;
    if (request.exceptHosts?.includes(row.id) === true) return 'excluded';
    if (row.state !== 'enabled') return `is ${row.state}`;
    if (row.status !== 'connected') return `is ${row.status}`;
    if (!row.roles.includes('compute')) return 'does not run machines';
    if (row.virtType === 'tcg' && snapshot.clusters.get(row.clusterId)?.allowEmulation !== true)
      return 'has no hardware virtualisation, and its cluster does not allow emulation';
    const vcpus = snapshot.free.get(hostCounter(row.id, 'vcpus')) ?? { free: 0, limit: 0 };
    const memory = snapshot.free.get(hostCounter(row.id, 'memoryBytes')) ?? { free: 0, limit: 0 };
    if (vcpus.free < request.vcpus) return `has ${vcpus.free} of ${request.vcpus} virtual processors free`;
    if (memory.free < request.memoryBytes) return `has ${bytesText(memory.free)} of memory free, not ${bytesText(request.memoryBytes)}`;
    const storage = placeVolumes(request.volumes, row, snapshot);
    if (typeof storage === 'string') return storage;
    const share = (left: number, limit: number) => (limit === 0 ? 0 : left / limit);
    const score =
      WEIGHTS.vcpus * share(vcpus.free - request.vcpus, vcpus.limit) +
      WEIGHTS.memory * share(memory.free - request.memoryBytes, memory.limit) +
      WEIGHTS.storage * storage.share;
    return { host: row, poolIds: storage.poolIds, score };
  }

  #reserve(request: PlacementRequest, chosen: Candidate, snapshot: Snapshot, refused: Record<string, string>): Placed {
    const { host: row, poolIds, score } = chosen;
    const reserve = [
      ...hostCapacity(row.id, request, 1),
      ...request.volumes.map((volume, index) => poolCapacity(poolIds[index] ?? '', volume.sizeBytes, 1)),
    ];
    for (const statement of request.rehearses === true ? [] : reserve) {
      if (statement.op !== 'adjust') continue;
      const free = snapshot.free.get(statement.counter);
      if (free !== undefined) free.free -= statement.by;
    }
    return { hostId: row.id, poolIds, reserve, reasons: { chosen: row.name, score: Math.round(score * 1000) / 1000, ...brief(refused) } };
  }
}

/** Of a thousand hosts that were not asked for, their number is enough. */
function brief(refused: Readonly<Record<string, string>>): Pick<Placed['reasons'], 'refused' | 'elsewhere' | 'more'> {
  const asked = Object.entries(refused).filter(([, reason]) => reason !== ELSEWHERE);
  const elsewhere = Object.keys(refused).length - asked.length;
  const more = Math.max(0, asked.length - REFUSED_SHOWN);
  return {
    refused: Object.fromEntries(asked.slice(0, REFUSED_SHOWN)),
    ...(elsewhere === 0 ? {} : { elsewhere }),
    ...(more === 0 ? {} : { more }),
  };
}

/** The emptiest fitting pool for each volume, counting those placed before it. */
function placeVolumes(
  volumes: PlacementRequest['volumes'],
  at: HostRow,
  snapshot: Snapshot,
): { readonly poolIds: readonly string[]; readonly share: number } | string {
  const place = { hostId: at.id, clusterId: at.clusterId, zoneId: snapshot.clusters.get(at.clusterId)?.zoneId };
  const taken = new Map<string, number>();
  const poolIds: string[] = [];
  const pools = snapshot.pools.filter((row) => reaches(row, place));
  const left = (row: PoolRow): RankedPool => ({
    row,
    freeBytes: (snapshot.free.get(poolCounter(row.id))?.free ?? 0) - (taken.get(row.id) ?? 0),
  });
  for (const volume of volumes) {
    const [best] = rankPools(pools.map(left), volume);
    if (best === undefined)
      return volume.storageClass === undefined ? 'reaches no pool' : `reaches no pool of class ${volume.storageClass}`;
    if (best.freeBytes < volume.sizeBytes) return `reaches no pool with ${bytesText(volume.sizeBytes)} free`;
    taken.set(best.row.id, (taken.get(best.row.id) ?? 0) + volume.sizeBytes);
    poolIds.push(best.row.id);
  }
  const shares = poolIds.map((id) => {
    const entry = snapshot.free.get(poolCounter(id));
    return entry === undefined || entry.limit === 0 ? 0 : entry.free / entry.limit;
  });
  return { poolIds, share: shares.length === 0 ? 1 : Math.min(...shares) };
}
