import type {
  Caller,
  CallOptions,
  Child,
  ImageAt,
  ImageFeature,
  ImageSize,
  ImageStat,
  ImageUsage,
  Locks,
  OpenAt,
  Snapshot,
  WatchKey,
} from './calls.ts';
import type { Watcher } from './errors.ts';
import { OpenImage } from './open-image.ts';
import { bytesOf } from './sizes.ts';

export interface OpenOptions {
  /** Opens the image as it was then; read-only. */
  readonly snapshot?: string;
  /** Default: true with a snapshot, else false. A reader is no watcher: it neither keeps others out nor is seen by them. */
  readonly readOnly?: boolean;
}

let lastHandle = 0;

/** An image by its name. Nothing is held open between calls; for many reads or writes in a row `open` it. */
export class RbdImage {
  readonly #call: Caller;
  readonly #at: ImageAt;
  readonly snapshots: ImageSnapshots;
  readonly metadata: ImageMetadata;

  constructor(call: Caller, at: ImageAt) {
    this.#call = call;
    this.#at = at;
    this.snapshots = new ImageSnapshots(call, at);
    this.metadata = new ImageMetadata(call, at);
  }

  get name(): string {
    return this.#at.image;
  }

  /** How large it is, with the word that is kept under a key: without opening it. */
  async size({ metadataKey, ...options }: CallOptions & { readonly metadataKey?: string } = {}): Promise<ImageSize> {
    return await this.#call('image.size', { ...this.#at, ...(metadataKey === undefined ? {} : { metadataKey }) }, options);
  }

  /** Of the image, or of one of its snapshots; with the word that is kept under a key, from the same opening. */
  async stat(options: CallOptions & { readonly snapshot?: string; readonly metadataKey?: string } = {}): Promise<ImageStat> {
    const { snapshot, metadataKey } = options;
    const more = { ...(snapshot === undefined ? {} : { snapshot }), ...(metadataKey === undefined ? {} : { metadataKey }) };
    return await this.#call('image.stat', { ...this.#at, ...more }, options);
  }

  /** A smaller size is refused (`EINVAL`) without `allowShrink`. Machines that have it open see the new size only when told. */
  async resize(sizeBytes: number | bigint, options: CallOptions & { readonly allowShrink?: boolean } = {}): Promise<void> {
    const { allowShrink = false } = options;
    await this.#call('image.resize', { ...this.#at, sizeBytes: bytesOf('sizeBytes', sizeBytes), allowShrink }, options);
  }

  /** Copies what is still read from the parent; of an image without one it changes nothing. */
  async flatten(options?: CallOptions): Promise<void> {
    await this.#call('image.flatten', this.#at, options);
  }

  /** Who has it open for writing. One that was killed stays for up to 30 seconds. */
  async watchers(options?: CallOptions): Promise<readonly Watcher[]> {
    return await this.#call('image.watchers', this.#at, options);
  }

  /**
   * Those of them whom the disk of the image knows, whether they answer within the time or not. One that is listed and not among these ended as its watch was written:
   * the disk forgets it when it reads the image anew, which may take days, and until then librbd does not remove the image.
   */
  async knownWatchers({ waitMs, ...options }: CallOptions & { readonly waitMs: number }): Promise<readonly WatchKey[]> {
    return await this.#call('image.notify', { ...this.#at, waitMs }, options);
  }

  /** What stands in the way of its removal, looked up in one opening. */
  async usage(options?: CallOptions): Promise<ImageUsage> {
    return await this.#call('image.usage', this.#at, options);
  }

  /** Who holds its lock, librbd's own exclusive lock included. */
  async locks(options?: CallOptions): Promise<Locks> {
    return await this.#call('image.locks', this.#at, options);
  }

  /** Clones, in all pools and namespaces that this user can read; of one snapshot, or of all. */
  async children(options: CallOptions & { readonly snapshot?: string } = {}): Promise<readonly Child[]> {
    const { snapshot } = options;
    return await this.#call('image.children', { ...this.#at, ...(snapshot === undefined ? {} : { snapshot }) }, options);
  }

  async enableFeatures(features: readonly ImageFeature[], options?: CallOptions): Promise<void> {
    await this.#call('image.features', { ...this.#at, features, enabled: true }, options);
  }

  async disableFeatures(features: readonly ImageFeature[], options?: CallOptions): Promise<void> {
    await this.#call('image.features', { ...this.#at, features, enabled: false }, options);
  }

  /** Opens it at the first call that is made on what this answers. */
  open({ snapshot, readOnly = snapshot !== undefined }: OpenOptions = {}): OpenImage {
    lastHandle += 1;
    const at: OpenAt = { ...this.#at, handle: lastHandle, readOnly, ...(snapshot === undefined ? {} : { snapshot }) };
    return new OpenImage(this.#call, at);
  }
}

/** Points in time of one image. */
export class ImageSnapshots {
  readonly #call: Caller;
  readonly #at: ImageAt;

  constructor(call: Caller, at: ImageAt) {
    this.#call = call;
    this.#at = at;
  }

  /** `EEXIST` when the name is taken. */
  async create(snapshot: string, options?: CallOptions): Promise<void> {
    await this.#call('snapshot.create', { ...this.#at, snapshot }, options);
  }

  /** By name, or by id. One that has clones goes to the trash of snapshots until the last of them is gone. */
  async remove(snapshot: string | bigint, options?: CallOptions): Promise<void> {
    await this.#call('snapshot.remove', { ...this.#at, snapshot }, options);
  }

  /** In the order they were made, those in the trash included: see `kind`. */
  async list(options?: CallOptions): Promise<readonly Snapshot[]> {
    return await this.#call('snapshot.list', this.#at, options);
  }

  /** The image gets back content and size. `EROFS` while another client has it open. */
  async rollback(snapshot: string, options?: CallOptions): Promise<void> {
    await this.#call('snapshot.rollback', { ...this.#at, snapshot }, options);
  }
}

/** Words kept with an image. Keys that begin with `conf_rbd_` are settings that its clients follow: `conf_rbd_qos_iops_limit`. */
export class ImageMetadata {
  readonly #call: Caller;
  readonly #at: ImageAt;

  constructor(call: Caller, at: ImageAt) {
    this.#call = call;
    this.#at = at;
  }

  async get(key: string, options?: CallOptions): Promise<string | undefined> {
    return (await this.#call('metadata.get', { ...this.#at, key }, options)) ?? undefined;
  }

  async set(key: string, value: string, options?: CallOptions): Promise<void> {
    await this.#call('metadata.set', { ...this.#at, key, value }, options);
  }

  /** Removing what is absent succeeds. */
  async remove(key: string, options?: CallOptions): Promise<void> {
    await this.#call('metadata.remove', { ...this.#at, key }, options);
  }

  async list(options?: CallOptions): Promise<ReadonlyMap<string, string>> {
    const entries = new Map<string, string>();
    const limit = 256;
    for (let after = ''; ; ) {
      const page = await this.#call('metadata.list', { ...this.#at, after, limit }, options);
      for (const [key, value] of page) entries.set(key, value);
      const last = page.at(-1);
      if (last === undefined || page.length < limit) return entries;
      after = last[0];
    }
  }
}
