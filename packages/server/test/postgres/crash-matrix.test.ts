import { type Choose, crashMatrix, type Scenario } from '@pileus/core/testing';
import { assert } from 'chai';
import { FULL, share } from '../../../../tools/test/slice.ts';
import { scenarios } from '../../../core/test/cloud/scenarios.ts';
import { PostgresBackend } from './backend.ts';
import { TestCluster } from './cluster.ts';

/** Others with each commit, all of them in a full run: a history takes about a quarter of a second here, and some actions have hundreds. */
const ACTIONS = 3;
const HISTORIES = 4;

/** Played side by side: a history waits for the database for most of its time. */
const SIDE_BY_SIDE = FULL ? 6 : 3;
/** Begun ahead of the test that waits for them, so that a long one keeps no others from being played. */
const AHEAD = 4 * SIDE_BY_SIDE;

const choose =
  ({ name }: Scenario): Choose =>
  (histories, titleOf) =>
    share(HISTORIES, histories, (history) => `${name} ${titleOf(history)}`);

/** Plays scenarios ahead of their tests, in their order, each on a store of its own. */
class Players {
  readonly #cluster: TestCluster;
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #played = new Map<Scenario, Promise<number>>();
  readonly #players: Promise<void>[] = [];
  #busy = 0;
  readonly #idle: PostgresBackend[] = [];
  readonly #backends: PostgresBackend[] = [];
  #stopped = false;

  constructor(cluster: TestCluster) {
    this.#cluster = cluster;
  }

  /** How many histories of the first were played. The others are begun. */
  played([first, ...others]: readonly Scenario[]): Promise<number> {
    if (first === undefined) return Promise.resolve(0);
    for (const scenario of [first, ...others]) this.#begin(scenario);
    return this.#played.get(first) ?? Promise.resolve(0);
  }

  /** What is under way ends with its next history. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.length = 0;
    await Promise.all(this.#players);
    for (const backend of this.#backends) await backend.close();
  }

  #begin(scenario: Scenario): void {
    if (this.#played.has(scenario)) return;
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    // Whoever waits for it hears of it; nobody does where a test is left out.
    promise.catch(() => undefined);
    this.#played.set(scenario, promise);
    this.#waiting.push(() => this.#play(scenario).then(resolve, reject));
    if (this.#busy === SIDE_BY_SIDE) return;
    this.#busy += 1;
    this.#players.push(this.#serve());
  }

  async #serve(): Promise<void> {
    for (let play = this.#waiting.shift(); play !== undefined; play = this.#waiting.shift()) await play();
    this.#busy -= 1;
  }

  async #play(scenario: Scenario): Promise<number> {
    const backend = this.#idle.pop() ?? this.#another();
    const prepare: typeof scenario.prepare = async (options) => {
      if (this.#stopped) throw new Error('the tests have ended');
      await backend.empty();
      return scenario.prepare(options);
    };
    try {
      return await crashMatrix({ ...scenario, prepare }, { backend }, choose(scenario));
    } finally {
      this.#idle.push(backend);
    }
  }

  #another(): PostgresBackend {
    const backend = new PostgresBackend(this.#cluster);
    this.#backends.push(backend);
    return backend;
  }
}

/** The same histories as on the embedded store. */
describe('actions on PostgreSQL, in every way they can go wrong', function () {
  this.timeout(FULL ? 3_600_000 : 300_000);
  let cluster: TestCluster;
  let players: Players;
  before(async () => {
    cluster = await TestCluster.start({ inMemory: true });
    players = new Players(cluster);
  });
  after(async () => {
    await players?.stop();
    await cluster?.stop();
  });

  const chosen = share(ACTIONS, scenarios, ({ name }) => name);
  for (const [index, scenario] of chosen.entries())
    it(`${scenario.name} ends whole or not at all`, async () => {
      assert.isAbove(await players.played(chosen.slice(index, index + AHEAD)), 0);
    });
});
