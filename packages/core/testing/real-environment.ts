import { randomBytes } from 'node:crypto';
import { clearTimeout, setTimeout } from 'node:timers';
import type { Environment } from '../src/kernel/environment.ts';
import { silentLogger } from '../src/kernel/environment.ts';

/** The machine's own time and chance, for harnesses of real backends. It logs nothing. */
export const realEnvironment: Environment = {
  clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
  timers: {
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  },
  random: {
    next: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
    bytes: (count) => new Uint8Array(randomBytes(count)),
  },
  logger: silentLogger,
};
