import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, StorageDriver } from '@pileus/core/strategy';
import { LabPool } from '../../packages/drivers-rbd/test/rbd/lab-pool.ts';
import type { QemuClient } from '../../tools/system/qemu-client.ts';
import { type Bench, median, percentile, type Row } from './harness.ts';

const MIB = 2 ** 20;
const SIZE_BYTES = 64 * MIB;
const WINDOW_MS = 15_000;
/** Between two tries to delete what is in use. */
const TRY_EACH_MS = 50;
const CALL_TIMEOUT_MS = 120_000;
const USED = '01990000-0000-7000-8000-000000000001';
const otherId = (index: number) => `01990000-0000-7000-8000-${(index + 2).toString(16).padStart(12, '0')}`;

const call = (): Call => ({ requestId: 'bench', signal: new AbortController().signal, timeoutMs: CALL_TIMEOUT_MS });

/** One write of 4 KiB after another, each on the disks of the cluster before the next; how long each took. */
async function writes(client: QemuClient, during: Promise<unknown>): Promise<readonly number[]> {
  let isOver = false;
  void during.finally(() => {
    isOver = true;
  });
  const tookMs: number[] = [];
  for (let index = 0; !isOver; index += 1) {
    const startedMs = performance.now();
    await client.ask(`write -f -P 7 ${(index % 1024) * 4096} 4096`, /wrote 4096/);
    tookMs.push(performance.now() - startedMs);
  }
  await during;
  return tookMs;
}

/** Tries again and again to delete the volume in use, and makes and deletes others beside it. */
async function deletions(driver: StorageDriver): Promise<void> {
  const endMs = performance.now() + WINDOW_MS;
  const refused = async () => {
    for (; performance.now() < endMs; await sleep(TRY_EACH_MS)) {
      const error: unknown = await driver.volumes.delete(USED, call()).then(
        () => undefined,
        (caught: unknown) => caught,
      );
      if (error === undefined || driver.classify(error) !== 'conflict') throw new Error(`a volume in use was not refused: ${error}`);
    }
  };
  const others = async () => {
    for (let index = 0; performance.now() < endMs; index += 1) {
      await driver.volumes.create({ id: otherId(index), sizeBytes: SIZE_BYTES }, call());
      await driver.volumes.delete(otherId(index), call());
    }
  };
  await Promise.all([refused(), others()]);
}

/** The longest that a guest's write waits while its disk is asked to be deleted twenty times a second, beside the longest while nobody asks. */
export const rbdStallBench: Bench = {
  ids: ['rbd.stall'],
  async run() {
    await using stack = new AsyncDisposableStack();
    const lab = await LabPool.up({ osds: 3 });
    stack.use(lab.cluster);
    const driver = await lab.open();
    stack.defer(() => driver.close());
    await driver.ensurePool(call());
    await driver.volumes.create({ id: USED, sizeBytes: SIZE_BYTES }, call());
    const client = await lab.client(USED);
    stack.defer(() => client.close());
    await writes(client, sleep(WINDOW_MS / 3));
    const quiet = await writes(client, sleep(WINDOW_MS));
    const asked = await writes(client, deletions(driver));
    const [value, floor] = [Math.max(...asked), Math.max(...quiet)];
    const row: Row = { id: 'rbd.stall', value, unit: 'ms', p50: median(asked), p99: percentile(asked, 0.99), floor, ratio: value / floor };
    return [row];
  },
};
