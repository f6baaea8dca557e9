import { SimCloud } from '@pileus/core/testing';
import { assert } from 'chai';
import { drawPlan } from './plan.ts';
import { UNASKED } from './unasked.ts';
import { actionsWished } from './wishes.ts';

/** In so many plans all comes that comes in few of them. */
const SEEDS = 40;

describe('what histories ask for', () => {
  const actions: string[] = [];
  const asked = new Set(actionsWished({ further: true, networks: true }));
  const unasked = Object.values(UNASKED).flat();

  before(async () => {
    const sim = new SimCloud({ seed: 1 });
    await sim.start();
    actions.push(...sim.kernel.registry.actions().map(({ name }) => name));
    sim.dispose();
    // What whoever runs the cloud asks for by his own plan.
    for (let seed = 1; seed <= SEEDS; seed += 1)
      for (const event of drawPlan({ seed, hosts: 6, clients: 1, rageMs: 100_000, further: true, networks: true }))
        if (event.type === 'ask' && event.action.includes('.')) asked.add(event.action);
  });

  it('is each action there is, but for those that have a reason', () => {
    assert.isAbove(actions.length, 200);
    const reasoned = new Set(unasked);
    assert.deepEqual(
      actions.filter((action) => !asked.has(action) && !reasoned.has(action)),
      [],
      'add a wish to one of the groups in wishes.ts, or the reason why there is none to unasked.ts',
    );
  });

  it('has no reason for what is asked for, or for what is no action, and none twice', () => {
    assert.deepEqual(
      unasked.filter((action) => asked.has(action)),
      [],
    );
    assert.deepEqual(
      unasked.filter((action) => !actions.includes(action)),
      [],
    );
    assert.deepEqual(
      unasked.filter((action, at) => unasked.indexOf(action) !== at),
      [],
    );
  });

  it('is nothing that is no action', () => {
    assert.deepEqual(
      [...asked].filter((action) => !actions.includes(action)),
      [],
    );
  });
});
