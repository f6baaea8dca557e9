import { CloudError, describeChain, type KernelServices, type RowOf } from '../../kernel/index.ts';
import type { PoolEndpoint, StorageDriver, StorageFactory } from '../../strategy/index.ts';
import { type CallObserver, DriverCaller } from '../driver-call.ts';
import { Exchangeable } from '../exchangeable.ts';
import type { Hosts } from '../topology/contract.ts';
import type { Access } from './credentials.ts';
import type { ImageStore } from './image-store.ts';
import { pool } from './pool.ts';
import { openedSettings } from './pool-settings.ts';
import { StoragePool } from './storage-pool.ts';

type PoolRow = RowOf<typeof pool>;

/** The pools this node works with, opened on first use. */
export class Pools {
  readonly #services: KernelServices;
  readonly #hosts: Hosts;
  readonly #imageStore: ImageStore;
  readonly #observe: CallObserver;
  readonly #opened = new Map<string, Promise<StoragePool>>();
  /** The host through which an opened pool is managed. */
  readonly #throughHost = new Map<string, string>();

  constructor(services: KernelServices, hosts: Hosts, imageStore: ImageStore, observe: CallObserver) {
    this.#services = services;
    this.#hosts = hosts;
    this.#imageStore = imageStore;
    this.#observe = observe;
  }

  /** @throws CloudError not_found, unsupported */
  open(poolId: string): Promise<StoragePool> {
    const known = this.#opened.get(poolId);
    if (known !== undefined) return known;
    const opening = this.#connect(poolId);
    this.#opened.set(poolId, opening);
    opening.catch(() => this.#opened.delete(poolId));
    return opening;
  }

  /** The factory of a driver name. @throws CloudError unsupported */
  factory(name: string): StorageFactory {
    const { registry } = this.#services.kernel();
    const factory = registry.strategy('storage', name) as StorageFactory | undefined;
    if (factory === undefined)
      throw new CloudError(
        'unsupported',
        `No storage driver ${name} is installed; there is ${registry.strategyNames('storage').join(', ')}.`,
        {
          pointer: '/driver',
        },
      );
    return factory;
  }

  async forget(poolId: string): Promise<void> {
    const opened = this.#opened.get(poolId);
    this.#opened.delete(poolId);
    this.#throughHost.delete(poolId);
    await (await opened?.catch(() => undefined))?.close();
  }

  /** Forgets the pools that are managed through a host. */
  async forgetHost(hostId: string): Promise<void> {
    for (const [poolId, through] of [...this.#throughHost]) if (through === hostId) await this.forget(poolId);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#opened.keys()].map((poolId) => this.forget(poolId)));
  }

  /** The pool by another access, beside the one that is used: who asked for it closes it. @throws CloudError not_found, unsupported */
  async beside(poolId: string, access: Access): Promise<StoragePool> {
    const row = await this.#row(poolId);
    return this.#facade(row, await this.#driver({ ...row, ...access }));
  }

  /** What is asked of the pool from now on goes by this access. */
  async exchange(poolId: string, access: Access): Promise<void> {
    const driver = await this.#driver({ ...(await this.#row(poolId)), ...access });
    (await this.open(poolId)).exchange(driver);
  }

  async #connect(poolId: string): Promise<StoragePool> {
    const row = await this.#row(poolId);
    if (row.hostId !== undefined) this.#throughHost.set(poolId, row.hostId);
    return this.#facade(row, await this.#driver(row));
  }

  async #row(poolId: string): Promise<PoolRow> {
    const row = await this.#services.reader.find(pool, poolId);
    if (row === undefined) throw new CloudError('not_found', `No pool ${poolId}.`);
    return row;
  }

  async #driver({ id: poolId, driver, scope, hostId, settings, secrets: sealed }: PoolRow): Promise<StorageDriver> {
    const host = hostId === undefined ? undefined : await this.#hosts.endpoint(hostId);
    const opened = openedSettings(settings, sealed === undefined ? undefined : await this.#services.secrets.open(sealed));
    const endpoint: PoolEndpoint = { poolId, scope, settings: opened, ...(host === undefined ? {} : { host }) };
    return this.factory(driver).open(endpoint);
  }

  #facade({ name }: PoolRow, driver: StorageDriver): StoragePool {
    const { environment } = this.#services;
    const place = `pool ${name}`;
    const drivers = new Exchangeable(driver, (error) =>
      environment.logger.warn({ place, error: describeChain(error) }, 'a driver that was exchanged did not close'),
    );
    const calls = new DriverCaller({
      environment,
      contract: 'storage',
      place,
      classify: (error) => drivers.driver.classify(error),
      observe: this.#observe,
      rest: this.#services.rest,
    });
    return new StoragePool(place, drivers, calls, this.#imageStore);
  }
}
