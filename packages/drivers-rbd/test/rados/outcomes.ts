import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { assert } from 'chai';
import { RadosError } from '../../src/rados/index.ts';

/** What the cluster refuses with. */
export async function refusal(work: Promise<unknown>): Promise<RadosError> {
  try {
    await work;
  } catch (error) {
    assert.instanceOf(error, RadosError);
    return error;
  }
  return assert.fail('nothing was refused');
}

export async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** What it rejects with. */
export async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  return assert.fail('nothing went wrong');
}

/** Returns when the process is gone; one that nobody has asked about yet counts as gone. */
export async function untilGone(pid: number): Promise<void> {
  for (const deadline = performance.now() + 120_000; await isRunning(pid); await sleep(50))
    if (performance.now() > deadline) assert.fail(`process ${pid} is still there`);
}

export async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return /^State:\s+[^ZX]/m.test(status);
}
