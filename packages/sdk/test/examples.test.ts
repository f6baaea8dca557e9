import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from './fixture/simulated-server.ts';

const run = promisify(execFile);
const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url));

describe('sdk: examples, on the real server', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let directory: string;
  before(async () => {
    server = await startSimulatedServer();
    directory = await mkdtemp(join(tmpdir(), 'pileus-examples-'));
    await writeFile(join(directory, 'disk.img'), Buffer.alloc(1024 ** 2));
  });
  after(async () => {
    await server.close();
    await rm(directory, { recursive: true });
  });

  const expected: Readonly<Record<string, { readonly args?: () => string[]; readonly says: readonly (string | RegExp)[] }>> = {
    'machine.ts': { says: ['is accepted', 'web-1 is running with 1 processor', 'data: attached', 'all gone'] },
    'in-process.ts': { args: () => [join(directory, 'data')], says: ['hv1 is connected with 64 processors'] },
    'follow.ts': { says: ['0 volumes', 'watched is available'] },
    'errors.ts': { says: ['invalid_input at /vcpus; retry: never', 'not_found', 'no_capacity'] },
    'upload.ts': { args: () => [join(directory, 'disk.img')], says: ['1048576 bytes', 'uploaded is available, raw, 1048576 bytes'] },
  };

  for (const [name, { args = () => [], says }] of Object.entries(expected))
    it(name, async () => {
      const { stdout } = await run(process.execPath, [...process.execArgv, join(EXAMPLES, name), ...args()], {
        env: { ...process.env, PILEUS_URL: server.url, PILEUS_KEY: server.apiKey },
        timeout: 90_000,
      });
      for (const text of says) expect(stdout).to.match(typeof text === 'string' ? new RegExp(text.replaceAll('.', '\\.')) : text);
    });

  it('are all of them', async () => {
    expect((await readdir(EXAMPLES)).sort()).to.deep.equal(Object.keys(expected).sort());
  });
});
