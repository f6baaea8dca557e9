import { both, describeChain, equals } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { removalAllowed } from '../topology/contract.ts';
import { backup } from './backup.ts';
import { backupStore } from './backup-store.ts';
import { chunkName, keys } from './keys.ts';
import type { Manifest } from './manifest.ts';
import { missingIn, NameSet } from './name-set.ts';
import type { BackupStores } from './stores.ts';
import { Shelf } from './transfer.ts';

/** Soon after something was taken away; meanwhile more may be. */
const SOON_MS = 5_000;
/** Whatever was missed: by a store out of reach, by what came late. */
const ROUND_MS = 24 * 3600_000;
/** A restore is confirmed at any time: the round that it has put off comes that soon then. */
const UNCONFIRMED_ROUND_MS = 600_000;
/** A place of which something was taken is looked at in so many rounds after that. */
const ROUNDS = 3;
/** How long a removal that was not answered may take effect: a gateway that hung goes on with what it has. */
const LATE_MS = 24 * 3600_000;
const CALL_TIMEOUT_MS = 3600_000;
/** Names on a list: those beyond that are on the next one. */
const AT_ONCE = 100_000;

interface Place {
  readonly storeId: string;
  readonly projectId: string;
}

const isUsable = (state: string): boolean => state === 'available' || state === 'disabled';

const keyOf = ({ storeId, projectId }: Place): string => `${storeId}/${projectId}`;

/**
 * Removes the chunks that no manifest names. It takes two looks, so that no backup at work is harmed, and none has to wait:
 *
 * 1. What no manifest names now is written down as condemned. A backup that begins after that relies on none of it, and keeps a variant of its own of what it
 *    needs; one that has begun before may have found some of it and rely on it, so all that are at work then are remembered.
 * 2. When these have ended, what is condemned and still named by no manifest is removed; then the list of it. Names whose removal was not answered at once are
 *    kept for a day: nothing new gets them, as that could be removed by what comes late.
 *
 * The list is in the store and the backups at work are rows, so a look may be made by another life than the one before. Manifests are what counts, not rows: the
 * store may have been restored from yesterday. One whose backup is a tombstone came late, or its store was out of reach when it was deleted; it goes, too.
 *
 * Each life looks once at all that the stores have. After that it goes by what was taken out of them: each of these places is looked at again in the rounds of the
 * next days, for what was missed or comes late.
 */
export class Collector {
  readonly #services: CloudServices;
  readonly #stores: BackupStores;
  readonly #due = new Map<string, Place>();
  /** What is looked at in how many rounds yet. */
  readonly #again = new Map<string, { readonly place: Place; rounds: number }>();
  /** Stores that this life has looked through. */
  readonly #seen = new Set<string>();
  /** Backups that were at work when the list of condemned chunks of a place was written. */
  readonly #awaited = new Map<string, readonly string[]>();
  /** When the name of a chunk that may be removed late may be used again, by the monotonic clock. */
  readonly #lateUntilMs = new Map<string, number>();
  readonly #abort = new AbortController();
  #cancel: () => void = () => undefined;
  #working: Promise<void> = Promise.resolve();
  #isWorking = false;
  #nextRoundMs = 0;

  constructor(services: CloudServices, stores: BackupStores) {
    this.#services = services;
    this.#stores = stores;
  }

  /** Something of the project was taken out of the store. */
  kick({ storeId, projectId }: Place): void {
    const place = { storeId, projectId };
    this.#due.set(keyOf(place), place);
    this.#lookAgain(place);
    this.#plan(SOON_MS);
  }

  #lookAgain(place: Place): void {
    this.#again.set(keyOf(place), { place, rounds: ROUNDS });
  }

  start(): () => Promise<void> {
    this.#plan(SOON_MS);
    return async () => {
      this.#abort.abort();
      this.#cancel();
      await this.#working;
    };
  }

  #plan(delayMs: number): void {
    if (this.#isWorking || this.#abort.signal.aborted) return;
    this.#cancel();
    this.#cancel = this.#services.environment.timers.after(delayMs, () => {
      this.#isWorking = true;
      this.#working = this.#look()
        .catch((error: unknown) => this.#warn(error))
        .then(() => {
          this.#isWorking = false;
          const untilRoundMs = this.#nextRoundMs - this.#services.environment.clock.monotonicMs();
          this.#plan(this.#due.size > 0 ? SOON_MS : Math.max(SOON_MS, untilRoundMs));
        });
    });
  }

  async #look(): Promise<void> {
    const { clock } = this.#services.environment;
    const nowMs = clock.monotonicMs();
    const isRound = nowMs >= this.#nextRoundMs;
    if (isRound) this.#nextRoundMs = nowMs + ROUND_MS;
    // Before that, what the store calls unnamed may have been named since.
    if (!(await removalAllowed(this.#services))) {
      this.#nextRoundMs = nowMs + UNCONFIRMED_ROUND_MS;
      this.#seen.clear();
      return this.#due.clear();
    }
    if (isRound) await this.#beginRound();
    for (const [key, place] of [...this.#due]) {
      if (this.#abort.signal.aborted) return;
      this.#due.delete(key);
      const isDone = await this.#collect(key, place, this.#call(key)).catch((error: unknown) => {
        // What is out of reach now is looked at in the next round.
        this.#lookAgain(place);
        this.#warn(error);
      });
      if (isDone === false) this.#due.set(key, place);
    }
  }

  async #beginRound(): Promise<void> {
    for (const [key, again] of [...this.#again]) {
      this.#due.set(key, again.place);
      again.rounds -= 1;
      if (again.rounds === 0) this.#again.delete(key);
    }
    for (const { id: storeId, state } of await this.#services.reader.list(backupStore)) {
      if (this.#seen.has(storeId) || !isUsable(state)) continue;
      await this.#findPlaces(storeId).then(
        () => this.#seen.add(storeId),
        (error: unknown) => this.#warn(error),
      );
    }
  }

  async #findPlaces(storeId: string): Promise<void> {
    const store = await this.#stores.open(storeId);
    for await (const projectId of store.projectIds(this.#call(storeId))) {
      const place = { storeId, projectId };
      this.#due.set(keyOf(place), place);
    }
  }

  #call(key: string): Call {
    return { requestId: `backups/${key}`, signal: this.#abort.signal, timeoutMs: CALL_TIMEOUT_MS };
  }

  /** Answers whether all is done. */
  async #collect(key: string, place: Place, call: Call): Promise<boolean> {
    const store = await this.#services.reader.find(backupStore, place.storeId);
    if (store === undefined || !isUsable(store.state)) return true;
    const shelf = await Shelf.open({ stores: this.#stores }, place);
    const awaited = this.#awaited.get(key);
    if (awaited === undefined) return this.#condemn(place, shelf, call);
    const atWork = new Set(await this.#atWork(place));
    if (awaited.some((id) => atWork.has(id))) return false;
    await this.#sweep(shelf, call);
    this.#awaited.delete(key);
    // What was taken out of the store meanwhile was not on the list.
    return false;
  }

  async #condemn(place: Place, shelf: Shelf, call: Call): Promise<boolean> {
    await this.#forgetLate(place, shelf, call);
    const earlier = await shelf.condemned(call);
    const named = await this.#named(shelf, call);
    const unnamed = await missingIn(named, shelf.chunkNames(call), earlier, AT_ONCE);
    if (unnamed.size === 0) return true;
    await shelf.store.put(keys.condemned(shelf.projectId), Buffer.from([...unnamed].join('\n')), call);
    this.#awaited.set(keyOf(place), await this.#atWork(place));
    return false;
  }

  async #sweep(shelf: Shelf, call: Call): Promise<void> {
    const named = await this.#named(shelf, call);
    const names = [...(await shelf.condemned(call))].filter((name) => !named.has(name));
    const late = new Set(await shelf.late(call));
    // Whoever dies in between leaves all of them as late.
    await shelf.putLate(new Set([...late, ...names]), call);
    for (const name of names) {
      const { mayComeLate } = await shelf.store.delete(keys.chunk(shelf.projectId, name), call);
      if (!mayComeLate) continue;
      late.add(name);
      this.#lateUntilMs.set(name, this.#services.environment.clock.monotonicMs() + LATE_MS);
    }
    await shelf.putLate(late, call);
    await shelf.store.delete(keys.condemned(shelf.projectId), call);
  }

  /** Those of another life are late from now on. */
  async #forgetLate(place: Place, shelf: Shelf, call: Call): Promise<void> {
    const nowMs = this.#services.environment.clock.monotonicMs();
    const late = await shelf.late(call);
    const kept = new Set<string>();
    for (const name of late) {
      const untilMs = this.#lateUntilMs.get(name) ?? nowMs + LATE_MS;
      this.#lateUntilMs.set(name, untilMs);
      if (untilMs > nowMs) kept.add(name);
      else this.#lateUntilMs.delete(name);
    }
    if (kept.size < late.size) await shelf.putLate(kept, call);
    // Their names are let go of by a later round.
    if (kept.size > 0) this.#lookAgain(place);
  }

  /** Names of all chunks that a manifest names, and of its pages. Manifests of deleted backups are removed on the way. */
  async #named(shelf: Shelf, call: Call): Promise<NameSet> {
    const named = new NameSet();
    /** Many backups have the same. */
    const known = new Set<string>();
    for await (const backupId of shelf.manifestIds(call)) {
      const row = await this.#services.reader.find(backup, backupId);
      if (row?.state === 'deleted') await shelf.deleteManifest(backupId, call);
      else {
        const manifest = await shelf.manifest(backupId, call);
        if (manifest !== undefined) await nameAll(shelf, manifest, { named, known }, call);
      }
    }
    return named;
  }

  async #atWork({ storeId, projectId }: Place): Promise<readonly string[]> {
    const of = both(equals('storeId', storeId), equals('projectId', projectId));
    return (await this.#services.reader.list(backup, both(of, equals('state', 'creating')))).map(({ id }) => id);
  }

  #warn(error: unknown): void {
    if (!this.#abort.signal.aborted)
      this.#services.environment.logger.warn({ error: describeChain(error) }, 'a backup store was not tidied up');
  }
}

/** Those of a page that another manifest has shown are known. */
async function nameAll(
  shelf: Shelf,
  manifest: Manifest,
  { named, known }: { readonly named: NameSet; readonly known: Set<string> },
  call: Call,
): Promise<void> {
  for (const page of manifest.pages()) {
    const ref = manifest.refOf(page);
    if (ref !== undefined) {
      const name = chunkName(ref);
      if (known.has(name)) continue;
      known.add(name);
      named.add(ref);
    }
    for (const [, chunk] of (await shelf.page(manifest, page, call)).kept()) named.add(chunk);
  }
}
