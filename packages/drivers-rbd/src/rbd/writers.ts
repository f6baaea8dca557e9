import type { OpenImage } from '../rados/index.ts';
import type { CephPool } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';

interface Writer {
  readonly image: OpenImage;
  /** That nobody else had it open when it was opened here. */
  readonly isFree: Promise<void>;
  users: number;
}

/**
 * Volumes that are open for writing, each once, however many write to it at the same time; closed after the last of them, so that it is free again. Who else has it
 * open is looked at before that, and not for each piece.
 */
export class Writers {
  readonly #pool: CephPool;
  readonly #refuseUnfit: (name: string, deadline: Deadline) => Promise<void>;
  readonly #open = new Map<string, Writer>();

  constructor(pool: CephPool, refuseUnfit: (name: string, deadline: Deadline) => Promise<void>) {
    this.#pool = pool;
    this.#refuseUnfit = refuseUnfit;
  }

  async with<T>(name: string, deadline: Deadline, work: (image: OpenImage) => Promise<T>): Promise<T> {
    const shared = this.#open.get(name) ?? this.#begin(name, deadline);
    shared.users += 1;
    try {
      await deadline.bound(shared.isFree, `for ${name} to be looked at`);
      return await work(shared.image);
    } catch (error) {
      // What was found, or the time of who looked, is not that of those who come after.
      if (this.#open.get(name) === shared) this.#open.delete(name);
      throw error;
    } finally {
      shared.users -= 1;
      if (shared.users === 0) {
        if (this.#open.get(name) === shared) this.#open.delete(name);
        await shared.image.close();
      }
    }
  }

  #begin(name: string, deadline: Deadline): Writer {
    const isFree = this.#pool.refuseInUse(name, deadline).then(() => this.#refuseUnfit(name, deadline));
    isFree.catch(() => undefined);
    const writer = { image: this.#pool.images.image(name).open(), isFree, users: 0 };
    this.#open.set(name, writer);
    return writer;
  }
}
