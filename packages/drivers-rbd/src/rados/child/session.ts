import { lookup } from 'node:dns/promises';
import type { ClusterInfo, ImageAt, Place } from '../calls.ts';
import type { ConnectMessage } from '../messages.ts';
import { addressesOf, NoAddress } from '../monitors.ts';
import { check, EADDRNOTAVAIL, EAGAIN, ENOENT, NativeFailure, PoolAbsent } from './failures.ts';
import { addressOf, bytesAt, type Pointer, rados, rbd, textAt, textIn } from './native.ts';

/** Nothing is read from files or told to a terminal. Clones are of version 2, which need no protected snapshots. Writes answer when they are durable. */
const SETTINGS: Readonly<Record<string, string>> = {
  log_file: '',
  log_to_stderr: 'false',
  err_to_stderr: 'false',
  admin_socket: '',
  rbd_default_clone_format: '2',
  // Seconds. Without it a command waits for ever for monitors that are not there.
  rados_mon_op_timeout: '30',
  rbd_cache: 'false',
};

const LOOKUP_MS = 5_000;
const SETTING_BYTES = 1_024;

/** The connection of this process. */
export class Session {
  readonly #cluster: Pointer;
  readonly #monitors: string;

  private constructor(cluster: Pointer, monitors: string) {
    this.#cluster = cluster;
    this.#monitors = monitors;
  }

  static async connect({ monitors: named, user, key, timeoutMs }: ConnectMessage): Promise<Session> {
    const monitors = await known(named);
    const out = Buffer.alloc(8);
    check(rados.rados_create2.now(out, 'ceph', `client.${user}`, 0), 'no client');
    const cluster = out.readBigUInt64LE();
    const seconds = String(Math.max(1, Math.ceil(timeoutMs / 1_000)));
    for (const [name, value] of Object.entries({ ...SETTINGS, mon_host: monitors, key, client_mount_timeout: seconds }))
      check(rados.rados_conf_set.now(cluster, name, value), `setting ${name}`);
    check(await rados.rados_connect.later(cluster), `client.${user} at ${named}`);
    return new Session(cluster, monitors);
  }

  async disconnect(): Promise<void> {
    await rados.rados_shutdown.later(this.#cluster);
  }

  /** A pool and namespace to work in. That something is not in it is said only of a pool that is there. */
  async within<T>({ pool, namespace }: Place, body: (io: Pointer) => Promise<T>): Promise<T> {
    const io = await this.#enter(pool);
    try {
      rados.rados_ioctx_set_namespace.now(io, namespace);
      return await body(io);
    } catch (error) {
      if (error instanceof NativeFailure && error.errno === ENOENT && !(error instanceof PoolAbsent)) await this.#needPool(pool);
      throw error;
    } finally {
      rados.rados_ioctx_destroy.now(io);
    }
  }

  async #enter(pool: string): Promise<Pointer> {
    const out = Buffer.alloc(8);
    const result = await rados.rados_ioctx_create.later(this.#cluster, pool, out);
    if (result === -ENOENT) throw new PoolAbsent(pool);
    check(result, `pool ${pool}`);
    return out.readBigUInt64LE();
  }

  /** As the cluster knows it now. */
  async #needPool(pool: string): Promise<void> {
    await this.catchUp();
    rados.rados_ioctx_destroy.now(await this.#enter(pool));
  }

  /** Opens an image for one call. A reader is no watcher of it. */
  async withImage<T>(
    at: ImageAt & { readonly snapshot?: string },
    how: 'read' | 'write',
    body: (image: Pointer, io: Pointer) => Promise<T>,
  ): Promise<T> {
    return await this.within(at, async (io) => {
      const image = await openImage(io, at, how);
      try {
        return await body(image, io);
      } finally {
        await rbd.rbd_close.later(image);
      }
    });
  }

  /** Hears of all pools as they are now. */
  async catchUp(): Promise<void> {
    check(await rados.rados_wait_for_latest_osdmap.later(this.#cluster), 'the map of the cluster');
  }

  /** What a setting of Ceph is by now: monitors may change it while this runs. */
  setting(name: string): string {
    const out = Buffer.alloc(SETTING_BYTES);
    check(rados.rados_conf_get.now(this.#cluster, name, out, out.length), `setting ${name}`);
    return textIn(out);
  }

  /** No other client that is connected has it. */
  get instanceId(): bigint {
    return BigInt(rados.rados_get_instance_id.now(this.#cluster));
  }

  async monCommand(command: string, input = ''): Promise<{ readonly output: string; readonly status: string }> {
    const text = Buffer.from(`${command}\0`);
    const commands = Buffer.alloc(8);
    commands.writeBigUInt64LE(addressOf(text));
    const [output, outputBytes, status, statusBytes] = [Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8)];
    const result = await rados.rados_mon_command.later(
      this.#cluster,
      commands,
      1,
      input,
      Buffer.byteLength(input),
      output,
      outputBytes,
      status,
      statusBytes,
    );
    const told = taken(status, statusBytes);
    const answer = { output: taken(output, outputBytes), status: told };
    // Held until here: the command lies in it.
    if (text.length > 0 && result < 0) throw new NativeFailure(-result, told === '' ? 'the monitors refused' : told);
    return answer;
  }

  async info(): Promise<ClusterInfo> {
    const fsid = Buffer.alloc(64);
    check(await rados.rados_cluster_fsid.later(this.#cluster, fsid, fsid.length), 'no id of the cluster');
    const out = Buffer.alloc(8);
    check(await rados.rados_getaddrs.later(this.#cluster, out), 'no addresses');
    const addresses = textAt(out.readBigUInt64LE());
    rados.rados_buffer_free.now(out.readBigUInt64LE());
    return {
      fsid: textIn(fsid),
      radosVersion: version((...parts) => rados.rados_version.now(...parts)),
      rbdVersion: version((...parts) => rbd.rbd_version.now(...parts)),
      addresses: addresses.split(',').filter((address) => address !== ''),
      monitors: this.#monitors,
    };
  }
}

/** By addresses. Whoever would know one and does not answer is not waited for longer than an answer takes. */
async function known(monitors: string): Promise<string> {
  try {
    return await addressesOf(monitors, async (name) => {
      const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('no answer')), LOOKUP_MS).unref());
      return (await Promise.race([lookup(name, { all: true }), late])).map(({ address }) => address);
    });
  } catch (error) {
    if (!(error instanceof NoAddress)) throw error;
    throw new NativeFailure(error.isCertain ? EADDRNOTAVAIL : EAGAIN, error.message);
  }
}

export async function openImage(io: Pointer, at: ImageAt & { readonly snapshot?: string }, how: 'read' | 'write'): Promise<Pointer> {
  const out = Buffer.alloc(8);
  const open = how === 'read' ? rbd.rbd_open_read_only : rbd.rbd_open;
  check(await open.later(io, at.image, out, at.snapshot ?? null), nameOf(at));
  return out.readBigUInt64LE();
}

/** `pool/namespace/image@snapshot`, as people write it. */
export function nameOf({ pool, namespace, image, snapshot }: ImageAt & { readonly snapshot?: string | bigint }): string {
  return `${pool}/${namespace === '' ? '' : `${namespace}/`}${image}${snapshot === undefined ? '' : `@${snapshot}`}`;
}

/** What the library allocated, freed. */
function taken(pointer: Buffer, length: Buffer): string {
  const text = bytesAt(pointer.readBigUInt64LE(), Number(length.readBigUInt64LE())).toString('utf8');
  if (pointer.readBigUInt64LE() !== 0n) rados.rados_buffer_free.now(pointer.readBigUInt64LE());
  return text;
}

function version(ask: (major: Buffer, minor: Buffer, extra: Buffer) => unknown): readonly [number, number, number] {
  const [major, minor, extra] = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4)];
  ask(major, minor, extra);
  return [major.readInt32LE(), minor.readInt32LE(), extra.readInt32LE()];
}
