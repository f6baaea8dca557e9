import { assert } from 'chai';
import { type History, type HistoryOptions, playHistory } from './history.ts';
import { failureOf, shrink } from './shrink.ts';

/** A backend that has a copy of an image says from then on that it has deleted a disk, and has not. */
function forgetful(): NonNullable<HistoryOptions['landing']> {
  const withImage = new Set<string>();
  return (site, command, apply) => {
    if (command === 'images.put') withImage.add(site);
    return command === 'volumes.delete' && withImage.has(site) ? (undefined as ReturnType<typeof apply>) : apply();
  };
}

const optionsOf = (seed: number): HistoryOptions => ({ seed, hosts: 2, rageMs: 20_000, landing: forgetful() });

/** Short histories: not each of them deletes such a disk. */
async function firstFailing(): Promise<History> {
  for (let seed = 11; ; seed += 1) {
    const history = await playHistory(optionsOf(seed));
    if (history.problems.length > 0) return history;
  }
}

describe('a history that fails', () => {
  it('is told by the few events that it needs, and fails with these alone in the same way', async function () {
    this.timeout(300_000);
    const failing = await firstFailing();
    assert.match(failureOf(failing) ?? '', /^volume ID in (hv#\/)?ID has no row$/);
    const options = () => optionsOf(failing.seed);
    const { only, history, isMinimal } = await shrink(options, failing, 400);
    assert.isTrue(isMinimal);
    assert.isAtMost(only.length, 4, JSON.stringify(history.events));
    assert.equal(failureOf(history), failureOf(failing));
    const again = await playHistory({ ...options(), only: new Set(only) });
    assert.equal(again.hash, history.hash);
    assert.deepEqual(again.problems, history.problems);
    for (const id of only) {
      const without = new Set(only.filter((other) => other !== id));
      assert.notEqual(failureOf(await playHistory({ ...options(), only: without })), failureOf(failing), `without ${id}`);
    }
  });
});
