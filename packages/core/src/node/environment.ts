import { performance } from 'node:perf_hooks';
import { type Environment, type Logger, silentLogger } from '../kernel/environment.ts';

/** With what programs need of it that are small and have no kernel. */
export { type Clock, type Environment, type Logger, type Random, sleep, timestamp } from '../kernel/environment.ts';
export { describeChain } from '../kernel/errors.ts';
export { Rates } from '../kernel/rates.ts';

const POOL_BYTES = 8192;

/** The real clock, timers and randomness of this process. The one place in core where they are touched. */
export function nodeEnvironment({ logger = silentLogger }: { readonly logger?: Logger } = {}): Environment {
  return {
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    timers: {
      after(delayMs, run) {
        const timer = setTimeout(run, delayMs);
        return () => clearTimeout(timer);
      },
    },
    random: { next: () => Math.random(), bytes: pooledBytes() },
    logger,
  };
}

/** Calls back in the next turn of the event loop, when what has come in meanwhile was looked at. */
export const nextTurn = (run: () => void): void => void setImmediate(run);

/** Random bytes from a pool: filling 8 KiB costs about as much as filling 8 bytes. */
function pooledBytes(): (count: number) => Uint8Array {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return (count) => {
    if (count > POOL_BYTES) throw new RangeError(`at most ${POOL_BYTES} random bytes at once`);
    if (used + count > POOL_BYTES) {
      crypto.getRandomValues(pool);
      used = 0;
    }
    used += count;
    return pool.slice(used - count, used);
  };
}
