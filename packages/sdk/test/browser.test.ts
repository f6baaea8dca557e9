import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url));
const TSC = fileURLToPath(new URL('../../../node_modules/.bin/tsc', import.meta.url));
const run = promisify(execFile);

/** All modules that one reaches, and what they import from elsewhere. */
async function graph(entry: string): Promise<{ readonly modules: ReadonlySet<string>; readonly foreign: ReadonlySet<string> }> {
  const modules = new Set<string>();
  const foreign = new Set<string>();
  const visit = async (file: string): Promise<void> => {
    if (modules.has(file)) return;
    modules.add(file);
    const text = await readFile(file, 'utf8');
    for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s+'([^']+)'/g))
      if (specifier.startsWith('.')) await visit(join(dirname(file), specifier));
      else foreign.add(specifier);
  };
  await visit(join(SOURCE, entry));
  return { modules, foreign };
}

describe('sdk: browsers', function () {
  this.timeout(300_000);
  it('imports nothing in its main entry, and one peer in each other', async () => {
    const main = await graph('index.ts');
    expect(main.modules.size).to.be.greaterThan(15);
    expect([...main.foreign]).to.deep.equal([]);
    expect([...(await graph('document/index.ts')).foreign]).to.deep.equal([]);
    expect([...(await graph('axios.ts')).foreign]).to.deep.equal(['axios']);
    expect([...(await graph('rxjs.ts')).foreign]).to.deep.equal(['rxjs']);
  });

  it('uses only what browsers have: it compiles with their types alone', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pileus-browser-'));
    const config = {
      extends: fileURLToPath(new URL('../../../tsconfig.base.json', import.meta.url)),
      compilerOptions: {
        types: [],
        lib: ['es2024', 'dom', 'dom.iterable', 'dom.asynciterable'],
        noEmit: true,
        allowImportingTsExtensions: true,
      },
      files: [join(SOURCE, 'index.ts'), join(SOURCE, 'document/index.ts')],
    };
    await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(config));
    const { stdout } = await run(TSC, ['-p', directory]).catch((error: { stdout: string }) => error);
    await rm(directory, { recursive: true });
    expect(stdout).to.equal('');
  });
});
