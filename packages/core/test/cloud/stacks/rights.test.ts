import { assert } from 'chai';
import { instance, stack, stackRevision, volume } from '../../../src/cloud/index.ts';
import { type CloudError, isCloudError, type Principal } from '../../../src/kernel/index.ts';
import type { SimCloud } from '../../../testing/index.ts';
import { machine, type SmallCloud, smallCloud } from '../small-cloud.ts';
import { shop } from './shop.ts';

const disk = (name: string, more: object = {}) => ({ kind: 'volume', properties: { name, sizeBytes: 8192, poolId: 'pool-1', ...more } });
const net = (at: SmallCloud) => ({ resources: { net: shop(at).resources.net } });
const EMPTY = { resources: {} };

describe('what a caller may not, a stack does not for him', () => {
  let at: SmallCloud;
  let sim: SimCloud;
  beforeEach(async () => {
    at = await smallCloud();
    sim = at.sim;
  });
  afterEach(() => sim.dispose());

  const without = (...permissions: readonly string[]): Principal => ({ ...sim.principal, allows: (one) => !permissions.includes(one) });
  const refusal = (principal: Principal, id: string, template: object): Promise<CloudError> =>
    sim.environment.complete(sim.kernel.submit({ action: 'stack.apply', resourceId: id, input: { template }, principal })).then(
      () => assert.fail('it was accepted'),
      (error: unknown) => (isCloudError(error) ? error : assert.fail(String(error))),
    );

  it('tells nothing of what he may not read, not even what was changed by hand', async () => {
    const template = { resources: { a: disk('a') } };
    const id = await sim.done('stack.create', { name: 's', template });
    await sim.done('volume.update', { description: 'by hand' }, String(sim.rows(volume.name)[0]?.id));
    assert.deepInclude(await refusal(without('volume.read'), id, template), {
      code: 'permission_denied',
      params: { permission: 'volume.read' },
    });
    const others = { ...sim.principal, limits: () => ({ field: 'name', op: '=', value: 'b' }) as const };
    assert.equal(
      (await refusal({ ...others, limits: (one) => (one === 'volume.read' ? others.limits() : undefined) }, id, template)).code,
      'permission_denied',
    );
  });

  it('is refused before anything is done where he could not delete what leaves', async () => {
    const id = await sim.done('stack.create', { name: 's', template: { resources: { a: disk('a') } } });
    const limits = (one: string) => (one === 'volume.delete' ? ({ field: 'name', op: '=', value: 'b' } as const) : undefined);
    assert.equal((await refusal({ ...sim.principal, limits }, id, EMPTY)).code, 'permission_denied');
    assert.include(sim.row(stack.name, id), { state: 'ready' });
  });

  it('is refused before anything is done where something that he does not see is in the way', async () => {
    const id = await sim.done('stack.create', { name: 's', template: net(at) });
    const [{ id: networkId }] = sim.rows('network').filter(({ name }) => name === 'net') as [{ id: string }];
    await sim.done('instance.create', machine(at, { nics: [{ networkId }] }));
    const error = await refusal(without('nic.read', 'instance.read'), id, EMPTY);
    assert.deepInclude(error, { code: 'in_use', params: { blockers: [] } });
    assert.match(error.publicMessage, /something that you may not see/);
  });

  it('is not deleted with what has come to it since that was asked for', async () => {
    const id = await sim.done('stack.create', { name: 's', template: { resources: { a: disk('a') } } });
    const applied = await sim.submit('stack.apply', { template: { resources: { a: disk('a'), b: disk('b') } } }, id);
    const deletion = await sim.submit('stack.delete', {}, id);
    assert.equal((await sim.ended(applied.operationId)).state, 'succeeded');
    const { state, error } = await sim.ended(deletion.operationId);
    assert.deepInclude({ state, code: error?.code }, { state: 'failed', code: 'plan_changed' });
    assert.lengthOf(sim.rows(volume.name), 2);
    await sim.done('stack.delete', {}, id);
    assert.lengthOf(sim.rows(volume.name), 0);
  });

  it('shows no reference to a secret, and nothing that is no field', async () => {
    const web = { ...shop(at).resources.web.properties, nics: [{ networkId: at.networkId }], attachVolumeIds: [], userData: 'hush' };
    const outputs = { secret: { ref: 'web.userData' }, inner: { ref: 'web.constructor.name' }, state: { ref: 'web.state' } };
    const parameters = { hush: { type: 'string', secret: true } };
    const template = { parameters, resources: { web: { kind: 'instance', properties: { ...web, userData: { param: 'hush' } } } }, outputs };
    const id = await sim.done('stack.create', { name: 's', template, parameters: { hush: 'hush' } });
    assert.deepEqual(sim.row(stack.name, id)?.outputs, { secret: null, inner: null, state: 'running' });
  });

  it('may fill a secret property with what is known only later', async () => {
    const properties = { ...shop(at).resources.web.properties, nics: [{ networkId: at.networkId }], userData: { ref: 'data.state' } };
    const template = {
      resources: { data: shop(at).resources.data, web: { kind: 'instance', properties } },
      parameters: shop(at).parameters,
    };
    await sim.done('stack.create', { name: 's', template });
    assert.lengthOf(sim.rows(instance.name), 1);
  });
});

describe('a resource of a stack that lies in the trash', () => {
  it('is told of, and in the way of an apply', async () => {
    const { sim } = await smallCloud({ presets: { 'trash.retentionSeconds': 86_400 } });
    const template = { resources: { a: disk('a') } };
    const id = await sim.done('stack.create', { name: 's', template });
    const volumeId = String(sim.rows(volume.name)[0]?.id);
    await sim.done('volume.delete', {}, volumeId);
    const plan = await sim.environment.complete(sim.call('POST', '/stacks/plan', { body: { name: 's', template } }));
    assert.deepInclude(plan as object, { nothingToDo: false });
    assert.deepInclude((plan as { blockers: object[] }).blockers[0], { code: 'conflict', pointer: '/template/resources/a' });
    await sim.done('volume.recover', {}, volumeId);
    await sim.done('stack.apply', { template }, id);
    assert.lengthOf(sim.rows(stackRevision.name), 1);
    await sim.done('volume.delete', {}, volumeId);
    await sim.done('stack.apply', { template: EMPTY }, id);
    assert.deepEqual(sim.rows(volume.name), []);
    sim.dispose();
  });
});
