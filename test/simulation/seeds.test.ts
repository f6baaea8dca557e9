import { assert } from 'chai';
import { commit, FULL } from '../../tools/test/slice.ts';
import { type History, playHistory } from './history.ts';

const BUDGET_MS = FULL ? 20 * 60_000 : 20_000;
/** A full run goes on until so many things were made or begun to be, however long a slow machine takes. */
const CREATES_MIN = FULL ? 10_000 : 0;
const TIMEOUT_MS = FULL ? 3 * 3600_000 : 320_000;

/** Each commit plays other histories, and always the same ones. */
const firstSeed = (): number => Number.parseInt(commit.slice(0, 7), 16) || 1;

/** What histories were made of. */
class Tally {
  seeds = 0;
  creates = 0;
  failures = 0;
  kills = 0;
  hostsLost = 0;

  add({ actions, outcomes, troubles }: History): void {
    this.seeds += 1;
    this.creates += sumOf(actions, (name) => name.endsWith('.create'));
    this.failures += sumOf(outcomes, (state) => state !== 'succeeded');
    this.kills += sumOf(troubles, (name) => name.startsWith('kill.'));
    this.hostsLost += sumOf(troubles, (name) => name.startsWith('site.'));
  }

  toString(): string {
    const { seeds, creates, failures, kills, hostsLost } = this;
    return `${seeds} histories: ${creates} creations accepted, ${failures} operations failed or cancelled, the control plane killed ${kills} times, hosts lost ${hostsLost} times; nothing left behind`;
  }
}

const sumOf = (counts: Readonly<Record<string, number>>, counted: (name: string) => boolean): number =>
  Object.entries(counts).reduce((sum, [name, count]) => sum + (counted(name) ? count : 0), 0);

describe('random histories of a whole control plane', () => {
  it('leave nothing half done, and nothing behind', async function () {
    this.timeout(TIMEOUT_MS);
    const beganMs = performance.now();
    const tally = new Tally();
    for (let seed = firstSeed(); performance.now() - beganMs < BUDGET_MS || tally.creates < CREATES_MIN; seed += 1) {
      // What histories of before did not draw, moves and migrations among it, makes them longer.
      const further = FULL && (seed % 4 === 1 || seed % 4 === 2);
      const networks = seed % 2 === 0;
      const history = await playHistory({ seed, hosts: 2 + (seed % 3), further, networks });
      const { problems, lastLines } = history;
      tally.add(history);
      const again = `npm run simulate -- --first-seed ${seed} --seeds 1 --hosts ${2 + (seed % 3)}${further ? '' : ' --plain'}${networks ? ' --networks' : ' --no-networks'}`;
      assert.deepEqual(problems, [], `seed ${seed} (${again}):\n${[...problems, '', ...lastLines].join('\n')}\n`);
    }
    assert.isAbove(tally.creates, 0);
    process.stdout.write(`      ${tally}\n`);
  });

  it('go on over several clusters', async function () {
    this.timeout(300_000);
    let read = 0;
    // In so short a history the control plane may be down for most of the time: then nobody reads much, and another one is played.
    for (let seed = firstSeed(); read <= 100 && seed < firstSeed() + 5; seed += 1) {
      const { problems, lastLines, rowsRead } = await playHistory({ seed, hosts: 50, rageMs: 15_000 });
      assert.deepEqual(problems, [], `seed ${seed}:\n${[...problems, '', ...lastLines].join('\n')}\n`);
      read += rowsRead;
    }
    assert.isAbove(read, 100);
  });

  it('are replayed exactly by their seed', async function () {
    this.timeout(300_000);
    const play = () => playHistory({ seed: 4711, hosts: 2, rageMs: 30_000, networks: true });
    const [first, second] = [await play(), await play()];
    assert.equal(second.hash, first.hash);
    assert.deepEqual(second.lastLines, first.lastLines);
    assert.notEqual((await playHistory({ seed: 4712, hosts: 2, rageMs: 60_000 })).hash, first.hash);
  });
});
