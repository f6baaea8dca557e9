import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Long, because a busy machine boots an emulated guest ten times slower than a quiet one. */
const DEADLINE_MS = 120_000;

/** Asks again and again until the answer is not undefined; the error names what did not come. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
    await sleep(100);
  }
}

/** Waits for a line in a console's log that matches, and answers the match. */
export function untilLogged(path: string, pattern: RegExp): Promise<RegExpExecArray> {
  return until(`${pattern} in ${path}`, async () => pattern.exec(await readFile(path, 'utf8').catch(() => '')) ?? undefined);
}
