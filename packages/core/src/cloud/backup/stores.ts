import { CloudError, describeChain, type RowOf } from '../../kernel/index.ts';
import type { BackupStoreDriver, BackupStoreFactory, Call } from '../../strategy/index.ts';
import { type CallObserver, DriverCaller } from '../driver-call.ts';
import { Exchangeable } from '../exchangeable.ts';
import { patiently } from '../patient-call.ts';
import type { CloudServices } from '../services.ts';
import { type Access, openedSettings } from '../storage/contract.ts';
import { backupStore } from './backup-store.ts';
import { inPlace } from './bulk-cipher.ts';
import { keys, projectOf } from './keys.ts';
import { Vault } from './vault.ts';

type StoreRow = RowOf<typeof backupStore>;

/** One store as the cloud holds it. */
export class BackupStore {
  readonly #drivers: Exchangeable<BackupStoreDriver>;
  readonly #caller: DriverCaller;
  readonly #services: CloudServices;
  readonly #key: Uint8Array;

  constructor(drivers: Exchangeable<BackupStoreDriver>, caller: DriverCaller, services: CloudServices, key: Uint8Array) {
    this.#drivers = drivers;
    this.#caller = caller;
    this.#services = services;
    this.#key = key;
  }

  vault(projectId: string): Vault {
    return new Vault(this.#key, projectId, this.#services.environment.random, this.#services.bulkCipher ?? inPlace);
  }
  ensure(call: Call) {
    return this.#run('ensureStore', call, (c) => this.#driver.ensureStore(c));
  }
  put(key: string, bytes: Uint8Array, call: Call) {
    return this.#run('put', call, (c) => this.#driver.put(key, bytes, c));
  }
  get(key: string, call: Call) {
    return this.#run('get', call, (c) => this.#driver.get(key, c));
  }
  has(key: string, call: Call) {
    return this.#run('has', call, (c) => this.#driver.has(key, c));
  }
  /** Answers whether it took more than one try: an earlier one may still take effect, whenever that is. */
  async delete(key: string, call: Call): Promise<{ readonly mayComeLate: boolean }> {
    let tries = 0;
    await this.#run('delete', call, (c) => {
      tries += 1;
      return this.#driver.delete(key, c);
    });
    return { mayComeLate: tries > 1 };
  }
  /** All keys below a folder, ascending. */
  async *list(prefix: string, call: Call): AsyncGenerator<string> {
    for (let after: string | undefined; ; ) {
      const request = { prefix, ...(after === undefined ? {} : { after }) };
      const page = await this.#run('list', call, (c) => this.#driver.list(request, c));
      yield* page.keys;
      after = page.keys.at(-1);
      if (!page.hasMore || after === undefined) return;
    }
  }

  /** Of whom it has anything: it costs as many calls as there are. */
  async *projectIds(call: Call): AsyncGenerator<string> {
    for (let after: string | undefined; ; ) {
      const request = { prefix: keys.projects, ...(after === undefined ? {} : { after }) };
      const [key] = (await this.#run('list', call, (c) => this.#driver.list(request, c))).keys;
      if (key === undefined) return;
      yield projectOf(key);
      after = keys.behind(projectOf(key));
    }
  }

  async close(): Promise<void> {
    this.#caller.close();
    await this.#drivers.close();
  }
  /** What begins from now on is done by this one. */
  exchange(driver: BackupStoreDriver): void {
    this.#drivers.exchange(driver);
  }

  get #driver(): BackupStoreDriver {
    return this.#drivers.driver;
  }
  #run<T>(method: string, call: Call, body: (call: Call) => Promise<T>): Promise<T> {
    return patiently(this.#services, call, (c) => this.#caller.run(method, c, (each) => this.#drivers.use(() => body(each))));
  }
}

/** The stores this node works with, opened on first use. */
export class BackupStores {
  readonly #services: CloudServices;
  readonly #observe: CallObserver;
  readonly #opened = new Map<string, Promise<BackupStore>>();

  constructor(services: CloudServices, observe: CallObserver) {
    this.#services = services;
    this.#observe = observe;
  }

  /** @throws CloudError not_found, unsupported */
  open(storeId: string): Promise<BackupStore> {
    const known = this.#opened.get(storeId);
    if (known !== undefined) return known;
    const opening = this.#connect(storeId);
    this.#opened.set(storeId, opening);
    opening.catch(() => this.#opened.delete(storeId));
    return opening;
  }

  /** The factory of a driver name. @throws CloudError unsupported */
  factory(name: string): BackupStoreFactory {
    const factory = this.#services.kernel().registry.strategy('backup', name) as BackupStoreFactory | undefined;
    if (factory === undefined) throw new CloudError('unsupported', `No backup store ${name} is installed.`, { pointer: '/driver' });
    return factory;
  }

  drivers(): readonly string[] {
    return this.#services.kernel().registry.strategyNames('backup');
  }

  async forget(storeId: string): Promise<void> {
    const opened = this.#opened.get(storeId);
    this.#opened.delete(storeId);
    await (await opened?.catch(() => undefined))?.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#opened.keys()].map((storeId) => this.forget(storeId)));
  }

  /** The store by another access, beside the one that is used: who asked for it closes it. @throws CloudError not_found, unsupported */
  async beside(storeId: string, access: Access): Promise<BackupStore> {
    return this.#facade({ ...(await this.#row(storeId)), ...access });
  }

  /** What is asked of the store from now on goes by this access. */
  async exchange(storeId: string, access: Access): Promise<void> {
    const driver = await this.#driver({ ...(await this.#row(storeId)), ...access });
    (await this.open(storeId)).exchange(driver);
  }

  async #connect(storeId: string): Promise<BackupStore> {
    return this.#facade(await this.#row(storeId));
  }

  async #row(storeId: string): Promise<StoreRow & { readonly key: string }> {
    const row = await this.#services.reader.find(backupStore, storeId);
    if (row?.key === undefined) throw new CloudError('not_found', `No backup store ${storeId}.`);
    return { ...row, key: row.key };
  }

  async #driver({ id: storeId, driver, settings, secrets: sealed }: StoreRow): Promise<BackupStoreDriver> {
    const opened = openedSettings(settings, sealed === undefined ? undefined : await this.#services.secrets.open(sealed));
    return this.factory(driver).open({ storeId, settings: opened });
  }

  async #facade(row: StoreRow & { readonly key: string }): Promise<BackupStore> {
    const { environment, secrets } = this.#services;
    const key = Buffer.from(await secrets.open(row.key), 'base64');
    const place = `backup store ${row.name}`;
    const drivers = new Exchangeable(await this.#driver(row), (error) =>
      environment.logger.warn({ place, error: describeChain(error) }, 'a driver that was exchanged did not close'),
    );
    const caller = new DriverCaller({
      environment,
      contract: 'backup',
      place,
      classify: (error) => drivers.driver.classify(error),
      observe: this.#observe,
      rest: this.#services.rest,
    });
    return new BackupStore(drivers, caller, this.#services, key);
  }
}
