import { SimCloud, type StoreFaults, type WorldOptions } from '@pileus/core/testing';
import { unlikeAudit } from './audited.ts';
import { Cascades } from './cascades.ts';
import { Chaos } from './chaos.ts';
import { ClearWay } from './clear-way.ts';
import { Clients } from './client.ts';
import { CALLBACKS_URL, Deliveries } from './deliveries.ts';
import { Emptied } from './emptied.ts';
import { unlikeRows } from './fabric-picture.ts';
import { FabricWatch, unseenLosses } from './fabric-watch.ts';
import { Invariants } from './invariants.ts';
import { Door, Isolation } from './isolation.ts';
import { Mirror } from './mirror.ts';
import { drawPlan, type Ground, type PlannedEvent } from './plan.ts';
import { atQuiet } from './quiet.ts';
import { SettingsModel } from './settings-model.ts';
import { layOut, type Site } from './site.ts';
import { StacksWatch } from './stacks-watch.ts';

export interface HistoryOptions {
  readonly seed: number;
  readonly hosts: number;
  /** Default: one for two hosts, at least three. */
  readonly clients?: number;
  /** Virtual time of requests and trouble. Default: three minutes. */
  readonly rageMs?: number;
  /** Also webhooks and callbacks, moves of volumes and machines, work on hosts, and reads of drivers that go wrong. Default: no. */
  readonly further?: boolean;
  /** Also VPCs, and all that lies around networks. Default: no. */
  readonly networks?: boolean;
  /** Only these of what was planned, by their ids. Default: all. */
  readonly only?: ReadonlySet<number>;
  /** A backend with a bug: for tests of what finds it. */
  readonly landing?: WorldOptions['landing'];
}

export interface History {
  readonly seed: number;
  /** Equal for equal seeds: proves that a replay is one. */
  readonly hash: string;
  readonly problems: readonly string[];
  /** What was planned, and played. */
  readonly events: readonly PlannedEvent[];
  readonly operations: number;
  readonly outcomes: Readonly<Record<string, number>>;
  /** How often each action was accepted, by its name. */
  readonly actions: Readonly<Record<string, number>>;
  /** How often each has also succeeded. */
  readonly succeeded: Readonly<Record<string, number>>;
  /** How requests were answered: `accepted`, or with which code. */
  readonly answers: Readonly<Record<string, number>>;
  /** How often each trouble has met something. */
  readonly troubles: Readonly<Record<string, number>>;
  /** How often drivers were asked for what, by the names that calls are struck by. */
  readonly calls: Readonly<Record<string, number>>;
  /** Rows that members have read, each looked at for whose it is. */
  readonly rowsRead: number;
  /** Events that those outside have taken. */
  readonly eventsTaken: number;
  /** Commits after which what they touched was checked. */
  readonly checks: number;
  /** The last lines of what happened. */
  readonly lastLines: readonly string[];
}

const LINES_KEPT = 80;
const LOOK_EVERY_MS = 250;
/** Looks between two at everything. */
const WHOLE_EVERY = 40;
const SETTLE_MS_MAX = 2 * 3600_000;
/** For machines that wait for room. */
const PATIENCE_MS = 60_000;
/** For reconcilers, debts and the trash, after the last operation has ended. */
const QUIET_MS = 300_000;
/** Of a process that could not start. */
const RESTART_MS = 2000;
const TRASH_SECONDS = 60;
const STRAY_SECONDS = 30;
/** Longer than any call of a history is late after it was given up: it is delayed by 40 s at most, and then kept by a frozen host for a minute at most. */
const RETURN_SECONDS = 110;

export const groundOf = ({
  seed,
  hosts,
  clients = Math.max(3, Math.ceil(hosts / 2)),
  rageMs = 180_000,
  further = false,
  networks = false,
}: HistoryOptions): Ground => ({
  seed,
  hosts,
  clients,
  rageMs,
  further,
  networks,
});

/**
 * One history of a whole control plane: members of several tenants ask at random for whatever there is, while processes, hosts, networks and the store fail;
 * then everything is healed, and must come to rest. One seed and one choice of what was planned, one history.
 */
export async function playHistory(options: HistoryOptions): Promise<History> {
  const { only } = options;
  const ground = groundOf(options);
  const events = drawPlan(ground).filter(({ id }) => only === undefined || only.has(id));
  const play = new Play(options, ground);
  try {
    return await play.through(events);
  } finally {
    play.dispose();
  }
}

function tally(each: readonly string[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const one of each) counts.set(one, (counts.get(one) ?? 0) + 1);
  return Object.fromEntries(counts);
}

class Play {
  readonly #ground: Ground;
  readonly #sim: SimCloud;
  readonly #storeFaults: StoreFaults & { readonly next: NonNullable<StoreFaults['next']> };
  readonly #deliveries = new Deliveries(
    () => this.#sim,
    (problem) => void this.#problems.push(problem),
  );
  readonly #lastLines: string[] = [];
  readonly #problems: string[] = [];
  #applied: () => void = () => undefined;
  #door: Door | undefined;
  #looks = 0;
  #checks = 0;

  constructor({ landing }: HistoryOptions, ground: Ground) {
    this.#ground = ground;
    this.#storeFaults = { next: [], onApplied: () => this.#applied() };
    this.#sim = new SimCloud({
      seed: ground.seed,
      storeFaults: this.#storeFaults,
      config: { webhookUrls: [CALLBACKS_URL] },
      postUrl: this.#deliveries.post,
      presets: {
        ...(ground.seed % 3 === 0 ? { 'trash.retentionSeconds': TRASH_SECONDS } : {}),
        // A copy of a volume that was to be moved and arrived when nobody knew of it any more is nobody's: it goes by what the operator has said.
        ...(ground.further
          ? { 'strays.volumes': 'remove', 'strays.afterSeconds': STRAY_SECONDS, 'volumes.returnSeconds': RETURN_SECONDS }
          : {}),
        'hosts.lateSeconds': RETURN_SECONDS,
        // Given out again when nothing can come late any more that leads to who had it.
        ...(ground.networks ? { 'network.elasticIpReuseSeconds': RETURN_SECONDS } : {}),
      },
      world: {
        hintLoss: 0.2,
        guests: (spec) => ({
          onShutdown: spec.name.endsWith('3') ? 'ignores' : 'powers_off',
          ...(spec.name.endsWith('7') ? { haltsAfterMs: 20_000 } : {}),
          ...(spec.name.endsWith('9') ? { crashesAfterMs: 15_000 } : {}),
        }),
        ...(landing === undefined ? {} : { landing }),
      },
      onTrace: (line) => {
        this.#lastLines.push(line);
        if (this.#lastLines.length > 2 * LINES_KEPT) this.#lastLines.splice(0, LINES_KEPT);
      },
    });
  }

  dispose(): void {
    this.#sim.dispose();
  }

  async through(events: readonly PlannedEvent[]): Promise<History> {
    const sim = this.#sim;
    const site = await layOut(sim, this.#ground);
    const say = (problem: string) => void this.#problems.push(problem);
    const mirror = new Mirror(sim);
    const isolation = new Isolation(site, say, this.#ground.networks);
    const invariants = new Invariants(sim, mirror, site, say);
    const chaos = new Chaos(sim, this.#storeFaults, this.#deliveries, (name) => site.known.get(`pool/${name}`));
    const cascades = new Cascades(sim, mirror, say);
    const emptied = new Emptied(sim, mirror, new Set(site.planted.map(({ id }) => id)), say);
    const settings = new SettingsModel(sim, mirror, say);
    const stacks = new StacksWatch(mirror, say);
    const fabric = new FabricWatch(mirror, chaos.cutSinceMs, () => sim.environment.clock.nowMs(), say);
    const clients = new Clients({
      sim,
      site,
      mirror,
      isolation,
      deliveries: this.#deliveries,
      cascades,
      settings,
      say,
      door: () => (sim.alive ? this.#door : undefined),
    });
    this.#applied = () => {
      const touched = mirror.sync();
      invariants.committed(touched);
      isolation.committed(touched);
      this.#deliveries.committed(touched);
      for (const watch of [cascades, emptied, settings, stacks, fabric]) watch.committed(touched);
      this.#checks += 1;
      chaos.durable();
    };
    this.#applied();
    await this.#opened();
    isolation.watch(sim, () => (sim.alive ? this.#door : undefined));
    for (const event of events)
      sim.environment.timers.after(event.atMs, () => (event.type === 'ask' ? void clients.ask(event) : chaos.meet(event)));
    await this.#until(this.#now + this.#ground.rageMs, chaos, invariants);
    clients.stopped = true;
    const troubles = chaos.tally;
    chaos.heal();
    await this.#settle(chaos, invariants, mirror);
    if (this.#problems.length === 0) await this.#atRest({ chaos, invariants, isolation, mirror, site, clients, stacks });
    const operations = sim.rows('operation');
    const asked = new Set(clients.operations);
    const succeeded = operations.filter(({ id, state }) => state === 'succeeded' && asked.has(String(id)));
    return {
      seed: this.#ground.seed,
      hash: sim.environment.historyHash(),
      problems: this.#problems,
      events,
      operations: clients.operations.length,
      outcomes: tally(operations.map(({ state }) => String(state))),
      actions: Object.fromEntries([...clients.actions].sort()),
      succeeded: tally(succeeded.map(({ action }) => String(action)).sort()),
      answers: Object.fromEntries([...clients.codes].sort()),
      troubles,
      calls: Object.fromEntries([...sim.world.faults.asked].sort()),
      rowsRead: isolation.looked,
      eventsTaken: this.#deliveries.taken,
      checks: this.#checks,
      lastLines: this.#lastLines.slice(-LINES_KEPT),
    };
  }

  get #now(): number {
    return this.#sim.environment.clock.monotonicMs();
  }

  /** Everything that was accepted ends; then whatever is still owed, observed or swept up. */
  async #settle(chaos: Chaos, invariants: Invariants, mirror: Mirror): Promise<void> {
    const patientUntilMs = this.#now + PATIENCE_MS;
    const settleUntilMs = this.#now + SETTLE_MS_MAX;
    const way = new ClearWay(this.#sim, mirror);
    while (this.#problems.length === 0 && this.#now < settleUntilMs && (!this.#sim.alive || mirror.unfinished.size > 0)) {
      way.look();
      if (this.#now > patientUntilMs) this.#giveUpWaiting(mirror);
      await this.#goOn(chaos, invariants);
    }
    await this.#until(this.#now + QUIET_MS, chaos, invariants);
  }

  async #atRest(at: {
    readonly chaos: Chaos;
    readonly invariants: Invariants;
    readonly isolation: Isolation;
    readonly mirror: Mirror;
    readonly site: Site;
    readonly clients: Clients;
    readonly stacks: StacksWatch;
  }): Promise<void> {
    at.invariants.whole();
    at.stacks.rest();
    at.isolation.delivered();
    this.#problems.push(...this.#deliveries.missing(at.mirror));
    this.#problems.push(...atQuiet(this.#sim, at.mirror, at.site, at.clients.operations));
    this.#problems.push(...(await unlikeAudit(this.#sim)));
    if (!this.#ground.networks) return;
    if (this.#problems.length === 0)
      this.#problems.push(...(await unseenLosses(this.#sim, at.mirror, (name, isCut) => at.chaos.cut(name, isCut))));
    if (this.#problems.length === 0)
      this.#problems.push(...(await unlikeRows(this.#sim, at.mirror, at.site, Math.floor(this.#ground.seed / 2) % 2 === 0)));
  }

  async #until(atMs: number, chaos: Chaos, invariants: Invariants): Promise<void> {
    while (this.#now < atMs && this.#problems.length === 0) await this.#goOn(chaos, invariants);
  }

  async #goOn(chaos: Chaos, invariants: Invariants): Promise<void> {
    const sim = this.#sim;
    if (!sim.alive && this.#now >= chaos.downUntilMs) await this.#start(chaos);
    await sim.run(LOOK_EVERY_MS);
    invariants.looked();
    this.#looks += 1;
    if (sim.alive && this.#looks % WHOLE_EVERY === 0) invariants.whole();
  }

  /** A process that cannot start for trouble with its store ends, and is started again. */
  async #start(chaos: Chaos): Promise<void> {
    this.#door = undefined;
    try {
      await this.#sim.start();
      await this.#opened();
    } catch (error) {
      if (!chaos.raging) this.#problems.push(`the control plane does not start: ${error instanceof Error ? error.stack : String(error)}`);
      this.#sim.crash();
      chaos.downUntilMs = this.#now + RESTART_MS;
    }
  }

  async #opened(): Promise<void> {
    if (!this.#sim.alive) return;
    const door = new Door(this.#sim);
    await this.#sim.survive(door.api.start());
    this.#door = door;
  }

  /** There may never be room for all. */
  #giveUpWaiting(mirror: Mirror): void {
    if (!this.#sim.alive) return;
    for (const { id, state, waitsFor } of mirror.unfinished.values())
      if (state === 'queued' && waitsFor !== undefined) void this.#sim.kernel.operations.cancel(id).catch(() => undefined);
  }
}
