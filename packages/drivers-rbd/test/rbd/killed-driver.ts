import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StorageDriver } from '@pileus/core/strategy';
import { assert } from 'chai';

const UNTIL_MS = 120_000;

/** Processes that hold connections to Ceph for this one. */
async function connections(): Promise<readonly number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [status, words] = await Promise.all([
        readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''),
        readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''),
      ]);
      return status.includes(`PPid:\t${process.pid}\n`) && words.includes('rados/child/') ? [pid] : [];
    }),
  );
  return found.flat();
}

/** A driver whose connection is killed in the middle of each change, which is then asked for until it is done; without a delay, only that. */
export function killed(driver: StorageDriver, delayMs?: () => number): StorageDriver {
  const verb =
    <A extends readonly unknown[], R>(act: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (delayMs !== undefined) {
        const attempt = act(...args).catch(() => undefined);
        await sleep(delayMs());
        for (const pid of await connections()) process.kill(pid, 'SIGKILL');
        await attempt;
      }
      return await insist(driver, () => act(...args));
    };
  const { volumes, snapshots, contents, images } = driver;
  if (snapshots === undefined || contents === undefined || volumes.resize === undefined) return assert.fail('no snapshots, or no growth');
  return {
    ...driver,
    volumes: { ...volumes, create: verb(volumes.create), resize: verb(volumes.resize), delete: verb(volumes.delete) },
    snapshots: {
      ...snapshots,
      create: verb(snapshots.create),
      delete: verb(snapshots.delete),
      revert: verb(snapshots.revert),
      flatten: verb(snapshots.flatten),
    },
    contents: { ...contents, write: verb(contents.write) },
    images: { put: verb(images.put), delete: verb(images.delete) },
  };
}

/** What a saga does with a step: it asks again, until the client that was killed is forgotten, too. */
async function insist<R>(driver: StorageDriver, act: () => Promise<R>): Promise<R> {
  for (const deadline = performance.now() + UNTIL_MS; ; await sleep(100)) {
    try {
      return await act();
    } catch (error) {
      if (!['unavailable', 'unknown_outcome', 'conflict'].includes(driver.classify(error)) || performance.now() > deadline) throw error;
    }
  }
}
