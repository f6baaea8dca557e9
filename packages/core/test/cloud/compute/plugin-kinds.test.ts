import { expect } from 'chai';
import { Type } from 'typebox';
import {
  Api,
  create,
  defineAction,
  defineDeletion,
  defineKind,
  FORWARD_ONLY,
  type Plugin,
  ref,
  resourceName,
  saga,
  transition,
} from '../../../src/kernel/index.ts';
import { machine, smallCloud } from '../small-cloud.ts';

const base = {
  scope: 'project',
  states: { available: ['deleting'], deleting: ['deleted'] },
  initial: 'available',
} as const;
const note = defineKind({
  ...base,
  name: 'note',
  plural: 'notes',
  description: 'Goes with its machine.',
  schema: Type.Object({ text: Type.Optional(Type.String()), instanceId: ref('instance', 'cascade') }),
});
const lock = defineKind({
  ...base,
  name: 'lock',
  plural: 'locks',
  description: 'Keeps its machine.',
  schema: Type.Object({ instanceId: ref('instance', 'restrict') }),
});
const label = defineKind({
  ...base,
  name: 'label',
  plural: 'labels',
  description: 'Outlives its machine.',
  schema: Type.Object({ instanceId: Type.Optional(ref('instance', 'detach')) }),
});
const kinds = [note, lock, label];

const made = saga<null, null>('paper.create', 1).build();
const removalOf = (kind: (typeof kinds)[number]) =>
  saga<null, { readonly id: string }>(`${kind.name}.remove`, 1)
    .write('deleted', {
      do: ({ params }) => [transition(kind, params.id as never, { from: 'deleting', to: 'deleted' })],
      undo: FORWARD_ONLY,
    })
    .build();

/** A plugin as others write it: nothing of it is known anywhere else. */
const paper: Plugin = {
  id: 'paper',
  version: '1',
  kinds,
  actions: kinds.map((kind) =>
    defineAction({
      kind,
      verb: 'create',
      description: 'Writes it.',
      target: 'collection',
      input: Type.Object({ name: resourceName(), instanceId: Type.String({ format: 'uuid' }) }),
      accept: ({ id, input, projectId }) => ({ params: null, statements: [create(kind, { id, projectId, ...input } as never)] }),
      saga: made,
      context: () => null,
    }),
  ),
  deletions: kinds.map((kind) =>
    defineDeletion({ kind, from: ['available'], remove: removalOf(kind), context: () => null, params: ({ id }) => ({ id: id as string }) }),
  ),
};

/** A machine, and a cloud that can be started with and without the plugin. */
async function cloudWithPlugin() {
  const plugins: Plugin[] = [paper];
  const at = await smallCloud({ plugins });
  const { sim } = at;
  const instanceId = await sim.done('instance.create', machine(at));
  const restart = async (...with_: readonly Plugin[]) => {
    plugins.splice(0, plugins.length, ...with_);
    sim.crash();
    await sim.start();
  };
  const get = async (url: string) => {
    const response = await sim.environment.complete(
      new Api(sim.kernel).handle({
        ...{ method: 'GET', url, headers: {}, principal: sim.principal, requestId: 'test' },
        signal: new AbortController().signal,
        acceptsSocket: false,
      }),
    );
    return { status: response.status, body: JSON.parse(String(response.body)) as Record<string, unknown> & { items: object[] } };
  };
  const refusal = (action: string, input: object, id: string) =>
    sim.submit(action, input, id).then(
      () => undefined,
      (error: { code: string; message: string; params: object }) => error,
    );
  return { sim, instanceId, restart, get, refusal };
}

describe('a plugin whose kinds refer to machines', () => {
  it('joins deletions by its own declaration', async () => {
    const { sim, instanceId, refusal } = await cloudWithPlugin();
    await sim.done('note.create', { name: 'n', instanceId });
    await sim.done('label.create', { name: 'l', instanceId });
    const lockId = await sim.done('lock.create', { name: 'k', instanceId });
    expect(await refusal('instance.delete', {}, instanceId)).to.include({ code: 'in_use', message: 'Still used by lock k.' });
    await sim.done('lock.delete', {}, lockId);
    await sim.done('instance.delete', {}, instanceId);
    expect(sim.rows('note')).to.deep.equal([]);
    expect(sim.rows('label')).to.have.length(1);
    expect(sim.rows('label')[0]).not.to.have.property('instanceId');
  });

  for (const kind of kinds)
    it(`leaves, and a ${kind.name} of it stays, can be read, and keeps its machine until the plugin is back`, async () => {
      const { sim, instanceId, restart, get, refusal } = await cloudWithPlugin();
      const id = await sim.done(`${kind.name}.create`, { name: 'left', instanceId });
      const row = sim.row(kind.name, id);
      // Twice: the second start has what the first one without it wrote down.
      for (const _ of [1, 2]) {
        await restart();
        expect((await get(`/v1/${kind.plural}/left`)).body).to.deep.equal(row);
        expect((await get(`/v1/${kind.plural}?instanceId=${instanceId}`)).body.items).to.have.length(1);
        expect(sim.kernel.registry.actions().filter((action) => action.kind.name === kind.name)).to.deep.equal([]);
        const error = await refusal('instance.delete', { force: true }, instanceId);
        expect(error).to.include({ code: 'in_use', message: `Still used by ${kind.name} left of the absent plugin paper.` });
        expect(error?.params).to.deep.equal({ blockers: [{ kind: kind.name, id, name: 'left', absentPlugin: 'paper' }] });
        expect((await get('/v1/orphans')).body).to.deep.equal({
          orphans: [],
          absentPlugins: [{ plugin: 'paper', kind: kind.name, total: 1 }],
        });
        const { body } = await get(`/v1/instances/${instanceId}/deletion`);
        expect(JSON.stringify(body.blocked)).to.include('nothing can be done to it while the plugin paper is absent');
      }
      await restart(paper);
      expect(sim.kernel.registry.dormant()).to.deep.equal([]);
      if (kind === lock) await sim.done('lock.delete', {}, id);
      await sim.done('instance.delete', {}, instanceId);
      expect(sim.rows(kind.name)).to.have.length(kind === label ? 1 : 0);
    });

  it('leaves, and its orphans are not settled until it is back', async () => {
    const { sim, instanceId, restart } = await cloudWithPlugin();
    const id = await sim.done('label.create', { name: 'left', instanceId });
    const nowhere = '01890000-0000-7000-8000-00000000000a';
    await sim.environment.complete(sim.kernel.observe([{ op: 'update', table: 'label', key: id, set: { instanceId: nowhere } }]));
    await sim.done('settingValue.set', { key: 'orphans.afterSeconds', value: 60 });
    await sim.done('settingValue.set', { key: 'orphans.rows', value: 'settle' });
    await restart();
    await sim.run(200_000);
    expect(sim.row('label', id)).to.include({ instanceId: nowhere });
    await restart(paper);
    await sim.run(200_000);
    expect(sim.row('label', id)).not.to.have.property('instanceId');
  });

  it('that has left nothing behind is forgotten', async () => {
    const { sim, instanceId, restart, get } = await cloudWithPlugin();
    await restart();
    expect(sim.kernel.registry.dormant()).to.deep.equal([]);
    expect((await get('/v1/notes')).status).to.equal(404);
    await sim.done('instance.delete', {}, instanceId);
  });
});
