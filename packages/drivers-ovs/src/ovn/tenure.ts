import type { Writer } from '@pileus/core/strategy';
import { everyRow, type Lock, type Operation, type OvnNorthbound, type OvsdbClient, OvsdbError } from '../ovsdb/index.ts';
import type { Bounds } from './bounds.ts';
import { DriverError } from './driver-error.ts';

/** How long the lock is kept without work: another that waits gets it soon, and calls that follow each other do not ask for it each time. */
const IDLE_MS = 20;
/** How long it is kept with work: then others get their turn. */
const TURN_MS = 500;

/**
 * The right to write. It is a lock, which one connection at a time holds, and an epoch: whoever comes with a newer one takes the lock, and who has an older
 * one is refused from then on, whatever it still has in its hands. Each transaction asserts both.
 */
export class Tenure {
  readonly #client: OvsdbClient<OvnNorthbound>;
  readonly #lock: Lock;
  readonly #key: string;
  readonly #epoch: number;
  /** Whether what we know is what is there: nothing of ours is under way whose end we have not seen, and nobody else could write. */
  #isSure = false;
  /** Whether the epoch is known to be recorded. */
  #isRecorded = false;
  #sinceMs = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(client: OvsdbClient<OvnNorthbound>, { cloudId, epoch }: Writer) {
    this.#client = client;
    this.#lock = client.lock(`pileus_${cloudId.replaceAll(/[^a-zA-Z0-9]/g, '_')}`);
    this.#key = `pileus-epoch-${cloudId}`;
    this.#epoch = epoch;
    this.#lock.subscribe(() => this.doubt());
  }

  /** What each transaction begins with. */
  get guards(): readonly Operation[] {
    const { NB_Global } = this.#client.database.tables;
    const recorded = { [this.#key]: String(this.#epoch) };
    return [this.#lock.assert(), NB_Global.wait([['external_ids', 'includes', recorded]], { until: '!=', columns: ['name'], rows: [] })];
  }

  /** Whether what the replica has is what is there, as of this turn. What is under way may change it. */
  get isSure(): boolean {
    return this.#isSure && this.#lock.held && performance.now() - this.#sinceMs <= TURN_MS;
  }

  /** From now on the next call looks anew. */
  doubt(): void {
    this.#isSure = false;
  }

  /** Resolves when we may write, and the replica has all that was written before. @throws DriverError conflict a newer epoch writes */
  async begin(bounds: Bounds): Promise<void> {
    clearTimeout(this.#idle);
    if (this.#lock.held && performance.now() - this.#sinceMs > TURN_MS) await this.#release();
    if (!this.#lock.held) await this.#acquire(bounds);
    if (this.#isSure) return;
    await this.#look(bounds);
    this.#isSure = true;
  }

  /** Nothing is left to write. Whoever writes next looks first what others have done meanwhile, also those who ask for no lock. */
  end(): void {
    this.doubt();
    this.#idle = setTimeout(() => void this.#release().catch(() => {}), IDLE_MS);
  }

  close(): void {
    clearTimeout(this.#idle);
  }

  async #release(): Promise<void> {
    this.doubt();
    await this.#lock.release({ timeoutMs: 5_000 });
  }

  async #acquire(bounds: Bounds): Promise<void> {
    this.doubt();
    await this.#client.ready(bounds.left);
    if (!this.#isRecorded && (await this.#recordEpoch(bounds))) await this.#lock.steal(bounds.left);
    if (!this.#lock.held) await this.#lock.acquire(bounds.left);
    this.#sinceMs = performance.now();
  }

  /** The answer comes after the replica has all that went before. */
  async #look(bounds: Bounds): Promise<void> {
    const recorded = await this.#recorded(bounds);
    if (recorded === this.#epoch) return;
    if (recorded !== undefined && recorded > this.#epoch) this.#refuse(recorded);
    await this.#recordEpoch(bounds);
  }

  #refuse(recorded: number): never {
    throw new DriverError('conflict', `the epoch here is ${this.#epoch}; a node with ${recorded} writes to the network now`);
  }

  /** Answers whether an older one was there. */
  async #recordEpoch(bounds: Bounds): Promise<boolean> {
    const { NB_Global } = this.#client.database.tables;
    for (;;) {
      const recorded = await this.#recorded(bounds);
      if (recorded !== undefined && recorded > this.#epoch) this.#refuse(recorded);
      this.#isRecorded = true;
      if (recorded === this.#epoch) return false;
      const put = NB_Global.mutate(everyRow, { external_ids: { put: { [this.#key]: String(this.#epoch) } } });
      const is = recorded === undefined ? 'excludes' : 'includes';
      // In place of the key's absence: no epoch is -1.
      const asSeen = NB_Global.wait([['external_ids', is, { [this.#key]: String(recorded ?? this.#epoch) }]], {
        until: '!=',
        columns: ['name'],
        rows: [],
      });
      const isSeen = await this.#client.transact([asSeen, put], bounds.left).then(
        () => true,
        (error: unknown) => {
          if (error instanceof OvsdbError && error.code === 'wait_failed') return false;
          throw error;
        },
      );
      if (isSeen) return recorded !== undefined;
    }
  }

  async #recorded(bounds: Bounds): Promise<number | undefined> {
    const { NB_Global } = this.#client.database.tables;
    const [rows] = await this.#client.transact([NB_Global.select(everyRow, ['external_ids'])], bounds.left);
    const [row] = rows;
    if (row === undefined) {
      await this.#initialize(bounds);
      return undefined;
    }
    const text = row.external_ids[this.#key];
    return text === undefined ? undefined : Number(text);
  }

  /** A database that nobody has used yet has not even this row. */
  async #initialize(bounds: Bounds): Promise<void> {
    const { NB_Global } = this.#client.database.tables;
    await this.#client.transact([NB_Global.insert({})], bounds.left).catch((error: unknown) => {
      // There is one row at most: another was faster.
      if (!(error instanceof OvsdbError && error.code === 'constraint_violation')) throw error;
    });
  }
}
