import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cloud, connect, type Id, type Instance } from '@pileus/sdk';
import { ServerProcess } from '../../../tools/demo/server-process.ts';
import { buildGuestImage, type GuestImage, haltImage } from '../../../tools/guest/image.ts';
import { CephCluster, type CephClusterOptions } from '../../../tools/system/ceph-cluster.ts';
import { CACHE_DIR, ensureSystem } from '../../../tools/system/ensure.ts';
import { freePort } from '../../../tools/system/free-port.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import type { LabHost } from '../../lab/host.ts';
import { type Lab, labUp } from '../../lab/lab.ts';
import { CephGuest } from './ceph-guest.ts';

export const MIB = 2 ** 20;
export const POOL = 'cloud';
const HEARTBEAT_SECONDS = 0.5;

export interface CephCloudOptions extends CephClusterOptions {
  readonly hosts?: number;
  /** Hosts are reached by TLS, and memory goes from one to another by it. Default: by their sockets, and within the connections of their libvirtd. */
  readonly tls?: boolean;
  /** Keys of the server's configuration beside those that the lab gives. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** The real server as a child process, hosts with real libvirtd, and one pool on a real Ceph cluster that all of them reach. */
export class CephCloud implements AsyncDisposable {
  readonly lab: Lab;
  readonly ceph: CephCluster;
  readonly serverDir: string;
  readonly #config: Readonly<Record<string, unknown>>;
  hostIds: readonly Id<'host'>[] = [];
  #server: ServerProcess | undefined;
  #cloud: Cloud | undefined;
  #poolId: Id<'pool'> | undefined;

  private constructor(lab: Lab, ceph: CephCluster, serverDir: string, config: Readonly<Record<string, unknown>>) {
    this.lab = lab;
    this.ceph = ceph;
    this.serverDir = serverDir;
    this.#config = config;
  }

  static async up({ hosts = 2, tls = false, config = {}, ...cluster }: CephCloudOptions = {}): Promise<CephCloud> {
    const system = await ensureSystem({ log: () => {}, also: TEST_PACKAGES });
    if (!system.ok) throw new Error(system.reason);
    await using made = new AsyncDisposableStack();
    const lab = made.adopt(await labUp({ hosts, tls }), (each) => each.down());
    const ceph = made.use(await CephCluster.start({ manager: true, pools: [POOL], address: lab.address, ...cluster }));
    const dir = made.adopt(await mkdtemp('/tmp/pileus-ceph-cloud-'), (path) => rm(path, { recursive: true, force: true }));
    const byTls = { migration: 'tls', migrationPkiPath: '/etc/libvirt/pki' };
    const options = { virtType: 'tcg', vncSocketDir: dir, cpuShares: false, ...(tls ? byTls : {}) };
    const cloud = made.use(
      new CephCloud(lab, ceph, join(dir, 'server'), {
        kvm: { enabled: false },
        plugins: [{ module: '@pileus/drivers-kvm', export: 'kvm', options }],
        hosts: { heartbeatSeconds: HEARTBEAT_SECONDS },
        // Moves go to and fro, and every call ends with its connection.
        settings: { 'volumes.returnSeconds': 0 },
        log: { level: 'debug' },
        // The same in all its lives, so that clients find it again.
        listen: { host: '127.0.0.1', port: await freePort() },
        ...config,
      }),
    );
    await cloud.start();
    await cloud.#populate();
    made.move();
    return cloud;
  }

  /** The SDK over HTTP. Its calls outlive the server: they are sent again until one answers. */
  get cloud(): Cloud {
    return present(this.#cloud);
  }
  get server(): ServerProcess {
    return present(this.#server);
  }
  get poolId(): Id<'pool'> {
    return present(this.#poolId);
  }

  async start(): Promise<void> {
    this.#server = await ServerProcess.start({ dir: this.serverDir, config: this.#config });
    this.#cloud ??= connect({ url: this.#server.url, apiKey: this.#server.apiKey, retry: { attempts: 100, maxMs: 1000 } });
  }

  /** SIGKILL, at once. */
  async kill(): Promise<void> {
    await this.server.kill();
  }

  /** A machine of this image on the host of this number, counted from 0. */
  async machine(name: string, imageId: Id<'image'>, host: number, more: object = {}): Promise<Instance> {
    const hostId = present(this.hostIds[host]);
    return this.cloud.instances.create({ name, instanceType: 'tiny', imageId, hostId, nics: [], ...more }).wait({ timeoutMs: 180_000 });
  }

  /** What runs in a machine on the host of this number. */
  guest(instanceId: Id<'instance'>, host: number): CephGuest {
    return new CephGuest(this.lab.host(host), instanceId);
  }

  async uploadGuestImage(): Promise<Id<'image'>> {
    return this.upload('guest', await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} }));
  }

  /** A machine of it costs no boot and no processor time. */
  async uploadHaltImage(): Promise<Id<'image'>> {
    return this.upload('halt', await haltImage({ cacheDir: CACHE_DIR }));
  }

  async upload(name: string, { path, sha256 }: Pick<GuestImage, 'path' | 'sha256'>): Promise<Id<'image'>> {
    const { id } = await this.cloud.images.create({ name }).wait();
    await this.cloud.images.upload(id, await readFile(path), { sha256 });
    return id;
  }

  /** All that the server wrote to its log, in all its lives. */
  log(): Promise<string> {
    return readFile(join(this.serverDir, 'server.log'), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.kill();
    await this.lab.down();
    await this.ceph[Symbol.asyncDispose]();
    await rm(join(this.serverDir, '..'), { recursive: true, force: true });
  }

  /** How the server reaches a host. */
  #way({ tls, socketPath }: LabHost): { readonly uri: string; readonly tlsCredentials?: string } {
    if (tls === undefined) return { uri: `qemu+unix:///system?socket=${socketPath}` };
    return { uri: `qemu+tls://${tls.address}:${tls.port}/system`, tlsCredentials: JSON.stringify(this.lab.client) };
  }

  async #populate(): Promise<void> {
    const { cloud, ceph } = this;
    const zone = await cloud.zones.create({ name: 'lab' }).wait();
    const cluster = await cloud.clusters.create({ name: 'lab', zoneId: zone.id, allowEmulation: true, vcpuOvercommit: 64 }).wait();
    for (const host of this.lab.hosts)
      this.hostIds = [
        ...this.hostIds,
        (await cloud.hosts.create({ name: host.name, clusterId: cluster.id, ...this.#way(host) }).wait()).id,
      ];
    const settings = { monitors: ceph.monitors.join(','), pool: POOL, user: ceph.user.name };
    const pool = { name: 'ceph', driver: 'rbd', zoneId: zone.id, settings, secrets: { key: ceph.user.key } };
    this.#poolId = (await cloud.pools.create(pool).wait()).id;
    await cloud.instanceTypes.create({ name: 'tiny', vcpus: 1, memoryBytes: 96 * MIB }).wait();
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the cloud is not up yet');
  return value;
}
