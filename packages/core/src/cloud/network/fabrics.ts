import { CloudError, type KernelServices, type RowOf } from '../../kernel/index.ts';
import type {
  BackendAt,
  BackendHealth,
  Call,
  ContinuityMark,
  FabricTroubles,
  HostPorts,
  Keeper,
  KeptObjects,
  KeptSort,
  NetworkDriver,
  NetworkFactory,
  NetworkObject,
  NetworkSpec,
  PortReadiness,
  PortSpec,
  SegmentSpec,
  ServicePort,
} from '../../strategy/index.ts';
import { type CallObserver, DriverCaller } from '../driver-call.ts';
import { type Hosts, realmHosts } from '../topology/contract.ts';
import type { network } from './network.ts';
import { Continuity, type MarkPlace } from './physical/continuity.ts';

/** The networks of one realm (a host, or all of them) as the cloud holds them. */
export class Fabric {
  readonly #driver: NetworkDriver;
  readonly #caller: DriverCaller;
  /** Where its driver marks what it programs. */
  readonly #continuity: Continuity | undefined;
  /** By host name. */
  #troubled: ReadonlyMap<string, string> = new Map();

  constructor(driver: NetworkDriver, caller: DriverCaller, continuityOf: (place: MarkPlace) => Continuity | undefined) {
    this.#driver = driver;
    this.#caller = caller;
    const { continuity } = driver;
    this.#continuity =
      continuity &&
      continuityOf({
        read: (call) => caller.run('continuity.read', call, (c) => continuity.read(c)),
        write: (mark, call) => caller.run('continuity.write', call, (c) => continuity.write(mark, c)),
      });
  }

  /** Whether it is what was left there. Looks, and from time to time leaves a newer mark. */
  async continues(call: Call): Promise<boolean> {
    return this.#continuity?.look(call) ?? true;
  }
  /** Begins a new life. */
  async mark(mark: ContinuityMark, call: Call): Promise<void> {
    const { continuity } = this.#driver;
    if (continuity !== undefined) await this.#caller.run('continuity.write', call, (c) => continuity.write(mark, c));
  }
  /** For requests: what is known to be lost is refused at once. @throws CloudError conflict */
  refuseLost(): void {
    this.#continuity?.refuseLost();
  }
  forgetContinuity(): void {
    this.#continuity?.forget();
  }

  /** @throws CloudError conflict where the fabric is lost */
  async #change<T>(method: string, call: Call, body: (call: Call) => Promise<T>): Promise<T> {
    await this.#continuity?.need(call);
    return this.#caller.run(method, call, body);
  }

  ensureNetwork(spec: NetworkSpec, call: Call) {
    return this.#change('ensureNetwork', call, (c) => this.#driver.ensureNetwork(spec, c));
  }
  deleteNetwork(id: string, call: Call) {
    return this.#change('deleteNetwork', call, (c) => this.#driver.deleteNetwork(id, c));
  }
  inspectNetwork(id: string, call: Call) {
    return this.#caller.run('inspectNetwork', call, (c) => this.#driver.inspectNetwork(id, c));
  }
  listNetworks(call: Call) {
    return this.#caller.run('listNetworks', call, (c) => this.#driver.listNetworks(c));
  }
  ensurePort(spec: PortSpec, call: Call) {
    return this.#change('ensurePort', call, (c) => this.#driver.ensurePort(spec, c));
  }
  deletePort(port: { readonly nicId: string; readonly networkId: string }, call: Call) {
    return this.#change('deletePort', call, (c) => this.#driver.deletePort(port, c));
  }

  /** Where hosts plug in what answers machines of a network. Undefined where nothing can. */
  servicePort(networkId: string): ServicePort | undefined {
    return this.#driver.services?.portOf(networkId);
  }

  /** Whether it bounds by itself what machines of a host send. Undefined while that is not known. */
  boundsSending(hostname: string | undefined): boolean | undefined {
    const { sending } = this.#driver;
    return sending === undefined ? false : sending.isBounded(hostname);
  }

  /** What a host lacks to carry a segment of a physical network, as far as that is known now. */
  missing(hostname: string, segment: SegmentSpec): string | undefined {
    return this.#driver.connections?.missing(hostname, segment);
  }

  /** Whether hosts do for machines that run what they are told. Undefined where the driver cannot tell. */
  async troubles(hosts: readonly HostPorts[], call: Call): Promise<FabricTroubles | undefined> {
    const { health } = this.#driver;
    const seen = health && (await this.#caller.run('health.troubles', call, (c) => health.troubles(hosts, c)));
    this.#troubled = new Map(seen?.hosts.flatMap(({ host, reason }) => (reason === undefined ? [] : [[host, reason]])));
    return seen;
  }

  /** What is wrong with a host, as it was last seen. */
  troubleOf(hostname: string): string | undefined {
    return this.#troubled.get(hostname);
  }

  /** Whether its driver keeps objects of this sort. */
  keeps(sort: KeptSort): boolean {
    return this.#driver[sort] !== undefined;
  }

  /** @throws CloudError unsupported, conflict where the fabric is lost */
  keeper<S extends KeptSort>(sort: S): Keeper<KeptObjects[S]> {
    this.refuseLost();
    const keeper = this.#driver[sort] as Keeper<NetworkObject> | undefined;
    if (keeper === undefined) throw new CloudError('unsupported', `The network driver does not know ${sort}.`, { pointer: '/driver' });
    return {
      ensure: (spec, call) => this.#change(`${sort}.ensure`, call, (c) => keeper.ensure(spec, c)),
      remove: (id, call) => this.#change(`${sort}.remove`, call, (c) => keeper.remove(id, c)),
      list: (call) => this.#caller.run(`${sort}.list`, call, (c) => keeper.list(c)),
    };
  }

  /** How a port stands. Undefined where the driver cannot tell. */
  async portReadiness(nicId: string, call: Call): Promise<PortReadiness | undefined> {
    const { readiness } = this.#driver;
    return readiness && this.#caller.run('readiness.port', call, (c) => readiness.port(nicId, c));
  }

  /** Host name of who carries the gateway now. @throws CloudError unsupported */
  async gatewayHost(id: string, call: Call): Promise<string | undefined> {
    this.keeper('gateways');
    return this.#caller.run('gateways.activeHost', call, async (c) => this.#driver.gateways?.activeHost(id, c));
  }
  /** By id of the backend. @throws CloudError unsupported */
  async backendHealth(id: string, call: Call): Promise<Readonly<Record<string, BackendHealth>>> {
    this.keeper('loadBalancers');
    return this.#caller.run('loadBalancers.health', call, async (c) => (await this.#driver.loadBalancers?.health(id, c)) ?? {});
  }
  /** Hears of backends that cease to answer. Answers how to stop. */
  watchBackends(wentOut: (at: BackendAt) => void): () => void {
    return this.#driver.loadBalancers?.watch?.(wentOut) ?? (() => undefined);
  }

  async close(): Promise<void> {
    this.#caller.close();
    await this.#driver.close();
  }
}

/** The fabrics this node works with: one for each driver and, where the driver's scope is `host`, each host. */
export class Fabrics {
  readonly #services: KernelServices;
  readonly #hosts: Hosts;
  readonly #observe: CallObserver;
  readonly #cloudId: string;
  readonly #opened = new Map<string, Promise<Fabric>>();
  #tellReadiness = false;
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(services: KernelServices, hosts: Hosts, observe: CallObserver, cloudId: string) {
    this.#services = services;
    this.#hosts = hosts;
    this.#observe = observe;
    this.#cloudId = cloudId;
  }

  of(row: Pick<RowOf<typeof network>, 'driver' | 'hostId'>): Promise<Fabric> {
    const key = `${row.driver}/${row.hostId ?? ''}`;
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    const opening = this.#connect(row.driver, row.hostId);
    this.#opened.set(key, opening);
    opening.catch(() => this.#opened.delete(key));
    return opening;
  }

  /** Whether one of them that has been opened knows when ports are ready: where none does nobody need ask. */
  get tellReadiness(): boolean {
    return this.#tellReadiness;
  }

  /** Whether somebody answers DHCP in networks of this driver. */
  hasDhcp(driver: string): boolean {
    return this.factory(driver).lacks?.includes('dhcp') !== true;
  }

  /** The same of all drivers that there are: nobody need look whose a network is. */
  get haveDhcp(): boolean {
    const { registry } = this.#services.kernel();
    return registry.strategyNames('network').every((name) => this.hasDhcp(name));
  }

  /** @throws CloudError unsupported */
  factory(name: string): NetworkFactory {
    const factory = this.#services.kernel().registry.strategy('network', name) as NetworkFactory | undefined;
    if (factory === undefined) throw new CloudError('unsupported', `No network driver ${name} is installed.`, { pointer: '/driver' });
    return factory;
  }

  /** What is done to the object of that id, one after the other. */
  inTurn<T>(id: string, body: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(id) ?? Promise.resolve()).then(body);
    const ended = turn
      .catch(() => undefined)
      .finally(() => {
        if (this.#turns.get(id) === ended) this.#turns.delete(id);
      });
    this.#turns.set(id, ended);
    return turn;
  }

  async forgetHost(hostId: string): Promise<void> {
    for (const [key, opened] of this.#opened)
      if (key.endsWith(`/${hostId}`)) {
        this.#opened.delete(key);
        await (await opened.catch(() => undefined))?.close();
      }
  }

  async close(): Promise<void> {
    for (const opened of this.#opened.values()) await (await opened.catch(() => undefined))?.close();
    this.#opened.clear();
  }

  async #connect(driverName: string, hostId: string | undefined): Promise<Fabric> {
    const factory = this.factory(driverName);
    const host = hostId === undefined ? undefined : await this.#hosts.endpoint(hostId);
    const writer = { cloudId: this.#cloudId, epoch: this.#services.store.epoch };
    const driver = factory.open(host === undefined ? { writer, hosts: () => realmHosts(this.#services) } : { host, writer });
    const place = host === undefined ? `network ${driverName}` : `network ${driverName} on ${host.uri}`;
    const caller = new DriverCaller({
      environment: this.#services.environment,
      contract: 'network',
      place,
      classify: (error) => driver.classify(error),
      observe: this.#observe,
      rest: this.#services.rest,
    });
    this.#tellReadiness ||= driver.readiness !== undefined;
    return new Fabric(driver, caller, (at) => (host === undefined ? new Continuity(this.#services, driverName, at) : undefined));
  }
}
