import { instance } from '@pileus/core';
import { type Action, isCloudError } from '@pileus/core/kernel';
import { type SimCloud, SimRandom } from '@pileus/core/testing';
import { assert } from 'chai';
import { atQuiet } from './invariants.ts';
import { stillCloud } from './still-cloud.ts';

const STEPS_OF_TABLE = 100_000;
const STEPS_OF_KERNEL = process.env.PILEUS_FULL === '1' ? 100_000 : 3000;

/** Where a verb leads that was taken. `undefined` = where it is. */
const LEADS: Readonly<Record<string, string | undefined>> = {
  start: 'running',
  stop: 'stopped',
  suspend: 'suspended',
  resume: 'running',
  reboot: undefined,
  reset: 'running',
  delete: 'deleted',
};
const VERBS = Object.keys(LEADS) as [string, ...string[]];
/** What happens to a machine behind our back, and what it is found as. */
const ACCIDENTS = ['crashed', 'stopped', 'missing'] as const;

type Expected = { readonly taken: true; readonly to: string } | { readonly taken: false };

function expected(action: Action, state: string): Expected {
  const satisfied = action.satisfied?.({ state } as never) === true;
  if (satisfied) return { taken: true, to: state };
  if (action.from !== undefined && !action.from.includes(state)) return { taken: false };
  return { taken: true, to: LEADS[action.verb] ?? state };
}

const states = instance.states as Readonly<Record<string, readonly string[]>>;

describe('a random walk over the states of an instance', () => {
  it(`stays on the table of the kind for ${STEPS_OF_TABLE} steps, and reaches every state in which it can rest`, async () => {
    const { sim } = await stillCloud('table');
    const random = new SimRandom('table');
    const reached = new Set<string>();
    let state = 'running';
    for (let step = 0; step < STEPS_OF_TABLE; step += 1) {
      const next = random.chance(0.1) ? random.pick(ACCIDENTS) : undefined;
      const outcome: Expected =
        next === undefined ? expected(sim.kernel.registry.action(`instance.${random.pick(VERBS)}`), state) : { taken: true, to: next };
      if (!outcome.taken) continue;
      const way = outcome.to === 'deleted' ? ['deleting', 'deleted'] : [outcome.to];
      for (const to of way) {
        assert.isTrue(to === state || states[state]?.includes(to), `from ${state} to ${to}`);
        state = to;
        reached.add(state);
      }
      if (state === 'deleted') state = random.pick(['running', 'stopped']);
    }
    assert.sameMembers([...reached], [...Object.keys(states).filter((name) => name !== 'creating'), 'deleted']);
  });

  it(`is what the control plane does, for ${STEPS_OF_KERNEL} verbs and accidents: taken, or refused with nothing changed`, async function () {
    this.timeout(STEPS_OF_KERNEL * 60);
    const { sim, machine } = await stillCloud('walk');
    const random = new SimRandom('walk');
    let id = await sim.done('instance.create', machine());
    for (let step = 0; step < STEPS_OF_KERNEL; step += 1) {
      const before = rowOf(sim, id);
      if (random.chance(0.1)) {
        const found = await accident(sim, id, random.pick(ACCIDENTS), before.state);
        assert.equal(rowOf(sim, id).state, found, `step ${step}: an accident in ${before.state}`);
        continue;
      }
      const verb = random.pick(VERBS);
      const outcome = expected(sim.kernel.registry.action(`instance.${verb}`), before.state);
      const said = await ask(sim, verb, id);
      const after = rowOf(sim, id);
      const what = `step ${step}: ${verb} in ${before.state} was ${said}`;
      if (outcome.taken) assert.deepEqual([said, after.state], ['succeeded', outcome.to], what);
      else assert.deepEqual([said, after], ['conflict', before], what);
      if (after.state === 'deleted') id = await sim.done('instance.create', machine());
    }
    await sim.run(3_600_000);
    assert.deepEqual(atQuiet(sim, []), []);
  });
});

describe('a control plane that is stopped for an hour', () => {
  it('changes nothing by that, and finds all as it was: nothing is made twice', async () => {
    const { sim, machine } = await stillCloud('stopped');
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) ids.push(await sim.done('instance.create', machine()));
    await sim.done('instance.stop', { force: true }, ids[0]);
    await sim.done('instance.suspend', {}, ids[1]);
    await sim.run(1_200_000);
    const before = { world: sim.world.snapshot(), residue: await sim.residue(), rows: generations(sim) };
    await sim.environment.complete(sim.kernel.stop());
    sim.crash();
    await sim.run(3_600_000);
    assert.equal(sim.world.snapshot(), before.world);
    await sim.start();
    await sim.run(1_800_000);
    assert.equal(sim.world.snapshot(), before.world);
    assert.equal(await sim.residue(), before.residue);
    assert.deepEqual(generations(sim), before.rows, 'a look that finds nothing new writes nothing');
    assert.deepEqual(atQuiet(sim, []), []);
  });
});

const rowOf = (sim: SimCloud, id: string) => sim.row('instance', id) as { readonly state: string };
const generations = (sim: SimCloud) =>
  ['instance', 'volume', 'network', 'nic', 'host', 'pool'].flatMap((table) =>
    sim.rows(table).map(({ id, generation }) => `${table} ${id} ${generation}`),
  );

/** How the operation ended, or the code that refused it. */
async function ask(sim: SimCloud, verb: string, id: string): Promise<string> {
  try {
    const accepted = await sim.submit(`instance.${verb}`, verb === 'stop' ? { force: true } : {}, id);
    return (await sim.ended(accepted.operationId)).state;
  } catch (error) {
    if (isCloudError(error)) return error.code;
    throw error;
  }
}

/** Something happens on the host, and the watch tells. Answers the state that must be found. */
async function accident(sim: SimCloud, id: string, what: (typeof ACCIDENTS)[number], state: string): Promise<string> {
  const host = sim.world.host('hv1');
  const there = host.machines.get(id);
  if (what === 'missing') host.remove(id);
  else if (there?.live === true) there.stop(what);
  await sim.run(5000);
  if (what === 'missing') return 'missing';
  return there?.live === false && (state === 'running' || state === 'suspended') ? what : state;
}
