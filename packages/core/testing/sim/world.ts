import type { Environment } from '../../src/kernel/environment.ts';
import { Ids } from '../../src/kernel/id.ts';
import type { Attachment, MachineSpec, PortReadiness } from '../../src/strategy/index.ts';
import { canonical } from './canonical.ts';
import { SimEnvironment } from './environment.ts';
import { Faults } from './fault.ts';
import type { HostFacts } from './host.ts';
import { SimHost } from './host.ts';
import { KEPT_SORTS } from './kept.ts';
import type { GuestProfile } from './machine.ts';
import { SimPool } from './pool.ts';
import type { Arrival } from './site.ts';
import { SimSite } from './site.ts';
import { locate, type SimStored } from './stored.ts';

export interface WorldOptions {
  /** Bounds of one way between a driver and a backend; `[0, 0]` takes no time at all. */
  readonly latencyMs?: readonly [number, number];
  /** How guests behave that are not ordinary; asked at each boot and each press of a button. */
  readonly guests?: (spec: MachineSpec) => Partial<GuestProfile>;
  readonly poolBytes?: number;
  /** Chance that a hint of a watch is dropped. */
  readonly hintLoss?: number;
  /** What a switch takes from a machine that is plugged in to its port being ready. Default: 20. */
  readonly portReadyMs?: number;
  /** Whether networks that span all hosts bound by themselves what machines send. Default: no, hosts do. */
  readonly boundsSending?: boolean;
  /** What the memory of a machine takes from host to host. Default: 100. */
  readonly transferMs?: number;
  /** Takes the place of what a request does where it lands: for tests that need a backend with a bug. */
  readonly landing?: <T>(site: string, command: string, apply: () => T) => T;
}

const PORT_READY_MS = 20;
/** Room for one text in a volume. */
const TEXT_BYTES = 64;
const ORDINARY_GUEST: GuestProfile = { bootMs: 2000, shutdownMs: 1000, onShutdown: 'powers_off', hasAgent: true };
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
  /** Pools write all of a volume when they make it: told to the cloud, which then waits for longer. */
  fillsVolumes = false;
  /** Networks that span all hosts have not been told yet whether they bound what machines send. */
  sendingIsUnknown = false;
  readonly environment: Environment;
  readonly faults: Faults;
  readonly hosts = new Map<string, SimHost>();
  /** By `hostname/poolId`, shared ones by `poolId`. */
  readonly pools = new Map<string, SimPool>();
  /** What lies outside of all pools, by place and key. */
  readonly backups = new Map<string, Map<string, Uint8Array>>();
  /** Those who are let into places of backups, with their keys; everybody if undefined. */
  backupUsers: ReadonlyMap<string, string> | undefined;
  readonly shared: SimSite;
  /** What has the networks that span all hosts. It runs nothing. */
  readonly fabric: SimHost;
  /** What no order of calls may cause: a volume deleted or released under a running machine, or opened by a second one. */
  readonly violations: string[] = [];
  readonly #options: WorldOptions;
  readonly #ids: Ids;
  #inFlight = 0;
  #transferMs: number | undefined;

  constructor(environment: Environment, options: WorldOptions = {}) {
    this.environment = environment;
    this.#options = options;
    this.#ids = new Ids(environment.clock, environment.random);
    this.faults = new Faults(environment.random);
    this.shared = new SimSite(SHARED_SITE, environment, () => this.latencyMs());
    this.fabric = new SimHost(this, SHARED_SITE, '00000000-0000-7000-8000-0000000000fa', this.shared, HOST_FACTS);
  }

  /** Undefined: its driver has not been told yet. */
  get boundsSending(): boolean | undefined {
    return this.sendingIsUnknown ? undefined : this.#options.boundsSending === true;
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
    this.hosts.get(name)?.powerOff();
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
   * Canonical JSON of everything that the backends list: two worlds are equal if these texts are. With `owner`, only machines, networks and what lies around them with that mark; things in
   * pools carry no mark and are always there.
   */
  snapshot(owner?: string): string {
    const wanted = (mark: string | undefined) => owner === undefined || mark === owner;
    const byId = (a: { readonly id: string }, b: { readonly id: string }) => (a.id < b.id ? -1 : 1);
    const machines: object[] = [];
    const networks: object[] = [];
    for (const host of [...this.hosts.values(), this.fabric]) {
      const at = { host: host.hostname };
      for (const machine of [...host.machines.values()].filter((each) => wanted(each.owner)))
        machines.push({ ...at, ...machine.observe(), frozen: machine.frozen, spec: machine.spec });
      for (const network of [...host.networks.values()].filter((each) => wanted(each.owner))) {
        const ports = [...network.ports.values()].sort((a, b) => (a.nicId < b.nicId ? -1 : 1));
        networks.push({ ...at, ...host.observeNetwork(network), nicIds: undefined, spec: network.spec, ports });
      }
    }
    const kept = KEPT_SORTS.flatMap((sort) =>
      [...this.fabric.kept.of(sort).values()].filter((each) => wanted(each.owner)).map(({ spec }) => ({ sort, id: spec.id, spec })),
    );
    const stored = [...this.pools].flatMap(([pool, { things }]) =>
      [...things.values()].map(({ kind, id, sizeBytes, imageId, attachedTo, content, snapshots }) => ({
        ...{ pool, kind, id, sizeBytes, imageId, attachedTo: [...attachedTo].sort(), content: content.digest },
        snapshots: snapshots.map((each) => ({ id: each.id, sizeBytes: each.sizeBytes, content: each.content.digest })),
      })),
    );
    const others = [...this.pools].flatMap(([pool, at]) =>
      [...at.others].map(([id, { sizeBytes, content }]) => ({ ...{ pool, kind: 'others', id, sizeBytes }, content: content.digest })),
    );
    const backedUp = [...this.backups].flatMap(([place, objects]) => [...objects.keys()].map((id) => ({ place, id })));
    const sorted = <T extends object>(items: readonly T[]) => (items as readonly (T & { readonly id: string })[]).toSorted(byId);
    return canonical({
      machines: sorted(machines),
      networks: sorted(networks),
      kept: sorted(kept),
      stored: sorted([...stored, ...others]),
      backups: sorted(backedUp),
    });
  }

  /** What an attachment means to a machine on that host. */
  stored(hostname: string, attachment: Attachment): SimStored | undefined {
    const thing = locate(attachment)?.thing;
    return thing === undefined ? undefined : this.poolOf(hostname, attachment)?.things.get(thing);
  }

  /** The pool that an attachment means to a machine on that host. */
  poolOf(hostname: string, attachment: Attachment): SimPool | undefined {
    const place = locate(attachment);
    return place && this.pools.get(place.shared ? place.poolId : `${hostname}/${place.poolId}`);
  }

  /** Whether several hosts reach what the attachment means, so that nothing but order keeps two machines from writing to it. */
  isShared(attachment: Attachment): boolean {
    return locate(attachment)?.shared === true;
  }

  /** Writes a text into a volume, as its guest does. */
  write(volumeId: string, text: string, offsetBytes = 0): void {
    const bytes = new TextEncoder().encode(text.padEnd(TEXT_BYTES, '\0'));
    const used = this.#userOf(volumeId);
    const mirror = used?.host.diskCopies.mirrorOf(used.machineId, volumeId);
    for (const pool of [this.#poolOf(volumeId), used && mirror && this.poolOf(used.host.hostname, mirror)])
      pool?.write(volumeId, offsetBytes, bytes);
  }

  /** The text that was written there last. */
  read(volumeId: string, offsetBytes = 0): string {
    const bytes = this.#poolOf(volumeId).find('volume', volumeId)?.content.read(offsetBytes, TEXT_BYTES);
    return new TextDecoder().decode(bytes).replace(/\0+$/, '');
  }

  #userOf(volumeId: string) {
    for (const host of this.hosts.values())
      for (const { live, spec } of host.machines.values()) {
        const disk = live ? spec.disks.find((each) => each.volumeId === volumeId) : undefined;
        if (disk !== undefined) return { host, machineId: spec.id, disk };
      }
    return undefined;
  }

  /** A volume that is being moved is in two: it is what its machine has. */
  #poolOf(volumeId: string): SimPool {
    const used = this.#userOf(volumeId);
    const found =
      (used && this.poolOf(used.host.hostname, used.disk.attachment)) ??
      [...this.pools.values()].find((each) => each.find('volume', volumeId) !== undefined);
    if (found === undefined) throw new Error(`no pool has a volume ${volumeId}`);
    return found;
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

  /** What a request does, at the instant it lands. */
  land<T>(site: SimSite, command: string, apply: () => T): T {
    const { landing } = this.#options;
    return landing === undefined ? apply() : landing(site.name, command, apply);
  }

  /** How a port of the networks that span all hosts stands. */
  readiness(nicId: string): PortReadiness {
    const port = [...this.fabric.networks.values()].map(({ ports }) => ports.get(nicId)).find((each) => each !== undefined);
    if (port === undefined) return { state: 'absent' };
    const plugged = [...this.hosts.values()].filter((each) => each.pluggedAtMs(nicId) !== undefined);
    // Of two that have it plugged in, one of them cut off, it is that of whom the port says so.
    const host = plugged.find(({ hostname }) => hostname === port.host) ?? plugged[0];
    const sinceMs = host?.pluggedAtMs(nicId);
    if (host === undefined || sinceMs === undefined) return { state: 'unplugged' };
    const at = { host: host.hostname };
    if ((port.host ?? host.hostname) !== host.hostname) return { state: 'waiting', ...at, waitsFor: `its machine to be on ${port.host}` };
    if (host.site.isTroubled) return { state: 'waiting', ...at, waitsFor: 'its host to answer' };
    const isDone = this.environment.clock.monotonicMs() - sinceMs >= (this.#options.portReadyMs ?? PORT_READY_MS);
    return isDone ? { state: 'ready', ...at } : { state: 'waiting', ...at, waitsFor: 'the switch of its host' };
  }

  transferMs(): number {
    return this.#transferMs ?? this.#options.transferMs ?? 100;
  }

  /** From now on memory takes so long from host to host. */
  slowTransfers(transferMs: number): void {
    this.#transferMs = transferMs;
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
