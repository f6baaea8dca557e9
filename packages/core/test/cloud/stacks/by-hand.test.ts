import { assert } from 'chai';
import { stack, stackResource, volume } from '../../../src/cloud/index.ts';
import { CloudError } from '../../../src/kernel/index.ts';
import type { SimCloud } from '../../../testing/index.ts';
import { smallCloud } from '../small-cloud.ts';

const disk = (name: string, beside: object = {}) => ({
  kind: 'volume',
  properties: { name, sizeBytes: 8192, poolId: 'pool-1' },
  ...beside,
});
const described = (name: string, description: string, beside: object = {}) => {
  const { kind, properties } = disk(name);
  return { kind, properties: { ...properties, description }, ...beside };
};

describe('a resource that somebody deletes while its stack is at work', () => {
  let sim: SimCloud;
  beforeEach(async () => {
    ({ sim } = await smallCloud());
  });
  afterEach(() => sim.dispose());

  const idOf = (name: string) => String(sim.rows(volume.name).find((row) => row.name === name)?.id);
  /** Before this step is tried first. */
  const deletedBefore = (id: string, path: string, tried: 'goes on' | 'fails' = 'goes on') => {
    let isFirst = true;
    sim.around = async (point, body) => {
      if (!isFirst || point.path !== path) return body();
      isFirst = false;
      const request = { action: 'volume.delete', resourceId: id, input: { permanent: true }, principal: sim.principal };
      const { operationId } = await sim.kernel.submit(request);
      assert.include(await sim.kernel.operations.wait(operationId, 60_000), { state: 'succeeded' });
      return tried === 'fails' ? Promise.reject(new CloudError('conflict', 'No.')) : body();
    };
  };
  const ended = async (action: string, input: object, id: string) => {
    const { operationId } = await sim.submit(action, input, id);
    return (await sim.ended(operationId)).state;
  };

  for (const path of ['verify', 'remove[0.0]/deleted', 'remove[1.0]/deleted'])
    it(`does not keep the stack from its deletion: ${path}`, async () => {
      const id = await sim.done('stack.create', { name: 's', template: { resources: { a: disk('a', { keep: true }), b: disk('b') } } });
      deletedBefore(idOf('a'), path);
      assert.equal(await ended('stack.delete', {}, id), 'succeeded');
      assert.deepEqual([sim.rows(stack.name), sim.rows(volume.name), sim.rows(stackResource.name)], [[], [], []]);
    });

  for (const path of ['look', 'entries', 'ready'])
    it(`does not keep the apply from its end, and is no resource of it: ${path}`, async () => {
      const id = await sim.done('stack.create', { name: 's', template: { resources: { a: disk('a') } } });
      const template = { resources: { a: disk('a', { keep: true }), b: disk('b') } };
      deletedBefore(idOf('a'), path);
      assert.equal(await ended('stack.apply', { template }, id), 'succeeded');
      assert.deepEqual(
        sim.rows(stackResource.name).map(({ logicalName }) => logicalName),
        ['b'],
      );
      await sim.done('stack.apply', { template }, id);
      assert.lengthOf(sim.rows(stackResource.name), 2);
    });

  it('is not put back', async () => {
    const template = (description: string) => ({
      resources: { a: described('a', description), b: described('b', description, { dependsOn: ['a'] }) },
    });
    const id = await sim.done('stack.create', { name: 's', template: template('one') });
    deletedBefore(idOf('a'), 'change[1.0]/parts', 'fails');
    assert.equal(await ended('stack.apply', { template: template('two') }, id), 'failed');
    assert.include(sim.row(stack.name, id), { state: 'ready' });
    assert.deepEqual(
      sim.rows(volume.name).map(({ name, description }) => [name, description]),
      [['b', 'one']],
    );
  });
});
