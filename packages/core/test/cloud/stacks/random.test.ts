import { assert } from 'chai';
import fc from 'fast-check';
import { CloudError } from '../../../src/kernel/index.ts';
import type { Around } from '../../../testing/index.ts';
import { type SmallCloud, smallCloud } from '../small-cloud.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e'] as const;
const QUIET_MS = 60_000;

/** What one resource is to be, and which of those before it it needs. */
const resource = fc.record({
  kind: fc.constantFrom('volume', 'placementGroup', 'network'),
  description: fc.option(fc.constantFrom('one', 'two')),
  isCloned: fc.boolean(),
  needs: fc.subarray([...NAMES]),
});
type Random = (typeof resource extends fc.Arbitrary<infer T> ? T : never) & object;

const templates = fc.array(fc.dictionary(fc.constantFrom(...NAMES), resource, { noNullPrototype: true }), { minLength: 2, maxLength: 4 });
/** At the so-many-th step from the request on. */
const troubles = fc.array(fc.tuple(fc.constantFrom('crashes', 'fails'), fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 3 });

function templateOf(at: SmallCloud, all: Readonly<Record<string, Random>>) {
  const properties = (name: string, { kind, description, isCloned }: Random) => ({
    // What one resource was called another may be called: each kind has names of its own.
    name: `${name}-1`,
    ...(description === null ? {} : { description }),
    ...(kind === 'volume' ? { sizeBytes: 8192, poolId: at.poolId, ...(isCloned ? { imageId: at.imageId } : {}) } : {}),
    ...(kind === 'placementGroup' ? { policy: isCloned ? 'affinity' : 'antiAffinity' } : {}),
    ...(kind === 'network'
      ? { driver: 'simulated', hostId: at.hostId, subnets: [{ cidr: `10.${name.charCodeAt(0)}.${isCloned ? 1 : 2}.0/24` }] }
      : {}),
  });
  const resources = Object.entries(all).map(([name, one]) => {
    const dependsOn = one.needs.filter((other) => other < name && other in all);
    return [name, { kind: one.kind, properties: properties(name, one), dependsOn, replace: true }];
  });
  return { resources: Object.fromEntries(resources) };
}

function disturb([how, place]: readonly [string, number]): Around {
  let step = 0;
  return (point, body, sim) => {
    step += 1;
    if (step !== place) return body();
    if (how === 'crashes') {
      sim.crash();
      return new Promise<never>(() => undefined);
    }
    return point.phase === 'undo' ? body() : Promise.reject(new CloudError('conflict', `Injected at ${point.path}.`));
  };
}

describe('random templates, applied one after the other', function () {
  this.timeout(300_000);

  it('are so in whole or not at all, whatever fails on the way, and then there is nothing to do', async () => {
    await fc.assert(
      fc.asyncProperty(templates, troubles, async (planned, disturbed) => {
        const at = await smallCloud();
        const { sim } = at;
        const nothing = await sim.residue();
        const id = await sim.done('stack.create', { name: 's', template: { resources: {} } });
        for (const [index, random] of planned.entries()) {
          const template = templateOf(at, random);
          const before = await sim.residue();
          const trouble = disturbed[index];
          const { operationId } = await sim.submit('stack.apply', { template }, id);
          if (trouble !== undefined) sim.around = disturb(trouble);
          const { state, error } = await sim.ended(operationId, 4 * 3600_000);
          sim.around = undefined;
          await sim.run(QUIET_MS);
          if (!sim.alive) await sim.start();
          if (trouble === undefined) assert.equal(state, 'succeeded', error?.message);
          if (state === 'succeeded') {
            const plan = await sim.environment.complete(sim.call('POST', '/stacks/plan', { body: { name: 's', template } }));
            assert.deepInclude(plan as object, { nothingToDo: true }, JSON.stringify(plan));
          } else assert.equal(await sim.residue(), before);
          assert.deepEqual(await sim.quotaProblems(), []);
        }
        await sim.done('stack.delete', {}, id);
        assert.equal(await sim.residue(), nothing);
        sim.dispose();
      }),
      { numRuns: 25 },
    );
  });
});
