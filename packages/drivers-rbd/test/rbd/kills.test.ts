import { assert } from 'chai';
import fc from 'fast-check';
import { FULL } from '../../../../tools/test/slice.ts';
import { killed } from './killed-driver.ts';
import { LabPool } from './lab-pool.ts';
import { PoolModel, type Step } from './model.ts';
import { call, until } from './pool-verbs.ts';

/** Deletions of what has snapshots are refused at once, which nobody can kill. */
const ACTS = ['create', 'image', 'write', 'snapshot', 'clone', 'clone', 'revert', 'flatten', 'grow', 'forget'] as const;

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ act: fc.constantFrom(...ACTS), which: fc.nat(100), other: fc.nat(100), value: fc.nat(1_000) }),
  { minLength: 12, maxLength: 16, size: 'max' },
);

// Half a minute for each run of it: it takes many to meet what it is for.
(FULL ? describe : () => undefined)('a pool whose connection is killed in the middle of each change', function (this: Mocha.Suite) {
  this.timeout(3_600_000);
  let lab: LabPool;
  before(async () => {
    lab = await LabPool.up({ partLeftMs: 5_000 });
    // Else a killed client counts as a machine for half a minute, each time.
    await lab.cluster.ceph('config', 'set', 'osd', 'osd_client_watch_timeout', '2');
  });
  after(() => lab.close());

  it('reads as a model says, when each change is asked for until it is done', async () => {
    const real = await lab.open();
    try {
      await real.ensurePool({ requestId: 'kills', signal: new AbortController().signal, timeoutMs: 60_000 });
      await fc.assert(
        fc.asyncProperty(steps, fc.infiniteStream(fc.nat(40)), async (taken, delays) => {
          const driver = killed(real, () => delays.next().value ?? 0);
          const model = new PoolModel(driver, () => crypto.randomUUID());
          for (const step of taken) await model.take(step);
          await model.check(killed(real));
          await model.clear();
        }),
        { numRuns: 20, endOnFailure: true },
      );
      const left = async () => (await lab.cluster.rbd('ls')).split('\n').filter((name) => name !== '');
      const wholes = (await left()).filter((name) => !name.startsWith('part-'));
      assert.deepEqual(wholes, []);
      await until(async () => {
        await real.ensurePool(call());
        return (await left()).length === 0;
      }, 'what killed writers left is gone');
    } finally {
      await real.close();
    }
  });
});
