import { create, defineAction, defineDeletion, defineKind, type Plugin, ref, resourceName, saga } from '@pileus/core/kernel';
import { expect } from 'chai';
import { Type } from 'typebox';
import { type Fixture, startFixture } from '../../sdk/test/fixture/server.ts';
import { Pileus } from './pileus.ts';

const alarm = defineKind({
  name: 'doorAlarm',
  plural: 'door-alarms',
  description: 'Rings.',
  scope: 'project',
  schema: Type.Object({
    instanceId: ref('instance', 'cascade'),
    loudness: Type.Union([Type.Literal('low'), Type.Literal('high')]),
  }),
  states: { available: ['deleting'], deleting: ['deleted'] },
  initial: 'available',
});
const { instanceId, loudness } = alarm.schema.properties;

/** What nobody knew when the command line was made. */
const alarms: Plugin = {
  id: 'alarms',
  version: '1',
  kinds: [alarm],
  actions: [
    defineAction({
      kind: alarm,
      verb: 'create',
      description: 'Sets it up.',
      target: 'collection',
      input: Type.Object({ name: resourceName(), instanceId, loudness }),
      accept: ({ id, projectId, input }) => ({ params: null, statements: [create(alarm, { id, projectId, ...input })] }),
      saga: saga<null, null>('doorAlarm.create', 1).build(),
      context: () => null,
    }),
  ],
  deletions: [
    defineDeletion({
      kind: alarm,
      from: [],
      remove: saga<null, object>('doorAlarm.remove', 1).build(),
      context: () => null,
      params: () => ({}),
    }),
  ],
};

describe('cli: a server whose plugins come and go', () => {
  let fixture: Fixture;
  let pileus: Pileus;
  before(async () => {
    fixture = await startFixture();
    pileus = await Pileus.at(fixture);
  });
  after(async () => {
    await fixture.close();
    await pileus.remove();
  });

  const restart = async (...plugins: readonly Plugin[]) => {
    const port = Number(new URL(fixture.url).port);
    await fixture.close();
    fixture = await startFixture({ port, plugins });
    await pileus.ok('instances', 'create', 'web-1', '--vcpus', '1', '--memory', '1', '--wait');
  };

  it('is known by what it offers now, whatever it offered a moment ago', async () => {
    const unknown = await pileus.run('door-alarms', 'list');
    expect(unknown).to.include({ code: 2 });
    await restart(alarms);
    expect(await pileus.ok('door-alarms', 'create', '--help'))
      .to.include('--instance')
      .and.to.include('(choices: "low", "high")');
    await pileus.ok('door-alarms', 'create', 'front', '--instance', 'web-1', '--loudness', 'high', '--wait');
    const [heading, row] = (await pileus.ok('door-alarms', 'list')).split('\n').map((line) => line.split(/ {2,}/));
    expect(heading).to.deep.equal(['NAME', 'STATE', 'INSTANCE', 'LOUDNESS', 'AGE', 'ID']);
    expect(row?.slice(0, 4)).to.deep.equal(['front', 'available', 'web-1', 'high']);
    const complete = async (...words: readonly string[]) => (await pileus.ok('__complete', '--', ...words)).trim().split('\n');
    expect(await complete('door')).to.deep.equal(['door-alarms']);
    expect(await complete('door-alarms', 'create', 'x', '--loudness', '')).to.deep.equal(['low', 'high']);
    expect(await complete('door-alarms', 'get', 'f')).to.deep.equal(['front']);
    expect(await pileus.ok('--help')).to.include('door-alarms        Rings.');

    await restart();
    const gone = await pileus.run('door-alarms', 'create', 'back', '--instance', 'web-1', '--loudness', 'low');
    expect(gone).to.include({ code: 2 });
    expect(gone.err).to.include('There is no command or resource "door-alarms".');
    const again = await pileus.run('door-alarms', 'list');
    expect(again).to.include({ code: 2 });
    expect(again.err).to.include('There is no command or resource "door-alarms".');
    expect(await pileus.ok('--help')).not.to.include('door-alarms');
  }).timeout(300_000);

  it('is asked again once only, and only for what it is not known to offer', async () => {
    await pileus.ok('instances', 'list');
    fixture.seen.length = 0;
    await pileus.run('nonsense', 'list');
    expect(fixture.seen.map(({ url }) => url)).to.deep.equal(['/v1/openapi.json']);
    fixture.seen.length = 0;
    await pileus.ok('instances', 'list');
    expect(fixture.seen.map(({ url }) => url)).not.to.include('/v1/openapi.json');
  });
});
