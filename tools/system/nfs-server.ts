import { chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ChildDaemon } from './child-daemon.ts';
import { attempt } from './command.ts';

const DAEMON = fileURLToPath(new URL('nfs-daemon.sh', import.meta.url));
const READY_MS = 90_000;

export interface NfsServerOptions {
  /** The network namespace that it runs in: its ports are those that every client expects. */
  readonly netns: string;
  /** Whom all clients are there, with the folder his own. Default: whoever they say that they are. */
  readonly squashTo?: number;
}

/** An NFS server in user space (nfs-ganesha, with rpcbind) that exports one folder by version 3 over TCP. Its daemons end with this process at the latest. */
export class NfsServer implements AsyncDisposable {
  /** What is exported, under the same path for clients and for this machine. */
  readonly folder: string;
  readonly #dir: string;
  readonly #netns: string;
  readonly #portmapper: ChildDaemon;
  #ganesha: ChildDaemon;

  private constructor(dir: string, netns: string) {
    this.#dir = dir;
    this.#netns = netns;
    this.folder = join(dir, 'export', 'pool');
    this.#portmapper = this.#daemon('rpcbind', '', ['rpcbind', '-f', '-w']);
    this.#ganesha = this.#server('');
  }

  /** Returns when it can be mounted. */
  static async start({ netns, squashTo }: NfsServerOptions): Promise<NfsServer> {
    const server = new NfsServer(await mkdtemp(join(tmpdir(), 'pileus-nfs-')), netns);
    try {
      await mkdir(server.folder, { recursive: true });
      for (const name of ['run', 'nfs']) await mkdir(join(server.#dir, name));
      if (squashTo !== undefined) await chown(server.folder, squashTo, squashTo);
      await writeFile(server.#configPath, configOf(server.folder, squashTo));
      await server.#portmapper.start();
      await server.#answers('portmapper', server.#portmapper);
      await server.up();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the server; with `withoutDisk` as after a start at which the disk behind the folder was not mounted. */
  async up({ withoutDisk = false }: { readonly withoutDisk?: boolean } = {}): Promise<void> {
    this.#ganesha = this.#server(withoutDisk ? this.folder : '');
    await this.#ganesha.start();
    await this.#answers('mountd', this.#ganesha);
  }

  /** SIGKILL. What clients know of ports is left as it was, as after a loss of power. */
  down(): Promise<void> {
    return this.#ganesha.kill();
  }

  /** Returns when none of its threads runs any more, which is not as soon as the signal is sent. */
  async freeze(): Promise<void> {
    this.#ganesha.freeze();
    while (!(await this.#states()).every((state) => state === 'T')) await sleep(2);
  }

  thaw(): void {
    this.#ganesha.thaw();
  }

  /** Whether no request waits to be read or is under way. */
  async isIdle(): Promise<boolean> {
    const proc = `/proc/${this.#ganesha.pid}`;
    const sockets = (await readFile(join(proc, 'net/tcp'), 'utf8')).split('\n').slice(1, -1);
    const unread = sockets.some((line) => /^\s*\d+: \S+ \S+ 01 [\dA-F]+:(?!0{8})/.test(line));
    return !unread && (await this.#states()).every((state) => state !== 'R' && state !== 'D');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ganesha.kill();
    await this.#portmapper.kill();
    await rm(this.#dir, { recursive: true, force: true });
  }

  /** Of its threads, as the kernel abbreviates them. */
  async #states(): Promise<readonly string[]> {
    const tasks = `/proc/${this.#ganesha.pid}/task`;
    const stats = (await readdir(tasks)).map((id) => readFile(join(tasks, id, 'stat'), 'utf8').catch(() => ''));
    // The name before it may have spaces; a thread that has just ended has none.
    return (await Promise.all(stats)).flatMap((stat) => /\) (\S)/.exec(stat)?.[1] ?? []);
  }

  get #configPath(): string {
    return join(this.#dir, 'ganesha.conf');
  }

  #server(hidden: string): ChildDaemon {
    const log = join(this.#dir, 'ganesha.log');
    return this.#daemon('ganesha', hidden, [
      'ganesha.nfsd',
      '-F',
      ...['-f', this.#configPath, '-L', log, '-p', join(this.#dir, 'ganesha.pid'), '-N', 'EVENT'],
    ]);
  }

  /** Each in a mount namespace of its own, over the same folders. */
  #daemon(name: string, hidden: string, argv: readonly string[]): ChildDaemon {
    const enter = ['nsenter', `--net=/run/netns/${this.#netns}`, 'unshare', '--mount', 'sh', DAEMON, this.#dir, hidden] as const;
    return new ChildDaemon({ argv: [...enter, ...argv], logPath: join(this.#dir, `${name}.out`) });
  }

  /** Until the program answers to the loopback address of its namespace. */
  async #answers(program: 'portmapper' | 'mountd', daemon: ChildDaemon): Promise<void> {
    const ask = [
      'nsenter',
      `--net=/run/netns/${this.#netns}`,
      'rpcinfo',
      '-t',
      '127.0.0.1',
      program,
      program === 'mountd' ? '3' : '2',
    ] as const;
    for (const deadline = performance.now() + READY_MS; (await attempt([...ask])).exitCode !== 0; await sleep(50)) {
      await daemon.expectRunning();
      if (performance.now() > deadline) throw new Error(`the NFS server in ${this.#dir} does not get ready`);
    }
  }
}

const configOf = (folder: string, squashTo: number | undefined): string => `
NFS_CORE_PARAM { Protocols = 3; Enable_NLM = false; Enable_RQUOTA = false; }
EXPORT {
  Export_Id = 1;
  Path = ${folder};
  Pseudo = /pool;
  Protocols = 3;
  Transports = TCP;
  Access_Type = RW;
  ${squashTo === undefined ? 'Squash = No_Root_Squash;' : `Squash = All_Squash; Anonymous_Uid = ${squashTo}; Anonymous_Gid = ${squashTo};`}
  SecType = sys;
  FSAL { Name = VFS; }
}
`;
