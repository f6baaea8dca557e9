import { CloudError, isCloudError, type KernelServices } from '../../kernel/index.ts';
import type { Call, DiskFormat, HostEndpoint, PoolEndpoint, StorageDriver, StorageFactory, StoredKind } from '../../strategy/index.ts';
import { type CallObserver, DriverCaller } from '../driver-call.ts';
import type { Hosts } from '../topology/contract.ts';
import type { ImageStore } from './image-store.ts';
import { pool } from './pool.ts';

export interface ImageFacts {
  readonly id: string;
  readonly format: DiskFormat;
  readonly virtualSizeBytes: number;
}

/** One pool as the cloud holds it. */
export class StoragePool {
  readonly place: string;
  readonly #driver: StorageDriver;
  readonly #caller: DriverCaller;
  readonly #imageStore: ImageStore;
  readonly #filling = new Map<string, Promise<'filled' | 'given up'>>();

  constructor(place: string, driver: StorageDriver, caller: DriverCaller, imageStore: ImageStore) {
    this.place = place;
    this.#driver = driver;
    this.#caller = caller;
    this.#imageStore = imageStore;
  }

  ensure(call: Call) {
    return this.#caller.run('ensurePool', call, (c) => this.#driver.ensurePool(c));
  }
  /** Ends what `ensure` made; what is stored stays. */
  async release(call: Call): Promise<void> {
    const release = this.#driver.releasePool;
    if (release !== undefined) await this.#caller.run('releasePool', call, (c) => release.call(this.#driver, c));
  }
  capacity(call: Call) {
    return this.#caller.run('capacity', call, (c) => this.#driver.capacity(c));
  }
  createVolume(request: { readonly id: string; readonly sizeBytes: number; readonly imageId?: string }, call: Call) {
    return this.#caller.run('volumes.create', call, (c) => this.#driver.volumes.create(request, c));
  }
  resizeVolume(id: string, sizeBytes: number, call: Call) {
    return this.#caller.run('volumes.resize', call, (c) => this.#driver.volumes.resize(id, sizeBytes, c));
  }
  deleteVolume(id: string, call: Call) {
    return this.#caller.run('volumes.delete', call, (c) => this.#driver.volumes.delete(id, c));
  }
  attachVolume(id: string, host: HostEndpoint, call: Call) {
    return this.#caller.run('volumes.attach', call, (c) => this.#driver.volumes.attach(id, host, c));
  }
  releaseVolume(id: string, host: HostEndpoint, call: Call) {
    return this.#caller.run('volumes.release', call, (c) => this.#driver.volumes.release(id, host, c));
  }
  putSeed(id: string, bytes: Uint8Array, call: Call) {
    return this.#caller.run('seeds.put', call, (c) => this.#driver.seeds.put(id, bytes, c));
  }
  deleteSeed(id: string, call: Call) {
    return this.#caller.run('seeds.delete', call, (c) => this.#driver.seeds.delete(id, c));
  }
  deleteImage(id: string, call: Call) {
    return this.#caller.run('images.delete', call, (c) => this.#driver.images.delete(id, c));
  }
  inspect(kind: StoredKind, id: string, call: Call) {
    return this.#caller.run('inspect', call, (c) => this.#driver.inspect(kind, id, c));
  }
  list(call: Call) {
    return this.#caller.run('list', call, (c) => this.#driver.list(c));
  }

  /**
   * Fills the pool's copy of an image once, however many ask at the same time. The one that fills reports its progress; the others wait as long as their own calls
   * allow, and one of them fills when that one was given up.
   */
  async ensureImage(image: ImageFacts, call: Call): Promise<void> {
    for (;;) {
      const filling = this.#filling.get(image.id);
      if (filling === undefined) return this.#fillAlone(image, call);
      const outcome = await this.#caller.run('images.wait', call, (c) => unlessAborted(filling, c.signal));
      if (outcome === 'filled') return;
    }
  }

  async #fillAlone(image: ImageFacts, call: Call): Promise<void> {
    const fill = this.#fill(image, call).finally(() => this.#filling.delete(image.id));
    const filling = fill.then(
      () => 'filled' as const,
      (error: unknown) => {
        if (call.signal.aborted || (isCloudError(error) && error.code === 'timeout')) return 'given up' as const;
        throw error;
      },
    );
    // Perhaps nobody waits.
    filling.catch(() => undefined);
    this.#filling.set(image.id, filling);
    await fill;
  }

  async #fill(image: ImageFacts, call: Call): Promise<void> {
    if ((await this.inspect('image', image.id, call)) !== undefined) return;
    const content = await this.#imageStore.open(image.id);
    await this.#caller.run('images.put', call, (c) => this.#driver.images.put({ ...image, content }, c));
  }

  async close(): Promise<void> {
    this.#caller.close();
    await this.#driver.close();
  }
}

/** @throws the reason of the signal */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

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
    const factory = this.#services.kernel().registry.strategy('storage', name) as StorageFactory | undefined;
    if (factory === undefined) throw new CloudError('unsupported', `No storage driver ${name} is installed.`, { pointer: '/driver' });
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

  async #connect(poolId: string): Promise<StoragePool> {
    const { reader, environment } = this.#services;
    const row = await reader.find(pool, poolId);
    if (row === undefined) throw new CloudError('not_found', `No pool ${poolId}.`);
    const host = row.hostId === undefined ? undefined : await this.#hosts.endpoint(row.hostId);
    if (row.hostId !== undefined) this.#throughHost.set(poolId, row.hostId);
    const endpoint: PoolEndpoint = { poolId, scope: row.scope, settings: row.settings, ...(host === undefined ? {} : { host }) };
    const driver = this.factory(row.driver).open(endpoint);
    const place = `pool ${row.name}`;
    const caller = new DriverCaller({
      environment,
      contract: 'storage',
      place,
      classify: (error) => driver.classify(error),
      observe: this.#observe,
    });
    return new StoragePool(place, driver, caller, this.#imageStore);
  }
}
