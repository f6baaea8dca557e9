import type { Attachment, Call } from '@pileus/core/strategy';
import type { CallOptions, ImageSize, ImageStat, NewImageOptions, RadosCluster, RbdPool, Watcher, WatchKey } from '../rados/index.ts';
import { hostsOf } from '../rados/index.ts';
import type { ClusterLink } from './cluster-links.ts';
import { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { except, unlessAbsent } from './faults.ts';
import type { PoolSettings } from './settings.ts';

/** What the driver does on its own is told here: removals that go on, and what keeps them. */
export type Log = (text: string, fields: Readonly<Record<string, unknown>>) => void;

/** A client of ours whose process was killed is shut out for so long: by then it has surely ended. */
const FORMER_SELF_SHUT_OUT_MS = 3_600_000;

/** A client of the past is never let in again; an entry costs the cluster some bytes for as long as it is kept. */
export const SHUT_OUT_MS = 10 * 365 * 24 * 3_600_000;

/** Who has an image open is given so long to say so. */
const KNOWN_WAIT_MS = 3_000;
const UNKNOWN_PAUSE_MS = 500;
const RENAMED_PAUSE_MS = 500;

const keyOf = ({ clientId, cookie }: WatchKey): string => `${clientId}/${cookie}`;

/** Kept with an encrypted volume, and with what is cloned from it: how many bytes its header takes before its content. */
export const HEADER_KEY = 'pileus.luks';

export const headerBytesOf = ({ metadataValue }: Pick<ImageSize, 'metadataValue'>): number => Number(metadataValue ?? 0);

/** What a guest sees of a volume. */
export interface VolumeStat {
  readonly sizeBytes: number;
  /** 0 of one that is not encrypted. */
  readonly headerBytes: number;
}

export const volumeStat = (size: ImageSize): VolumeStat => {
  const headerBytes = headerBytesOf(size);
  return { sizeBytes: Number(size.sizeBytes) - headerBytes, headerBytes };
};

/** A pool of Ceph as this driver sees it: its images by name, and who has them open. */
export class CephPool {
  readonly settings: PoolSettings;
  readonly images: RbdPool;
  readonly log: Log;
  readonly #link: ClusterLink;
  readonly #closed = new AbortController();

  constructor(settings: PoolSettings, link: ClusterLink, log: Log) {
    this.settings = settings;
    this.#link = link;
    this.log = log;
    this.images = link.cluster.pool(settings.pool, settings.namespace);
  }

  get cluster(): RadosCluster {
    return this.#link.cluster;
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** How new images are made: their features are those that the binding gives by default, which is what this driver relies on. */
  get newImage(): NewImageOptions {
    const { dataPool } = this.settings;
    return dataPool === undefined ? {} : { dataPool };
  }

  /** @throws DriverError unavailable once the pool is closed */
  begin(call: Pick<Call, 'signal' | 'timeoutMs'>): Deadline {
    if (this.closed.aborted) throw new DriverError('unavailable', `pool ${this.settings.poolId} is closed`);
    return new Deadline(call, this.closed);
  }

  /** Undefined only when there is no such image, or no more than a trace of one that was half made or half removed. */
  stat(name: string, deadline: Deadline): Promise<ImageStat | undefined> {
    return unlessAbsent(() => this.images.image(name).stat(deadline.left));
  }

  /** Of a volume by its name, or of one of its snapshots; undefined as with `stat`. */
  async volume(name: string, deadline: Deadline, snapshot?: string): Promise<VolumeStat | undefined> {
    const image = this.images.image(name);
    const how = { ...deadline.left, metadataKey: HEADER_KEY };
    const size = await unlessAbsent(() => (snapshot === undefined ? image.size(how) : image.stat({ ...how, snapshot })));
    return size && volumeStat(size);
  }

  /** @throws DriverError not_found */
  async needVolume(name: string, deadline: Deadline): Promise<VolumeStat> {
    const stat = await this.volume(name, deadline);
    if (stat === undefined) throw new DriverError('not_found', `the pool has no ${name}`);
    return stat;
  }

  /** @throws DriverError not_found */
  async need(name: string, deadline: Deadline): Promise<ImageStat> {
    const stat = await this.stat(name, deadline);
    if (stat === undefined) throw new DriverError('not_found', `the pool has no ${name}`);
    return stat;
  }

  /** Who else has the image open for writing; undefined when it is absent. */
  async othersOn(name: string, deadline: Deadline): Promise<readonly Watcher[] | undefined> {
    const watchers = await unlessAbsent(() => this.images.image(name).watchers(deadline.left));
    return watchers && (await this.othersAmong(name, watchers, deadline));
  }

  /**
   * A connection of ours that was replaced because it hung may be among the watchers for a while yet: it is shut out instead of told, so that nothing of what it
   * still has under way arrives, and nobody waits for it. Nor for a watch with nobody behind it.
   */
  async othersAmong(name: string, watchers: readonly Watcher[], deadline: Deadline): Promise<readonly Watcher[]> {
    return await this.#known(name, await this.#notOurs(watchers, deadline), deadline);
  }

  async #known(name: string, others: readonly Watcher[], deadline: Deadline): Promise<readonly Watcher[]> {
    if (others.length === 0) return others;
    const unknown = await this.#unknownAmong(name, others, deadline);
    if (unknown.length === 0) return others;
    // Not by one look: another may be about to come in.
    await deadline.pause(UNKNOWN_PAUSE_MS, `for who has ${name} open`);
    const stillUnknown = new Set((await this.#unknownAmong(name, unknown, deadline)).map(keyOf));
    return others.filter((watcher) => !stillUnknown.has(keyOf(watcher)));
  }

  /** Who has it open for writing, this process too; undefined when it is absent. A connection of ours that is no more, and a watch with nobody behind it, are nobody. */
  async writersOn(name: string, deadline: Deadline): Promise<readonly Watcher[] | undefined> {
    const watchers = await unlessAbsent(() => this.images.image(name).watchers(deadline.left));
    if (watchers === undefined || watchers.length === 0) return watchers;
    const now = await this.#addresses(deadline);
    const others = await this.#notOurs(watchers, deadline);
    return await this.#known(
      name,
      watchers.filter((watcher) => now.has(watcher.address) || others.includes(watcher)),
      deadline,
    );
  }

  /** Whoever may have it open yet, also one of whom there is no more than a word. */
  async everyOther(name: string, deadline: Deadline): Promise<readonly Watcher[] | undefined> {
    const watchers = await unlessAbsent(() => this.images.image(name).watchers(deadline.left));
    return watchers && (await this.#notOurs(watchers, deadline));
  }

  async #notOurs(watchers: readonly Watcher[], deadline: Deadline): Promise<readonly Watcher[]> {
    if (watchers.length === 0) return watchers;
    const now = await this.#addresses(deadline);
    const ours = watchers.filter(({ address }) => this.isOurs(address));
    for (const { address } of ours)
      if (!now.has(address)) await this.cluster.blocklist.add(address, FORMER_SELF_SHUT_OUT_MS, deadline.left);
    return watchers.filter((watcher) => !ours.includes(watcher));
  }

  async #unknownAmong(name: string, watchers: readonly Watcher[], deadline: Deadline): Promise<readonly Watcher[]> {
    const known = await unlessAbsent(() => this.images.image(name).knownWatchers({ ...deadline.left, waitMs: KNOWN_WAIT_MS }));
    const keys = new Set(known?.map(keyOf));
    return known === undefined ? [] : watchers.filter((watcher) => !keys.has(keyOf(watcher)));
  }

  /**
   * Shuts out who holds the lock of the image and is gone, as a fence does, before something takes that lock: librbd would do so for an hour only, after which a
   * frozen machine could write again, and no fence would find it.
   */
  async shutOutGone(name: string, deadline: Deadline): Promise<void> {
    const locks = await unlessAbsent(() => this.images.image(name).locks(deadline.left));
    const holders = (locks?.lockers ?? []).map(({ address }) => address).filter((address) => !this.isOurs(address));
    if (holders.length === 0) return;
    const watchers = (await unlessAbsent(() => this.images.image(name).watchers(deadline.left))) ?? [];
    for (const address of holders)
      if (!watchers.some((watcher) => watcher.address === address)) await this.cluster.blocklist.add(address, SHUT_OUT_MS, deadline.left);
  }

  /** @throws DriverError conflict naming who has it open; not_found */
  async refuseInUse(name: string, deadline: Deadline): Promise<void> {
    const others = await this.othersOn(name, deadline);
    if (others === undefined) throw new DriverError('not_found', `the pool has no ${name}`);
    if (others.length > 0) throw inUse(name, others);
  }

  /** The id of what is listed under a name; what a name leads to that is not listed is on its way to another. */
  async idOf(name: string, deadline: Deadline): Promise<string | undefined> {
    // Ids of ours end with a digit of sixteen: so many names at most are between.
    const { images } = await this.images.page({ after: name.slice(0, -1), limit: 17, ...deadline.left });
    return images.find((image) => image.name === name)?.id;
  }

  /**
   * Takes away a name that is not listed, and waits for who may be at it: one that was killed counts as living for half a minute.
   * @throws DriverError unavailable at the end of the time
   */
  async unname(name: string, deadline: Deadline): Promise<void> {
    while (!(await this.tryUnname(name, deadline))) {
      if (deadline.leftMs <= RENAMED_PAUSE_MS)
        throw new DriverError('unavailable', `${name} is being renamed, or was by one that was killed`);
      await deadline.pause(RENAMED_PAUSE_MS, `for who renames ${name}`);
    }
  }

  /** The same, with one look: false while somebody may be at it. */
  async tryUnname(name: string, deadline: Deadline): Promise<boolean> {
    // Before who is at it is looked at: what another gives the name to meanwhile is not what was judged.
    const version = await this.images.nameVersion(name, deadline.left);
    if (version === undefined || (await this.idOf(name, deadline)) !== undefined) return true;
    if (((await this.writersOn(name, deadline)) ?? []).length > 0) return false;
    return await this.images.unname(name, version, deadline.left);
  }

  /** Of a part whose whole name leads to it already. */
  async endRenaming(part: string, name: string, deadline: Deadline): Promise<void> {
    await this.unname(name, deadline);
    await this.images.rename(part, name, deadline.left);
  }

  /** Takes its name from it, in one instant. Answers whether it was there; another may do so at the same time. */
  async hide(name: string, part: string, bounds: CallOptions): Promise<boolean> {
    return await take(() => this.images.rename(name, part, bounds));
  }

  /** Answers whether it was there; another may move it at the same time. */
  async moveToTrash(name: string, bounds: CallOptions): Promise<boolean> {
    return await take(() => this.images.trash.move(name, bounds));
  }

  isOurs(address: string): boolean {
    return this.cluster.addresses.has(address);
  }

  /** Connects, and remembers as whom. */
  async connect(deadline: Deadline): Promise<void> {
    await this.#addresses(deadline);
  }

  async #addresses(deadline: Deadline): Promise<ReadonlySet<string>> {
    const { addresses } = await this.cluster.info(deadline.left);
    return new Set(addresses);
  }

  attachment(image: string): Attachment {
    const { pool, namespace, monitors, user } = this.settings;
    return {
      type: 'rbd',
      pool,
      ...(namespace === '' ? {} : { namespace }),
      image,
      monitors: hostsOf(monitors),
      user,
      secretRef: this.secretRef,
    };
  }

  /** The same for all that is in the pool: they have one key. */
  get secretRef(): string {
    return `rbd-${this.settings.poolId}`;
  }

  /** What hosts know the key of an encrypted volume by. */
  keyRef(volumeId: string): string {
    return `${this.secretRef}/volume-${volumeId}`;
  }

  async close(): Promise<void> {
    this.#closed.abort(new DriverError('unavailable', `pool ${this.settings.poolId} is closed`));
    await this.#link.close();
  }
}

async function take(act: () => Promise<void>): Promise<boolean> {
  const attempt = async () => (await unlessAbsent(() => act().then(() => true))) ?? false;
  return await except(['ESTALE'], attempt, attempt);
}

export const inUse = (name: string, watchers: readonly Watcher[]): DriverError =>
  new DriverError('conflict', `${name} is open at ${watchers.map(({ address }) => address).join(', ')}`);
