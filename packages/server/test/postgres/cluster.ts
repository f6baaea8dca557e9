import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeEnvironment } from '@pileus/core/node';
import { Client, type DatabaseError } from 'pg';
import { ensureSystem } from '../../../../tools/system/ensure.ts';
import { TEST_PACKAGES } from '../../../../tools/system/packages.ts';
import { PrivatePostgres } from '../../../../tools/system/private-postgres.ts';
import { Wire } from './wire.ts';

/** PostgreSQL's own number for it. */
const OBJECT_IN_USE = '55006';
const PATIENCE_MS = 60_000;

/**
 * A server for the tests of a file, with a database whose language orders text otherwise than the store must. Each store has a schema of its own there.
 */
export class TestCluster {
  readonly server: PrivatePostgres;
  readonly environment = nodeEnvironment();
  readonly #folder: string;
  #made = 0;

  private constructor(server: PrivatePostgres, folder: string) {
    this.server = server;
    this.#folder = folder;
  }

  /** `inMemory`: flushes cost nothing there, which is right where nobody ends the server roughly. */
  static async start({ inMemory = false, settings = [] }: { inMemory?: boolean; settings?: readonly string[] } = {}): Promise<TestCluster> {
    const system = await ensureSystem({ log: () => {}, also: TEST_PACKAGES });
    if (!system.ok) throw new Error(system.reason);
    const server = await PrivatePostgres.start({ settings, ...(inMemory ? { directory: await memoryFolder() } : {}) });
    const cluster = new TestCluster(server, await mkdtemp(join(tmpdir(), 'pileus-pg-files-')));
    const how = "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C'";
    await cluster.sql(`CREATE DATABASE german ${how}`, 'postgres');
    return cluster;
  }

  /** Of a store that does not exist yet, each time another. */
  unused(): string {
    this.#made += 1;
    return this.server.url('german', { schema: `store_${this.#made}` });
  }

  /** That of the last. */
  get last(): string {
    return this.server.url('german', { schema: `store_${this.#made}` });
  }

  /** The same as a configuration has it. */
  storeUrl(): string {
    const { password, port } = this.server;
    const schema = new URLSearchParams(this.unused().split('?')[1]).get('schema');
    return `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/german?schema=${schema}`;
  }

  /** A path where nothing is, each time another. */
  path(): string {
    this.#made += 1;
    return join(this.#folder, `file-${this.#made}`);
  }

  /** A way to the server that can be cut. */
  wire(): Promise<Wire> {
    return Wire.to(join(this.server.dir, `.s.PGSQL.${this.server.port}`), this.path());
  }

  /** Over a connection of its own, as the superuser. */
  async sql(text: string, database = 'german'): Promise<readonly Record<string, unknown>[]> {
    const client = new Client({ connectionString: this.server.url(database) });
    await client.connect();
    try {
      for (const endMs = performance.now() + PATIENCE_MS; ; )
        try {
          return (await client.query(text)).rows;
        } catch (error) {
          // Whoever has said good-bye to a database may be in it for a while yet, on a busy machine longer than the server waits for that.
          if ((error as DatabaseError).code !== OBJECT_IN_USE || performance.now() > endMs) throw error;
        }
    } finally {
      await client.end();
    }
  }

  async drop(url: string): Promise<void> {
    await this.sql(`DROP SCHEMA IF EXISTS ${new URLSearchParams(url.split('?')[1]).get('schema')} CASCADE`);
  }

  async stop(): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

const memoryFolder = (): Promise<string> =>
  access('/dev/shm').then(
    () => '/dev/shm',
    () => tmpdir(),
  );
