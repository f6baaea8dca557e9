import { both, change, describeChain, equals, isCloudError, type RowOf, type Statement } from '../../kernel/index.ts';
import type { Call, PoolFacts, StoredKind, StoredObject } from '../../strategy/index.ts';
import { poolCapacity } from '../placement/contract.ts';
import type { CloudServices } from '../services.ts';
import { type Found, HEARTBEATS_PER_LOOK, heartbeatSeconds, host, recordStrays, removalAllowed, stray } from '../topology/contract.ts';
import { type Explanation, explained } from './explained.ts';
import { pool } from './pool.ts';
import { outagesAfter } from './pool-availability.ts';
import { type CountedCapacity, cappedBy } from './pool-capacity.ts';
import { hostPlace, poolsReached } from './pool-choice.ts';
import { poolLimit } from './pool-context.ts';
import { alarms, factsOf, differs as isOther, shown } from './pool-health.ts';
import { seedPool } from './seeds.ts';
import { poolNearlyFullShare, poolTarget } from './settings.ts';
import { SnapshotLook } from './snapshots/snapshot-look.ts';
import { shortfallOf, storageClass } from './storage-class.ts';
import type { StoragePool } from './storage-pool.ts';
import { volume } from './volume.ts';
import { endedOutages, machinesCutOff, ownOutages } from './volume-availability.ts';
import { leftLately } from './volume-return.ts';

type PoolRow = RowOf<typeof pool>;
type VolumeRow = RowOf<typeof volume>;

interface VolumeNews {
  readonly row: VolumeRow;
  readonly set: { readonly status?: VolumeRow['status']; readonly statusReason?: string | null } & Partial<
    NonNullable<ReturnType<typeof ownOutages>>
  >;
}

const MISSES_MAX = 3;
const CALL_TIMEOUT_MS = 30_000;
const REASON_MAX = 1_024;
/** Volumes written of in one transaction. */
const VOLUMES_AT_ONCE = 200;
/** Seeds asked about in one query. */
const SEEDS_AT_ONCE = 100;
const HOST_LOST = 'Its host is lost.';
/** Without long numbers: a driver that tells how long it waited, or by which port, says the same each time in other words. Short ones may be the error itself. */
const wordsOf = (reason = ''): string => reason.replaceAll(/\d{4,}/g, '#');
/** Hosts do not beat in step: a shared pool is due a little before all of its hosts have been looked at again. */
const SHARE_OF_LOOK = 0.9;
/** A change of less than this share of the pool is not worth a write: of what is free, which changes all the time, and of all there is, which a single disk among many adds to. */
const WORTH_WRITING = { freeBytes: 0.01, totalBytes: 0.001 } as const;

const STORED_KINDS = ['volume', 'seed', 'image'] as const satisfies readonly StoredKind[];

/**
 * Compares pools with their rows, each time one of their hosts is looked at. A shared pool is looked at through whichever of its hosts comes first, at
 * most once in the time of a look. What it finds: see docs/internals/observation.md.
 */
export class PoolLook {
  readonly #services: CloudServices;
  /** By pool: looks in a row that came to nothing, and when the first of them was. */
  readonly #misses = new Map<string, { readonly count: number; readonly sinceMs: number }>();
  readonly #lookedAtMs = new Map<string, number>();
  /** By pool: of the look that is under way. One that was given up keeps no other from it. */
  readonly #looking = new Map<string, AbortSignal>();
  /** By pool: volumes that the last look did not find. Gone takes two: a directory may be unmounted for a moment. */
  readonly #absent = new Map<string, ReadonlySet<string>>();

  readonly #snapshots: SnapshotLook;

  constructor(services: CloudServices) {
    this.#services = services;
    this.#snapshots = new SnapshotLook(services);
  }

  /** Answers those of the pools that the host is to reach that are well, as far as is known. */
  async lookThrough(hostId: string, signal: AbortSignal): Promise<readonly PoolRow[]> {
    const { reader, settings } = this.#services;
    const at = await hostPlace(reader, hostId);
    const everyMs = HEARTBEATS_PER_LOOK * SHARE_OF_LOOK * (await settings.at(heartbeatSeconds, host, hostId)) * 1000;
    const rows = await poolsReached(reader, at);
    if (signal.aborted) return [];
    const due = rows.filter((row) => (row.state === 'available' || row.state === 'disabled') && this.#isDue(row, everyMs));
    // Side by side: those that do not answer take all of a look's time.
    await Promise.all(due.map((row) => this.#look(row, hostId, signal)));
    return signal.aborted ? [] : rows.filter(({ id, status }) => status === 'connected' && !this.#misses.has(id));
  }

  /** The pools that are managed through a lost host cannot be reached any more, either. */
  async lost(hostId: string): Promise<void> {
    for (const row of await this.#services.reader.list(pool, equals('hostId', hostId)))
      if (row.status === 'connected') await this.#away(row, HOST_LOST);
  }

  #isDue(row: PoolRow, everyMs: number): boolean {
    if (this.#looking.get(row.id)?.aborted === false) return false;
    if (row.scope === 'host') return true;
    const nowMs = this.#services.environment.clock.monotonicMs();
    const lastMs = this.#lookedAtMs.get(row.id);
    if (lastMs !== undefined && nowMs - lastMs < everyMs) return false;
    this.#lookedAtMs.set(row.id, nowMs);
    return true;
  }

  async #look(row: PoolRow, hostId: string, signal: AbortSignal): Promise<void> {
    const call: Call = { requestId: `look-${row.id}`, signal, timeoutMs: CALL_TIMEOUT_MS };
    this.#looking.set(row.id, signal);
    try {
      const opened = await this.#services.pools.open(row.id);
      // A host that was started anew may not have opened its pools.
      await opened.ensure(call);
      const capacity = await opened.capacity(call);
      const facts = factsOf(await opened.facts(call), capacity, this.#nearlyFullShare(row));
      await this.#answered(row, capacity, await this.#shown(row, facts, opened.canEncrypt));
      await this.#compare(row, opened, hostId, call);
      await this.#snapshots.look(row, opened, hostId, call);
    } catch (error) {
      if (!signal.aborted) await this.#missed(row, error);
    } finally {
      if (this.#looking.get(row.id) === signal) this.#looking.delete(row.id);
    }
  }

  /** A little less once it is: who is at the edge is not in and out with each file. 1 is never. */
  #nearlyFullShare(row: PoolRow): number {
    const share = this.#services.settings.global(poolNearlyFullShare);
    return row.isNearlyFull === true && share < 1 ? share - WORTH_WRITING.freeBytes : share;
  }

  async #missed(row: PoolRow, error: unknown): Promise<void> {
    const before = this.#misses.get(row.id) ?? { count: 0, sinceMs: this.#services.environment.clock.nowMs() };
    const misses = before.count + 1;
    this.#misses.set(row.id, { ...before, count: misses });
    this.#services.environment.logger.warn({ poolId: row.id, misses, error: describeChain(error) }, 'look at a pool failed');
    const statusReason = (isCloudError(error) ? error.message : 'It could not be looked at.').slice(0, REASON_MAX);
    if (misses >= MISSES_MAX) await this.#away(row, statusReason, before.sinceMs);
  }

  async #away(row: PoolRow, statusReason: string, sinceMs?: number): Promise<void> {
    const isNews = row.status === 'connected' || wordsOf(row.statusReason) !== wordsOf(statusReason);
    const outages = this.#outages(row, statusReason, sinceMs);
    if (!isNews && outages === undefined) return;
    const { ids } = this.#services;
    await this.#observe(
      row,
      { ...(isNews && { status: 'disconnected', statusReason }), ...outages },
      alarms(row, row, () => ids.mint('notice'), statusReason),
    );
  }

  #outages(row: PoolRow, reason: string | undefined, sinceMs?: number) {
    const { environment, settings } = this.#services;
    const probed = { nowMs: environment.clock.nowMs(), reason, target: settings.global(poolTarget) };
    return outagesAfter(row, sinceMs === undefined ? probed : { ...probed, sinceMs });
  }

  async #answered(row: PoolRow, { totalBytes, freeBytes }: CountedCapacity, facts: ReturnType<typeof shown>): Promise<void> {
    this.#misses.delete(row.id);
    const differs = (now: number, known: number | undefined, share: number) =>
      known === undefined || Math.abs(now - known) > share * Math.max(totalBytes, 1);
    const resized =
      differs(totalBytes, row.totalBytes, WORTH_WRITING.totalBytes) || differs(freeBytes, row.freeBytes, WORTH_WRITING.freeBytes);
    const outages = this.#outages(row, facts.health === 'unavailable' ? (facts.healthReason ?? 'unavailable') : undefined);
    const isCapped = cappedBy(totalBytes, row.overcommit);
    const isSame = !resized && isCapped === (row.isCapped ?? null);
    if (isSame && row.status === 'connected' && !isOther(row, facts) && outages === undefined) return;
    const { ids } = this.#services;
    await this.#observe(
      row,
      { status: 'connected', statusReason: null, totalBytes, freeBytes, isCapped, ...facts, ...outages },
      alarms(row, facts, () => ids.mint('notice')),
    );
  }

  /** With what the class of the pool promises by now. */
  async #shown(row: PoolRow, facts: Partial<PoolFacts> | undefined, encrypts: boolean) {
    const promised = row.classId === undefined ? undefined : await this.#services.reader.find(storageClass, row.classId);
    return shown(facts, encrypts, promised === undefined ? undefined : shortfallOf(promised, { ...facts, encrypts })?.text);
  }

  /** Of the pool as it was looked at; else the next look decides. */
  async #observe(
    row: PoolRow,
    seen: Partial<
      Pick<PoolRow, 'status' | 'totalBytes' | 'freeBytes'> & {
        readonly statusReason: string | null;
        readonly isCapped: true | null;
      } & ReturnType<typeof shown> &
        NonNullable<ReturnType<typeof outagesAfter>>
    >,
    told: readonly Statement[] = [],
  ): Promise<void> {
    await this.#services
      .kernel()
      .observe([
        change(pool, row.id, seen, { generation: row.generation }),
        ...(seen.totalBytes === undefined ? [] : [poolLimit(row.id, seen.totalBytes, row.overcommit)]),
        ...told,
      ]);
  }

  async #compare(row: PoolRow, opened: StoragePool, hostId: string, call: Call): Promise<void> {
    // Rows are read first: what is made after this is neither unknown nor missing.
    const { reader, slices } = this.#services;
    const volumes = await slices.list(reader, volume, equals('poolId', row.id));
    const gone = await reader.list(volume, equals('leftPoolId', row.id));
    const objects = await opened.list(call);
    const known = new Set<string>(volumes.map((entry) => entry.id));
    const rooted = new Set<string | undefined>(volumes.filter(({ slot }) => slot === 0).map(({ instanceId }) => instanceId));
    const beside = objects.filter(({ kind, id }) => !(kind === 'volume' ? known.has(id) : kind === 'seed' && rooted.has(id)));
    const explanations = await explained(this.#services, beside);
    const unexplained: StoredObject[] = [];
    await slices.each(beside, async (object) => {
      const explanation = explanations.get(object);
      const isTrial = object.kind === 'seed' && object.id === row.id;
      if (isTrial || explanation?.as === 'left' || (explanation !== undefined && (await this.#isForsaken(row, object, explanation))))
        await this.#removeLate({ opened, hostId }, object, call);
      else if (explanation === undefined ? !this.#services.kernel().holds(object.id) : this.#liesBeside(row, object, explanation))
        unexplained.push(object);
    });
    const withMachines = await this.#withMachines(unexplained.filter(({ kind }) => kind === 'seed'));
    const strays = unexplained.filter(({ kind, id }) => kind !== 'seed' || !withMachines.has(id));
    for (const objectKind of STORED_KINDS)
      await recordStrays(
        this.#services,
        { hostId: hostId as never, place: row.id, objectKind },
        strays.filter(({ kind }) => kind === objectKind).map(found),
      );
    for (const left of gone) await this.#observeLeft(left, opened, call);
    // Absence in the list is confirmed by asking for this one.
    const present = new Map(objects.flatMap(({ kind, id, sizeBytes }) => (kind === 'volume' ? [[id, sizeBytes] as const] : [])));
    for (const each of volumes) {
      const sizeBytes = present.get(each.id) ?? 0;
      if (sizeBytes > each.sizeBytes) await this.#observeSize(each, sizeBytes);
    }
    const isThere = async (id: string) => present.has(id) || (await opened.inspect('volume', id, call)) !== undefined;
    await this.#observeVolumes(row, volumes, { isThere, signal: call.signal });
  }

  /** Those of the seeds that come with a machine which is in quarantine itself. */
  async #withMachines(seeds: readonly StoredObject[]): Promise<ReadonlySet<string>> {
    const theirs = new Set<string>();
    for (let from = 0; from < seeds.length; from += SEEDS_AT_ONCE) {
      const among = seeds.slice(from, from + SEEDS_AT_ONCE).map(({ id }) => id);
      const where = both(equals('objectKind', 'machine'), { field: 'objectId', op: 'in', value: among });
      for (const { objectId } of await this.#services.reader.list(stray, where)) theirs.add(objectId);
    }
    return theirs;
  }

  /**
   * What a move of a volume has left here; or the seed of a machine that was placed again, elsewhere, or whose root disk was moved: it lies beside that, and that is not
   * here. The row of a volume is asked for once more: it goes by what is so now.
   */
  async #isForsaken(at: PoolRow, { kind, id }: StoredObject, { row }: Explanation): Promise<boolean> {
    if (kind === 'volume') {
      if (!hasLeft(at, row as VolumeRow | undefined)) return false;
      return hasLeft(at, await this.#services.reader.find(volume, id));
    }
    if (kind !== 'seed') return false;
    const right = await seedPool(this.#services.reader, id);
    return right !== undefined && right !== at.id;
  }

  /**
   * Bears the name of a volume that is elsewhere by its row, and nothing is known to have been left here: a copy that arrived after its removal was seen to. Or the
   * store is yesterday's, and this is the volume.
   */
  #liesBeside(at: PoolRow, { kind, id }: StoredObject, { row }: Explanation): boolean {
    if (kind !== 'volume' || row === undefined || this.#services.kernel().holds(id)) return false;
    const { poolId, movingToPoolId, leftPoolId } = row as VolumeRow;
    return ![poolId, movingToPoolId, leftPoolId].includes(at.id);
  }

  /** It was deleted or unwound, and its making arrived after that. Ids are never reused, so nothing else can be meant. */
  async #removeLate(
    { opened, hostId }: { readonly opened: StoragePool; readonly hostId: string },
    { kind, id }: StoredObject,
    call: Call,
  ): Promise<void> {
    const { kernel, environment } = this.#services;
    if (kernel().holds(id) || !(await removalAllowed(this.#services))) return;
    environment.logger.info({ kind, id, place: opened.place }, 'late arrival of something deleted; removed');
    try {
      if (kind === 'volume') await opened.deleteVolume(id, call);
      else if (kind === 'image') await opened.deleteImage(id, call);
      else await opened.deleteSeed(id, call);
    } catch (error) {
      // A copy that volumes still depend on goes after them, and a volume after its snapshots.
      if (!isCloudError(error) || error.code !== 'conflict') throw error;
      if (kind === 'volume') await this.#snapshots.removeLate({ volumeId: id, opened, hostId }, call);
    }
  }

  /** A disk that somebody removed is shown, not repaired: only a person can know what became of the data. */
  async #observeVolumes(
    at: PoolRow,
    rows: readonly VolumeRow[],
    { isThere, signal }: { readonly isThere: (id: string) => Promise<boolean>; readonly signal: AbortSignal },
  ): Promise<void> {
    const before = this.#absent.get(at.id);
    const absent = new Set<string>();
    const cutOff = await machinesCutOff(this.#services, at);
    const news: VolumeNews[] = [];
    await this.#services.slices.each(rows, async (row) => {
      if (signal.aborted) return;
      if (news.length >= VOLUMES_AT_ONCE) await this.#observeNews(news.splice(0), signal);
      const ended = endedOutages(row);
      if (ended !== undefined) news.push({ row, set: ended });
      if (row.state !== 'available' && row.state !== 'attached') return;
      const isPresent = await isThere(row.id);
      if (!isPresent) absent.add(row.id);
      const cutOffMs = cutOff.get(row.instanceId ?? '');
      if (isPresent) news.push(...this.#newsOf(row, { status: 'present', statusReason: null, cutOffMs }));
      else if (before?.has(row.id))
        news.push(...this.#newsOf(row, { status: 'missing', statusReason: `Pool ${at.name} answers and does not have it.`, cutOffMs }));
    });
    if (signal.aborted) return;
    await this.#observeNews(news, signal);
    this.#absent.set(at.id, absent);
  }

  /** One that was grown once more by a call that came late, as after a revert: no disk is made smaller, so its row says what there is. */
  async #observeSize(row: VolumeRow, sizeBytes: number): Promise<void> {
    const { kernel, environment } = this.#services;
    if ((row.state !== 'available' && row.state !== 'attached') || kernel().holds(row.id)) return;
    const { ok } = await kernel().observe([
      change(volume, row.id, { sizeBytes }, { generation: row.generation }),
      poolCapacity(row.poolId, sizeBytes - row.sizeBytes, 1),
    ]);
    if (ok) environment.logger.warn({ volumeId: row.id, fromBytes: row.sizeBytes, sizeBytes }, 'a volume is larger than its row said');
  }

  /** Nothing is left here of a volume that was moved: it may be moved again, and after a while to here. */
  async #observeLeft(row: VolumeRow, opened: StoragePool, call: Call): Promise<void> {
    const { kernel } = this.#services;
    if (kernel().holds(row.id) || (await opened.inspect('volume', row.id, call)) !== undefined) return;
    const left = { leftPoolId: null, leftPools: leftLately(this.#services, row, String(row.leftPoolId)) };
    await kernel().observe([change(volume, row.id, left, { generation: row.generation })]);
  }

  #newsOf(
    row: VolumeRow,
    {
      status,
      statusReason,
      cutOffMs,
    }: Pick<VolumeRow, 'status'> & { readonly statusReason: string | null; readonly cutOffMs: number | undefined },
  ): readonly VolumeNews[] {
    const outages = ownOutages(row, { nowMs: this.#services.environment.clock.nowMs(), status, cutOffMs });
    const isNews = row.status !== status;
    if (!isNews && outages === undefined) return [];
    return [{ row, set: { ...(isNews && { status, statusReason }), ...outages } }];
  }

  /** All in one transaction. Where one of them has changed since, each for itself: the others are told of all the same. */
  async #observeNews(news: readonly VolumeNews[], signal: AbortSignal): Promise<void> {
    const { kernel } = this.#services;
    const idle = news.filter(({ row }) => !kernel().holds(row.id));
    if (signal.aborted || idle.length === 0) return;
    const { ok } = await kernel().observe(idle.map(({ row, set }) => change(volume, row.id, set, { generation: row.generation })));
    if (ok || idle.length === 1) return;
    for (const each of idle) await this.#observeNews([each], signal);
  }
}

const hasLeft = (at: PoolRow, row: VolumeRow | undefined): boolean => row !== undefined && row.poolId !== at.id && row.leftPoolId === at.id;

const found = ({ id, sizeBytes }: StoredObject): Found => ({ objectId: id, objectName: id, details: { sizeBytes } });
