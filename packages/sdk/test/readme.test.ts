import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from './fixture/simulated-server.ts';

const run = promisify(execFile);
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** Inside the package, so that its own name means it. */
const DIRECTORY = at('.readme/');

describe('sdk: README', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let blocks: readonly string[];
  before(async () => {
    server = await startSimulatedServer();
    const text = await readFile(at('../README.md'), 'utf8');
    blocks = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
    await mkdir(DIRECTORY, { recursive: true });
    await Promise.all(blocks.map((code, index) => writeFile(join(DIRECTORY, `block-${index}.ts`), code)));
  });
  after(async () => {
    await server.close();
    await rm(DIRECTORY, { recursive: true });
  });

  it('compiles', async () => {
    const config = {
      extends: '../../../../tsconfig.base.json',
      compilerOptions: { noEmit: true, allowImportingTsExtensions: true },
      include: ['*.ts'],
    };
    await writeFile(join(DIRECTORY, 'tsconfig.json'), JSON.stringify(config));
    const { stdout } = await run(at('../../../node_modules/.bin/tsc'), ['-p', DIRECTORY]).catch((error: { stdout: string }) => error);
    expect(stdout).to.equal('');
  });

  it('does what it says, block by block', async () => {
    expect(blocks.length).to.be.greaterThan(5);
    for (const index of blocks.keys()) {
      const env = { ...process.env, PILEUS_URL: server.url, PILEUS_KEY: server.apiKey };
      await run(process.execPath, [...process.execArgv, join(DIRECTORY, `block-${index}.ts`)], { env, timeout: 90_000 });
    }
    expect(await server.cloud.instances.list().toArray()).to.deep.equal([]);
  });
});
