import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, SnapshotRef, StorageDriver } from '@pileus/core/strategy';
import { assert } from 'chai';
import type { LabPool } from './lab-pool.ts';

export const MIB = 2 ** 20;
export const OBJECT_BYTES = 4 * MIB;
/** What may take its time on a busy machine is waited for so long. */
export const UNTIL_MS = 120_000;

export const call = (): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: UNTIL_MS });

/** Looks until it holds. */
export async function until(holds: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = performance.now() + UNTIL_MS; !(await holds()); await sleep(100))
    assert.isBelow(performance.now(), deadline, `not in time: ${what}`);
}

/** What tests do with a pool and its driver, which are there when the first test begins. */
export function poolVerbs(at: () => { readonly lab: LabPool; readonly driver: StorageDriver }) {
  return {
    /** What the driver takes a rejection for; `done` where there is none. */
    fault: (work: Promise<unknown>): Promise<string> =>
      work.then(
        () => 'done',
        (error: unknown) => at().driver.classify(error),
      ),
    volume: async (sizeBytes: number = MIB): Promise<string> => {
      const id = crypto.randomUUID();
      await at().driver.volumes.create({ id, sizeBytes }, call());
      return id;
    },
    snapshot: async (volumeId: string): Promise<SnapshotRef> => {
      const made = { id: crypto.randomUUID(), volumeId };
      await at().driver.snapshots?.create(made, call());
      return made;
    },
    /** As `rbd` lists it. */
    trash: async (): Promise<string> => (await at().lab.cluster.rbd('trash', 'ls', '--all', '--format=json')).trim(),
  };
}
