import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installHostCertificate } from '../../../../test/lab/certificates.ts';
import { run } from '../../../../tools/system/command.ts';
import { ensureSystem } from '../../../../tools/system/ensure.ts';
import { freePort } from '../../../../tools/system/free-port.ts';
import { TEST_PACKAGES } from '../../../../tools/system/packages.ts';
import type { Address } from '../../src/ovsdb/index.ts';

export interface ServerOptions {
  /** A schema: its content, or the path of a file. Default: OVN's northbound. */
  readonly schema?: object | string;
  /** More command line, e.g. further remotes. */
  readonly args?: readonly string[];
}

export const northboundSchema = '/usr/share/ovn/ovn-nb.ovsschema';

/** @throws Error when the packages that tests need are not there and cannot be installed */
export async function ensureOvsdb(): Promise<void> {
  const system = await ensureSystem({ log: () => {}, also: TEST_PACKAGES });
  if (!system.ok) throw new Error(system.reason);
}

/** Writes a schema where it is not a file yet. */
export async function schemaFile(dir: string, schema: object | string): Promise<string> {
  if (typeof schema === 'string') return schema;
  const path = join(dir, 'schema.ovsschema');
  await writeFile(path, JSON.stringify(schema));
  return path;
}

/** An ovsdb-server of a test's own, in a folder of its own. */
export class PrivateServer implements AsyncDisposable {
  readonly dir: string;
  readonly socketPath: string;
  readonly address: Address;
  readonly #database: string;
  #args: readonly string[];
  /** Of the database. */
  #name: string | undefined;
  #process: ChildProcess | undefined;

  private constructor(dir: string, database: string, args: readonly string[]) {
    this.dir = dir;
    this.socketPath = join(dir, 'db.sock');
    this.address = { kind: 'unix', path: this.socketPath };
    this.#database = database;
    this.#args = args;
  }

  static async start({ schema = northboundSchema, args = [] }: ServerOptions = {}): Promise<PrivateServer> {
    await ensureOvsdb();
    const dir = await mkdtemp(join(tmpdir(), 'pileus-ovsdb-'));
    const database = join(dir, 'db');
    await run(['ovsdb-tool', 'create', database, await schemaFile(dir, schema)]);
    return PrivateServer.serve(dir, database, args);
  }

  /** Serves a database file that is there. */
  static async serve(dir: string, database: string, args: readonly string[]): Promise<PrivateServer> {
    const server = new PrivateServer(dir, database, args);
    await server.start();
    return server;
  }

  /** Has it listen for mutual TLS, too, with a certificate of the authority in `dir`. Answers the port. */
  async secure(dir: string): Promise<number> {
    await installHostCertificate(dir, { name: 'db', address: '127.0.0.1', rootDir: this.dir });
    await this.kill();
    const port = await freePort();
    const pki = join(this.dir, 'etc/pki');
    const keys = [`--private-key=${pki}/server-key.pem`, `--certificate=${pki}/server-cert.pem`, `--ca-cert=${pki}/ca-cert.pem`];
    this.#args = [...this.#args, `--remote=pssl:${port}:127.0.0.1`, ...keys];
    await this.start();
    return port;
  }

  get pid(): number {
    const { pid } = this.#process ?? {};
    if (pid === undefined) throw new Error('the server does not run');
    return pid;
  }

  /** Starts it, again after an end. */
  async start(): Promise<void> {
    await rm(this.socketPath, { force: true });
    const args = [`--remote=punix:${this.socketPath}`, `--unixctl=${join(this.dir, 'ctl')}`, '--no-chdir', '-vconsole:off', '-vsyslog:off'];
    this.#process = spawn('ovsdb-server', [this.#database, ...args, `--log-file=${join(this.dir, 'log')}`, ...this.#args], {
      stdio: 'ignore',
    });
    for (let tries = 0; ; tries++) {
      if (
        await access(this.socketPath).then(
          () => true,
          () => false,
        )
      )
        break;
      if (this.#process.exitCode !== null || tries > 6_000) throw new Error(`ovsdb-server did not start: see ${this.dir}/log`);
      await sleep(10);
    }
    // It listens a moment before it tells which databases it has: who asks in between is told that there is none.
    this.#name ??= (await run(['ovsdb-tool', 'db-name', this.#database])).trim();
    await run(['ovsdb-client', '--timeout=60', 'wait', `unix:${this.socketPath}`, this.#name, 'added']);
  }

  /** Ends it at once, as a crash would. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Stops it where it is, until `thaw`. */
  freeze(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Runs an `ovs-appctl` command in it. */
  async appctl(...words: readonly string[]): Promise<string> {
    return run(['ovs-appctl', '-t', join(this.dir, 'ctl'), ...words]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** What a promise that must reject rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('the promise was expected to reject');
}
