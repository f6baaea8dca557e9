import { assert } from 'chai';
import { commit, FULL } from '../../tools/test/slice.ts';
import { playHistory } from './history.ts';

const BUDGET_MS = FULL ? 20 * 60_000 : 20_000;

/** Each commit plays other histories, and always the same ones. */
const firstSeed = (): number => Number.parseInt(commit.slice(0, 7), 16) || 1;

describe('random histories of a whole control plane', () => {
  it('leave nothing half done, and nothing behind', async function () {
    this.timeout(BUDGET_MS + 300_000);
    const beganMs = performance.now();
    for (let seed = firstSeed(); performance.now() - beganMs < BUDGET_MS; seed += 1) {
      const { problems, lastLines } = await playHistory({ seed, hosts: 2 + (seed % 3) });
      const again = `npm run simulate -- --first-seed ${seed} --seeds 1 --hosts ${2 + (seed % 3)} --plain`;
      assert.deepEqual(problems, [], `seed ${seed} (${again}):\n${lastLines.join('\n')}\n`);
    }
  });

  it('go on over several clusters', async function () {
    this.timeout(300_000);
    let read = 0;
    // In so short a history the control plane may be down for most of the time: then nobody reads much, and another one is played.
    for (let seed = firstSeed(); read <= 100 && seed < firstSeed() + 5; seed += 1) {
      const { problems, lastLines, rowsRead } = await playHistory({ seed, hosts: 50, rageMs: 15_000 });
      assert.deepEqual(problems, [], `seed ${seed}:\n${lastLines.join('\n')}\n`);
      read += rowsRead;
    }
    assert.isAbove(read, 100);
  });

  it('are replayed exactly by their seed', async function () {
    this.timeout(300_000);
    const play = () => playHistory({ seed: 4711, hosts: 2, rageMs: 60_000 });
    const [first, second] = [await play(), await play()];
    assert.equal(second.hash, first.hash);
    assert.deepEqual(second.lastLines, first.lastLines);
    assert.notEqual((await playHistory({ seed: 4712, hosts: 2, rageMs: 60_000 })).hash, first.hash);
  });
});
