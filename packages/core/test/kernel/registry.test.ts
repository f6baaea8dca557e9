import { expect } from 'chai';
import { Type } from 'typebox';
import {
  defineDeletion,
  defineKind,
  gate,
  Hooks,
  NOTHING_TO_UNDO,
  notice,
  onGate,
  onNotice,
  type Plugin,
  Reader,
  Registry,
  ref,
  saga,
  updateAction,
} from '../../src/kernel/index.ts';
import { inlineSqlite } from '../../src/sqlite/index.ts';
import { SimEnvironment } from '../../testing/index.ts';
import { act, Script, script, thing } from './script.ts';

const plugin = (id: string, more: Partial<Plugin> = {}): Plugin => ({ id, version: '1', ...more });
const register = (...plugins: readonly Plugin[]) => new Registry(plugins, new SimEnvironment('registry'), new Reader(inlineSqlite()));

const world = new Script();
const run = script('run').build();
const endpoint = {
  type: 'value',
  method: 'GET',
  path: '/x',
  summary: '',
  permission: 'none',
  answer: Type.Any(),
  handle: async () => 1,
} as const;
const remove = saga<null, { readonly id: string }>('thing.remove', 1).build();
const deletion = defineDeletion({ kind: thing, from: ['idle'], remove, context: () => null, params: (row) => ({ id: row.id }) });
const point = gate<{ readonly size: number }>('thing.growing');
const told = notice<{ readonly id: string }>('thing.grown');
const hypervisor = { name: 'fake', open: () => ({}) } as never;

/** What two plugins may not both have, and what the error names beside the two. */
const clashes: Readonly<Record<string, readonly [Partial<Plugin>, string]>> = {
  kind: [{ kinds: [thing] }, 'thing'],
  action: [{ actions: [act(world, 'go', run)] }, 'thing.go'],
  deletion: [{ deletions: [deletion] }, 'thing'],
  'debt handler': [{ debts: [{ task: 'clean', pay: async () => undefined }] }, 'clean'],
  endpoint: [{ endpoints: [endpoint] }, 'GET /x'],
  strategy: [{ strategies: { hypervisor: [hypervisor] } }, 'hypervisor/fake'],
  hook: [{ points: [point] }, 'thing.growing'],
};

describe('the registry', () => {
  for (const [what, [contribution, name]] of Object.entries(clashes))
    it(`refuses a second ${what} of one name, and names both plugins`, () => {
      expect(() => register(plugin('a', contribution), plugin('b', contribution))).to.throw(
        `plugins a and b both declare the ${what} ${name}`,
      );
    });

  it("refuses a second plugin of one id, and one of the kernel's", () => {
    expect(() => register(plugin('a'), plugin('a'))).to.throw('plugins a and a both declare the plugin a');
    expect(() => register(plugin('kernel'))).to.throw('both declare the plugin kernel');
  });

  it('refuses two different sagas of one name and version', () => {
    const other = { ...run, steps: [] };
    expect(() => register(plugin('a', { sagas: [run] }), plugin('b', { sagas: [other] }))).to.throw('two different sagas are called run@1');
    const sagas = register(plugin('a', { sagas: [run] }), plugin('b', { sagas: [run, { ...run, version: 2 }] })).sagas();
    expect(sagas.filter(({ name }) => name === 'run')).to.have.length(2);
  });

  it('refuses what is not there: a plugin, a kind of a reference, of an action, of a deletion, a hook', () => {
    const lost = defineKind({ ...thing, name: 'lost', schema: Type.Object({ hostId: ref('host', 'restrict') }), quota: {}, indexed: [] });
    expect(() => register(plugin('a', { requires: ['b'] }))).to.throw('plugin a requires b, which is not there');
    expect(() => register(plugin('a', { kinds: [lost] }))).to.throw('kind lost refers to the unknown kind host in hostId');
    expect(() => register(plugin('a', { actions: [act(world, 'go', run)] }))).to.throw('action thing.go is on the unknown kind thing');
    expect(() => register(plugin('a', { deletions: [deletion] }))).to.throw('unknown kind thing');
    expect(() => register(plugin('a', { hooks: [onGate(point, () => undefined)] }))).to.throw(
      'plugin a uses the unknown hook thing.growing',
    );
    const registry = register();
    expect(() => registry.kind('thing')).to.throw('unknown kind thing');
    expect(registry.findAction('thing.go')).to.equal(undefined);
  });

  it('refuses kinds that are deleted with one another in a circle, and names their plugins; a tree of one kind is none', () => {
    const gone = (name: string, field: string, owner: string, more?: object): Partial<Plugin> => {
      const kind = defineKind({
        ...thing,
        name,
        plural: `${name}s`,
        schema: Type.Object({ [field]: ref(owner, 'cascade') }),
        quota: {},
        indexed: [],
        ...more,
      });
      return { kinds: [kind], deletions: [{ ...deletion, kind } as never] };
    };
    const tree = plugin('trees', gone('branch', 'parentId', 'branch'));
    expect(register(tree).edgesTo('branch')).to.have.length(1);
    const egg = plugin('eggs', gone('egg', 'henId', 'hen'));
    const hen = plugin('hens', gone('hen', 'farmId', 'farm'));
    const farm = (owner: string) => plugin('farms', gone('farm', 'prideId', owner));
    expect(() => register(tree, egg, hen, farm('egg'))).to.throw(
      'kinds are deleted with one another in a circle: egg (plugin eggs) with hen (plugin hens) with farm (plugin farms) with egg (plugin eggs)',
    );
    expect(register(tree, egg, hen, farm('branch')).edgesTo('hen')).to.have.length(1);
  });

  it('does not care in which order plugins come', () => {
    const declaring = plugin('declaring', { kinds: [thing], points: [point] });
    const using = plugin('using', { requires: ['declaring'], hooks: [onGate(point, () => undefined)], actions: [act(world, 'go', run)] });
    expect(register(using, declaring).hooks.has(point)).to.equal(true);
  });

  it('gives every kind a table with its references, unique keys and indexes', () => {
    const table = register(plugin('a', { kinds: [thing] }))
      .schema()
      .tables.find(({ name }) => name === 'thing');
    expect(table?.unique).to.deep.equal([['projectId', 'name']]);
    expect(table?.indexes).to.deep.include(['size']);
    expect(table?.columns).to.deep.equal({ name: 'text', state: 'text', projectId: 'text', size: 'integer' });
  });

  it('an update of a field that the kind has not is a mistake found at once', () => {
    expect(() => updateAction(thing, ['colour'])).to.throw('kind thing has no field colour');
  });
});

describe('hooks', () => {
  const bound = (id: string, after: readonly string[], calls: string[]) =>
    plugin(id, { hooks: [onNotice(told, () => void calls.push(id), { after })] });
  const declaring = plugin('declaring', { points: [told] });

  it('are asked in the declared order, not in that of the plugins', async () => {
    const calls: string[] = [];
    const registry = register(declaring, bound('c', ['b'], calls), bound('a', [], calls), bound('b', ['a', 'absent'], calls));
    await registry.hooks.tell(told.id, { id: 'x' });
    expect(calls).to.deep.equal(['a', 'b', 'c']);
  });

  it('whose order bites its tail are refused, and named', () => {
    expect(() => register(declaring, bound('free', [], []), bound('a', ['b'], []), bound('b', ['a'], []))).to.throw(
      'hook thing.grown: a and b each want to come after the other',
    );
  });

  it('of the wrong contract do not compile', () => {
    // @ts-expect-error a notice refuses nothing
    expect(onNotice(told, () => ({ reason: 'no' })).point).to.equal(told);
    // @ts-expect-error a gate is no notice
    expect(onGate(told, () => undefined).point).to.equal(told);
    expect(new Hooks(new SimEnvironment('hooks'), { reader: new Reader(inlineSqlite()) }).has(point)).to.equal(false);
    expect(NOTHING_TO_UNDO).to.be.a('string');
  });
});
