import type { Scenario } from '@pileus/core/testing';
import { assert } from 'chai';
import { FULL, share } from '../../../../tools/test/slice.ts';
import { scenarios } from '../../../core/test/cloud/scenarios.ts';
import { TestCluster } from './cluster.ts';
import type { Choices } from './matrix-choices.ts';
import { MatrixPlayers } from './matrix-players.ts';
import { MatrixPlays } from './matrix-plays.ts';

/** Others with each commit: a history takes about a tenth of a second of the processor here, and some actions have hundreds. */
const ACTIONS = 3;
const HISTORIES = 4;

/**
 * In a full run all scenarios are played, by more than one processor can reckon, and of each action each way that a step or an undo can go wrong once. With
 * `PILEUS_MATRICES=whole` each of them in each scenario, and after each failure that leads to an undo, and with every effect run twice: all that is played on the
 * embedded store with every commit.
 */
const PROCESSES = 2;
const SIDE_BY_SIDE = 3;

const someOf = ({ name }: Scenario): Choices => ({
  choose: (histories, titleOf) => share(HISTORIES, histories, (history) => `${name} ${titleOf(history)}`),
});

interface Plays {
  /** How many histories of each. */
  readonly played: ReadonlyMap<Scenario, Promise<number>>;
  readonly stop: () => Promise<void>;
}

/** All are begun, so that a long one keeps no others from being played. */
function begin(chosen: readonly Scenario[], play: (scenario: Scenario) => Promise<number>, stop: Plays['stop']): Plays {
  const played = new Map(chosen.map((scenario) => [scenario, play(scenario)] as const));
  // Whoever waits for it hears of it; nobody does where a test is left out.
  for (const playing of played.values()) playing.catch(() => undefined);
  return { played, stop };
}

async function beginHere(chosen: readonly Scenario[]): Promise<Plays> {
  const cluster = await TestCluster.start({ inMemory: true });
  const plays = new MatrixPlays(cluster, someOf);
  const stop = async () => {
    await plays.stop();
    await cluster.stop();
  };
  return begin(chosen, (scenario) => plays.play(scenario), stop);
}

function beginElsewhere(chosen: readonly Scenario[]): Plays {
  const players = new MatrixPlayers({ processes: PROCESSES, sideBySide: SIDE_BY_SIDE });
  return begin(
    chosen,
    (scenario) => players.play(scenario),
    () => players.stop(),
  );
}

/** The same histories as on the embedded store. */
describe('actions on PostgreSQL, in every way they can go wrong', function () {
  this.timeout(FULL ? 7_200_000 : 300_000);
  const chosen = share(ACTIONS, scenarios, ({ name }) => name);
  let plays: Plays | undefined;
  before(async () => {
    plays = FULL ? beginElsewhere(chosen) : await beginHere(chosen);
  });
  after(() => plays?.stop());

  for (const scenario of chosen)
    it(`${scenario.name} ends whole or not at all`, async () => {
      assert.isAbove((await plays?.played.get(scenario)) ?? 0, 0);
    });
});
