import type { StepPoint } from '@pileus/core/kernel';
import { SHARED_SITE, type SimCloud, type StoreFaults } from '@pileus/core/testing';
import type { Deliveries } from './deliveries.ts';
import { LABELS } from './network-wishes.ts';
import type { CallTrouble, FabricTrouble, FullPool, Kill, PlannedEvent, SiteTrouble, StoreTrouble } from './plan.ts';

type Trouble = Exclude<PlannedEvent, { readonly type: 'ask' }>;

/** Everything that goes wrong around a control plane, as planned, until it is healed. */
export class Chaos {
  readonly #sim: SimCloud;
  readonly #storeFaults: Required<Pick<StoreFaults, 'next'>>;
  /** Ids of pools, by name. */
  readonly #pools: (name: string) => string | undefined;
  readonly #deliveries: Deliveries;
  readonly #tally = new Map<string, number>();
  /** By host: since when it leads to no physical network. */
  readonly #cut = new Map<string, number>();
  #raging = true;
  /** What the next step, or the next commit, is killed by. */
  #armed: Kill | undefined;
  /** The virtual instant at which a killed control plane is started again. */
  downUntilMs = 0;

  constructor(
    sim: SimCloud,
    storeFaults: Required<Pick<StoreFaults, 'next'>>,
    deliveries: Deliveries,
    pools: (name: string) => string | undefined,
  ) {
    this.#sim = sim;
    this.#deliveries = deliveries;
    this.#storeFaults = storeFaults;
    this.#pools = pools;
    sim.around = (point, body) => this.#around(point, body);
  }

  get raging(): boolean {
    return this.#raging;
  }

  meet(trouble: Trouble): void {
    if (!this.#raging) return;
    if (trouble.type === 'site') this.#site(trouble);
    else if (trouble.type === 'call') this.#call(trouble);
    else if (trouble.type === 'store') this.#store(trouble);
    else if (trouble.type === 'full') this.#full(trouble);
    else if (trouble.type === 'fabric') this.#fabric(trouble);
    else if (trouble.type === 'delivery') this.#deliveries.trouble(trouble.how);
    else if (trouble.point === 'instant') this.#kill(trouble, 'at an instant');
    else this.#armed = trouble;
  }

  /** From now on nothing goes wrong any more, and everything is up. */
  heal(): void {
    const { world } = this.#sim;
    this.#raging = false;
    this.#armed = undefined;
    this.downUntilMs = 0;
    for (const how of this.#storeFaults.next.splice(0)) this.#count(`store.${how}`, -1);
    world.faults.clear();
    this.#deliveries.heal();
    for (const pool of world.pools.values()) pool.othersBytes = 0;
    for (const name of [...world.hosts.keys(), SHARED_SITE]) this.#end(name);
    for (const [name, host] of world.hosts) {
      this.cut(name, false);
      host.switchTrouble = undefined;
    }
  }

  /** The host leads to no physical network, or to all of them. */
  cut(hostname: string, isCut: boolean): void {
    const { environment, world } = this.#sim;
    const { unconnected } = world.host(hostname);
    if (isCut) for (const label of LABELS) unconnected.add(label);
    else unconnected.clear();
    if (isCut) this.#cut.set(hostname, environment.clock.nowMs());
    else this.#cut.delete(hostname);
  }

  readonly cutSinceMs = (hostname: string): number | undefined => this.#cut.get(hostname);

  /** To be called when a group of commits is durable and nobody has heard of it. */
  durable(): void {
    if (this.#raging && this.#armed?.point === 'durable') this.#kill(this.#armed, 'when something was durable');
  }

  /** How often each trouble has met something. */
  get tally(): Readonly<Record<string, number>> {
    const { world } = this.#sim;
    const sites = [...world.hosts.values(), { site: world.shared }].map(({ site }) => site.met);
    const sum = (what: 'lost' | 'refused' | 'held' | 'dropped') => sites.reduce((total, met) => total + met[what], 0);
    const refusals = [...world.pools.values()].reduce((total, pool) => total + pool.refusals, 0);
    const seen = { 'call.lost': sum('lost'), 'call.refused': sum('refused'), 'call.held': sum('held'), 'call.dropped': sum('dropped') };
    const struck = [...world.faults.struck].map(([effect, count]) => [`call.${effect}`, count] as const);
    const told = Object.entries(this.#deliveries.met).map(([how, count]) => [`delivery.${how}`, count] as const);
    return Object.fromEntries([...this.#tally, ...struck, ...told, ...Object.entries(seen), ['pool.full', refusals] as const].sort());
  }

  #count(what: string, by = 1): void {
    this.#tally.set(what, (this.#tally.get(what) ?? 0) + by);
  }

  #store({ how }: StoreTrouble): void {
    this.#count(`store.${how}`);
    this.#storeFaults.next.push(how);
  }

  #site({ site, how, forMs }: SiteTrouble): void {
    const { environment, world } = this.#sim;
    if (world.site(site).isTroubled) return;
    this.#count(`site.${how}`);
    world[how](site);
    environment.timers.after(forMs, () => {
      if (this.#raging) this.#end(site);
    });
  }

  #end(name: string): void {
    const { world } = this.#sim;
    const site = world.site(name);
    if (!site.up) world.boot(name);
    if (site.frozen) world.thaw(name);
    if (site.reach !== 'connected') world.reconnect(name);
  }

  #call({ command, effect, delayMs }: CallTrouble): void {
    this.#sim.world.faults.add({ ...(command === undefined ? {} : { command }), effect, delayMs, times: 1 });
  }

  #fabric({ host: name, how, forMs }: FabricTrouble): void {
    const { environment, world } = this.#sim;
    const host = world.host(name);
    if (how === 'lost' ? this.#cut.has(name) : host.switchTrouble !== undefined) return;
    this.#count(`fabric.${how}`);
    if (how === 'lost') this.cut(name, true);
    else host.switchTrouble = 'does not follow';
    environment.timers.after(forMs, () => {
      if (!this.#raging) return;
      if (how === 'lost') this.cut(name, false);
      else host.switchTrouble = undefined;
    });
  }

  #full({ pool: name, forMs }: FullPool): void {
    const { environment, world } = this.#sim;
    const id = this.#pools(name) ?? '';
    const pool = [...world.pools.values()].find(({ poolId }) => poolId === id);
    if (pool === undefined || pool.othersBytes > 0) return;
    this.#count('pool.filled');
    pool.othersBytes = pool.totalBytes;
    environment.timers.after(forMs, () => {
      pool.othersBytes = 0;
    });
  }

  async #around<R>(point: StepPoint, body: () => Promise<R>): Promise<R> {
    const isDue = (when: Kill['point']) => this.#raging && this.#armed?.point === when;
    if (isDue('before_step')) return this.#killed(`before ${point.phase} ${point.path}`);
    const result = await body();
    return isDue('after_step') ? this.#killed(`after ${point.phase} ${point.path}`) : result;
  }

  #killed(where: string): Promise<never> {
    if (this.#armed !== undefined) this.#kill(this.#armed, where);
    // One of its own: what waits for it is kept as long as it is.
    return new Promise<never>(() => undefined);
  }

  #kill({ point, forMs }: Kill, where: string): void {
    const { environment } = this.#sim;
    this.#armed = undefined;
    if (!this.#sim.alive) return;
    this.#count(`kill.${point}`);
    environment.trace(`control plane killed ${where}`);
    this.#sim.crash();
    this.downUntilMs = environment.clock.monotonicMs() + forMs;
  }
}
