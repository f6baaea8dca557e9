import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cloud, connect, type Id } from '@pileus/sdk';
import { ServerProcess } from '../../tools/demo/server-process.ts';
import { buildGuestImage, type GuestImage, haltImage } from '../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../tools/system/ensure.ts';
import { freePort } from '../../tools/system/free-port.ts';
import { virsh } from '../lab/guest-domain.ts';
import type { LabHost } from '../lab/host.ts';
import { type Lab, labUp } from '../lab/lab.ts';

export const MIB = 2 ** 20;
const POOL_PATH = '/var/lib/libvirt/images/pool';
const HEARTBEAT_SECONDS = 0.5;

export interface LabCloudOptions {
  /** Keys of the server's configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The server reaches its host over TLS, with `lab.client`, instead of the host's unix socket. */
  readonly tls?: boolean;
}

/** The real server as a child process, with one lab host whose libvirtd is real, a pool on it, images, a size and a network. */
export class LabCloud {
  readonly lab: Lab;
  readonly host: LabHost;
  readonly serverDir: string;
  readonly #config: Readonly<Record<string, unknown>>;
  #server: ServerProcess | undefined;
  #cloud: Cloud | undefined;
  #ids: { readonly hostId: Id<'host'>; readonly networkId: Id<'network'>; readonly haltImageId: Id<'image'> } | undefined;

  private constructor(lab: Lab, serverDir: string, config: Readonly<Record<string, unknown>>) {
    this.lab = lab;
    this.host = lab.host(0);
    this.serverDir = serverDir;
    this.#config = config;
  }

  static async up({ config = {}, tls = false }: LabCloudOptions = {}): Promise<LabCloud> {
    const system = await ensureSystem({ log: () => {} });
    if (!system.ok) throw new Error(system.reason);
    const lab = await labUp({ hosts: 1, tls });
    const dir = await mkdtemp('/tmp/pileus-acceptance-');
    const options = { virtType: 'tcg', vncSocketDir: dir, cpuShares: false };
    const made = new LabCloud(lab, join(dir, 'server'), {
      kvm: { enabled: false },
      plugins: [{ module: '@pileus/drivers-kvm', export: 'kvm', options }],
      hosts: { heartbeatSeconds: HEARTBEAT_SECONDS },
      // The same in all its lives, so that clients find it again.
      listen: { host: '127.0.0.1', port: await freePort() },
      ...config,
    });
    try {
      await made.start();
      await made.#populate();
      return made;
    } catch (error) {
      await made.down();
      throw error;
    }
  }

  /** The SDK over HTTP. Its calls outlive the server: they are sent again until one answers. */
  get cloud(): Cloud {
    return present(this.#cloud);
  }
  get server(): ServerProcess {
    return present(this.#server);
  }
  get hostId(): Id<'host'> {
    return present(this.#ids).hostId;
  }
  get networkId(): Id<'network'> {
    return present(this.#ids).networkId;
  }
  /** A machine of it costs no boot and no processor time. */
  get haltImageId(): Id<'image'> {
    return present(this.#ids).haltImageId;
  }

  async start(): Promise<void> {
    this.#server = await ServerProcess.start({ dir: this.serverDir, config: this.#config });
    this.#cloud ??= connect({ url: this.#server.url, apiKey: this.#server.apiKey, retry: { attempts: 100, maxMs: 1000 } });
  }

  /** SIGKILL, at once. */
  async kill(): Promise<void> {
    await this.server.kill();
  }

  /** What the SDK has no method for. */
  async post(path: string, body: object): Promise<unknown> {
    const headers = { authorization: `Bearer ${this.server.apiKey}`, 'content-type': 'application/json' };
    const response = await fetch(new URL(path, this.server.url), { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** virsh, which knows nothing of our own client. */
  virsh(...args: readonly string[]): Promise<string> {
    return virsh(this.host, ...args);
  }

  /** Names that virsh lists, e.g. of `list --all --name`. */
  async virshNames(...args: readonly string[]): Promise<readonly string[]> {
    return (await this.virsh(...args)).split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  }

  /** Files of the pool. */
  async poolFiles(): Promise<readonly string[]> {
    return readdir(join(this.host.rootDir, 'lib/images/pool')).catch(() => []);
  }

  async uploadGuestImage(): Promise<Id<'image'>> {
    return this.#upload('guest', await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} }));
  }

  /** An instance of the halt image, unless told otherwise. */
  instanceRequest(name: string, more: Partial<Parameters<Cloud['instances']['create']>[0]> = {}) {
    return { name, instanceType: 'tiny', imageId: this.haltImageId, nics: [{ networkId: this.networkId }], ...more };
  }

  /** All that the server wrote to its log, in all its lives. */
  log(): Promise<string> {
    return readFile(join(this.serverDir, 'server.log'), 'utf8');
  }

  async down(): Promise<void> {
    await this.#server?.kill();
    await this.lab.down();
    await rm(join(this.serverDir, '..'), { recursive: true, force: true });
  }

  async #populate(): Promise<void> {
    const { cloud } = this;
    const zone = await cloud.zones.create({ name: 'lab' }).wait();
    const cluster = await cloud.clusters.create({ name: 'lab', zoneId: zone.id, allowEmulation: true, vcpuOvercommit: 64 }).wait();
    const host = await cloud.hosts.create({ name: 'hv1', clusterId: cluster.id, ...this.#way() }).wait();
    await cloud.pools.create({ name: 'pool', hostId: host.id, settings: { path: POOL_PATH } }).wait();
    await cloud.instanceTypes.create({ name: 'tiny', vcpus: 1, memoryBytes: 96 * MIB }).wait();
    const subnets = [{ cidr: '192.168.90.0/24' }];
    const network = await cloud.networks.create({ name: 'net', hostId: host.id, mode: 'nat', subnets }).wait();
    const haltImageId = await this.#upload('halt', await haltImage({ cacheDir: CACHE_DIR }));
    this.#ids = { hostId: host.id, networkId: network.id, haltImageId };
  }

  /** How the server reaches the host. */
  #way(): { readonly uri: string; readonly tlsCredentials?: string } {
    const { tls, socketPath } = this.host;
    if (tls === undefined) return { uri: `qemu+unix:///system?socket=${socketPath}` };
    return { uri: `qemu+tls://${tls.address}:${tls.port}/system`, tlsCredentials: JSON.stringify(this.lab.client) };
  }

  async #upload(name: string, image: GuestImage): Promise<Id<'image'>> {
    const { id } = await this.cloud.images.create({ name }).wait();
    await this.cloud.images.upload(id, await readFile(image.path), { sha256: image.sha256 });
    return id;
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the cloud is not up yet');
  return value;
}

/** Asks until the answer is not undefined. The error names what did not come. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined>, timeoutMs = 120_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await sleep(100);
  }
}
