import { assert } from 'chai';
import { instance, network, stack, stackResource, stackRevision, volume } from '../../../src/cloud/index.ts';
import { smallCloud } from '../small-cloud.ts';
import { shop } from './shop.ts';

describe('a stack', () => {
  it('makes a network, a disk and a machine from one template, does nothing when asked again, and goes with all of it', async () => {
    const at = await smallCloud();
    const { sim } = at;
    const before = await sim.residue();
    const id = await sim.done('stack.create', { name: 'shop', template: shop(at) });
    const rows = (kind: { readonly name: string }) => sim.rows(kind.name);
    assert.deepEqual(
      rows(instance).map(({ name, state }) => [name, state]),
      [['web', 'running']],
    );
    assert.deepEqual(
      rows(network)
        .map(({ name }) => name)
        .sort(),
      ['net', 'net-1'],
    );
    const [made] = rows(stack);
    assert.include(made, { state: 'ready', revisionNumber: 1 });
    assert.deepInclude(made?.outputs as object, { driver: 'simulated' });
    assert.sameMembers(
      rows(stackResource).map(({ logicalName }) => String(logicalName)),
      ['web', 'net', 'data'],
    );
    assert.lengthOf(rows(stackRevision), 1);
    assert.deepEqual(rows(volume).find(({ name }) => name === 'data')?.state, 'attached');
    const operations = rows({ name: 'operation' }).length;
    await sim.done('stack.apply', { template: shop(at) }, id);
    assert.equal(rows({ name: 'operation' }).length, operations + 1);
    assert.include(rows(stack)[0], { revisionNumber: 1 });
    await sim.done('stack.delete', {}, id);
    assert.equal(await sim.residue(), before);
    sim.dispose();
  });
});
