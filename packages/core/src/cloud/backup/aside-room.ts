import { isCloudError } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';

interface Pool {
  /** The last of those who take room, one after another. */
  turn: Promise<unknown>;
  /** What copies that are under way may take, by backup. */
  readonly taken: Map<string, number>;
  /** When the next of them has ended. */
  ended: PromiseWithResolvers<void>;
}

/**
 * The room of pools in which copies of disks are laid aside. Each is begun with what the others that are under way leave of it: together they would fill a folder that has room for any of them, and machines that
 * write there would stand still. Who finds too little on their account waits for them. Known of copies that this process has begun.
 */
export class AsideRoom {
  readonly #pools = new Map<string, Pool>();

  /**
   * `begin` is told what is taken by others, and answers what this one may take; `copy` waits for the end of it.
   * @throws CloudError no_capacity where there is too little even without others
   */
  async lay<T extends { readonly mostBytes: number }>(
    place: { readonly poolId: string; readonly backupId: string },
    begin: (takenBytes: number) => Promise<T>,
    copy: () => Promise<void>,
    call: Call,
  ): Promise<T> {
    const pool = this.#pools.get(place.poolId) ?? { turn: Promise.resolve(), taken: new Map(), ended: Promise.withResolvers() };
    this.#pools.set(place.poolId, pool);
    const begun = await this.#begun(pool, place.backupId, begin, call);
    try {
      await copy();
      return begun;
    } finally {
      pool.taken.delete(place.backupId);
      const { resolve } = pool.ended;
      pool.ended = Promise.withResolvers();
      resolve();
    }
  }

  async #begun<T extends { readonly mostBytes: number }>(
    pool: Pool,
    backupId: string,
    begin: (takenBytes: number) => Promise<T>,
    call: Call,
  ): Promise<T> {
    for (;;) {
      const turn = pool.turn.then(async (): Promise<{ readonly begun: T } | { readonly ended: Promise<void> }> => {
        call.signal.throwIfAborted();
        const [others, { promise: ended }] = [[...pool.taken.values()], pool.ended];
        try {
          const begun = await begin(others.reduce((sum, bytes) => sum + bytes, 0));
          pool.taken.set(backupId, begun.mostBytes);
          return { begun };
        } catch (error) {
          if (!isCloudError(error) || error.code !== 'no_capacity' || others.length === 0) throw error;
          return { ended };
        }
      });
      pool.turn = turn.catch(() => undefined);
      const outcome = await turn;
      if ('begun' in outcome) return outcome.begun;
      await orAborted(outcome.ended, call.signal);
    }
  }
}

/** @throws what it was aborted with */
async function orAborted(ended: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    await Promise.race([ended, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
