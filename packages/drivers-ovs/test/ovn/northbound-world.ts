import type { NetworkDriver, Writer } from '@pileus/core/strategy';
import { OWN_COLUMNS, SHARED_SETS, SHARED_VALUES } from '../../src/ovn/compiled.ts';
import { type OvnDriverOptions, ovnDriver } from '../../src/ovn/driver.ts';
import { placeParts, readMarks } from '../../src/ovn/marks.ts';
import { Northbound } from '../../src/ovn/northbound.ts';
import { Southbound } from '../../src/ovn/southbound.ts';
import { everyRow, type OvnNorthbound, OvsdbClient, ovnNorthbound, type Table } from '../../src/ovsdb/index.ts';
import { type CentralOptions, PrivateCentral } from './private-central.ts';

const OPTIONS: OvnDriverOptions = { bridge: 'br-int', mtu: { overlayBytes: 1442, providerBytes: 1500 }, gatewayProbeMs: 400 };

interface AnyRow {
  readonly _uuid: string;
  readonly [column: string]: unknown;
}

export interface ObjectRow {
  readonly table: string;
  readonly _uuid: string;
  readonly row: AnyRow;
  /** Where it has put something, and what is there. */
  readonly places: readonly string[];
  readonly contents: readonly unknown[];
}

export interface OpenedDriver {
  readonly driver: NetworkDriver;
  readonly northbound: Northbound;
}

/** A driver on a northbound database of its own, without what makes anything of it, and a look at all that is in it. */
export class NorthboundWorld implements AsyncDisposable {
  readonly central: PrivateCentral;
  readonly #client: OvsdbClient<OvnNorthbound>;
  readonly #opened: Northbound[] = [];
  readonly #drivers: NetworkDriver[] = [];

  private constructor(central: PrivateCentral) {
    this.central = central;
    this.#client = new OvsdbClient({ database: ovnNorthbound, remotes: central.options.northbound });
  }

  static async start(options: Pick<CentralOptions, 'tls'> = {}): Promise<NorthboundWorld> {
    return new NorthboundWorld(await PrivateCentral.start({ ...options, northd: false }));
  }

  get client(): OvsdbClient<OvnNorthbound> {
    return this.#client;
  }

  /** A further driver. */
  open(writer: Writer = { cloudId: 'cloud', epoch: 1 }, servers = this.central.options.northbound): OpenedDriver {
    const northbound = new Northbound(servers, writer);
    const driver = ovnDriver(northbound, new Southbound(this.central.options.southbound), OPTIONS);
    this.#opened.push(northbound);
    this.#drivers.push(driver);
    return { driver, northbound };
  }

  /** All rows, as text to compare: what objects may say of them, what is shared, and the marks. */
  async picture(): Promise<Readonly<Record<string, readonly unknown[]>>> {
    const shared = [...SHARED_SETS, ...SHARED_VALUES].map((path) => path.split('.') as [string, string]);
    const entries = Object.entries(OWN_COLUMNS).map(async ([name, own]): Promise<[string, readonly unknown[]]> => {
      const marks = name === 'Load_Balancer_Group' ? [] : ['external_ids'];
      const columns = [...Object.keys(own), ...shared.filter(([table]) => table === name).map(([, column]) => column), ...marks];
      const [rows] = await this.#client.transact([this.table(name).select(everyRow, columns)]);
      return [name, [...rows].sort((a, b) => (String(a._uuid) < String(b._uuid) ? -1 : 1)).map((row) => ({ ...row }))];
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  /** The rows of an object, and what it has put into rows that many share. */
  async rowsOf(object: string): Promise<readonly ObjectRow[]> {
    const picture = await this.picture();
    const rows = Object.entries(picture).flatMap(([table, all]) => all.map((row): readonly [string, AnyRow] => [table, row as AnyRow]));
    const of = rows.filter(([, row]) => readMarks(row)?.object === object);
    return of.map(([table, row]) => {
      const claims = readMarks(row)?.claims ?? [];
      const places = claims.map(({ place }) => placeParts(place).uuid);
      const contents = claims.map(({ place, key }) => {
        const { column, uuid } = placeParts(place);
        const content = rows.find(([, { _uuid }]) => _uuid === uuid)?.[1][column];
        return Array.isArray(content) ? content.includes(key) : (content as Readonly<Record<string, string>> | undefined)?.[key];
      });
      return { table, _uuid: row._uuid, row, places, contents };
    });
  }

  async row(table: string, uuid: string): Promise<AnyRow | undefined> {
    const rows = (await this.picture())[table] as readonly AnyRow[];
    return rows.find(({ _uuid }) => _uuid === uuid);
  }

  table(name: string): Table<AnyRow> {
    return (this.#client.database.tables as unknown as Readonly<Record<string, Table<AnyRow>>>)[name] as Table<AnyRow>;
  }

  /** As an operator's mistake would: everything is gone, and the database goes on. */
  async empty(): Promise<void> {
    await this.#client.transact(Object.keys(OWN_COLUMNS).map((name) => this.table(name).delete(everyRow)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const driver of this.#drivers) await driver.close();
    await this.#client.close();
    await this.central[Symbol.asyncDispose]();
  }
}
