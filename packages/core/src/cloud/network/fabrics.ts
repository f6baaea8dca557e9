import { CloudError, type KernelServices, type RowOf } from '../../kernel/index.ts';
import type { Call, NetworkDriver, NetworkFactory, NetworkSpec, PortSpec } from '../../strategy/index.ts';
import { type CallObserver, DriverCaller } from '../driver-call.ts';
import type { Hosts } from '../topology/contract.ts';
import type { network } from './network.ts';

/** The networks of one realm (a host, or all of them) as the cloud holds them. */
export class Fabric {
  readonly #driver: NetworkDriver;
  readonly #caller: DriverCaller;

  constructor(driver: NetworkDriver, caller: DriverCaller) {
    this.#driver = driver;
    this.#caller = caller;
  }

  ensureNetwork(spec: NetworkSpec, call: Call) {
    return this.#caller.run('ensureNetwork', call, (c) => this.#driver.ensureNetwork(spec, c));
  }
  deleteNetwork(id: string, call: Call) {
    return this.#caller.run('deleteNetwork', call, (c) => this.#driver.deleteNetwork(id, c));
  }
  inspectNetwork(id: string, call: Call) {
    return this.#caller.run('inspectNetwork', call, (c) => this.#driver.inspectNetwork(id, c));
  }
  listNetworks(call: Call) {
    return this.#caller.run('listNetworks', call, (c) => this.#driver.listNetworks(c));
  }
  ensurePort(spec: PortSpec, call: Call) {
    return this.#caller.run('ensurePort', call, (c) => this.#driver.ensurePort(spec, c));
  }
  deletePort(port: { readonly nicId: string; readonly networkId: string }, call: Call) {
    return this.#caller.run('deletePort', call, (c) => this.#driver.deletePort(port, c));
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
  readonly #opened = new Map<string, Promise<Fabric>>();

  constructor(services: KernelServices, hosts: Hosts, observe: CallObserver) {
    this.#services = services;
    this.#hosts = hosts;
    this.#observe = observe;
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

  /** @throws CloudError unsupported */
  factory(name: string): NetworkFactory {
    const factory = this.#services.kernel().registry.strategy('network', name) as NetworkFactory | undefined;
    if (factory === undefined) throw new CloudError('unsupported', `No network driver ${name} is installed.`, { pointer: '/driver' });
    return factory;
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
    const driver = factory.open(host === undefined ? {} : { host });
    const place = host === undefined ? `network ${driverName}` : `network ${driverName} on ${host.uri}`;
    const caller = new DriverCaller({
      environment: this.#services.environment,
      contract: 'network',
      place,
      classify: (error) => driver.classify(error),
      observe: this.#observe,
    });
    return new Fabric(driver, caller);
  }
}
