import { assert } from 'chai';
import { instance, network, stack, stackResource, stackRevision, volume } from '../../../src/cloud/index.ts';
import { CloudError, isCloudError, type Principal } from '../../../src/kernel/index.ts';
import type { SimCloud } from '../../../testing/index.ts';
import { type SmallCloud, smallCloud } from '../small-cloud.ts';
import { shop } from './shop.ts';

interface Shown {
  readonly hash?: string;
  readonly nothingToDo: boolean;
  readonly changes: readonly { readonly name: string; readonly action: string; readonly fields?: object; readonly drift?: object }[];
  readonly quota: readonly { readonly counter: string; readonly by: number }[];
  readonly blockers: readonly { readonly code: string; readonly detail: string; readonly pointer?: string }[];
}

const disk = (name: string, more: object = {}, beside: object = {}) => ({
  kind: 'volume',
  properties: { name, sizeBytes: 8192, poolId: 'pool-1', ...more },
  ...beside,
});

const planned = (sim: SimCloud, body: object) => sim.environment.complete(sim.call('POST', '/stacks/plan', { body })) as Promise<Shown>;
const verbs = ({ changes }: Shown) => Object.fromEntries(changes.map(({ name, action }) => [name, action]));
const names = (sim: SimCloud, kind: { readonly name: string }) => sim.rows(kind.name).map(({ name }) => String(name));

async function refusal(work: Promise<unknown>) {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!isCloudError(error)) throw new Error(`not refused: ${String(error)}`);
  return error;
}

describe('applying a template', () => {
  let at: SmallCloud;
  let sim: SimCloud;
  beforeEach(async () => {
    at = await smallCloud();
    sim = at.sim;
  });
  afterEach(() => sim.dispose());

  it('is planned first: what comes in which order, what it uses, and what it is called', async () => {
    const plan = await planned(sim, { name: 'shop', template: shop(at) });
    assert.deepEqual(
      plan.changes.map(({ name, action }) => `${action} ${name}`),
      ['create net', 'create data', 'create web'],
    );
    assert.deepInclude(plan.changes[2]?.fields, { nics: { to: [{ networkId: { ref: 'net' } }] } });
    const project = plan.quota.filter((effect) => 'scope' in effect && effect.scope === 'project');
    assert.deepInclude(Object.fromEntries(project.map(({ counter, by }) => [counter, by])), {
      networks: 1,
      instances: 1,
      // Its own disk, of the size of its image, and the other.
      volumeBytes: 4096 + 8192,
      vcpus: 1,
    });
    assert.equal((await planned(sim, { name: 'shop', template: shop(at) })).hash, plan.hash);
    await sim.done('stack.create', { name: 'shop', template: shop(at), planHash: plan.hash });
    assert.include(await planned(sim, { name: 'shop', template: shop(at) }), { nothingToDo: true });
  });

  it('is refused as a whole where all hosts together have no room for its machines, or too few are there to keep them apart', async () => {
    await sim.done('instanceType.create', { name: 'half', vcpus: 1, memoryBytes: 120 * 2 ** 30 });
    const net = { kind: 'network', properties: { name: 'net', driver: 'simulated', subnets: [{ name: 's', cidr: '10.1.0.0/24' }] } };
    const machine = (name: string, more: object = {}) => ({
      kind: 'instance',
      properties: { name, instanceType: 'half', imageId: 'image-1', nics: [{ networkId: { ref: 'net' } }], ...more },
    });
    const of = (...machines: readonly ReturnType<typeof machine>[]) => ({
      name: 's',
      template: { resources: { net, ...Object.fromEntries(machines.map((each) => [each.properties.name, each])) } },
    });
    const blockers = async (body: object) => (await planned(sim, body)).blockers.map(({ code, detail }) => [code, detail]);
    assert.deepEqual(await blockers(of(machine('one'), machine('two'))), []);
    assert.deepEqual(await blockers(of(machine('one'), machine('two'), machine('three', { whenFull: 'wait' }))), []);
    const three = of(machine('one'), machine('two'), machine('three'));
    const short = 'All hosts together have too little memory for the machines of the stack.';
    assert.deepEqual(await blockers(three), [['no_capacity', short]]);
    const before = sim.rows('operation').length;
    assert.deepInclude(await refusal(sim.submit('stack.create', three)), { code: 'no_capacity', publicMessage: short });
    assert.equal(sim.rows('operation').length, before);

    const apart = { kind: 'placementGroup', properties: { name: 'apart', policy: 'antiAffinity' } };
    const [one, two] = ['one', 'two'].map((name) => machine(name, { instanceType: 'small', placementGroupId: { ref: 'apart' } }));
    const group = { name: 's', template: { resources: { net, apart, one, two } } };
    assert.deepEqual(await blockers(group), [
      ['no_capacity', 'The 2 machines of a placement group keep apart, and there are not so many hosts.'],
    ]);
  });

  it('can be rehearsed as any action, and tells its plan', async () => {
    const input = { name: 'shop', template: shop(at) };
    const before = await sim.residue();
    const told = await sim.environment.complete(sim.kernel.rehearse({ action: 'stack.create', input, principal: sim.principal }));
    assert.include(told, { accepted: true });
    assert.deepEqual(verbs((told.notes as unknown as { plan: Shown }).plan), { net: 'create', data: 'create', web: 'create' });
    assert.equal(await sim.residue(), before);
  });

  it('changes what can be changed, shows what was changed by hand and puts it right, and refuses what is no longer what was planned', async () => {
    const id = await sim.done('stack.create', { name: 's', template: { resources: { a: disk('a', { description: 'one' }) } } });
    const [{ id: volumeId }] = sim.rows(volume.name) as [{ id: string }];
    await sim.done('volume.update', { description: 'by hand', name: 'other' }, volumeId);
    const template = { resources: { a: disk('a', { description: 'two', sizeBytes: 16_384 }) } };
    const plan = await planned(sim, { name: 's', template });
    const [change] = plan.changes;
    assert.deepEqual(change?.fields, {
      name: { from: 'other', to: 'a' },
      sizeBytes: { from: 8192, to: 16_384 },
      description: { from: 'by hand', to: 'two' },
    });
    assert.deepEqual(change?.drift, { name: { from: 'a', to: 'other' }, description: { from: 'one', to: 'by hand' } });
    await sim.done('volume.update', { name: 'another' }, volumeId);
    assert.equal((await refusal(sim.submit('stack.apply', { template, planHash: plan.hash }, id))).code, 'plan_changed');
    await sim.done('stack.apply', { template }, id);
    assert.deepInclude(sim.row(volume.name, volumeId), { name: 'a', sizeBytes: 16_384, description: 'two' });
    assert.include(await planned(sim, { name: 's', template }), { nothingToDo: true });
    await sim.done('stack.apply', { template: { resources: { a: disk('a', { sizeBytes: 16_384 }) } } }, id);
    assert.notProperty(sim.row(volume.name, volumeId), 'description');
  });

  it('makes again what was deleted by hand', async () => {
    const template = { resources: { a: disk('a'), b: disk('b') } };
    const id = await sim.done('stack.create', { name: 's', template });
    const [a] = sim.rows(volume.name).filter(({ name }) => name === 'a');
    await sim.done('volume.delete', { permanent: true }, String(a?.id));
    assert.lengthOf(sim.rows(stackResource.name), 1);
    assert.deepEqual(verbs(await planned(sim, { name: 's', template })), { a: 'create', b: 'none' });
    await sim.done('stack.apply', { template }, id);
    assert.sameMembers(names(sim, volume), ['a', 'b']);
    assert.lengthOf(sim.rows(stackResource.name), 2);
  });

  it('is refused where nothing changes a field, unless it may be made anew', async () => {
    const id = await sim.done('stack.create', { name: 's', template: { resources: { a: disk('a') } } });
    const changed = (beside: object) => ({ resources: { a: disk('a', { imageId: 'image-1' }, beside) } });
    const plan = await planned(sim, { name: 's', template: changed({}) });
    assert.deepInclude(plan.blockers[0], { code: 'conflict', pointer: '/template/resources/a/properties/imageId' });
    assert.isUndefined(plan.hash);
    assert.equal((await refusal(sim.submit('stack.apply', { template: changed({}) }, id))).code, 'conflict');
    const before = sim.rows(volume.name)[0]?.id;
    await sim.done('stack.apply', { template: changed({ replace: true }) }, id);
    const [made] = sim.rows(volume.name);
    assert.deepEqual(names(sim, volume), ['a']);
    assert.notEqual(made?.id, before);
    assert.include(await planned(sim, { name: 's', template: changed({ replace: true }) }), { nothingToDo: true });
  });

  it('leaves what is to be kept when it is made anew, under another name', async () => {
    const kept = (more: object) => ({ resources: { a: disk('a', more, { keep: true, replace: true }) } });
    const id = await sim.done('stack.create', { name: 's', template: kept({}) });
    await sim.done('stack.apply', { template: kept({ imageId: 'image-1' }) }, id);
    assert.lengthOf(names(sim, volume), 2);
    assert.include(names(sim, volume), 'a');
    await sim.done('stack.delete', {}, id);
    assert.lengthOf(names(sim, volume), 2);
  });

  it('goes on where a deletion that takes the same resources waits for its end', async () => {
    const pair = (description: string) => ({
      resources: { a: disk('a', { description }), b: disk('b', { description }, { dependsOn: ['a'] }) },
    });
    const id = await sim.done('stack.create', { name: 's', template: pair('one') });
    const { operationId } = await sim.submit('stack.apply', { template: pair('two') }, id);
    const deletion = await sim.submit('stack.delete', {}, id);
    assert.equal((await sim.ended(operationId)).state, 'succeeded');
    assert.equal((await sim.ended(deletion.operationId)).state, 'succeeded');
    assert.deepEqual([names(sim, stack), names(sim, volume)], [[], []]);
  });

  describe('of which something cannot be taken back', () => {
    const grown = (bytes: number) => ({ resources: { a: disk('a', { sizeBytes: bytes }), b: disk('b', { sizeBytes: bytes }) } });
    const sizes = () => sim.rows(volume.name).map(({ sizeBytes }) => Number(sizeBytes));
    let id: string;
    let operationId: string;
    beforeEach(async () => {
      id = await sim.done('stack.create', { name: 's', template: grown(8192) });
      sim.around = (point, body) =>
        point.path === 'last[1.0]/parts' && point.phase === 'do' ? Promise.reject(new CloudError('conflict', 'No.')) : body();
      operationId = (await sim.submit('stack.apply', { template: grown(16_384) }, id)).operationId;
      await sim.run(120_000);
      assert.deepInclude(sim.row('operation', operationId), { state: 'needs_attention' });
    });

    it('asks for attention, and ends when it is told to leave that so', async () => {
      await sim.environment.complete(sim.kernel.operations.steer(operationId, 'skip'));
      assert.equal((await sim.ended(operationId)).state, 'failed');
      assert.sameMembers(sizes(), [8192, 16_384]);
      assert.deepEqual(await sim.quotaProblems(), []);
      sim.around = undefined;
      await sim.done('stack.apply', { template: grown(16_384) }, id);
      assert.deepEqual(sizes(), [16_384, 16_384]);
    });

    it('goes with its stack when that is forced', async () => {
      await sim.done('stack.delete', { force: true }, id);
      assert.equal((await sim.ended(operationId)).state, 'failed');
      assert.deepEqual([names(sim, stack), sizes()], [[], []]);
      assert.deepEqual(await sim.quotaProblems(), []);
    });
  });

  it('lets go of what it is told to, by name or all of it', async () => {
    const id = await sim.done('stack.create', { name: 's', template: { resources: { a: disk('a'), b: disk('b'), c: disk('c') } } });
    assert.deepInclude(await refusal(sim.submit('stack.release', { resources: ['a', 'x'] }, id)), {
      code: 'not_found',
      pointer: '/resources/1',
    });
    await sim.done('stack.release', { resources: ['a'] }, id);
    assert.lengthOf(sim.rows(stackResource.name), 2);
    await sim.done('stack.release', {}, id);
    await sim.done('stack.delete', {}, id);
    assert.sameMembers(names(sim, volume), ['a', 'b', 'c']);
  });

  it('keeps what is to be kept, and deletes the rest; a stack that others have built on stays', async () => {
    const id = await sim.done('stack.create', { name: 's', template: { resources: { a: disk('a'), b: disk('b', {}, { keep: true }) } } });
    await sim.done('stack.apply', { template: shop(at) }, id);
    assert.lengthOf(sim.rows(stackResource.name), 3);
    assert.deepEqual(
      names(sim, volume).filter((name) => name.length === 1),
      ['b'],
    );
    const net = sim.rows(network.name).find(({ name }) => name === 'net');
    const other = { name: 'guest', instanceType: 'small', imageId: at.imageId, nics: [{ networkId: net?.id }] };
    const guest = await sim.done('instance.create', other);
    const refused = await refusal(sim.submit('stack.delete', {}, id));
    assert.equal(refused.code, 'in_use');
    const plan = await planned(sim, { name: 's', template: { resources: {} } });
    assert.include(plan.blockers[0], { code: 'in_use', pointer: '/template/resources/net' });
    await sim.done('instance.delete', { permanent: true }, guest);
    await sim.done('stack.delete', {}, id);
    assert.deepEqual([names(sim, stack), names(sim, instance), names(sim, volume), sim.rows(stackResource.name)], [[], [], ['b'], []]);
  });

  it('takes no disk from a machine that is none of its own, previewed, forced or not', async () => {
    const id = await sim.done('stack.create', { name: 's', template: shop(at) });
    const data = sim.rows(volume.name).find(({ name }) => name === 'data');
    const web = sim.rows(instance.name).find(({ name }) => name === 'web');
    const guest = await sim.done('instance.create', { name: 'guest', instanceType: 'small', imageId: at.imageId });
    await sim.done('instance.detachVolume', { volumeId: data?.id }, String(web?.id));
    await sim.done('instance.attachVolume', { volumeId: data?.id }, guest);
    const { kernel, environment } = sim;
    const how = { force: false, permanent: false, recursive: false, limit: 10, sees: async () => true };
    const preview = () =>
      environment.complete(kernel.previewDeletion(kernel.registry.action('stack.delete'), sim.row('stack', id) as never, how));
    const { plan, blocked } = await preview();
    assert.deepEqual([plan, blocked.rows.map(({ id: row, kind }) => [kind, row])], [undefined, [['volume', data?.id]]]);
    for (const input of [{}, { force: true }]) assert.equal((await refusal(sim.submit('stack.delete', input, id))).code, 'in_use');
    // One that is ahead in the queues of the disk counts, too.
    await sim.done('instance.detachVolume', { volumeId: data?.id }, guest);
    const attaching = await sim.submit('instance.attachVolume', { volumeId: data?.id }, guest);
    const deleting = await sim.submit('stack.delete', {}, id);
    assert.equal((await sim.ended(attaching.operationId)).state, 'succeeded');
    assert.equal((await sim.ended(deleting.operationId)).state, 'failed');
    assert.sameMembers(names(sim, instance), ['web', 'guest']);
    await sim.done('instance.detachVolume', { volumeId: data?.id }, guest);
    assert.notEqual((await preview()).plan, undefined);
    await sim.done('stack.delete', {}, id);
    assert.deepEqual([names(sim, instance), names(sim, stack), sim.world.violations], [['guest'], [], []]);
  });

  it('takes everything back when one of its resources fails', async () => {
    const before = await sim.residue();
    const bad = { kind: 'volume', properties: { name: { ref: 'web.hostname' }, sizeBytes: 8192, poolId: { ref: 'web.hostId' } } };
    const template = { ...shop(at), resources: { ...shop(at).resources, bad } };
    const { operationId } = await sim.submit('stack.create', { name: 's', template });
    const row = await sim.ended(operationId);
    assert.equal(row.state, 'failed');
    assert.deepInclude(row.error, { code: 'not_found', pointer: '/template/resources/bad/properties/poolId' });
    assert.equal(await sim.residue(), before);
  });

  it('can be cancelled while a resource waits, and goes back', async () => {
    await sim.done('instanceType.create', { name: 'huge', vcpus: 1, memoryBytes: 24 * 2 ** 30 });
    const huge = (name: string) => ({
      kind: 'instance',
      properties: { name, instanceType: 'huge', imageId: 'image-1', whenFull: 'wait' },
      dependsOn: ['web'],
    });
    const many = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`huge${n}`, huge(`huge-${n}`)]));
    const template = { ...shop(at), resources: { ...shop(at).resources, ...many } };
    const before = await sim.residue();
    const { operationId } = await sim.submit('stack.create', { name: 's', template });
    await sim.run(60_000);
    assert.equal(sim.row('operation', operationId)?.state, 'running');
    await sim.environment.complete(sim.kernel.operations.cancel(operationId));
    assert.equal((await sim.ended(operationId)).state, 'cancelled');
    assert.equal(await sim.residue(), before);
    assert.deepEqual(await sim.quotaProblems(), []);
  });

  it('seals secrets: they are in no row, no journal, no audit, and go with the revision', async () => {
    const template = (userData: unknown) => ({
      parameters: { greeting: { type: 'string', secret: true } },
      resources: { web: { kind: 'instance', properties: { name: 'web', instanceType: 'small', imageId: 'image-1', userData } } },
    });
    const text = () => [...sim.kernel.registry.schema().tables].map(({ name }) => JSON.stringify(sim.rows(name))).join('\n');
    const id = await sim.done('stack.create', { name: 's', template: template({ param: 'greeting' }), parameters: { greeting: 'hush-1' } });
    assert.notInclude(text(), 'hush-1');
    const plan = await planned(sim, { name: 's', template: template('hush-2'), parameters: { greeting: 'hush-1' } });
    assert.notInclude(JSON.stringify(plan), 'hush');
    assert.deepInclude(plan.blockers[0], { pointer: '/template/resources/web/properties/userData' });
    assert.include(await planned(sim, { name: 's', revision: 1 }), { nothingToDo: true });
    await sim.done('stack.delete', {}, id);
    assert.deepEqual(sim.rows('sealed'), []);
  });

  it('keeps the last revisions, and goes back to one that is kept', async () => {
    const template = (description: string) => ({ resources: { a: disk('a', { description }) } });
    const id = await sim.done('stack.create', { name: 's', template: template('1') });
    for (let number = 2; number <= 22; number += 1) await sim.done('stack.apply', { template: template(String(number)) }, id);
    const kept = sim.rows(stackRevision.name).map(({ number }) => Number(number));
    assert.deepEqual([kept.length, Math.min(...kept), Math.max(...kept)], [20, 3, 22]);
    assert.equal((await refusal(sim.submit('stack.rollback', { revision: 2 }, id))).code, 'not_found');
    await sim.done('stack.rollback', { revision: 5 }, id);
    assert.include(sim.rows(volume.name)[0], { description: '5' });
    assert.include(sim.row(stack.name, id), { revisionNumber: 23, state: 'ready' });
  });

  it('asks for the rights of its caller, and keeps them: nothing is begun that he may not do', async () => {
    const may = (...permissions: readonly string[]): Principal => ({
      ...sim.principal,
      actor: 'user:1',
      allows: (one) => permissions.includes(one),
    });
    const submit = (principal: Principal, action: string, input: object, resourceId?: string) =>
      sim.environment.complete(sim.kernel.submit({ action, input, principal, ...(resourceId === undefined ? {} : { resourceId }) }));
    const template = { resources: { a: { kind: 'volume', properties: { name: 'a', sizeBytes: 8192 } } } };
    const refused = await refusal(submit(may('stack.create'), 'stack.create', { name: 's', template }));
    assert.deepInclude(refused, { code: 'permission_denied', params: { permission: 'volume.create' } });
    const { operationId, resourceId } = await submit(may('stack.create', 'volume.create'), 'stack.create', { name: 's', template });
    assert.equal((await sim.ended(operationId)).state, 'succeeded');
    const part = sim.rows('operation').find(({ action, causeId }) => action === 'volume.create' && causeId === operationId);
    assert.include(part, { actor: 'user:1' });
    assert.include(
      sim.rows('audit').find(({ id }) => id === part?.id),
      { actor: 'user:1', causeId: operationId },
    );
    assert.deepInclude(await refusal(submit(may('stack.delete'), 'stack.delete', {}, resourceId)), {
      params: { permission: 'volume.delete' },
    });
    const deleted = await submit(may('stack.delete', 'volume.delete'), 'stack.delete', {}, resourceId);
    assert.equal((await sim.ended(deleted.operationId)).state, 'succeeded');
  });
});

describe('many stacks', () => {
  it('come to their ends where few operations are at work at once', async () => {
    const at = await smallCloud({ runningMax: 2 });
    const { sim } = at;
    const template = (n: number) => ({ resources: { a: disk(`a-${n}`), b: disk(`b-${n}`, {}, { dependsOn: ['a'] }), c: disk(`c-${n}`) } });
    const accepted = [];
    for (let n = 0; n < 12; n += 1) accepted.push(await sim.submit('stack.create', { name: `s-${n}`, template: template(n) }));
    for (const { operationId } of accepted) assert.equal((await sim.ended(operationId)).state, 'succeeded');
    assert.lengthOf(sim.rows(volume.name), 36);
    sim.dispose();
  });
});
