import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CephLayout, type CephUser, cephConfig, keyringEntry, keyringOf, newKey, RBD_CAPS } from './ceph-config.ts';
import { ChildDaemon } from './child-daemon.ts';
import { attempt, type CommandOptions, type CommandResult, run } from './command.ts';
import { freePort } from './free-port.ts';

export interface CephClusterOptions {
  /** Default 1. Of three, two are enough. */
  readonly monitors?: 1 | 3;
  /** Default 1. With three, pools keep three copies and take writes with two. */
  readonly osds?: 1 | 3;
  /** Default `bluestore`; an OSD of `memstore` comes back empty, starts in half the time, and takes its size from memory. */
  readonly store?: 'bluestore' | 'memstore';
  /** Size of each OSD, in a sparse file. Default: 8 GiB, and 2 GiB in memory. */
  readonly osdBytes?: number;
  /** A manager: states of placement groups, what pools hold, tasks on images. Default: none. */
  readonly manager?: boolean;
  /** An S3 endpoint. Default: none. */
  readonly gateway?: boolean;
  /** An address of this machine that clients reach it by. Default: loopback. */
  readonly address?: string;
  /** Pools for images that are there from the start. Default: `rbd`. */
  readonly pools?: readonly string[];
  /** Where its folder is made. Default: the system's for temporary files. */
  readonly directory?: string;
}

/** How S3 is reached. */
export interface S3Endpoint {
  /** `http://ADDRESS:PORT`, with buckets as paths. */
  readonly url: string;
  readonly accessKey: string;
  readonly secretKey: string;
}

const MGR_MODULES = ['mgr_module.py', 'mgr_util.py', 'rbd_support'];
const READY_MS = 120_000;
const MONITORS = ['a', 'b', 'c'] as const;

/**
 * A Ceph cluster of one's own: its monitor, or three, and OSDs, in a fresh folder, on ports of its own. Its daemons are children of this process and end with it at the
 * latest; each can be killed, frozen and started again by itself.
 */
export class CephCluster implements AsyncDisposable {
  readonly dir: string;
  readonly fsid: string;
  readonly monitorDaemons: readonly [ChildDaemon, ...ChildDaemon[]];
  readonly osds: readonly ChildDaemon[];
  /** These two run only if they were asked for. */
  readonly manager: ChildDaemon;
  readonly gateway: ChildDaemon;
  /** What may use the pools, and no more. */
  readonly user: CephUser;
  readonly admin: CephUser;
  readonly #layout: CephLayout;
  readonly #gatewayPort: number;
  #s3: S3Endpoint | undefined;

  private constructor(layout: CephLayout, gatewayPort: number) {
    const { dir, address } = layout;
    this.#layout = layout;
    this.#gatewayPort = gatewayPort;
    this.dir = dir;
    this.fsid = layout.fsid;
    this.admin = { name: 'admin', key: newKey() };
    this.user = { name: 'pileus', key: newKey() };
    const daemon = (name: string, program: string, ...words: readonly string[]) =>
      new ChildDaemon({ argv: [program, `--conf=${this.configPath}`, '-f', ...words], logPath: join(dir, 'log', `${name}.out`) });
    const monitor = (id: string) => daemon(`mon.${id}`, 'ceph-mon', `--id=${id}`);
    const [first, ...others] = MONITORS;
    this.monitorDaemons = [monitor(first), ...others.slice(0, layout.ports.length - 1).map(monitor)];
    this.osds = Array.from({ length: layout.osds }, (_, index) => daemon(`osd.${index}`, 'ceph-osd', `--id=${index}`));
    this.manager = daemon('mgr.x', 'ceph-mgr', '--id=x');
    const endpoint = `beast endpoint=${address}:${gatewayPort}`;
    this.gateway = daemon(
      'gateway',
      'radosgw',
      '--name=client.gateway',
      `--rgw_frontends=${endpoint}`,
      `--rgw_data=${join(dir, 'gateway')}`,
      `--admin_socket=${this.#gatewaySocket}`,
    );
  }

  /** Returns when its pools take I/O. */
  static async start(options: CephClusterOptions = {}): Promise<CephCluster> {
    const { osds = 1, store = 'bluestore', address = '127.0.0.1', pools = ['rbd'], directory = tmpdir() } = options;
    const osdBytes = options.osdBytes ?? (store === 'memstore' ? 2 : 8) * 2 ** 30;
    const dir = await mkdtemp(join(directory, 'pileus-ceph-'));
    const ports: number[] = [];
    while (ports.length < (options.monitors ?? 1)) ports.push(await freePort(address));
    const cluster = new CephCluster({ dir, fsid: randomUUID(), address, ports, osds, store, osdBytes }, await freePort(address));
    try {
      await cluster.#make();
      await Promise.all([...cluster.monitorDaemons, ...cluster.osds].map((daemon) => daemon.start()));
      if (options.manager === true) await cluster.manager.start();
      for (const pool of pools) await cluster.createPool(pool);
      // Of the modules that a manager always has, most are not there.
      if (options.manager === true) await cluster.ceph('health', 'mute', 'MGR_MODULE_ERROR', '--sticky');
      if (options.gateway === true) cluster.#s3 = await cluster.#openGateway();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** As attachments name them. */
  get monitors(): readonly string[] {
    return this.#layout.ports.map((port) => `${this.#layout.address}:${port}`);
  }

  /** The only one, or the first. */
  get monitor(): ChildDaemon {
    return this.monitorDaemons[0];
  }

  get configPath(): string {
    return join(this.dir, 'ceph.conf');
  }

  /** @throws Error when the cluster was made without `gateway` */
  get s3(): S3Endpoint {
    if (this.#s3 === undefined) throw new Error('the cluster has no gateway');
    return this.#s3;
  }

  get #gatewaySocket(): string {
    return join(this.dir, 'run', 'gateway.asok');
  }

  osd(index: number): ChildDaemon {
    const osd = this.osds[index];
    if (osd === undefined) throw new RangeError(`the cluster has ${this.osds.length} OSDs, counted from 0: there is no ${index}`);
    return osd;
  }

  /** Until the gateway has no request in hand, also of callers that have hung up. It counts those that it has begun, and, down from 0, those that it has ended. */
  async untilGatewayRests(): Promise<void> {
    for (const deadline = performance.now() + READY_MS; ; await sleep(20)) {
      const told = await askDaemon(this.#gatewaySocket, 'perf dump');
      const [begun = 0n, ended = 0n] = [/"req": (\d+)/, /"outstanding": (\d+)/].map((count) => BigInt(count.exec(told)?.[1] ?? 0));
      if (begun + BigInt.asIntN(64, ended) === 0n) return;
      if (performance.now() > deadline) throw new Error(`the gateway still has requests in hand: ${begun} begun, ${ended} ended`);
    }
  }

  /** `ceph`, as the administrator. */
  ceph(...words: readonly string[]): Promise<string> {
    return run(['ceph', `--conf=${this.configPath}`, ...words], { timeoutMs: READY_MS });
  }

  /** `rbd`, as the administrator: the witness that knows nothing of Pileus' own client. */
  rbd(...words: readonly string[]): Promise<string> {
    return run(['rbd', `--conf=${this.configPath}`, ...words], { timeoutMs: READY_MS });
  }

  /** The same, whatever its exit code. */
  attemptRbd(words: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    return attempt(['rbd', `--conf=${this.configPath}`, ...words], options);
  }

  /** A pool for images. Returns when it takes I/O. */
  async createPool(name: string): Promise<void> {
    const whileTheyRun = async (work: Promise<string>) => {
      const outcome = await work.catch((error: unknown) => error);
      for (const daemon of [...this.monitorDaemons, ...this.osds]) await daemon.expectRunning();
      if (outcome instanceof Error) throw outcome;
    };
    await whileTheyRun(this.ceph('osd', 'pool', 'create', name));
    await whileTheyRun(this.rbd('pool', 'init', name));
  }

  /** A user beside `user`, with these caps; the same again answers the same key. */
  async addUser(name: string, caps: Readonly<Record<string, string>> = RBD_CAPS): Promise<CephUser> {
    const key = await this.ceph('auth', 'get-or-create-key', `client.${name}`, ...Object.entries(caps).flat());
    return { name, key: key.trim() };
  }

  /** Returns when the monitor has seen all of its OSDs up. */
  async untilUp(): Promise<void> {
    for (const deadline = performance.now() + READY_MS; (await this.#osdsUp()) < this.osds.length; await sleep(200)) {
      if (performance.now() > deadline) throw new Error(`the OSDs do not come up: ${await this.ceph('osd', 'tree')}`);
    }
  }

  /** Ends all of its daemons and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.gateway, this.manager, ...this.osds, ...this.monitorDaemons].map((daemon) => daemon.kill()));
    await rm(this.dir, { recursive: true, force: true });
  }

  async #osdsUp(): Promise<number> {
    const stat = JSON.parse(await this.ceph('osd', 'stat', '--format=json')) as { readonly num_up_osds: number };
    return stat.num_up_osds;
  }

  /** Folders, settings, keys, and what monitor and OSDs start from. All keys are the monitor's from its birth: each asked for later costs half a second. */
  async #make(): Promise<void> {
    const { dir, fsid, address, ports, osds } = this.#layout;
    for (const name of ['keys', 'run', 'log', 'mgr', 'mgr-modules', 'gateway']) await mkdir(join(dir, name));
    for (const name of MGR_MODULES) await symlink(join('/usr/share/ceph/mgr', name), join(dir, 'mgr-modules', name));
    await writeFile(this.configPath, cephConfig(this.#layout));
    const keyring = await this.#writeKeys();
    const conf = `--conf=${this.configPath}`;
    const [monmap, osdmap] = [join(dir, 'monmap'), join(dir, 'osdmap')];
    await run([
      'monmaptool',
      '--create',
      '--fsid',
      fsid,
      ...ports.flatMap((port, index) => ['--addv', MONITORS[index] ?? '', `[v2:${address}:${port}]`]),
      '--set-min-mon-release',
      'pacific',
      monmap,
    ]);
    // With our settings, else it makes a rule that never puts two copies on one host, and there is but one.
    await run(['osdmaptool', conf, osdmap, '--createsimple', String(osds)]);
    await Promise.all([
      ...MONITORS.slice(0, ports.length).map(async (id) => {
        await mkdir(join(dir, `mon.${id}`));
        await run(['ceph-mon', conf, '--mkfs', `--id=${id}`, `--monmap=${monmap}`, `--osdmap=${osdmap}`, `--keyring=${keyring}`]);
      }),
      ...this.osds.map(async (_, id) => {
        await mkdir(join(dir, `osd.${id}`));
        await run(['ceph-osd', conf, '--mkfs', '--no-mon-config', `--id=${id}`, `--osd-uuid=${randomUUID()}`, `--monmap=${monmap}`], {
          timeoutMs: READY_MS,
        });
      }),
    ]);
  }

  async #writeKeys(): Promise<string> {
    const { dir, osds } = this.#layout;
    const all = { mon: 'allow *', mgr: 'allow *', osd: 'allow *', mds: 'allow *' };
    const entries = [
      { name: 'mon.', key: newKey(), caps: { mon: 'allow *' } },
      { name: 'client.admin', key: this.admin.key, caps: all },
      { name: `client.${this.user.name}`, key: this.user.key, caps: RBD_CAPS },
      { name: 'client.gateway', key: newKey(), caps: { mon: 'allow rw', osd: 'allow rwx', mgr: 'allow rw' } },
      { name: 'mgr.x', key: newKey(), caps: { mon: 'allow profile mgr', osd: 'allow *', mds: 'allow *' } },
      ...Array.from({ length: osds }, (_, id) => ({
        ...{ name: `osd.${id}`, key: newKey() },
        caps: { mon: 'allow profile osd', mgr: 'allow profile osd', osd: 'allow *' },
      })),
    ].map(({ name, key, caps }) => ({ name, text: keyringEntry(name, key, caps) }));
    // Monitors have one key.
    const files = entries.flatMap(({ name, text }) =>
      (name === 'mon.' ? this.monitorDaemons.map((_, index) => `mon.${MONITORS[index]}`) : [name]).map((file) => ({ file, text })),
    );
    for (const { file, text } of files) await writeFile(keyringOf(dir, file), text, { mode: 0o600 });
    const bootstrap = keyringOf(dir, 'bootstrap');
    await writeFile(bootstrap, entries.map(({ text }) => text).join(''), { mode: 0o600 });
    return bootstrap;
  }

  async #openGateway(): Promise<S3Endpoint> {
    const [accessKey, secretKey] = [randomBytes(10).toString('hex'), randomBytes(20).toString('hex')];
    const user = ['--uid=pileus', '--display-name=pileus', `--access-key=${accessKey}`, `--secret-key=${secretKey}`];
    await run(['radosgw-admin', `--conf=${this.configPath}`, '--name=client.admin', 'user', 'create', ...user], { timeoutMs: READY_MS });
    await this.gateway.start();
    const url = `http://${this.#layout.address}:${this.#gatewayPort}`;
    for (const deadline = performance.now() + READY_MS; !(await answers(url)); await sleep(50)) {
      await this.gateway.expectRunning();
      if (performance.now() > deadline) throw new Error('the gateway does not answer');
    }
    return { url, accessKey, secretKey };
  }
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (response) => {
      await response.arrayBuffer();
      return true;
    },
    () => false,
  );

/** What a daemon of Ceph answers at its admin socket: a length in four bytes, and text. */
async function askDaemon(path: string, prefix: string): Promise<string> {
  const socket = connect(path);
  socket.write(`${JSON.stringify({ prefix })}\0`);
  const answer = await buffer(socket);
  return answer.subarray(4).toString();
}
