import type { StoredObject } from '@pileus/core/strategy';
import type { ImageName } from '../rados/index.ts';
import { type CephPool, HEADER_KEY, volumeStat } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { readName } from './names.ts';

const PAGE = 1_000;

interface Known {
  /** By librbd, which gives it to no other image. */
  readonly imageId: string;
  readonly sizeBytes: number;
}

/**
 * What is in the pool, by its directory alone. The size of an image is looked up when it is met first, and when this driver has changed it. One that a machine grew is listed with its earlier size; `inspect` tells the one of now.
 */
export class Listing {
  readonly #pool: CephPool;
  #known: Map<string, Known> = new Map();

  constructor(pool: CephPool) {
    this.#pool = pool;
  }

  /** The size is looked up again. */
  forget(name: string): void {
    this.#known.delete(name);
  }

  async all(deadline: Deadline): Promise<readonly StoredObject[]> {
    const objects: StoredObject[] = [];
    const listed = new Set<string>();
    for (let after: string | undefined; ; ) {
      const { images, isLast } = await this.#pool.images.page({ limit: PAGE, ...(after === undefined ? {} : { after }), ...deadline.left });
      const ours = images.filter(({ name }) => readName(name) !== undefined);
      for (const { name } of ours) listed.add(name);
      objects.push(...(await this.#sized(ours, deadline)));
      after = images.at(-1)?.name;
      if (isLast || after === undefined) break;
    }
    for (const name of this.#known.keys()) if (!listed.has(name)) this.#known.delete(name);
    return objects;
  }

  async #sized(images: readonly ImageName[], deadline: Deadline): Promise<readonly StoredObject[]> {
    const news = images.filter(({ name, id }) => this.#known.get(name)?.imageId !== id);
    const sizes =
      news.length === 0
        ? []
        : await this.#pool.images.sizes(
            news.map(({ id }) => id),
            { ...deadline.left, metadataKey: HEADER_KEY },
          );
    const traces = new Set<string>();
    for (const [index, { name, id }] of news.entries()) {
      const size = sizes[index];
      if (size !== undefined) this.#known.set(name, { imageId: id, sizeBytes: volumeStat(size).sizeBytes });
      // Listed without a size, so that it is deleted if it is to go.
      // What is in the directory and has no size is a trace of a killed creation or removal, or was removed just now.
      else if ((await this.#pool.idOf(name, deadline)) === id) traces.add(name);
    }
    return images.flatMap(({ name, id }) => {
      const known = this.#known.get(name);
      const object = readName(name);
      if (object === undefined) return [];
      if (known?.imageId === id) return [{ ...object, sizeBytes: known.sizeBytes }];
      return traces.has(name) ? [{ ...object, sizeBytes: 0 }] : [];
    });
  }
}
