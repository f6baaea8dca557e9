import type { Acceptance } from './action.ts';
import type { Committed } from './commits.ts';
import { type Environment, timestamp } from './environment.ts';
import { type ErrorRecord, toErrorRecord } from './errors.ts';
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
  readonly commit: (statements: readonly Statement[]) => Promise<Committed>;
  /** Gives an operation more keys, of things that nobody else can wait for yet. */
  readonly extend: (live: Live, keys: readonly string[]) => void;
  /** What has left the room goes on. */
  readonly ready: (id: string) => void;
}

/** How a taking up has ended: taken up, or which guard refused it. */
export type TakenUp =
  | { readonly ok: true }
  | { readonly ok: false; readonly failure?: Extract<Committed, { ok: false }>; readonly statement?: Statement };

const DELETING = new Set(['delete', 'expunge']);

/**
 * Operations that are first in all their queues and wait for something that no queue knows, e.g. capacity. They take no place among those at work, hold only
 * their own keys, and so keep nobody waiting. Whoever knows what they wait for takes them up with what has been decided then.
 */
export class WaitingRoom {
  readonly #ports: WaitingRoomPorts;
  readonly #ids = new Set<string>();
  readonly #listeners = new Set<() => void>();

  constructor(ports: WaitingRoomPorts) {
    this.#ports = ports;
  }

  /** Told whenever one comes in. Answers how to stop. */
  onArrival(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Those that wait for it, in order of acceptance. */
  waitingFor(what: string): readonly string[] {
    return [...this.#ids].filter((id) => this.#ports.live(id)?.waitsFor === what).sort();
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
    const result = await commit(statements);
    if (!result.ok) {
      const statement = statements[result.statement];
      return { ok: false, failure: result, ...(statement === undefined ? {} : { statement }) };
    }
    live.journal = [...(live.journal ?? []), entry];
    live.nextNumber += 1;
    live.queued = false;
    delete live.waitsFor;
    extend(
      live,
      keys.filter((key) => !live.keys.includes(key)),
    );
    this.leave(id);
    return { ok: true };
  }

  #deletes(one: Live | undefined, other: Live): boolean {
    if (one === undefined || one === other || !one.keys.includes(other.resourceId)) return false;
    return DELETING.has(this.#ports.registry.findAction(one.action)?.verb ?? '');
  }
}
