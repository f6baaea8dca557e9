import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { type Environment, type Logger, silentLogger } from '../kernel/index.ts';

const POOL_BYTES = 8192;

/** The real clock, timers and randomness of this process. The one place in core where they are touched. */
export function nodeEnvironment({ logger = silentLogger }: { readonly logger?: Logger } = {}): Environment {
  return {
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    timers: {
      after(delayMs, run) {
        // A timer alone does not keep the process alive: what has to end is awaited by who stops it.
        const timer = setTimeout(run, delayMs).unref();
        return () => clearTimeout(timer);
      },
    },
    random: { next: () => Math.random(), bytes: pooledBytes() },
    logger,
  };
}

/** Random bytes from a pool: filling 8 KiB costs about as much as filling 8 bytes. */
function pooledBytes(): (count: number) => Uint8Array {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return (count) => {
    if (count > POOL_BYTES) return randomFillSync(new Uint8Array(count));
    if (used + count > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    used += count;
    return pool.slice(used - count, used);
  };
}
