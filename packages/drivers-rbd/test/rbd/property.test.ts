import { setTimeout as sleep } from 'node:timers/promises';
import { assert } from 'chai';
import fc from 'fast-check';
import { FULL } from '../../../../tools/test/slice.ts';
import { LabPool } from './lab-pool.ts';
import { ACTS, PoolModel, type Step } from './model.ts';

const PURGED_MS = 120_000;

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ act: fc.constantFrom(...ACTS), which: fc.nat(100), other: fc.nat(100), value: fc.nat(1_000) }),
  { minLength: 30, maxLength: 60, size: 'max' },
);

describe('volumes, snapshots, clones and images on a real cluster', function () {
  this.timeout(FULL ? 1_800_000 : 300_000);
  let lab: LabPool;
  before(async () => {
    lab = await LabPool.up();
  });
  after(() => lab.close());

  it('read as a model says, whatever is done to them, and leave nothing', async () => {
    await using driver = Object.assign(await lab.open(), { [Symbol.asyncDispose]: () => driver.close() });
    const bounds = { requestId: 'property', signal: new AbortController().signal, timeoutMs: PURGED_MS };
    await driver.ensurePool(bounds);
    await fc.assert(
      fc.asyncProperty(steps, async (taken) => {
        const model = new PoolModel(driver, () => crypto.randomUUID());
        for (const step of taken) await model.take(step);
        await model.check();
        await model.clear();
      }),
      // A failure on a real cluster is costly to make smaller: it is told as it is.
      { numRuns: FULL ? 60 : 3, endOnFailure: true },
    );
    // The witness sees no image, and none in the trash either: the last clone of each is gone.
    for (const deadline = performance.now() + PURGED_MS; ; await sleep(200)) {
      const left = await lab.cluster.rbd('trash', 'ls', '--all', '--format=json');
      if (left.trim() === '[]') break;
      assert.isBelow(performance.now(), deadline, `in the trash: ${left}`);
      await driver.ensurePool(bounds);
    }
    assert.equal((await lab.cluster.rbd('ls', '--format=json')).trim(), '[]');
  });
});
