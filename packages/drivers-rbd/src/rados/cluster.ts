import { RadosBlocklist } from './blocklist.ts';
import { RbdBulk } from './bulk.ts';
import type { CallOptions, ClusterInfo } from './calls.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { type ClusterDf, type ClusterHealth, type PoolDetail, readAnswer, readDf, readHealth, readPools } from './monitor.ts';
import { monHost } from './monitors.ts';
import { RbdPool } from './pool.ts';

export interface ClusterOptions extends ConnectionOptions {
  /** `host` (both standard ports), `host:port` (messenger version 2, unless the port is 6789), or as Ceph writes them in `mon_host`. */
  readonly monitors: readonly string[];
  /** Without `client.`. */
  readonly user: string;
  readonly key: string;
}

/** A command of the monitors, as in `ceph … --format json`: `{ prefix: 'osd pool get', pool: 'rbd', var: 'size' }`. */
export type MonCommand = { readonly prefix: string } & Readonly<Record<string, unknown>>;

/**
 * One Ceph cluster as one user of it. The connection is in a process of its own, which starts with the first call, ends with this process, and is replaced
 * when it hangs or dies; whatever happens to one cluster, calls to another and the event loop of this process go on.
 */
export class RadosCluster implements AsyncDisposable {
  readonly #connection: Connection;
  readonly blocklist: RadosBlocklist;
  readonly bulk: RbdBulk;

  private constructor({ monitors, user, key, ...options }: ClusterOptions) {
    const credentials = { monitors: monHost(monitors), user, key };
    this.#connection = new Connection(credentials, options);
    this.blocklist = new RadosBlocklist(
      (command, how) => this.monCommand(command, how),
      (how) => this.#connection.call('cluster.catchUp', {}, how),
    );
    this.bulk = new RbdBulk(credentials, this);
  }

  /** Does no I/O: the first call connects. */
  static open(options: ClusterOptions): RadosCluster {
    return new RadosCluster(options);
  }

  /** Of the processes that hold connections now: none before the first call, one after it, more for a while when calls hang. */
  get processIds(): readonly number[] {
    return this.#connection.pids;
  }

  /** Who the cluster has known this as, by the addresses of all connections so far: a process that was killed is still a watcher of what it had open. */
  get addresses(): ReadonlySet<string> {
    return this.#connection.addresses;
  }

  async info(options?: CallOptions): Promise<ClusterInfo> {
    return await this.#connection.call('cluster.info', {}, options);
  }

  /** Answers what the monitors answered: parsed, with whole numbers beyond 2^53 as bigint; or the text when it is no JSON. */
  async monCommand(command: MonCommand, options?: CallOptions): Promise<unknown> {
    const { output } = await this.#connection.call('mon.command', { command: JSON.stringify({ format: 'json', ...command }) }, options);
    return readAnswer(output);
  }

  async df(options?: CallOptions): Promise<ClusterDf> {
    return readDf(await this.monCommand({ prefix: 'df', detail: 'detail' }, options));
  }

  async health(options?: CallOptions): Promise<ClusterHealth> {
    return readHealth(await this.monCommand({ prefix: 'health', detail: 'detail' }, options));
  }

  /** All pools with what they promise. */
  async pools(options?: CallOptions): Promise<readonly PoolDetail[]> {
    return readPools(await this.monCommand({ prefix: 'osd pool ls', detail: 'detail' }, options));
  }

  /** Repeatable. The pool can be used when it has been `init`ialised. */
  async createPool(name: string, { pgs, ...options }: CallOptions & { readonly pgs?: number } = {}): Promise<void> {
    await this.monCommand({ prefix: 'osd pool create', pool: name, ...(pgs === undefined ? {} : { pg_num: pgs, pgp_num: pgs }) }, options);
  }

  /** With all that is in it. The cluster refuses it (`EPERM`) unless `mon_allow_pool_delete` is set. Deleting an absent pool succeeds. */
  async deletePool(name: string, options?: CallOptions): Promise<void> {
    await this.monCommand({ prefix: 'osd pool delete', pool: name, pool2: name, yes_i_really_really_mean_it: true }, options);
  }

  pool(name: string, namespace = ''): RbdPool {
    return new RbdPool((call, args, options) => this.#connection.call(call, args, options), { pool: name, namespace });
  }

  /** Calls that run may end within 5 seconds; after that their outcome is unknown. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
