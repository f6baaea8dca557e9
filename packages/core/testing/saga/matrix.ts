import { assert } from 'chai';
import { CloudError, type StepPoint } from '../../src/kernel/index.ts';
import type { Around, SimCloud, SimCloudOptions } from '../sim/cloud.ts';

/** One action under test: how to come to where it is asked, and how it is asked. */
export interface Scenario {
  readonly name: string;
  /** A fresh control plane, brought to the state before the action. The same seed each time. */
  readonly prepare: (options?: Partial<SimCloudOptions>) => Promise<SimCloud>;
  /** Asks for the action. Answers the id of the operation. */
  readonly act: (sim: SimCloud) => Promise<string>;
}

type Place = Pick<StepPoint, 'path' | 'phase' | 'type'>;
interface Fault {
  readonly place: Place;
  readonly when: 'before' | 'after';
  readonly how: 'fails' | 'crashes';
}

/** Which of the histories are played, with what follows from each; by default all. */
export type Choose = <T>(histories: readonly T[], titleOf: (history: T) => string) => readonly T[];

const same = (a: Place, b: Place): boolean => a.path === b.path && a.phase === b.phase;
/** After the last operation has ended, reconcilers and debts get this long. */
const QUIET_MS = 60_000;

interface Injection {
  readonly around: Around;
  readonly struck: () => boolean;
}

/** Crashes or fails once, at the place, `after` another has struck; with `repeat` every effect is run twice in a row. */
function inject(fault: Fault | undefined, repeat: boolean, operation: { id?: string }, after?: Injection): Injection {
  let struck = false;
  const around: Around = async (point, body, sim) => {
    const run = async () => {
      if (repeat && point.type === 'effect') await body();
      return body();
    };
    const elsewhere = point.operationId !== operation.id || after?.struck() === false;
    if (fault === undefined || struck || elsewhere || !same(point, fault.place)) return run();
    if (fault.when === 'before') {
      struck = true;
      return strike(fault, sim);
    }
    // A write that has been committed cannot fail any more: it only crashes after.
    const result = await run();
    if (struck) return result;
    struck = true;
    return strike(fault, sim);
  };
  return { around, struck: () => struck };
}

function strike(fault: Fault, sim: SimCloud): Promise<never> {
  if (fault.how === 'crashes') {
    sim.crash();
    // One of its own: what waits for one that all share is kept as long as that.
    return new Promise<never>(() => undefined);
  }
  return Promise.reject(new CloudError('conflict', `Injected at ${fault.place.path}.`));
}

interface Played {
  readonly scenario: Scenario;
  readonly options: Partial<SimCloudOptions>;
}

async function play({ scenario, options }: Played, fault: Fault | undefined, repeat: boolean, first?: Fault) {
  const sim = await scenario.prepare(options);
  const before = await sim.residue();
  const places: Place[] = [];
  const operation: { id?: string } = {};
  const earlier = first === undefined ? undefined : inject(first, false, operation);
  const { around } = inject(fault, repeat, operation, earlier);
  sim.around = (point, body, at) => {
    operation.id ??= point.operationId;
    if (point.operationId === operation.id) places.push({ path: point.path, phase: point.phase, type: point.type });
    return around(point, () => (earlier === undefined ? body() : earlier.around(point, body, at)), at);
  };
  const id = await scenario.act(sim);
  const ended = await sim.ended(id);
  sim.around = undefined;
  await sim.run(QUIET_MS);
  if (!sim.alive) await sim.start();
  const after = await sim.residue();
  const miscounted = await sim.quotaProblems();
  sim.dispose();
  return { before, after, miscounted, state: ended.state, error: ended.error, places };
}

const label = ({ place, when, how }: Fault, repeat: boolean): string =>
  `${how} ${when} ${place.phase === 'undo' ? 'undoing ' : ''}${place.path}${repeat ? ', every effect run twice' : ''}`;

/** Every do: fail and crash, before and after, with and without repeats. */
function faultsOf(places: readonly Place[]): readonly { readonly fault: Fault; readonly repeat: boolean }[] {
  const distinct = places.filter((place, index) => places.findIndex((other) => same(place, other)) === index);
  return distinct.flatMap((place) =>
    (['before', 'after'] as const).flatMap((when) =>
      (['fails', 'crashes'] as const)
        .filter((how) => !(place.type === 'write' && when === 'after' && how === 'fails'))
        .flatMap((how) => [false, true].map((repeat) => ({ fault: { place, when, how }, repeat }))),
    ),
  );
}

/** What is tried first after a crash at the place: there the journal knows least of what has begun. */
function nextLife(places: readonly Place[], crashedAt: Place): Place | undefined {
  const next = places[places.findIndex((place) => same(place, crashedAt)) + 1];
  return next?.phase === 'do' ? next : undefined;
}

/**
 * Runs the action once for each way it can go wrong: each step fails and crashes, before and after; in each undo on the way back it crashes again; after each
 * crash the next life fails at once; every effect also run twice. Whatever happens the operation ends, and the world is as it was before or as it is after an
 * undisturbed run: never in between, and the use of quotas is what its rows count for. The options are for the scenario's cloud; `choose` is for where a
 * history takes long.
 * Answers how many histories were played.
 * @throws AssertionError naming the history that left something behind
 */
export async function crashMatrix(
  scenario: Scenario,
  options: Partial<SimCloudOptions> = {},
  choose: Choose = (histories) => histories,
): Promise<number> {
  const of = { scenario, options };
  const clean = await play(of, undefined, false);
  assert.deepEqual(clean.miscounted, [], scenario.name);
  assert.equal(clean.state, 'succeeded', `${scenario.name}: the undisturbed run ${JSON.stringify(clean.error)}`);
  let played = 1;
  const check = async (fault: Fault, repeat: boolean, first?: Fault) => {
    const run = await play(of, fault, repeat, first);
    played += 1;
    const title = `${scenario.name} that ${first === undefined ? '' : `${label(first, false)}, then `}${label(fault, repeat)} (${run.state})`;
    assert.deepEqual(run.miscounted, [], title);
    assert.equal(run.after, run.state === 'succeeded' ? clean.after : run.before, title);
    return run;
  };
  for (const { fault, repeat } of choose(faultsOf(clean.places), ({ fault, repeat }) => label(fault, repeat))) {
    const run = await check(fault, repeat);
    if (repeat) continue;
    const next = fault.how === 'crashes' ? nextLife(run.places, fault.place) : undefined;
    if (next !== undefined) await check({ place: next, when: 'before', how: 'fails' }, false, fault);
    if (fault.how !== 'fails' || fault.when !== 'after') continue;
    for (const second of faultsOf(run.places.filter((place) => place.phase === 'undo')))
      if (!second.repeat) await check(second.fault, false, fault);
  }
  return played;
}
