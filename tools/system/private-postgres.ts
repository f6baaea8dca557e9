import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chown, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './command.ts';
import { freePort } from './free-port.ts';
import { childrenOf } from './processes.ts';

/** PostgreSQL refuses to run as root. This user owns nothing and is everywhere. */
const NOBODY = 65_534;
const VERSIONS = '/usr/lib/postgresql';
const START_MS = 120_000;

export interface PostgresOptions {
  /** Where its folder is made. Default: the system's for temporary files. A folder in memory makes commits cheap that nobody pulls the plug on. */
  readonly directory?: string;
  /** Settings beside ours, as `name=value`. */
  readonly settings?: readonly string[];
}

/** It may end by itself at any instant, between a look and the signal, too. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * A PostgreSQL server of one's own, in a fresh folder, as an unprivileged user: on a unix socket that nobody else reaches, where the superuser `postgres`
 * needs no password, and on a free loopback port, where one is asked for. It ends with this process at the latest.
 */
export class PrivatePostgres implements AsyncDisposable {
  readonly port: number;
  readonly dir: string;
  readonly password: string;
  readonly #bin: string;
  readonly #settings: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(options: { dir: string; bin: string; port: number; password: string; settings: readonly string[] }) {
    this.dir = options.dir;
    this.port = options.port;
    this.password = options.password;
    this.#bin = options.bin;
    this.#settings = options.settings;
  }

  static async start({ directory = tmpdir(), settings = [] }: PostgresOptions = {}): Promise<PrivatePostgres> {
    const dir = await mkdtemp(join(directory, 'pileus-pg-'));
    try {
      const password = 'of the tests: p@ss/w:rd';
      const server = new PrivatePostgres({ dir, bin: await postgresPrograms(), port: await freePort(), password, settings });
      await server.#make();
      await server.up();
      return server;
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      throw error;
    }
  }

  /** A database of it, over the socket. */
  url(database = 'postgres', parameters: Readonly<Record<string, string>> = {}): string {
    return `postgres://postgres@/${database}?${new URLSearchParams({ host: this.dir, port: String(this.port), ...parameters })}`;
  }

  /** The process that runs, or undefined. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it, on what it held when it went down. */
  async up(): Promise<void> {
    const settings = [
      ...[`port=${this.port}`, `unix_socket_directories=${this.dir}`, 'listen_addresses=127.0.0.1', 'max_connections=100'],
      ...['shared_buffers=64MB', 'log_min_messages=fatal', ...this.#settings],
    ].flatMap((setting) => ['-c', setting]);
    const argv = ['--pdeathsig', 'INT', join(this.#bin, 'postgres'), '-D', join(this.dir, 'data'), ...settings];
    const child = spawn('setpriv', [...AS_NOBODY, ...argv], { stdio: ['ignore', 'ignore', 'pipe'], cwd: this.dir });
    this.#process = child;
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
    for (const endMs = performance.now() + START_MS; !(await this.#isReady()); ) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > endMs)
        throw new Error(`PostgreSQL does not start: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends it: `SIGINT` as an orderly stop that waits for nobody, `SIGKILL` as a loss of power would, with all of its processes. */
  async down(signal: 'SIGINT' | 'SIGKILL' = 'SIGINT'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    const others = signal === 'SIGKILL' ? await stopped(child) : [];
    child.kill(signal);
    await ended;
    // Without their parent they end by themselves, but each in its own time, and the next one does not start before.
    for (const pid of others) {
      killIfThere(pid);
      while (await runs(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** Offers TLS on the loopback port from now on, with this certificate and its key. */
  async encrypt(certPath: string, keyPath: string): Promise<void> {
    for (const [path, name] of [
      [certPath, 'server.crt'],
      [keyPath, 'server.key'],
    ] as const) {
      const own = join(this.dir, 'data', name);
      await writeFile(own, await readFile(path), { mode: 0o600 });
      await chown(own, NOBODY, NOBODY);
    }
    await appendFile(join(this.dir, 'data/postgresql.conf'), '\nssl = on\n');
    this.#process?.kill('SIGHUP');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
    await rm(this.dir, { recursive: true, force: true });
  }

  async #make(): Promise<void> {
    await chown(this.dir, NOBODY, NOBODY);
    const passwordFile = join(this.dir, 'password');
    await writeFile(passwordFile, this.password, { mode: 0o600 });
    await chown(passwordFile, NOBODY, NOBODY);
    const auth = ['--auth-local=trust', '--auth-host=scram-sha-256', `--pwfile=${passwordFile}`];
    const initdb = [join(this.#bin, 'initdb'), '-D', join(this.dir, 'data'), '-U', 'postgres', '--encoding=UTF8', '--locale=C', ...auth];
    await run(['setpriv', ...AS_NOBODY, ...initdb], { cwd: this.dir });
  }

  /** The last line of its pid file tells. */
  async #isReady(): Promise<boolean> {
    const lines = (await readFile(join(this.dir, 'data/postmaster.pid'), 'utf8').catch(() => '')).split('\n');
    return Number(lines[0]) === this.#process?.pid && lines[7]?.trim() === 'ready';
  }
}

/** Stops it in its tracks, and answers its processes: as long as it went on it could have made another. */
async function stopped(child: ChildProcess): Promise<readonly number[]> {
  const { pid = 0 } = child;
  child.kill('SIGSTOP');
  while (/^\d+ \(\S+\) [^TZ]/.test(await stat(pid))) await new Promise((resolve) => setTimeout(resolve, 1));
  return childrenOf(pid);
}

const stat = (pid: number): Promise<string> => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');

/** One that has ended and was not yet taken notice of does not. */
async function runs(pid: number): Promise<boolean> {
  return /^\d+ \(postgres\) [^Z]/.test(await stat(pid));
}

/** Words for `setpriv`. */
export const AS_NOBODY = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];

/** Where those of the newest version are that is installed. */
export async function postgresPrograms(): Promise<string> {
  const versions = (await readdir(VERSIONS).catch(() => [])).filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a));
  if (versions[0] === undefined) throw new Error('PostgreSQL is not installed: sh tools/node.sh tools/system/main.ts');
  return join(VERSIONS, versions[0], 'bin');
}
