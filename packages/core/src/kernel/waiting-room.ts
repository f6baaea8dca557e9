import { type Acceptance, DELETING } from './action.ts';
import type { Committed } from './commits.ts';
import { type Environment, timestamp } from './environment.ts';
import { type ErrorRecord, toErrorRecord } from './errors.ts';
import { FairQueue } from './fair-queue.ts';
import type { JsonObject } from './json.ts';
import { type Live, loadJournal } from './live-operation.ts';
import { keysJournaled, keysShown } from './operation.ts';
import type { Registry } from './registry.ts';
import type { Statement, Store } from './store.ts';

export interface WaitingRoomPorts {
  readonly environment: Environment;
  readonly store: Store;
  readonly registry: Registry;
  readonly live: (id: string) => Live | undefined;
  /** Ids at and behind the head of a key's queue. */
  readonly queue: (key: string) => readonly string[];
  readonly stamp: () => { readonly node: string; readonly epoch: number };
  readonly commit: (statements: readonly Statement[], whose: Live) => Promise<Committed>;
  /** Gives an operation more keys, of things that nobody else can wait for yet. */
  readonly extend: (live: Live, keys: readonly string[]) => void;
  /** What has left the room goes on. */
  readonly ready: (id: string) => void;
}

/** How a taking up has ended: taken up, or which guard refused it. */
export type TakenUp =
  | { readonly ok: true }
  | { readonly ok: false; readonly failure?: Extract<Committed, { ok: false }>; readonly statement?: Statement };

/**
 * Operations that are first in all their queues and wait for something that no queue knows, e.g. capacity. They take no place among those at work, hold only
 * their own keys, and so keep nobody waiting. Whoever knows what they wait for takes them up with what has been decided then.
 */
export class WaitingRoom {
  readonly #ports: WaitingRoomPorts;
  readonly #ids = new Set<string>();
  readonly #listeners = new Set<() => void>();
  /** Of whom one was taken up; the latest last. Those who wait for nothing any more are not kept. */
  readonly #served = new Set<string>();

  constructor(ports: WaitingRoomPorts) {
    this.#ports = ports;
  }

  /** Told whenever one comes in. Answers how to stop. */
  onArrival(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  isAwaited(what: string): boolean {
    for (const id of this.#ids) if (this.#ports.live(id)?.waitsFor === what) return true;
    return false;
  }

  /**
   * Those that wait for it, of each account in turn, and its own in order of acceptance: first of whom none was taken up yet, then of whom it is longest ago.
   * Who has asked for a hundred keeps nobody from the next that comes free.
   */
  waitingFor(what: string): readonly string[] {
    const waiting = [...this.#ids].flatMap((id) => this.#ports.live(id) ?? []).filter(({ waitsFor }) => waitsFor === what);
    const inOrder = waiting.sort((one, other) => (one.id < other.id ? -1 : 1));
    const queue = new FairQueue<string>();
    const served = [...this.#served];
    const turnOf = ({ account }: Live) => served.indexOf(account);
    for (const { account, id } of inOrder.toSorted((one, other) => turnOf(one) - turnOf(other))) queue.push(account, id);
    return Array.from(inOrder, () => queue.shift() ?? '');
  }

  /** What was decided when it was accepted. */
  async params(id: string): Promise<unknown> {
    const live = this.#ports.live(id);
    if (live === undefined) return undefined;
    await loadJournal(this.#ports.store, live);
    const [first] = live.journal ?? [];
    return first?.type === 'accepted' ? first.params : undefined;
  }

  /** True when the operation, first in its queues, has to wait; one that is cancelled or about to be deleted has not. */
  admit(live: Live): boolean {
    if (live.waitsFor === undefined || live.cancelRequested || live.refused !== undefined) return false;
    if (this.#ports.queue(live.resourceId).some((id) => this.#deletes(this.#ports.live(id), live))) {
      live.cancelRequested = true;
      return false;
    }
    this.#ids.add(live.id);
    for (const listener of this.#listeners) listener();
    return true;
  }

  /** A deletion does not wait for what waits for ever. */
  yieldTo(coming: Live): void {
    for (const key of coming.keys) {
      const head = this.#ports.live(this.#ports.queue(key)[0] ?? '');
      if (head === undefined || !this.#deletes(coming, head) || !this.#ids.has(head.id)) continue;
      head.cancelRequested = true;
      this.leave(head.id);
    }
  }

  /** Out of the room, to go on as it is now: cancelled, or given up. */
  leave(id: string): void {
    if (this.#ids.delete(id)) this.#ports.ready(id);
  }

  /** It cannot be done any more: it fails with the error. */
  giveUp(id: string, error: unknown): void {
    const live = this.#ports.live(id);
    if (live === undefined || !this.#ids.has(id)) return;
    live.refused = toErrorRecord(error) satisfies ErrorRecord;
    this.leave(id);
  }

  /** Begins with what is decided now, in one transaction; refused, it waits on. */
  async takeUp(id: string, next: Acceptance<unknown>): Promise<TakenUp> {
    const live = this.#ports.live(id);
    if (live === undefined || !this.#ids.has(id)) return { ok: false };
    const { environment, store, commit, stamp, extend } = this.#ports;
    await loadJournal(store, live);
    const keys = [...new Set([...live.keys, ...(next.keys ?? [])])];
    const entry = { type: 'again' as const, params: next.params, ...keysJournaled(keys) };
    const set = { state: 'running', waitsFor: null, startedAt: timestamp(environment.clock), ...keysShown(keys) };
    const statements: readonly Statement[] = [
      { op: 'insert', table: 'journal', row: { operationId: id, number: live.nextNumber, ...stamp(), ...entry } as unknown as JsonObject },
      {
        op: 'update',
        table: 'operation',
        key: id,
        set: { ...set, ...(next.notes === undefined ? {} : { notes: next.notes }) },
        expect: { state: 'queued', cancelRequested: null },
      },
      ...next.statements,
    ];
    const result = await commit(statements, live);
    if (!result.ok) {
      const statement = statements[result.statement];
      return { ok: false, failure: result, ...(statement === undefined ? {} : { statement }) };
    }
    live.journal = [...(live.journal ?? []), entry];
    live.nextNumber += 1;
    live.queued = false;
    delete live.waitsFor;
    this.#servedNow(live.account);
    extend(
      live,
      keys.filter((key) => !live.keys.includes(key)),
    );
    this.leave(id);
    return { ok: true };
  }

  #servedNow(account: string): void {
    const waiting = new Set([...this.#ids].map((id) => this.#ports.live(id)?.account));
    for (const other of this.#served) if (other === account || !waiting.has(other)) this.#served.delete(other);
    this.#served.add(account);
  }

  #deletes(one: Live | undefined, other: Live): boolean {
    if (one === undefined || one === other || !one.keys.includes(other.resourceId)) return false;
    return DELETING.has(this.#ports.registry.findAction(one.action)?.verb ?? '');
  }
}
