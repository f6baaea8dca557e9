import type { ContinuityMark, Writer } from '@pileus/core/strategy';
import { type Address, everyRow, type OvnNorthbound, OvsdbClient, OvsdbError, ovnNorthbound } from '../ovsdb/index.ts';
import type { Bounds } from './bounds.ts';
import { Changes } from './changes.ts';
import type { Compiled, ObjectKey } from './compiled.ts';
import { type Difference, differenceOf, removalOf } from './difference.ts';
import { DriverError } from './driver-error.ts';
import { Inventory } from './inventory.ts';
import { Tenure } from './tenure.ts';
import { NorthboundWriter } from './writer.ts';

/** The northbound database as a place where objects are kept. */
export class Northbound implements AsyncDisposable {
  readonly client: OvsdbClient<OvnNorthbound>;
  readonly inventory: Inventory;
  readonly #tenure: Tenure;
  readonly #writer: NorthboundWriter;
  readonly #markKey: string;

  constructor(remotes: readonly [Address, ...Address[]], writer: Writer) {
    this.client = new OvsdbClient({ database: ovnNorthbound, remotes });
    this.inventory = new Inventory(this.client);
    this.#tenure = new Tenure(this.client, writer);
    this.#writer = new NorthboundWriter(this.client, this.#tenure);
    this.#markKey = `pileus-continuity-${writer.cloudId}`;
  }

  /** Transactions that were sent so far, and changes in them. */
  get sent(): { readonly transactions: number; readonly changes: number } {
    return this.#writer.sent;
  }

  /** Resolves when we have what was there when it was called. */
  async look(bounds: Bounds): Promise<void> {
    await this.inventory.ready(bounds.left);
    await this.#global(bounds);
  }

  /**
   * Makes an object as it was compiled. `check` sees what is there in the same moment, and may refuse.
   * @throws DriverError not_found what it refers to is not there
   */
  async ensure(compiled: Compiled, bounds: Bounds, check: (inventory: Inventory) => void = () => {}): Promise<void> {
    const difference = () => {
      check(this.inventory);
      return differenceOf(this.inventory, compiled);
    };
    await this.change(`ensuring ${compiled.object}`, bounds, difference, compiled.object).catch((error: unknown) => {
      if (!isBroken(error)) throw error;
      throw new DriverError('not_found', `${compiled.object} refers to something that is not there`, { cause: error });
    });
  }

  /** @throws DriverError conflict something refers to it */
  async remove(object: ObjectKey, bounds: Bounds, check: (inventory: Inventory) => void = () => {}): Promise<void> {
    const difference = () => {
      check(this.inventory);
      return removalOf(this.inventory, object);
    };
    await this.change(`removing ${object}`, bounds, difference, object).catch((error: unknown) => {
      if (!isBroken(error)) throw error;
      throw new DriverError('conflict', `${object} is in use`, { cause: error });
    });
  }

  /** Changes what is there, as it is in that moment. */
  async change(name: string, bounds: Bounds, difference: () => Difference, about?: string): Promise<void> {
    await this.inventory.ready(bounds.left);
    await this.#writer.write(name, bounds, difference, about);
  }

  /** Gives OVN's own settings these values where nobody has set them. */
  async setDefaults(defaults: Readonly<Record<string, string>>, bounds: Bounds): Promise<void> {
    const { NB_Global } = this.client.database.tables;
    const [rows] = await this.client.transact([NB_Global.select(everyRow, ['options'])], bounds.left);
    const options = rows[0]?.options ?? {};
    if (Object.keys(defaults).every((key) => options[key] !== undefined)) return;
    await this.change("setting OVN's defaults", bounds, () => {
      const changes = new Changes();
      changes.operation(NB_Global.mutate(everyRow, { options: { insert: defaults } }));
      return { changes, touched: ['defaults'] };
    });
  }

  async readMark(bounds: Bounds): Promise<ContinuityMark | undefined> {
    const text = (await this.#global(bounds))?.[this.#markKey];
    const [, life, serial] = /^(\S+) (\d+)$/.exec(text ?? '') ?? [];
    return life === undefined ? undefined : { life, serial: Number(serial) };
  }

  async writeMark({ life, serial }: ContinuityMark, bounds: Bounds): Promise<void> {
    const { NB_Global } = this.client.database.tables;
    await this.change('writing the mark', bounds, () => {
      const changes = new Changes();
      changes.operation(NB_Global.mutate(everyRow, { external_ids: { put: { [this.#markKey]: `${life} ${serial}` } } }));
      return { changes, touched: [this.#markKey] };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#tenure.close();
    await this.client.close();
    await this.#writer.idle();
    this.#tenure.close();
  }

  async #global(bounds: Bounds): Promise<Readonly<Record<string, string | undefined>> | undefined> {
    const [rows] = await this.client.transact([this.client.database.tables.NB_Global.select(everyRow, ['external_ids'])], bounds.left);
    return rows[0]?.external_ids;
  }
}

const isBroken = (error: unknown): boolean => error instanceof OvsdbError && error.code === 'broken_reference';
