import type { Environment } from '../../src/kernel/environment.ts';
import { Ids } from '../../src/kernel/id.ts';
import type { Attachment, MachineSpec } from '../../src/strategy/index.ts';
import { canonical } from './canonical.ts';
import { SimEnvironment } from './environment.ts';
import { Faults } from './fault.ts';
import type { HostFacts } from './host.ts';
import { SimHost } from './host.ts';
import type { GuestProfile } from './machine.ts';
import type { SimStored } from './pool.ts';
import { locate, SimPool } from './pool.ts';
import type { Arrival } from './site.ts';
import { SimSite } from './site.ts';

export interface WorldOptions {
  /** Bounds of one way between a driver and a backend; `[0, 0]` takes no time at all. */
  readonly latencyMs?: readonly [number, number];
  /** How guests behave that are not ordinary; asked at each boot and each press of a button. */
  readonly guests?: (spec: MachineSpec) => Partial<GuestProfile>;
  readonly poolBytes?: number;
  /** Chance that a hint of a watch is dropped. */
  readonly hintLoss?: number;
}

const ORDINARY_GUEST: GuestProfile = { bootMs: 2000, shutdownMs: 1000, onShutdown: 'powers_off' };
const HOST_FACTS: HostFacts = { cpus: 64, memoryBytes: 256 * 2 ** 30 };
/** The site that answers for pools of scope `cluster`: the name to freeze, crash or partition it by. */
export const SHARED_SITE = 'shared';

/**
 * The outside world: hosts with their machines and networks, pools, and the ways to them. It survives every crash of the control plane; drivers of any number of
 * incarnations look at the same one.
 *
 *     const environment = new SimEnvironment(seed);
 *     const world = new SimWorld(environment);
 *     world.addHost('hv1');
 *     world.faults.add({ command: 'machines.define', times: 1, effect: 'late' });
 *     const life = environment.incarnation();
 *     const cloud = startControlPlane(life, [simulated({ world, environment: life })]);
 *     await environment.run(60_000);
 *     life.kill();
 */
export class SimWorld {
  readonly environment: Environment;
  readonly faults: Faults;
  readonly hosts = new Map<string, SimHost>();
  /** By `hostname/poolId`, shared ones by `poolId`. */
  readonly pools = new Map<string, SimPool>();
  readonly shared: SimSite;
  /** What no order of calls may cause: a volume deleted or released under a running machine. */
  readonly violations: string[] = [];
  readonly #options: WorldOptions;
  readonly #ids: Ids;
  #inFlight = 0;

  constructor(environment: Environment, options: WorldOptions = {}) {
    this.environment = environment;
    this.#options = options;
    this.#ids = new Ids(environment.clock, environment.random);
    this.faults = new Faults(environment.random);
    this.shared = new SimSite(SHARED_SITE, environment, () => this.latencyMs());
  }

  /** A host that is up; drivers reach it as `sim://hostname`. */
  addHost(hostname: string, facts: Partial<HostFacts> = {}): SimHost {
    const site = new SimSite(hostname, this.environment, () => this.latencyMs());
    const host = new SimHost(this, hostname, this.newUuid(), site, { ...HOST_FACTS, ...facts });
    this.hosts.set(hostname, host);
    return host;
  }

  host(hostname: string): SimHost {
    const host = this.hosts.get(hostname);
    if (host === undefined) throw new Error(`no simulated host ${hostname}`);
    return host;
  }

  /** From now on calls to it are taken and not answered; they land at `thaw`, in any order. */
  freeze(name: string): void {
    this.trace(`freeze ${name}`);
    this.site(name).freeze();
  }

  thaw(name: string): void {
    this.trace(`thaw ${name}`);
    this.site(name).thaw();
    this.hosts.get(name)?.hint(undefined);
  }

  /** Power is lost: its machines stop, definitions and pools stay, requests that it held are gone. */
  crash(name: string): void {
    this.trace(`crash ${name}`);
    this.site(name).crash();
    for (const machine of this.hosts.get(name)?.machines.values() ?? []) machine.stop();
  }

  boot(name: string): void {
    this.trace(`boot ${name}`);
    this.site(name).boot();
    this.hosts.get(name)?.hint(undefined);
  }

  /** Connections to it are refused at once; machines run on. */
  disconnect(name: string): void {
    this.trace(`disconnect ${name}`);
    this.site(name).reach = 'refused';
  }

  /** Packets to and from it vanish; machines run on. */
  partition(name: string): void {
    this.trace(`partition ${name}`);
    this.site(name).reach = 'partitioned';
  }

  /** Ends a `disconnect` or a `partition`. */
  reconnect(name: string): void {
    this.trace(`reconnect ${name}`);
    this.site(name).reach = 'connected';
    this.hosts.get(name)?.hint(undefined);
  }

  /** Requests that may still land. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Canonical JSON of everything that the backends list: two worlds are equal if these texts are. With `owner`, only machines and networks with that mark; things in
   * pools carry no mark and are always there.
   */
  snapshot(owner?: string): string {
    const wanted = (mark: string | undefined) => owner === undefined || mark === owner;
    const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);
    const machines: object[] = [];
    const networks: object[] = [];
    for (const host of this.hosts.values()) {
      const at = { host: host.hostname };
      for (const machine of [...host.machines.values()].filter((each) => wanted(each.owner)))
        machines.push({ ...at, ...machine.observe(), spec: machine.spec });
      for (const network of [...host.networks.values()].filter((each) => wanted(each.owner))) {
        const ports = [...network.ports.values()].sort((a, b) => (a.nicId < b.nicId ? -1 : 1));
        networks.push({ ...at, ...host.observeNetwork(network), nicIds: undefined, spec: network.spec, ports });
      }
    }
    const stored = [...this.pools].flatMap(([pool, { things }]) =>
      [...things.values()].map(({ kind, id, sizeBytes, imageId, attachedTo }) => ({
        pool,
        kind,
        id,
        sizeBytes,
        imageId,
        attachedTo: [...attachedTo].sort(),
      })),
    );
    const sorted = <T extends object>(items: readonly T[]) => (items as readonly (T & { readonly id: string })[]).toSorted(byId);
    return canonical({ machines: sorted(machines), networks: sorted(networks), stored: sorted(stored) });
  }

  /** What an attachment means to a machine on that host. */
  stored(hostname: string, attachment: Attachment): SimStored | undefined {
    const place = locate(attachment);
    return place && this.pools.get(place.shared ? place.poolId : `${hostname}/${place.poolId}`)?.things.get(place.thing);
  }

  ensurePool(poolId: string, hostname: string | undefined): void {
    const key = hostname === undefined ? poolId : `${hostname}/${poolId}`;
    if (this.pools.has(key)) return;
    this.pools.set(key, new SimPool(poolId, hostname, this.#options.poolBytes ?? 10 * 2 ** 40, (text) => this.violations.push(text)));
  }

  site(name: string): SimSite {
    return name === SHARED_SITE ? this.shared : this.host(name).site;
  }

  guestOf(spec: MachineSpec): GuestProfile {
    return { ...ORDINARY_GUEST, ...this.#options.guests?.(spec) };
  }

  losesHint(): boolean {
    const { hintLoss = 0 } = this.#options;
    return hintLoss > 0 && this.environment.random.next() < hintLoss;
  }

  latencyMs(): number {
    const [low, high] = this.#options.latencyMs ?? [0.2, 5];
    return high === 0 ? 0 : low + this.environment.random.next() * (high - low);
  }

  newUuid(): string {
    return this.#ids.mint('simulated');
  }

  /** Runs it after the delay, and at once if there is none. */
  after(delayMs: number, run: () => void): void {
    if (delayMs === 0) run();
    else this.environment.timers.after(delayMs, run);
  }

  /** Brings a request to a site, whatever has become of its sender. */
  send(site: SimSite, delayMs: number, command: string, arrival: Pick<Arrival, 'land' | 'refuse'>): void {
    this.#inFlight += 1;
    const end = (what: string, run: () => void) => () => {
      this.#inFlight -= 1;
      this.trace(`${site.name} ${command} ${what}`);
      run();
    };
    this.after(delayMs, () =>
      site.receive({
        land: end('lands', arrival.land),
        refuse: end('is refused', arrival.refuse),
        lose: end('is lost', () => undefined),
      }),
    );
  }

  trace(line: string): void {
    if (this.environment instanceof SimEnvironment) this.environment.trace(line);
  }
}
