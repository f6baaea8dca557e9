import type { Store } from '@pileus/core/kernel';
import type { SimBackend } from '@pileus/core/testing';
import { Client } from 'pg';
import { openPostgres } from '../../src/postgres/index.ts';
import { OwnTables } from '../../src/postgres/own-tables.ts';
import type { TestCluster } from './cluster.ts';
import { KeptConnections } from './kept-connections.ts';

/** One store for many simulated clouds, one after the other: making the tables anew each time would take longer than the history itself. */
export class PostgresBackend implements SimBackend {
  readonly url: string;
  readonly #cluster: TestCluster;
  readonly #own: OwnTables;
  readonly #connections = new KeptConnections();
  #open: Store | undefined;
  /** Kept, for a new connection would first have to learn of each table again. */
  #broom: Client | undefined;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
    this.url = cluster.unused();
    this.#own = new OwnTables(new URLSearchParams(this.url.split('?')[1]).get('schema') ?? '');
  }

  get witness(): Store {
    if (this.#open === undefined) throw new Error('the store was never opened');
    return this.#open;
  }

  async open(): Promise<Store> {
    await this.#open?.close();
    this.#open = await openPostgres({ url: this.url }, this.#cluster.environment, this.#connections.connect);
    return this.#open;
  }

  /** As if it had just been made. */
  async empty(): Promise<void> {
    if (this.#open === undefined) return;
    await this.#open.close();
    this.#open = undefined;
    const broom = this.#broom ?? (await this.#connected());
    const { schema, state, counter, feed } = this.#own;
    const { rows } = await broom.query<{ name: string }>(`SELECT quote_ident(name) AS name FROM ${schema}._table`);
    const tables = [...rows.map(({ name }) => `${schema}.${name}`), counter, feed];
    const emptied = tables.map((table) => `DELETE FROM ${table}`);
    await broom.query([...emptied, `UPDATE ${state} SET epoch = 0, version = 0, revision = 0, trimmed = 0`].join('; '));
  }

  async #connected(): Promise<Client> {
    this.#broom = new Client({ connectionString: this.url });
    await this.#broom.connect();
    return this.#broom;
  }

  async close(): Promise<void> {
    await this.#open?.close();
    await this.#connections.close();
    await this.#broom?.end();
  }
}
