import { announce, change, describeChain, following, Lane, type RowOf } from '../../kernel/index.ts';
import type { HostInventory } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { hostLimits, promisedOf } from './capacity.ts';
import { cluster } from './cluster.ts';
import { HintedLooks } from './hinted-looks.ts';
import { host } from './host.ts';
import { inventoryChanges, refuseOther } from './host-inventory.ts';
import type { Hypervisor } from './hosts.ts';
import { HEARTBEATS_PER_LOOK, hostLook, hostLost } from './points.ts';
import { removalAllowed } from './recovery.ts';
import { heartbeatSeconds } from './settings.ts';

type HostRow = RowOf<typeof host>;

const MISSES_MAX = 3;
/**
 * Of a heartbeat: how long an answer may take, and how long after a missed look the next one begins. The look after a host has died begins within one
 * heartbeat, the third one 1.4 later, and ends half of one after that: before three are over.
 */
const ANSWER = 0.5;
const AFTER_MISS = 0.7;
/** Over how much of a heartbeat hosts are spread. */
const SPREAD = 0.1;
const HEARTBEAT_TIMEOUT_MS_MAX = 10_000;
const LOOK_TIMEOUT_MS = 60_000;
/** Looks of modules at once, over all hosts. Heartbeats are not counted: they wait for their hosts, not for us. */
const LOOKS_AT_ONCE = 32;
const STALE_ATTEMPTS = 3;

/** One host as the watch holds it. */
interface Watched {
  readonly hostId: string;
  readonly hints: HintedLooks;
  misses: number;
  /** Heartbeats until the next full look. */
  untilLook: number;
  /** As it is for this host now. */
  heartbeatMs: number;
  /** Ends the pause before the next heartbeat; `again`: only to see how long it is now. */
  wake: (again?: 'again') => void;
  /** The full look under way: heartbeats do not wait for it. */
  looking: Promise<void> | undefined;
  subscribed: { readonly hypervisor: Hypervisor; readonly stop: () => void } | undefined;
}

/**
 * Looks at every host, each in a loop of its own and at a fixed rate, so that neither a slow one nor a long look delays a heartbeat. A host that misses three looks in a row shows as disconnected; one
 * that comes back is paid what is owed to it, and every module compares. Looks that find nothing new write nothing.
 */
export class HostWatch {
  readonly #services: CloudServices;
  readonly #watched = new Map<string, { readonly host: Watched; readonly ended: Promise<void> }>();
  readonly #lane = new Lane(LOOKS_AT_ONCE);
  readonly #abort = new AbortController();
  #started = false;
  /** How often heartbeats were made longer or shorter, somewhere. */
  #changes = 0;
  #stopHearing: () => void = () => undefined;

  constructor(services: CloudServices) {
    this.#services = services;
  }

  async start(): Promise<void> {
    this.#started = true;
    this.#stopHearing = this.#services.settings.onChange((key) => {
      if (key !== heartbeatSeconds.name) return;
      this.#changes += 1;
      for (const { host: watched } of this.#watched.values()) watched.wake('again');
    });
    for (const row of await this.#services.reader.list(host)) this.add(row.id);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    this.#stopHearing();
    for (const { host: watched } of this.#watched.values()) watched.wake();
    await Promise.all([...this.#watched.values()].map(({ ended }) => ended));
  }

  /** Begins to watch a host; ends by itself when its row is deleted. */
  add(hostId: string): void {
    if (!this.#started || this.#abort.signal.aborted || this.#watched.has(hostId)) return;
    const watched: Watched = {
      hostId,
      hints: new HintedLooks(this.#services.environment, (machineId) => this.#lookInside(hostId, machineId)),
      misses: 0,
      untilLook: 0,
      heartbeatMs: 0,
      wake: () => undefined,
      looking: undefined,
      subscribed: undefined,
    };
    this.#watched.set(hostId, { host: watched, ended: this.#loop(watched) });
  }

  /** The next heartbeat of the host comes now, with a full look. */
  lookSoon(hostId: string): void {
    const watched = this.#watched.get(hostId)?.host;
    this.add(hostId);
    if (watched === undefined) return;
    watched.untilLook = 0;
    watched.wake();
  }

  async #loop(watched: Watched): Promise<void> {
    const { environment } = this.#services;
    const { clock } = environment;
    let beganMs = clock.monotonicMs();
    // Hosts do not beat in step.
    let share = environment.random.next() * SPREAD;
    while (await this.#isTime(watched, beganMs, share)) {
      beganMs = clock.monotonicMs();
      try {
        if (!(await this.#beat(watched))) break;
      } catch (error) {
        environment.logger.error({ hostId: watched.hostId, error: describeChain(error) }, 'look at a host failed');
      }
      const isDoubtful = watched.misses > 0 && watched.misses < MISSES_MAX;
      share = isDoubtful ? AFTER_MISS : 1 - SPREAD + SPREAD * environment.random.next();
    }
    watched.subscribed?.stop();
    await watched.looking;
    await watched.hints.stop();
    if (!this.#abort.signal.aborted) this.#watched.delete(watched.hostId);
  }

  /** Waits for this share of a heartbeat since the last began, however long a heartbeat is by then. False when the watch has stopped. */
  async #isTime(watched: Watched, beganMs: number, share: number): Promise<boolean> {
    const { environment, settings } = this.#services;
    // All that are late by a shorter heartbeat would be asked at once.
    let spread = 0;
    while (!this.#abort.signal.aborted) {
      const changes = this.#changes;
      watched.heartbeatMs = (await settings.at(heartbeatSeconds, host, watched.hostId)) * 1000;
      if (changes !== this.#changes) continue;
      const dueMs = beganMs + watched.heartbeatMs * share - environment.clock.monotonicMs();
      if ((await this.#pause(watched, Math.max(dueMs, watched.heartbeatMs * spread))) !== 'again') break;
      spread = SPREAD * environment.random.next();
    }
    return !this.#abort.signal.aborted;
  }

  /** Without signals of its own: there is one pause for each host, all the time. */
  async #pause(watched: Watched, pauseMs: number): Promise<'again' | undefined> {
    const { promise, resolve } = Promise.withResolvers<'again' | undefined>();
    const cancel = this.#services.environment.timers.after(pauseMs, () => resolve(undefined));
    watched.wake = (again) => {
      cancel();
      resolve(again);
    };
    const woken = await promise;
    watched.wake = () => undefined;
    return woken;
  }

  /** One heartbeat. False when the host is gone. */
  async #beat(watched: Watched): Promise<boolean> {
    for (let attempt = 0; attempt < STALE_ATTEMPTS; attempt += 1) {
      const row = await this.#services.reader.find(host, watched.hostId);
      if (row === undefined || row.deletedAt !== undefined) return false;
      if (row.state === 'connecting') return true;
      const seen = await this.#ask(watched, row);
      if (this.#abort.signal.aborted) return true;
      const settled = 'error' in seen ? await this.#missed(watched, row, seen.error) : await this.#answered(watched, row, seen);
      if (settled) return true;
    }
    return true;
  }

  async #ask(
    watched: Watched,
    row: HostRow,
  ): Promise<{ readonly inventory: HostInventory; readonly hypervisor: Hypervisor } | { readonly error: unknown }> {
    const timeoutMs = Math.min(watched.heartbeatMs * ANSWER, HEARTBEAT_TIMEOUT_MS_MAX);
    try {
      const hypervisor = await this.#services.hosts.hypervisor(row.id);
      const inventory = await hypervisor.inventory({ requestId: `heartbeat-${row.id}`, signal: this.#abort.signal, timeoutMs });
      refuseOther(row, inventory);
      return { inventory, hypervisor };
    } catch (error) {
      return { error };
    }
  }

  /** Nothing is inferred from one failed look. True when there is nothing to look at again. */
  async #missed(watched: Watched, row: HostRow, error: unknown): Promise<boolean> {
    watched.misses += 1;
    this.#services.environment.logger.warn({ hostId: row.id, misses: watched.misses, error: describeChain(error) }, 'host missed a look');
    if (watched.misses < MISSES_MAX || row.status === 'disconnected') return true;
    const { kernel, ids } = this.#services;
    const statusReason = `It missed ${MISSES_MAX} looks in a row.`;
    const result = await kernel().observe([
      change(host, row.id, { status: 'disconnected', statusReason }, { generation: row.generation }),
      announce(hostLost, ids.mint('notice'), { hostId: row.id }),
    ]);
    return result.ok;
  }

  async #answered(
    watched: Watched,
    row: HostRow,
    { inventory, hypervisor }: { readonly inventory: HostInventory; readonly hypervisor: Hypervisor },
  ): Promise<boolean> {
    watched.misses = 0;
    this.#subscribe(watched, hypervisor);
    const returned = row.status !== 'connected';
    if (returned) await this.#payDebts(row.id);
    if (!(await this.#recordInventory(row, inventory, returned))) return false;
    if (returned) watched.untilLook = 0;
    if (watched.untilLook > 0) watched.untilLook -= 1;
    else if (watched.looking === undefined) {
      watched.untilLook = HEARTBEATS_PER_LOOK - 1;
      watched.looking = this.#fullLook(row.id, returned).finally(() => {
        watched.looking = undefined;
      });
    }
    return true;
  }

  async #fullLook(hostId: string, returned: boolean): Promise<void> {
    try {
      // A debt can have been left while the host came back.
      if (!returned) await this.#payDebts(hostId);
      await this.#lookInside(hostId, undefined);
    } catch (error) {
      this.#services.environment.logger.error({ hostId, error: describeChain(error) }, 'look at a host failed');
    }
  }

  async #payDebts(hostId: string): Promise<void> {
    if (await removalAllowed(this.#services)) await this.#services.kernel().payDebts(hostId, this.#abort.signal);
  }

  /**
   * Status and inventory are observations that no saga of a host in use writes, so that the generation alone guards them: an operation stuck on the
   * host's key must not hide that the host is lost, or back. False: look again.
   */
  async #recordInventory(row: HostRow, seen: HostInventory, returned: boolean): Promise<boolean> {
    const changes = inventoryChanges(row, seen);
    if (!returned && Object.keys(changes).length === 0) return true;
    const of = await this.#services.reader.get(cluster, row.clusterId);
    const resized = 'cpus' in changes || 'memoryBytes' in changes;
    const result = await this.#services.kernel().observe([
      change(
        host,
        row.id,
        { ...changes, ...(returned ? { status: 'connected', statusReason: null } : {}) },
        { generation: row.generation },
      ),
      // The promise may be changing at this moment: then this is decided again.
      ...(resized
        ? [
            { op: 'expect', table: cluster.name, key: of.id, expect: { generation: of.generation } } as const,
            ...hostLimits(row.id, seen, promisedOf(row, of)),
          ]
        : []),
    ]);
    return result.ok;
  }

  #subscribe(watched: Watched, hypervisor: Hypervisor): void {
    if (watched.subscribed?.hypervisor === hypervisor) return;
    watched.subscribed?.stop();
    watched.subscribed = { hypervisor, stop: hypervisor.watch((machineId) => watched.hints.hint(machineId)) };
  }

  /** Every module compares what is there with its rows; in the end it is only a look, so that a failure waits for the next one. */
  async #lookInside(hostId: string, machineId: string | undefined): Promise<void> {
    const { environment, kernel } = this.#services;
    await this.#lane.run(async () => {
      if (this.#abort.signal.aborted) return;
      const { signal, abort, release } = following(this.#abort.signal);
      const cancel = environment.timers.after(LOOK_TIMEOUT_MS, () => abort(new Error('the look took too long')));
      try {
        await kernel().registry.hooks.collect(hostLook, { hostId, signal, ...(machineId === undefined ? {} : { machineId }) });
      } catch (error) {
        if (!this.#abort.signal.aborted)
          environment.logger.warn({ hostId, machineId, error: describeChain(error) }, 'look inside a host failed');
      } finally {
        cancel();
        release();
      }
    });
  }
}
