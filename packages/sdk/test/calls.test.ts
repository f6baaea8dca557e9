import { CloudError } from '@pileus/core/kernel';
import { expect } from 'chai';
import { isOperationFailed, isPileusError, type OperationFailed, PileusError, type Transport } from '../src/runtime.ts';
import { type Cloud, connect } from './fixture/generated/cloud.ts';
import { type Fixture, startFixture } from './fixture/server.ts';

const GIB = 1024 ** 3;
const machine = (name: string) => ({ name, vcpus: 2, memoryBytes: 2 * GIB });
const FAST = { baseMs: 5, maxMs: 50 };

async function rejected(promise: PromiseLike<unknown>): Promise<PileusError> {
  try {
    await promise;
  } catch (error) {
    if (isPileusError(error)) return error;
    throw error;
  }
  throw new Error('It was expected to be refused.');
}

describe('sdk: calls', () => {
  let fixture: Fixture;
  let cloud: Cloud;
  before(async () => {
    fixture = await startFixture();
    cloud = connect({ url: fixture.url, apiKey: fixture.apiKey, retry: FAST });
  });
  after(() => fixture.close());
  afterEach(() => {
    fixture.faults.clear();
    fixture.workshop.gate = Promise.resolve();
    fixture.workshop.failure = undefined;
  });

  it('answers the accepted change first and its outcome when waited for', async () => {
    const accepted = await cloud.instances.create(machine('web-1'));
    expect(accepted.action).to.equal('instance.create');
    const row = await accepted.wait();
    expect(row).to.include({ id: accepted.id, name: 'web-1', state: 'running', vcpus: 2 });
    expect((await accepted.operation()).state).to.equal('succeeded');
  });

  it('waits in one expression, and gets by name and by id', async () => {
    const row = await cloud.instances.create(machine('web-2')).wait();
    expect(await cloud.instances.get('web-2')).to.deep.equal(await cloud.instances.get(row.id));
  });

  it('asks for nothing else where a name is none', async () => {
    const asked: string[] = [];
    const transport: Transport = {
      request: async ({ path }) => {
        asked.push(path);
        throw new Error('not meant to be asked');
      },
    };
    const { instances } = connect({ transport, retry: FAST });
    for (const name of ['', '.', '..'])
      for (const call of [
        instances.get(name),
        instances.update(name, { description: 'x' }),
        instances.delete(name),
        instances.stop(name),
      ]) {
        const refused = await rejected(call);
        expect([refused.code, refused.message]).to.deep.equal(['invalid_input', `${JSON.stringify(name)} is neither a name nor an id.`]);
      }
    expect(asked).to.deep.equal([]);
    expect((await rejected(cloud.instances.get('...'))).code).to.equal('not_found');
  });

  it('says at once that a key or a project cannot be one', async () => {
    for (const wrong of ['pil_a\nb', 'ключ'])
      expect(() => connect({ url: fixture.url, apiKey: wrong })).to.throw(PileusError, 'The API key has a character that no key has.');
    expect(() => connect({ url: fixture.url, project: 'a\nb' })).to.throw(
      PileusError,
      '"a\\nb" is neither the name nor the id of a project.',
    );
    const read = connect({ url: fixture.url, apiKey: `${fixture.apiKey}\n` });
    expect(await read.instances.list().toArray()).to.be.an('array');
  });

  it('tells what each verb would do, and does nothing', async () => {
    const made = await cloud.instances.create(machine('rehearsed')).wait();
    const before = (await cloud.operations.list().toArray()).length;
    const { dryRun } = cloud.instances;
    const first = await dryRun.create(machine('rehearsed-2'));
    expect(first).to.deep.include({ dryRun: true, accepted: true, action: 'instance.create', blockers: [] });
    expect(first.steps).to.include('disk');
    const taken = await dryRun.create(machine('rehearsed'));
    expect(taken.accepted).to.equal(false);
    expect(taken.blockers[0]).to.include({ code: 'name_taken', retry: 'after_state_change', pointer: '/name' });
    expect(await dryRun.update('rehearsed', { description: 'new' })).to.include({ accepted: true, resourceId: made.id });
    expect(await dryRun.delete(made.id, { force: true })).to.include({ accepted: true, action: 'instance.delete' });
    expect((await rejected(dryRun.delete('nobody'))).code).to.equal('not_found');
    expect((await dryRun.delete('nobody').safe()).ok).to.equal(false);
    expect(fixture.seen.at(-1)?.url).to.match(/\?dryRun=true$/);
    expect(await cloud.operations.list().toArray()).to.have.length(before);
    expect((await cloud.instances.get('rehearsed')).generation).to.equal(made.generation);
  });

  it('tells each step to who waits', async () => {
    let open = () => {};
    fixture.workshop.gate = new Promise((resolve) => {
      open = resolve;
    });
    const steps: (string | undefined)[] = [];
    const row = await cloud.instances.create(machine('web-3')).wait({
      onProgress: ({ state, lastStep }) => {
        steps.push(state === 'succeeded' ? 'end' : lastStep);
        if (lastStep === 'disk') open();
      },
    });
    expect(row.state).to.equal('running');
    expect(steps).to.include('disk');
    expect(steps.at(-1)).to.equal('end');
  });

  it('has every verb as a method, updates, and deletes', async () => {
    const { id } = await cloud.instances.create(machine('web-4')).wait();
    const volume = await cloud.volumes.create({ name: 'data', sizeBytes: GIB }).wait();
    await cloud.instances.attachVolume('web-4', { volumeId: volume.id }).wait();
    expect((await cloud.volumes.get(volume.id)).instanceId).to.equal(id);
    expect((await cloud.instances.stop(id, { force: true }).wait()).state).to.equal('stopped');
    expect((await cloud.instances.start(id).wait()).state).to.equal('running');
    expect((await cloud.instances.update(id, { description: 'blue' }).wait()).description).to.equal('blue');
    expect(await cloud.instances.update(id, { description: null }).wait()).not.to.have.property('description');
    const other = await cloud.volumes.create({ name: 'gone-soon', sizeBytes: 1 }).wait();
    expect(await cloud.volumes.delete(other.id).wait()).to.equal(undefined);
    expect((await rejected(cloud.volumes.get(other.id))).code).to.equal('not_found');
  });

  it('previews a deletion, and deletes what was previewed or nothing', async () => {
    await cloud.instances.create({ name: 'doomed', vcpus: 1, memoryBytes: 1 }).wait();
    const { plan, deleted, blocked } = await cloud.instances.previewDeletion('doomed', { limit: 10 });
    expect(deleted.rows.map(({ kind, name, depth }) => ({ kind, name, depth }))).to.deep.equal([
      { kind: 'instance', name: 'doomed', depth: 0 },
    ]);
    expect(blocked.total).to.equal(0);
    const other = await cloud.instances.delete('doomed', { plan: 'instance.7-0' }).safe();
    expect(other.ok ? '' : other.error.code).to.equal('plan_changed');
    await cloud.instances.delete('doomed', { plan: plan ?? '' }).wait();
  });

  it('throws typed errors with code, retry answer, pointer and request id', async () => {
    const error = await rejected(cloud.instances.create({ ...machine('web-5'), vcpus: 0 }));
    expect(error).to.include({ code: 'invalid_input', retry: 'never', status: 400, pointer: '/vcpus' });
    expect(error.requestId).to.be.a('string');
    const absent = await rejected(cloud.instances.get('nobody'));
    expect(absent).to.include({ code: 'not_found', status: 404 });
    const stranger = connect({ url: fixture.url, apiKey: 'pil_wrong' });
    expect((await rejected(stranger.instances.get('web-1'))).code).to.equal('unauthenticated');
  });

  it('answers results as values on demand', async () => {
    const found = await cloud.instances.get('web-1').safe();
    expect(found.ok && found.data.name).to.equal('web-1');
    const absent = await cloud.instances.get('nobody').safe();
    expect(!absent.ok && absent.error.code).to.equal('not_found');
    const failed = await cloud.instances
      .create({ ...machine('x'), vcpus: 0 })
      .wait()
      .safe();
    expect(failed.ok).to.equal(false);
  });

  it('throws OperationFailed with the operation when the outcome is a failure', async () => {
    fixture.workshop.failure = new CloudError('no_capacity', 'No host has room.', { params: { reasons: ['full'] } });
    const error = await rejected(cloud.instances.create(machine('web-6')).wait());
    expect(isOperationFailed(error)).to.equal(true);
    expect(error).to.include({ code: 'no_capacity', retry: 'after_state_change' });
    expect((error as OperationFailed).operation.state).to.equal('failed');
    expect(error.params).to.deep.equal({ reasons: ['full'] });
  });

  it('cancels, and the wait ends with code cancelled', async () => {
    let open = () => {};
    fixture.workshop.gate = new Promise((resolve) => {
      open = resolve;
    });
    const pending = cloud.instances.create(machine('web-7'));
    const accepted = await pending;
    const end = rejected(accepted.wait());
    expect((await accepted.cancel()).cancelRequested).to.equal(true);
    open();
    expect((await end).code).to.equal('cancelled');
  });

  it('stops waiting when the time is over or the caller gives up, and the operation goes on', async () => {
    let open = () => {};
    fixture.workshop.gate = new Promise((resolve) => {
      open = resolve;
    });
    const accepted = await cloud.instances.create(machine('web-8'));
    expect((await rejected(accepted.wait({ timeoutMs: 20, onProgress: () => {} }))).code).to.equal('wait_timeout');
    const startMs = performance.now();
    expect((await rejected(accepted.wait({ timeoutMs: 50 }))).code).to.equal('wait_timeout');
    expect(performance.now() - startMs).to.be.at.least(45);
    // Less than a second is never left to the server, which waits for whole ones.
    const waits = fixture.seen.map(({ url }) => url).filter((url) => url.includes(accepted.operationId));
    expect(new Set(waits)).to.deep.equal(new Set([`/v1/operations/${accepted.operationId}?waitSeconds=0`]));
    const abort = new AbortController();
    const given = rejected(accepted.wait({ signal: abort.signal }));
    abort.abort();
    expect((await given).code).to.equal('aborted');
    open();
    expect((await accepted.wait()).state).to.equal('running');
  });

  it('refuses a change of what has changed since (ifGeneration)', async () => {
    const row = await cloud.instances.get('web-1');
    await cloud.instances.update('web-1', { description: 'new' }, { ifGeneration: row.generation }).wait();
    const error = await rejected(cloud.instances.update('web-1', { description: 'newer' }, { ifGeneration: row.generation }));
    expect(error.code).to.equal('precondition_failed');
  });

  it('knows an error of another copy of the package', () => {
    expect(isPileusError(new PileusError('busy', 'Later.'))).to.equal(true);
    const other = Object.assign(new Error('x'), { [Symbol.for('@pileus/sdk/PileusError')]: true });
    expect(isPileusError(other)).to.equal(true);
    expect(isPileusError(new Error('x'))).to.equal(false);
  });

  it('tolerates fields, states and codes that it does not know', async () => {
    const answers: Record<string, [number, unknown]> = {
      '/v1/instances/new': [200, { id: 'x', name: 'new', state: 'hibernating', generation: 1, revision: 1, extra: { deep: true } }],
      '/v1/instances/odd': [
        409,
        { code: 'moon_phase', title: 'Moon phase', detail: 'Wait for the new moon.', retry: 'after_state_change' },
      ],
    };
    const transport: Transport = {
      request: async ({ path }) => {
        const [status, body] = answers[path] ?? [404, {}];
        return { status, headers: {}, text: async () => JSON.stringify(body), stream: async function* () {} };
      },
    };
    const future = connect({ transport });
    expect(await future.instances.get('new')).to.deep.include({ state: 'hibernating', extra: { deep: true } });
    expect(await rejected(future.instances.get('odd'))).to.include({ code: 'moon_phase', retry: 'after_state_change' });
  });

  it('works in process the same way', async () => {
    const inside = connect(fixture.embedded);
    const row = await inside.instances.create(machine('inside-1')).wait();
    expect(row.state).to.equal('running');
    expect((await rejected(inside.instances.create({ ...machine('inside-2'), vcpus: 0 }))).pointer).to.equal('/vcpus');
    expect((await rejected(inside.instances.openConsole('inside-1'))).code).to.equal('unsupported');
    const image = await inside.images.create({ name: 'inside-image' }).wait();
    expect(await inside.images.upload(image.id, new Blob(['abc']))).to.include({ sizeBytes: 3 });
  });
});
