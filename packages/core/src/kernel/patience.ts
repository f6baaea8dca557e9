import { type Environment, sleep } from './environment.ts';
import { describeChain, isCloudError } from './errors.ts';

export const BACKOFF_MS = 100;
export const BACKOFF_MS_MAX = 5000;

/** What only reads, again for as long as the store is away: an operation does not end for that, nor wait for the next start. */
export async function patiently<T>({ timers, logger }: Environment, isStopping: () => boolean, read: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt += 1)
    try {
      return await read();
    } catch (error) {
      if (!isCloudError(error) || error.code !== 'unavailable' || isStopping()) throw error;
      logger.error({ error: describeChain(error) }, 'the store is away; trying again');
      await sleep(timers, Math.min(BACKOFF_MS * 2 ** attempt, BACKOFF_MS_MAX));
    }
}
