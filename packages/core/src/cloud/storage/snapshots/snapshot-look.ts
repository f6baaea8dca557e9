import { both, change, describeChain, equals, type RowOf } from '../../../kernel/index.ts';
import type { Call } from '../../../strategy/index.ts';
import type { CloudServices } from '../../services.ts';
import { type Found, recordStrays, removalAllowed } from '../../topology/contract.ts';
import type { pool } from '../pool.ts';
import type { StoragePool } from '../storage-pool.ts';
import { volume } from '../volume.ts';
import { snapshot } from './snapshot.ts';
import type { SnapshotRow } from './snapshot-rows.ts';

type PoolRow = RowOf<typeof pool>;

/** Volumes asked in one look; the next look asks the next ones. */
const VOLUMES_AT_ONCE = 32;
interface Looked {
  readonly volumeId: string;
  readonly opened: StoragePool;
  readonly hostId: string;
}
/** Rows of one volume in one answer. */
type Rows = ReadonlyMap<string, readonly SnapshotRow[]>;

/**
 * Compares the snapshots that a pool has with their rows. They are listed by volume, so those volumes are asked that have any by their rows, and those in which
 * the making of one was given up: a few at each look, all of them in turn.
 */
export class SnapshotLook {
  readonly #services: CloudServices;
  /** By pool: the last volume that was asked. */
  readonly #asked = new Map<string, string>();
  /** Snapshots that the last look at their volume did not find. Gone takes two. */
  readonly #absent = new Set<string>();

  constructor(services: CloudServices) {
    this.#services = services;
  }

  async look(row: PoolRow, opened: StoragePool, hostId: string, call: Call): Promise<void> {
    if (!opened.hasSnapshots) return;
    const rows = await this.#rowsOf(row);
    for (const volumeId of this.#turn(row.id, [...rows.keys()].sort())) {
      if (call.signal.aborted) return;
      await this.#compare({ volumeId, opened, hostId }, rows.get(volumeId) ?? [], call);
    }
  }

  /** Live ones, and those that never came to be: their making may arrive late. */
  async #rowsOf({ id }: PoolRow): Promise<Rows> {
    const { reader } = this.#services;
    const rows = new Map<string, SnapshotRow[]>();
    const live = await reader.list(snapshot, equals('poolId', id));
    const givenUp = await reader.list(snapshot, both(equals('poolId', id), equals('status', 'unknown')), { deleted: true });
    for (const row of new Map([...givenUp, ...live].map((each) => [each.id, each])).values())
      rows.set(row.volumeId, [...(rows.get(row.volumeId) ?? []), row]);
    return rows;
  }

  #turn(poolId: string, volumeIds: readonly string[]): readonly string[] {
    const last = this.#asked.get(poolId) ?? '';
    const turn = [...volumeIds.filter((id) => id > last), ...volumeIds.filter((id) => id <= last)].slice(0, VOLUMES_AT_ONCE);
    const end = turn.at(-1);
    if (end !== undefined) this.#asked.set(poolId, end);
    return turn;
  }

  async #compare({ volumeId, opened, hostId }: Looked, rows: readonly SnapshotRow[], call: Call): Promise<void> {
    const { reader, kernel } = this.#services;
    // Rows were read first: what is made after that is neither unknown nor missing. A volume at work tells nothing for sure.
    const holder = await reader.find(volume, volumeId);
    if (holder === undefined || holder.deletedAt !== undefined || kernel().holds(volumeId)) return;
    const present = await this.#present({ volumeId, opened, hostId }, rows, call);
    for (const row of rows)
      if (row.state === 'available')
        await this.#observe(
          row,
          opened,
          present.some(({ id }) => id === row.id),
        );
  }

  /** What is on a volume that arrived late arrived late, too, and goes before it. */
  async removeLate(at: Looked, call: Call): Promise<void> {
    if (at.opened.hasSnapshots) await this.#present(at, [], call);
  }

  /** What the volume has. Of that, what no row explains is quarantined, and what was deleted removed. */
  async #present({ volumeId, opened, hostId }: Looked, rows: readonly SnapshotRow[], call: Call) {
    const { reader, kernel } = this.#services;
    const present = await opened.listSnapshots(volumeId, call);
    const unexplained: Found[] = [];
    for (const { id, sizeBytes } of present) {
      if (kernel().holds(id) || kernel().holds(volumeId)) continue;
      const row = rows.find((each) => each.id === id) ?? (await reader.find(snapshot, id));
      if (row?.deletedAt !== undefined) await this.#removeLate(opened, { id, volumeId }, call);
      else if (row === undefined) unexplained.push({ objectId: id, objectName: id, details: { sizeBytes, volumeId } });
    }
    await recordStrays(this.#services, { hostId: hostId as never, place: volumeId, objectKind: 'snapshot' }, unexplained);
    return present;
  }

  /** It was deleted or given up, and its making arrived after that. */
  async #removeLate(opened: StoragePool, late: { readonly id: string; readonly volumeId: string }, call: Call): Promise<void> {
    const { environment } = this.#services;
    if (!(await removalAllowed(this.#services))) return;
    environment.logger.info({ ...late, place: opened.place }, 'late arrival of a snapshot; removed');
    try {
      await opened.deleteSnapshot(late, call);
    } catch (error) {
      environment.logger.warn({ ...late, error: describeChain(error) }, 'a late snapshot was not removed');
    }
  }

  /** One that somebody removed is shown, not made anew: what was in it is lost. */
  async #observe(row: SnapshotRow, opened: StoragePool, isPresent: boolean): Promise<void> {
    const { kernel } = this.#services;
    const wasAbsent = this.#absent.delete(row.id);
    if (!isPresent) this.#absent.add(row.id);
    if (!isPresent && !wasAbsent) return;
    const status = isPresent ? 'present' : 'missing';
    if (row.status === status || kernel().holds(row.id) || kernel().holds(row.volumeId)) return;
    const statusReason = isPresent ? null : `${opened.place} answers and does not have it.`;
    await kernel().observe([change(snapshot, row.id, { status, statusReason }, { generation: row.generation })]);
  }
}
