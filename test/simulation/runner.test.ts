import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from 'chai';
import { attempt } from '../../tools/system/command.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

/** What `npm run simulate` tells whoever asks for many seeds. On no host at all every seed fails. */
describe('the runner of many seeds', function () {
  this.timeout(300_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pileus-seeds-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function simulate(...args: readonly string[]) {
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'] as const;
    const { exitCode, stdout, stderr } = await attempt([...node, MAIN, ...args], { timeoutMs: 240_000 });
    return { exitCode, sum: stdout.trim().split('\n').at(-1) ?? '', stderr };
  }

  it('sums up, and ends with 0 where none has failed', async () => {
    const { exitCode, sum } = await simulate('--seeds', '1', '--first-seed', '7', '--hosts', '2', '--seconds', '2');
    assert.equal(exitCode, 0, sum);
    assert.match(sum, /^1 of 1 seeds played from 7, \d+ operations, \d+ kills, 0 failed; \d+ s; next: --first-seed 8$/);
  });

  it('goes on behind one that fails, writes each to a file at once, and ends with 1', async () => {
    const file = join(folder, 'failed.jsonl');
    const all = await simulate('--seeds', '3', '--hosts', '0', '--clients', '4', '--keep-going', '--failed', file);
    assert.equal(all.exitCode, 1);
    assert.match(all.sum, /^3 of 3 seeds .* 3 failed \(1, 2, 3\); .*; next: --first-seed 4$/);
    const lines = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(
      lines.map(({ seed, again }) => ({ seed, again })),
      [1, 2, 3].map((seed) => ({
        seed,
        again: `npm run simulate -- --first-seed ${seed} --seeds 1 --hosts 0 --clients 4 --seconds 180`,
      })),
    );
  });

  it('names an argument that is none', async () => {
    const { exitCode, stderr } = await simulate('--seeds', 'many');
    assert.equal(exitCode, 2);
    assert.include(stderr, '--seeds takes a whole number, not many');
  });
});
