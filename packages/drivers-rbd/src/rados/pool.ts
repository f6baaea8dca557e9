import type { Caller, CallOptions, ImageName, ImageSize, NewImageOptions, Place, PoolStat, Renaming } from './calls.ts';
import { RbdImage } from './image.ts';
import { bytesOf } from './sizes.ts';
import { RbdTrash } from './trash.ts';

/** What to clone: a snapshot, by name or by id, of an image. */
export interface CloneSource {
  /** Default: the pool and namespace that the clone goes into. */
  readonly pool?: RbdPool;
  readonly image: string;
  readonly snapshot: string | bigint;
}

export interface NewImage extends NewImageOptions {
  /** Up to 2^63; beyond 2^53 as a bigint. */
  readonly sizeBytes: number | bigint;
}

export interface NewClone extends NewImageOptions {
  /** Default: that of the snapshot; a smaller one is refused (`EINVAL`). */
  readonly sizeBytes?: number | bigint;
  /** Words that are kept with it (see `metadata` of an image), which it gets in the instant in which it has its size: who finds them finds all of it. */
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface PageOptions extends CallOptions {
  /** The last name of the page before. */
  readonly after?: string;
  /** Default 1,000. */
  readonly limit?: number;
}

/** A pool, or one namespace of it, with the images there. */
export class RbdPool {
  readonly #call: Caller;
  readonly #at: Place;
  readonly trash: RbdTrash;
  readonly namespaces: RbdNamespaces;

  constructor(call: Caller, at: Place) {
    this.#call = call;
    this.#at = at;
    this.trash = new RbdTrash(call, at);
    this.namespaces = new RbdNamespaces(call, at.pool);
  }

  get name(): string {
    return this.#at.pool;
  }

  /** `''`: the namespace without a name. */
  get namespace(): string {
    return this.#at.namespace;
  }

  /** Makes the pool one of images. Repeatable. */
  async init(options: CallOptions & { readonly force?: boolean } = {}): Promise<void> {
    await this.#call('pool.init', { ...this.#at, force: options.force ?? false }, options);
  }

  /** As a manager of the cluster last counted it; zeroes where there is none. */
  async stat(options?: CallOptions): Promise<PoolStat> {
    return await this.#call('pool.stat', this.#at, options);
  }

  /**
   * Returns when every placement group of the pool knows the cluster as it is now. After a client was put on the blocklist, nothing of it is written from then
   * on: without this, disks that have not heard of it may still take its writes.
   */
  async settle(options?: CallOptions): Promise<void> {
    await this.#call('pool.settle', this.#at, options);
  }

  image(name: string): RbdImage {
    return new RbdImage(this.#call, { ...this.#at, image: name });
  }

  /** `EEXIST` when the name is taken, whatever its size. */
  async create(name: string, { sizeBytes, ...how }: NewImage, options?: CallOptions): Promise<void> {
    await this.#call('image.create', { ...this.#at, ...how, image: name, sizeBytes: bytesOf('sizeBytes', sizeBytes) }, options);
  }

  /** A copy-on-write clone (version 2: the snapshot needs no protection). */
  async clone(source: CloneSource, name: string, { sizeBytes, metadata, ...how }: NewClone = {}, options?: CallOptions): Promise<void> {
    const parent = { ...placeOf(source.pool ?? this), image: source.image };
    const more = {
      ...(sizeBytes === undefined ? {} : { sizeBytes: bytesOf('sizeBytes', sizeBytes) }),
      ...(metadata === undefined ? {} : { metadata: Object.entries(metadata) }),
    };
    await this.#call('image.clone', { ...this.#at, ...how, ...more, image: name, parent, snapshot: source.snapshot }, options);
  }

  /** A full copy of an image, or of a snapshot of it, with its snapshots left out. Killed on its way it leaves a part of one. */
  async copy(
    source: { readonly pool?: RbdPool; readonly image: string; readonly snapshot?: string },
    name: string,
    how: NewImageOptions = {},
    options?: CallOptions,
  ): Promise<void> {
    const from = { ...placeOf(source.pool ?? this), image: source.image };
    const at = source.snapshot === undefined ? {} : { snapshot: source.snapshot };
    await this.#call('image.copy', { ...from, ...how, ...at, to: { ...this.#at, image: name } }, options);
  }

  /** A page of images by name, ascending by bytes; costs what the page has, not what the pool has. */
  async page({ after, limit = 1_000, ...options }: PageOptions = {}): Promise<{
    readonly images: readonly ImageName[];
    readonly isLast: boolean;
  }> {
    return await this.#call('image.list', { ...this.#at, limit, ...(after === undefined ? {} : { after }) }, options);
  }

  /** Of images by their ids, a page of them at a time, with the word that is kept under a key: without opening any. Undefined where there is none. */
  async sizes(
    ids: readonly string[],
    options: CallOptions & { readonly metadataKey?: string } = {},
  ): Promise<readonly (ImageSize | undefined)[]> {
    const { metadataKey } = options;
    const args = { ...this.#at, ids, ...(metadataKey === undefined ? {} : { metadataKey }) };
    return (await this.#call('image.sizes', args, options)).map((size) => size ?? undefined);
  }

  /** All images, page by page. */
  async *images(options: CallOptions & { readonly pageSize?: number } = {}): AsyncGenerator<ImageName, void, undefined> {
    const { pageSize: limit = 1_000, ...call } = options;
    for (let after: string | undefined; ; ) {
      const { images, isLast } = await this.page({ ...call, limit, ...(after === undefined ? {} : { after }) });
      yield* images;
      after = images.at(-1)?.name;
      if (isLast || after === undefined) return;
    }
  }

  /** `ENOENT` or `EEXIST`, with nothing changed. Of one that was cut short a note remains, in `renamings`. */
  async rename(name: string, to: string, options?: CallOptions): Promise<void> {
    await this.#call('image.rename', { ...this.#at, image: name, to }, options);
  }

  /** Of a name that leads to an image, or to none any more, listed or not; undefined where it leads nowhere. Who gives the name anew gives it a greater one. */
  async nameVersion(name: string, options?: CallOptions): Promise<bigint | undefined> {
    return (await this.#call('image.nameVersion', { ...this.#at, image: name }, options)) ?? undefined;
  }

  /**
   * Takes away a name that no page lists, though it leads to an image, or to none: a renaming, or a way into the trash, that was cut short leaves such a one.
   * Answers whether it did: not when the name was given anew since it had this version. Look at the `watchers` of the image between that look and this call: who
   * is about to rename it has it open.
   */
  async unname(name: string, version: bigint, options?: CallOptions): Promise<boolean> {
    return await this.#call('image.unname', { ...this.#at, image: name, version }, options);
  }

  /** Renamings that are under way, or were cut short: either name may lead to the image and be listed nowhere. In no order. */
  async renamings({ limit = 1_000, ...options }: CallOptions & { readonly limit?: number } = {}): Promise<readonly Renaming[]> {
    return await this.#call('renaming.list', { ...this.#at, limit }, options);
  }

  /** Both names are looked after: the note is taken away. */
  async forgetRenaming(id: string, options?: CallOptions): Promise<void> {
    await this.#call('renaming.forget', { ...this.#at, id }, options);
  }

  /**
   * `ENOENT` only when the image is not listed any more; `EBUSY` with its `watchers` when another client has it open, and that without disturbing that
   * client; `ENOTEMPTY` when it has snapshots; `EUCLEAN` in a full pool. What another removal left half done is done to the end.
   */
  async remove(name: string, options?: CallOptions): Promise<void> {
    await this.#call('image.remove', { ...this.#at, image: name }, options);
  }
}

const placeOf = ({ name, namespace }: RbdPool): Place => ({ pool: name, namespace });

/** Namespaces of a pool: names of images are unique in each, and users can be bound to one. */
export class RbdNamespaces {
  readonly #call: Caller;
  readonly #pool: string;

  constructor(call: Caller, pool: string) {
    this.#call = call;
    this.#pool = pool;
  }

  async create(name: string, options?: CallOptions): Promise<void> {
    await this.#call('namespace.create', { pool: this.#pool, name }, options);
  }

  /** `EBUSY` while images are in it. */
  async remove(name: string, options?: CallOptions): Promise<void> {
    await this.#call('namespace.remove', { pool: this.#pool, name }, options);
  }

  async list(options?: CallOptions): Promise<readonly string[]> {
    return await this.#call('namespace.list', { pool: this.#pool }, options);
  }
}
