import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../packages/sdk/test/fixture/simulated-server.ts';
import { run } from '../../tools/system/command.ts';
import { NODE, ROOT, read } from './documents.ts';

/** Flags that the guides give to each command, by its words, e.g. `instances create`; with `true` or `false` behind one where they give it that. */
async function commands(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, Set<string>>();
  for (const page of (await readdir(join(ROOT, 'docs/guides'))).filter((name) => name.endsWith('.md')))
    for (const [, block = ''] of (await read(`docs/guides/${page}`)).matchAll(/```sh\n([\s\S]*?)```/g))
      for (const [, words = '', rest = ''] of block
        .replaceAll(/\\\n\s*/g, '')
        .matchAll(/^(?:\w+=.*\$\()?pileus ([a-z-]+(?: [a-z][a-z-]*(?=[ )\n]|$))?)(.*)$/gm)) {
        const flags = found.get(words) ?? new Set();
        for (const [, flag = ''] of rest.replaceAll(/'[^']*'|"[^"]*"/g, '').matchAll(/ (--[a-z-]+(?: (?:true|false)\b)?)/g))
          flags.add(flag);
        found.set(words, flags);
      }
  return found;
}

/** What is said with the flag alone takes no word, and would be a name with one; the opposite, which the help leaves out, has a flag of its own. */
function isTaken(flag: string, help: string): boolean {
  const [name = '', value] = flag.split(' ');
  const plain = name.replace(/^--no-/, '--');
  return new RegExp(value === undefined ? `${plain}\\b` : `${plain}(?:, --[a-z-]+)* <`).test(help);
}

/** Shared by all runs: what is looked at is what the program says, not its compilation. */
const COMPILED = join(ROOT, 'node_modules/.cache/compiled');

describe('the commands of the guides', function () {
  // A process for each command, of which there are a hundred: on a busy machine a second each and more.
  this.timeout(600_000);
  let server: SimulatedServer;
  before(async () => {
    server = await startSimulatedServer({ isEmpty: true });
  });
  after(() => server.close());

  it('are there, with the flags that they are given', async () => {
    const env = { ...process.env, PILEUS_URL: server.url, PILEUS_KEY: server.apiKey, NODE_COMPILE_CACHE: COMPILED };
    const help = (words: string) => run([...NODE, join(ROOT, 'packages/cli/src/main.ts'), ...words.split(' '), '--help'], { env });
    const all = await commands();
    expect(all).to.include.keys('tags attach', 'projects set-quota', 'hosts update');
    const unknown: string[] = [];
    for (const [words, flags] of all) {
      const text = await help(words);
      if (!text.includes(`pileus ${words}`)) unknown.push(words);
      for (const flag of flags) if (!isTaken(flag, text)) unknown.push(`${words} ${flag}`);
    }
    expect(unknown).to.deep.equal([]);
  });
});
