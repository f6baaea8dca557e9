import { assert } from 'chai';
import { DEFAULT_PROJECT_ID, volume } from '../../../src/cloud/index.ts';
import { isCloudError, quotaKey } from '../../../src/kernel/index.ts';
import type { SimCloud } from '../../../testing/index.ts';
import { smallCloud } from '../small-cloud.ts';

const disk = (name: string, beside: object = {}) => ({
  kind: 'volume',
  properties: { name, sizeBytes: 8192, poolId: 'pool-1' },
  ...beside,
});

async function refused(work: Promise<unknown>): Promise<readonly unknown[]> {
  const error: unknown = await work.catch((cause: unknown) => cause);
  if (!isCloudError(error)) throw new Error(`not refused: ${String(error)}`);
  const { counter, used, limit, asked } = (error.params ?? {}) as Readonly<Record<string, unknown>>;
  return [error.code, counter, used, limit, asked];
}

describe('the quotas that an apply uses', () => {
  let sim: SimCloud;
  let poolId: string;
  beforeEach(async () => {
    ({ sim, poolId } = await smallCloud());
    await sim.done('instanceType.create', { name: 'huge', vcpus: 1, memoryBytes: 200 * 2 ** 30 });
  });
  afterEach(async () => {
    assert.deepEqual(await sim.quotaProblems(), []);
    sim.dispose();
  });

  const limited = (limits: object) => sim.done('project.setQuota', { limits }, DEFAULT_PROJECT_ID);
  const used = (counter: string) => sim.counter(quotaKey({ scope: 'project', id: DEFAULT_PROJECT_ID, counter }))?.value;
  const more = () => sim.submit('volume.create', { name: 'more', sizeBytes: 8192, poolId });
  /** Of machines of which no two fit, and a disk when both are there: three volumes. The machine that waits has taken none, and the last is not come to. */
  const waiting = {
    resources: {
      ...Object.fromEntries(
        ['one', 'two'].map((name, index) => [
          name,
          {
            kind: 'instance',
            properties: { name, instanceType: 'huge', imageId: 'image-1', whenFull: 'wait' },
            dependsOn: index === 0 ? [] : ['one'],
          },
        ]),
      ),
      late: disk('late', { dependsOn: ['two'] }),
    },
  };
  const begun = async () => {
    const { operationId } = await sim.submit('stack.create', { name: 's', template: waiting });
    await sim.run(60_000);
    assert.equal(sim.row('operation', operationId)?.state, 'running');
    assert.notInclude(
      sim.rows(volume.name).map(({ name }) => name),
      'late',
    );
    return operationId;
  };
  const cancelled = async (operationId: string) => {
    await sim.environment.complete(sim.kernel.operations.cancel(operationId));
    assert.equal((await sim.ended(operationId)).state, 'cancelled');
  };

  it('are refused at once and as a whole where they do not fit', async () => {
    await limited({ volumes: 2, volumeBytes: 20_000 });
    const template = { resources: { a: disk('a'), b: disk('b', { dependsOn: ['a'] }), c: disk('c', { dependsOn: ['b'] }) } };
    const before = await sim.residue();
    assert.deepEqual(await refused(sim.submit('stack.create', { name: 's', template })), ['quota_exceeded', 'volumes', 0, 2, 3]);
    assert.equal(await sim.residue(), before);
    const { a, b } = template.resources;
    const id = await sim.done('stack.create', { name: 's', template: { resources: { a, b } } });
    const grown = { a, b: { ...b, properties: { ...b.properties, sizeBytes: 16_384 } } };
    assert.deepEqual((await refused(sim.submit('stack.apply', { template: { resources: grown } }, id))).slice(0, 2), [
      'quota_exceeded',
      'volumeBytes',
    ]);
    assert.equal(used('volumes'), 2);
  });

  it('are of one of two that fit one by one, though none of their resources is made yet', async () => {
    await limited({ volumes: 3 });
    const apply = (name: string) =>
      sim.submit('stack.create', { name, template: { resources: { a: disk(`${name}-a`), b: disk(`${name}-b`) } } });
    const both = await Promise.allSettled([apply('s'), apply('t')]);
    assert.sameMembers(
      both.map(({ status }) => status),
      ['fulfilled', 'rejected'],
    );
    for (const one of both) if (one.status === 'fulfilled') assert.equal((await sim.ended(one.value.operationId)).state, 'succeeded');
    assert.equal(used('volumes'), 2);
  });

  it('are held for what it has not come to yet, also by the account, and given back when it is cancelled', async () => {
    const before = await sim.residue();
    await limited({ volumes: 3 });
    const operationId = await begun();
    assert.deepEqual([used('volumes'), used('instances')], [2, 2]);
    await limited({ volumes: 2 });
    assert.deepEqual(await refused(more()), ['quota_exceeded', 'volumes', 2, 2, 1]);
    await cancelled(operationId);
    assert.equal(used('volumes'), 0);
    await limited({ volumes: null });
    assert.equal(await sim.residue(), before);
  });

  it('are held over a crash, and taken by what they are held for', async () => {
    await limited({ volumes: 3 });
    const operationId = await begun();
    sim.crash();
    await sim.start();
    await sim.run(60_000);
    assert.equal(used('volumes'), 2);
    const [one] = sim.rows('instance').filter(({ name }) => name === 'one');
    await sim.done('instance.delete', { permanent: true }, String(one?.id));
    assert.equal((await sim.ended(operationId)).state, 'succeeded');
    assert.equal(used('volumes'), 2);
  });

  it('are given back when it is cancelled before it has come to anything', async () => {
    const template = { resources: { a: disk('a'), b: disk('b') } };
    sim.around = (point, body) => (point.path.endsWith('parts') && point.phase === 'do' ? new Promise(() => undefined) : body());
    const { operationId } = await sim.submit('stack.create', { name: 's', template });
    await sim.run(1000);
    assert.equal(used('volumes'), 2);
    sim.crash();
    sim.around = undefined;
    await sim.start();
    await sim.environment.complete(sim.kernel.operations.cancel(operationId)).catch((error: unknown) => assert.isTrue(isCloudError(error)));
    await sim.ended(operationId);
  });
});
