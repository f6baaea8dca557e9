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
  /** For an action whose parts stay done when it fails: the world then, made of that after an undisturbed run. Default: it is as it was before. */
  readonly kept?: (after: string) => string;
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

/** How often a request comes at once where it comes more than once. */
const AT_ONCE = 3;

/** The cloud with requests that come several times at once, each with a key of its own: all must be answered alike. `again` makes all of them once more. */
function repeating(sim: SimCloud): { readonly sim: SimCloud; readonly again: () => Promise<void> } {
  const repeats: (() => Promise<void>)[] = [];
  const submit: SimCloud['submit'] = async (action, input, resourceId) => {
    const idempotencyKey = `request-${repeats.length}`;
    const target = resourceId === undefined ? {} : { resourceId };
    const ask = () => sim.kernel.submit({ action, input, principal: sim.principal, idempotencyKey, ...target });
    const [answer, ...others] = await sim.environment.complete(Promise.all([ask(), ...Array.from({ length: AT_ONCE - 1 }, ask)]));
    for (const other of others) assert.deepEqual(other, answer, `${action}, asked for ${AT_ONCE} times at once`);
    repeats.push(async () => assert.deepEqual(await sim.environment.complete(ask()), answer, `${action}, asked for again after its end`));
    return answer;
  };
  const get = (_: SimCloud, name: string | symbol): unknown => {
    const member: unknown = name === 'submit' ? submit : Reflect.get(sim, name, sim);
    return typeof member === 'function' ? member.bind(sim) : member;
  };
  return {
    sim: new Proxy(sim, { get }),
    again: async () => {
      for (const repeat of repeats) await repeat();
    },
  };
}

/** Nothing goes wrong, but the request comes several times: at once, and again after its end. */
function playRepeated({ scenario, options }: Played) {
  let again = async () => {};
  const act = (sim: SimCloud) => {
    const many = repeating(sim);
    again = many.again;
    return scenario.act(many.sim);
  };
  return play({ scenario: { ...scenario, act }, options }, undefined, false, undefined, () => again());
}

async function play({ scenario, options }: Played, fault: Fault | undefined, repeat: boolean, first?: Fault, afterwards = async () => {}) {
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
  await afterwards();
  await sim.run(QUIET_MS);
  // The end of an operation may be seen before the crash that comes with its last write.
  if (!sim.alive) {
    await sim.start();
    await sim.run(QUIET_MS);
  }
  const after = await sim.residue();
  const miscounted = await sim.quotaProblems();
  sim.dispose();
  return { before, after, miscounted, state: ended.state, error: ended.error, places };
}

/** Ends the title of a history in which drivers are asked for everything twice. */
export const TWICE = ', every effect run twice';

const label = ({ place, when, how }: Fault, repeat: boolean): string =>
  `${how} ${when} ${place.phase === 'undo' ? 'undoing ' : ''}${place.path}${repeat ? TWICE : ''}`;

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

/** Requests that come at once are each promised addresses of their own, of which those of one are taken; and where deciding takes time, it is later then. */
const withoutChosen = (residue: string): string =>
  residue
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<instant>')
    .replaceAll(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, '<address>')
    .replaceAll(/\b[0-9a-f]{1,4}:[0-9a-f:]*:[0-9a-f]+\b/g, '<address>');

/**
 * Runs the action once for each way it can go wrong: each step fails and crashes, before and after; in each undo on the way back it crashes again; after each
 * crash the next life fails at once; every effect also run twice. Whatever happens the operation ends, and the world is as it was before or as it is after an
 * undisturbed run: never in between, but for what a scenario tells to be `kept`, and the use of quotas is what its rows count for. Where nothing goes wrong the request comes several times with one key,
 * at once and after its end: each is answered alike, and the world is as after one. The options are for the scenario's cloud; `choose` is for where a history
 * takes long, and `chooseUndone` is of those in which an undo goes wrong after a failure.
 * Answers how many histories were played.
 * @throws AssertionError naming the history that left something behind
 */
export async function crashMatrix(
  scenario: Scenario,
  options: Partial<SimCloudOptions> = {},
  choose: Choose = (histories) => histories,
  chooseUndone: Choose = (histories) => histories,
): Promise<number> {
  const of = { scenario, options };
  const clean = await playRepeated(of);
  assert.deepEqual(clean.miscounted, [], scenario.name);
  assert.equal(clean.state, 'succeeded', `${scenario.name}: the undisturbed run ${JSON.stringify(clean.error)}`);
  let played = 1;
  let once: string | undefined;
  const check = async (fault: Fault, repeat: boolean, first?: Fault) => {
    const run = await play(of, fault, repeat, first);
    played += 1;
    const title = `${scenario.name} that ${first === undefined ? '' : `${label(first, false)}, then `}${label(fault, repeat)} (${run.state})`;
    assert.deepEqual(run.miscounted, [], title);
    const kept = scenario.kept === undefined ? undefined : withoutChosen(scenario.kept(clean.after));
    if (run.state !== 'succeeded') assert.equal(run.after, withoutChosen(run.after) === kept ? run.after : run.before, title);
    else if (once !== undefined) assert.equal(run.after, once, title);
    else assert.equal(withoutChosen(run.after), withoutChosen(clean.after), `${title}, beside one that was asked for several times`);
    if (run.state === 'succeeded') once ??= run.after;
    return run;
  };
  for (const { fault, repeat } of choose(faultsOf(clean.places), ({ fault, repeat }) => label(fault, repeat))) {
    const run = await check(fault, repeat);
    if (repeat) continue;
    const next = fault.how === 'crashes' ? nextLife(run.places, fault.place) : undefined;
    if (next !== undefined) await check({ place: next, when: 'before', how: 'fails' }, false, fault);
    if (fault.how !== 'fails' || fault.when !== 'after') continue;
    const undone = faultsOf(run.places.filter((place) => place.phase === 'undo')).filter((second) => !second.repeat);
    for (const second of chooseUndone(undone, (each) => label(each.fault, false))) await check(second.fault, false, fault);
  }
  return played;
}
