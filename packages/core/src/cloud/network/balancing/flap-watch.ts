import { announce, both, change, describeChain, equals, type Id, type RowOf } from '../../../kernel/index.ts';
import type { BackendAt, BackendHealth, Call } from '../../../strategy/index.ts';
import type { CloudServices } from '../../services.ts';
import { parseAddress } from '../cidr.ts';
import type { Fabric } from '../fabrics.ts';
import { ensureStanding } from '../kept.ts';
import { backendFreed, backendHeld } from '../points.ts';
import { backend } from './backend.ts';
import { type Damped, damped } from './damping.ts';
import { listener } from './listener.ts';
import { loadBalancer } from './load-balancer.ts';
import { keptLoadBalancer } from './load-balancer-kept.ts';
import { flapsMax, holdSeconds } from './settings.ts';

type BackendRow = RowOf<typeof backend>;
type ListenerRow = RowOf<typeof listener>;

const CALL_MS = 10_000;
const STALE_ATTEMPTS = 5;
/** So many of those that went out are looked up at once. */
const BATCH = 64;
const IS_WELL: Readonly<Record<BackendHealth, boolean | undefined>> = { online: true, offline: false, unchecked: undefined };

/**
 * Holds out backends that come and go. The fabric takes out who does not answer, and back in who does, without us; it tells when one goes out. That, and until when one is
 * held, is kept in the backend's row, so that it outlives us; looks take up what a timer or an answer that was lost would have done.
 */
export class FlapWatch {
  readonly #services: CloudServices;
  readonly #watched = new Map<string, { readonly fabric: Fabric; readonly stop: () => void }>();
  /** By listener: ends the wait for the first who is to be tried again. */
  readonly #timers = new Map<string, () => void>();
  readonly #working = new Set<Promise<void>>();
  readonly #abort = new AbortController();

  constructor(services: CloudServices) {
    this.#services = services;
  }

  /** Begins to listen to a fabric, and settles whoever is held there. */
  async look(driver: string, fabric: Fabric, call: Call): Promise<void> {
    if (!fabric.keeps('loadBalancers')) return;
    if (this.#watched.get(driver)?.fabric !== fabric) {
      this.#watched.get(driver)?.stop();
      this.#watched.set(driver, { fabric, stop: this.#listen(fabric) });
    }
    const { reader, slices } = this.#services;
    const held = await slices.list(reader, backend, { field: 'heldUntil', op: 'not null' });
    await slices.each(
      [...new Set(held.map((each) => each.listenerId))],
      async (listenerId) => {
        if (!call.signal.aborted) await this.#settle(fabric, listenerId).catch((error: unknown) => this.#warn(error));
      },
      1,
    );
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    for (const { stop } of this.#watched.values()) stop();
    for (const cancel of this.#timers.values()) cancel();
    await Promise.all(this.#working);
  }

  #do(body: () => Promise<void>): void {
    if (this.#abort.signal.aborted) return;
    const work = body()
      .catch((error: unknown) => this.#warn(error))
      .finally(() => this.#working.delete(work));
    this.#working.add(work);
  }

  #warn(error: unknown): void {
    if (!this.#abort.signal.aborted)
      this.#services.environment.logger.warn({ error: describeChain(error) }, 'a backend that comes and goes could not be held, or freed');
  }

  /** A host that is lost takes all its backends out at once: they wait here, and one at a time works on them. */
  #listen(fabric: Fabric): () => void {
    const outs: BackendAt[] = [];
    return fabric.watchBackends((at) => {
      if (outs.push(at) === 1) this.#do(() => this.#workOff(fabric, outs));
    });
  }

  async #workOff(fabric: Fabric, outs: BackendAt[]): Promise<void> {
    while (outs.length > 0 && !this.#abort.signal.aborted) {
      // What is told in one go comes together.
      await this.#services.slices.turn();
      const batch = firstOf(outs);
      await this.#wentOut(fabric, batch).catch((error: unknown) => this.#warn(error));
      outs.splice(0, batch.length);
    }
  }

  /** Where a machine answers for several listeners at one port it goes out of all. */
  async #wentOut(fabric: Fabric, batch: readonly BackendAt[]): Promise<void> {
    const { reader, slices } = this.#services;
    const rows = await slices.list(reader, backend, { field: 'nicId', op: 'in', value: [...new Set(batch.map((at) => at.nicId))] });
    const ats = Map.groupBy(batch, ({ nicId }) => nicId);
    const whole = Map.groupBy(rows, ({ listenerId }) => listenerId);
    await slices.each(
      [...whole],
      async ([listenerId, those]) => {
        const on = await reader.find(listener, listenerId);
        const balancer = on === undefined ? undefined : await reader.find(loadBalancer, on.loadBalancerId);
        if (on === undefined || balancer === undefined) return;
        const isOut = ({ nicId, port }: BackendRow) =>
          ats
            .get(nicId)
            ?.some((at) => at.port === port && at.protocol === on.protocol && familyOf(at.address) === familyOf(balancer.address));
        const gone = those.filter(isOut).map(({ id }) => id);
        if (gone.length > 0) await this.#settle(fabric, listenerId, gone).catch((error: unknown) => this.#warn(error));
      },
      1,
    );
  }

  /** One after the other, so that of two that go out at once the second knows what became of the first. */
  #settle(fabric: Fabric, listenerId: string, wentOut: readonly string[] = []): Promise<void> {
    const { fabrics, environment } = this.#services;
    const nowMs = environment.clock.nowMs();
    return fabrics.inTurn(`flaps of ${listenerId}`, async () => {
      let gone = wentOut;
      for (let attempt = 0; attempt < STALE_ATTEMPTS && !this.#abort.signal.aborted; attempt += 1) {
        const on = await this.#services.reader.find(listener, listenerId);
        if (on?.state !== 'available' || (await this.#fabricOf(on)) !== fabric) return;
        const done = await this.#decide(fabric, on, new Set(gone), nowMs);
        if (done === 'again') continue;
        gone = [];
        if (done.isChanged) await ensureStanding(keptLoadBalancer, this.#services, on.loadBalancerId, this.#call(on.loadBalancerId));
        this.#wakeAt(fabric, listenerId, done.untilMs);
        return;
      }
    });
  }

  async #fabricOf({ loadBalancerId }: ListenerRow): Promise<Fabric | undefined> {
    const row = await this.#services.reader.find(loadBalancer, loadBalancerId);
    return row?.state === 'available' ? keptLoadBalancer.fabric(this.#services, row) : undefined;
  }

  /** What has become of a listener's backends by its rows; `again` where those changed meanwhile. */
  async #decide(
    fabric: Fabric,
    on: ListenerRow,
    wentOut: ReadonlySet<string>,
    nowMs: number,
  ): Promise<'again' | { readonly isChanged: boolean; readonly untilMs: number }> {
    const { reader, kernel, ids, settings, slices } = this.#services;
    const all = await slices.list(reader, backend, both(equals('listenerId', on.id), equals('state', 'available')));
    const health = await fabric.backendHealth(on.loadBalancerId, this.#call(on.loadBalancerId)).catch(() => undefined);
    // What is in the trash is not there.
    const before = all.map((row) => dampedOf(row, health && IS_WELL[health[row.id] ?? 'offline']));
    const policy = { flapsMax: on.healthCheck === undefined ? 0 : settings.global(flapsMax), holdMs: settings.global(holdSeconds) * 1000 };
    const after = damped(before, wentOut, nowMs, policy);
    const changed = after.flatMap((now, at) => (now === before[at] ? [] : [{ now, row: all[at] as BackendRow }]));
    const untilMs = Math.min(...after.flatMap(({ heldUntilMs }) => heldUntilMs ?? []));
    if (changed.length > 0) {
      const written = await kernel().observe(
        changed.flatMap(({ row, now }) => [
          change(backend, row.id, fieldsOf(now), { generation: row.generation }),
          ...noticeOf(ids.mint('notice'), row, now),
        ]),
      );
      if (!written.ok) return 'again';
    }
    return { isChanged: changed.some(({ row, now }) => isHeld(row) !== (now.heldUntilMs !== undefined)), untilMs };
  }

  #wakeAt(fabric: Fabric, listenerId: string, untilMs: number): void {
    this.#timers.get(listenerId)?.();
    this.#timers.delete(listenerId);
    if (untilMs === Infinity || this.#abort.signal.aborted) return;
    const { timers, clock } = this.#services.environment;
    const cancel = timers.after(Math.max(0, untilMs - clock.nowMs()), () => {
      this.#timers.delete(listenerId);
      this.#do(() => this.#settle(fabric, listenerId));
    });
    this.#timers.set(listenerId, cancel);
  }

  #call(loadBalancerId: string): Call {
    return { requestId: `flaps-${loadBalancerId}`, signal: this.#abort.signal, timeoutMs: CALL_MS };
  }
}

const familyOf = (address: string): number | undefined => parseAddress(address)?.family;

/** No more than are worked on in one go, and of one that goes out again meanwhile the first time only: each time counts. */
function firstOf(outs: readonly BackendAt[]): readonly BackendAt[] {
  const seen = new Set<string>();
  for (const { nicId, protocol, address, port } of outs) {
    const key = JSON.stringify([nicId, protocol, address, port]);
    if (seen.size === BATCH || seen.has(key)) break;
    seen.add(key);
  }
  return outs.slice(0, seen.size);
}

const isHeld = ({ heldUntil }: BackendRow): boolean => heldUntil !== undefined;

function dampedOf({ id, weight, heldUntil, flaps }: BackendRow, isWell: boolean | undefined): Damped {
  return {
    ...{ id, weight, isWell, outsMs: flaps?.outs.map(Date.parse) ?? [], holds: flaps?.holds ?? 0 },
    ...{ heldUntilMs: momentOf(heldUntil), freedMs: momentOf(flaps?.freedAt) },
  };
}

const momentOf = (text: string | undefined): number | undefined => (text === undefined ? undefined : Date.parse(text));
const textOf = (ms: number): string => new Date(ms).toISOString();

const fieldsOf = ({ outsMs, heldUntilMs, holds, freedMs }: Damped) => ({
  ...(heldUntilMs === undefined
    ? { heldReason: null, heldUntil: null }
    : { heldReason: 'flapping' as const, heldUntil: textOf(heldUntilMs) }),
  flaps: { outs: outsMs.map(textOf), holds, ...(freedMs === undefined ? {} : { freedAt: textOf(freedMs) }) },
});

/** Of those alone with whom it begins or is over. */
function noticeOf(id: string, row: BackendRow, { heldUntilMs, holds }: Damped) {
  const of = { backendId: row.id, listenerId: row.listenerId };
  if (isHeld(row) === (heldUntilMs !== undefined)) return [];
  if (heldUntilMs === undefined) return [announce(backendFreed, id as Id<'notice'>, of)];
  return [announce(backendHeld, id as Id<'notice'>, { ...of, reason: 'flapping', until: textOf(heldUntilMs), holds })];
}
