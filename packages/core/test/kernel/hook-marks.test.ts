import { expect } from 'chai';
import { Hooks } from '../../src/kernel/hook.ts';
import { contribution, gate, notice, onContribution, onGate, onNotice } from '../../src/kernel/index.ts';
import { SimEnvironment } from '../../testing/index.ts';

const asked = gate<object>('thing.asked');
const added = contribution<object, number>('thing.added');
const told = notice<{ id: string }>('thing.told');

describe('the marks of hooks', () => {
  let marks: string[];
  let hooks: Hooks;
  let fails: boolean;
  const plugin = 'watcher';
  const handler = () => {
    marks.push('at work');
    if (fails) throw new Error('of the handler');
  };

  beforeEach(() => {
    marks = [];
    const note = (what: string) => (area: string, name: string) => void marks.push(`${what} ${area} ${name}`);
    const environment = Object.assign(new SimEnvironment('marks'), { marks: { begin: note('begin'), end: note('end') } });
    hooks = new Hooks(environment, {} as never);
    for (const point of [asked, added, told]) hooks.declare(plugin, point);
    const bindings = [
      onGate(asked, () => void handler() as undefined),
      onContribution(added, () => {
        handler();
        return 1;
      }),
      onNotice(told, handler),
    ];
    for (const binding of bindings) hooks.bind(plugin, binding);
  });

  for (const outcome of ['answer', 'throw'] as const)
    it(`have an end where they ${outcome}: gates, contributions, notices`, async () => {
      fails = outcome === 'throw';
      const calls = [() => hooks.pass(asked, {}), () => hooks.collect(added, {}), () => hooks.tell(told.id, { id: 'x' })];
      for (const [index, call] of calls.entries()) {
        marks.length = 0;
        const ended = await call().then(
          () => 'answer',
          () => 'throw',
        );
        expect(ended).to.equal(outcome);
        const { id } = [asked, added, told][index] ?? asked;
        expect(marks).to.deep.equal([`begin ${id} ${plugin}`, 'at work', `end ${id} ${plugin}`]);
      }
    });

  it('have an end where one that throws counts as something else, which names its plugin', async () => {
    fails = true;
    const instead = (error: unknown, by: string) => (by === plugin && error instanceof Error ? 7 : 0);
    expect(await hooks.collect(added, {}, instead)).to.deep.equal([7]);
    expect(marks).to.deep.equal([`begin ${added.id} ${plugin}`, 'at work', `end ${added.id} ${plugin}`]);
  });
});
