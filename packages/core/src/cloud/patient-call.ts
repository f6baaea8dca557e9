import { ERROR_CODES, isCloudError, type KernelServices, sleep } from '../kernel/index.ts';
import type { Call } from '../strategy/index.ts';

/** One call, beside the time that the whole work has: what hangs is asked again. */
const CALL_TIMEOUT_MS = 60_000;
const TRIES = 5;
const PAUSE_MS = 500;

/** A long work is many calls: each is tried a few times before all of it is given up. */
export async function patiently<T>(
  { environment }: Pick<KernelServices, 'environment'>,
  call: Call,
  body: (call: Call) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    call.signal.throwIfAborted();
    try {
      return await body({ ...call, timeoutMs: Math.min(call.timeoutMs, CALL_TIMEOUT_MS) });
    } catch (error) {
      const isWorthwhile = isCloudError(error) && ERROR_CODES[error.code].retry === 'same_request';
      if (!isWorthwhile || attempt === TRIES) throw error;
      await sleep(environment.timers, PAUSE_MS * 2 ** attempt, call.signal);
    }
  }
}

/** What waits for long within a step, looking again and again: others may have the place of its operation meanwhile. */
export async function atRest<T>({ rest }: Pick<KernelServices, 'rest'>, call: Call, body: () => Promise<T>): Promise<T> {
  const goOn = rest(call.requestId);
  try {
    return await body();
  } finally {
    goOn();
  }
}
