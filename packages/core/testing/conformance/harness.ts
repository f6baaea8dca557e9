import { expect } from 'chai';
import type { Environment } from '../../src/kernel/environment.ts';
import { sleep } from '../../src/kernel/environment.ts';
import { Ids } from '../../src/kernel/id.ts';
import type { Call, Fault } from '../../src/strategy/index.ts';

/**
 * What every conformance suite needs of a backend, real or simulated. All driver objects that `open` gives see the same backend.
 * One harness serves one suite from its first test to its last.
 */
export interface Harness<Driver> {
  /** The time that passes for the driver: virtual in a simulation (whose harness keeps it moving by itself), else `nodeEnvironment()`. */
  readonly environment: Pick<Environment, 'clock' | 'timers' | 'random'>;
  open(): Promise<Driver>;
  /** From now on the backend takes what is sent to it and answers nothing (SIGSTOP). */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Resolves when nothing that was sent earlier can land any more. The backend is not frozen. */
  settle(): Promise<void>;
  /** Leaves nothing behind. The suite has closed the drivers that it opened. */
  close(): Promise<void>;
}

/** Bounds in milliseconds of the harness's time; generous ones cost nothing, since nothing sleeps for them. */
export interface Timeouts {
  /** What one call may take on a loaded machine. */
  readonly callMs: number;
  /** Given to calls on a frozen backend, so each of those takes this long: enough for a request to be on its way. */
  readonly frozenMs: number;
  /** What a guest may take to boot, to power off, to let go of a device. */
  readonly guestMs: number;
  /** Mocha's bound for one test, in real time; longer than what a test waits for by itself, so that it ends with its reason. */
  readonly testMs: number;
}

export const DEFAULT_TIMEOUTS: Timeouts = { callMs: 30_000, frozenMs: 500, guestMs: 120_000, testMs: 480_000 };

/** How a suite is set up: known before the first test runs, because tests are generated from `features`. */
export interface Setup<Feature extends string, H> {
  /** The optional features the driver offers; the suite asserts that they are exactly those. */
  readonly features: readonly Feature[];
  readonly timeouts?: Partial<Timeouts>;
  /** On a slow backend: which of the generated tests on a frozen backend are worth their time in this run. Default: all. */
  readonly select?: (title: string) => boolean;
  readonly makeHarness: () => Promise<H>;
}

interface Driver {
  classify(error: unknown): Fault;
  close(): Promise<void>;
}

const FAULTS: readonly Fault[] = [
  'not_found',
  'conflict',
  'invalid',
  'unsupported',
  'exhausted',
  'unavailable',
  'unknown_outcome',
  'internal',
];
/** What a driver may say of a call that a frozen backend did not answer: `unavailable` if it knows that nothing was sent. */
export const UNANSWERED: readonly Fault[] = ['unknown_outcome', 'unavailable'];

/** A suite while it runs: the harness, one driver object for the tests, and the verbs tests are written with. */
export class Stage<D extends Driver, H extends Harness<D>> {
  readonly timeouts: Timeouts;
  readonly #makeHarness: () => Promise<H>;
  readonly #select: (title: string) => boolean;
  readonly #opened: D[] = [];
  #harness: H | undefined;
  #driver: D | undefined;
  #ids: Ids | undefined;
  #requests = 0;
  #wasFrozen = false;

  constructor(setup: Setup<string, H>) {
    this.timeouts = { ...DEFAULT_TIMEOUTS, ...setup.timeouts };
    this.#makeHarness = setup.makeHarness;
    this.#select = setup.select ?? (() => true);
  }

  /** A test, if this run plays it. */
  selected(title: string, body: () => Promise<void>): void {
    if (this.#select(title)) it(title, body);
  }

  get harness(): H {
    if (this.#harness === undefined) throw new Error('the suite has not begun');
    return this.#harness;
  }

  get driver(): D {
    if (this.#driver === undefined) throw new Error('the suite has not begun');
    return this.#driver;
  }

  async begin(): Promise<void> {
    this.#harness = await this.#makeHarness();
    this.#ids = new Ids(this.#harness.environment.clock, this.#harness.environment.random);
    this.#driver = await this.open();
  }

  async end(): Promise<void> {
    for (const driver of this.#opened) await driver.close();
    await this.#harness?.close();
  }

  /** A further driver object; closed with the suite. */
  async open(): Promise<D> {
    const driver = await this.harness.open();
    this.#opened.push(driver);
    return driver;
  }

  newId(): string {
    if (this.#ids === undefined) throw new Error('the suite has not begun');
    return this.#ids.mint('conformance');
  }

  call(timeoutMs: number = this.timeouts.callMs, extra: Partial<Call> = {}): Call {
    this.#requests += 1;
    return { requestId: `conformance-${this.#requests}`, signal: new AbortController().signal, timeoutMs, ...extra };
  }

  /** A call on a frozen backend. */
  brief(): Call {
    return this.call(this.timeouts.frozenMs);
  }

  pause(delayMs: number): Promise<void> {
    return sleep(this.harness.environment.timers, delayMs);
  }

  /** Looks until `holds`, and gives what it saw; fails with the last sight when `withinMs` are over. */
  async eventually<T>(look: () => Promise<T>, holds: (seen: T) => boolean, withinMs: number = this.timeouts.callMs): Promise<T> {
    const { clock } = this.harness.environment;
    const deadlineMs = clock.monotonicMs() + withinMs;
    for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 500)) {
      const seen = await look();
      if (holds(seen)) return seen;
      if (clock.monotonicMs() >= deadlineMs) expect.fail(`not within ${withinMs} ms; last seen: ${JSON.stringify(seen)}`);
      await this.pause(pauseMs);
    }
  }

  /** Repeats a call until it succeeds, as a saga's undo does. */
  async insist(act: (call: Call) => Promise<unknown>): Promise<void> {
    const attempt = () =>
      act(this.call()).then(
        () => undefined,
        (error: unknown) => ({ fault: this.driver.classify(error), error: String(error) }),
      );
    await this.eventually(attempt, (failure) => failure === undefined, 4 * this.timeouts.callMs);
  }

  /** What a look sees once it is answered: a backend that was thawed may yet end and be started again, by whoever watches over it. */
  async answered<T>(look: () => Promise<T>): Promise<T> {
    const attempt = () =>
      look().then(
        (seen) => ({ seen }),
        (error: unknown) => {
          if (!UNANSWERED.includes(this.driver.classify(error))) throw error;
          return { error: String(error) };
        },
      );
    const found = await this.eventually(attempt, (outcome) => 'seen' in outcome, 4 * this.timeouts.callMs);
    return 'seen' in found ? found.seen : expect.fail(found.error);
  }

  /** The fault of a call that must reject. */
  async fault(work: Promise<unknown>): Promise<Fault> {
    try {
      await work;
    } catch (error) {
      const fault = this.driver.classify(error);
      expect(FAULTS, `classify gave ${String(fault)}`).to.include(fault);
      return fault;
    }
    return expect.fail('the call succeeded, but should have been refused');
  }

  /** Runs `work` on a frozen backend and thaws it whatever happens. */
  async whileFrozen<T>(work: () => Promise<T>): Promise<T> {
    this.#wasFrozen = true;
    await this.harness.freeze();
    try {
      return await work();
    } finally {
      await this.harness.thaw();
    }
  }

  /** After a test that froze the backend: until the driver has an answer again, so that what becomes of the backend is not the next test's. */
  async calm(look: () => Promise<unknown>): Promise<void> {
    if (!this.#wasFrozen) return;
    await this.answered(look);
    this.#wasFrozen = false;
  }
}
