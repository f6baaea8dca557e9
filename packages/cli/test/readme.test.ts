import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../sdk/test/fixture/simulated-server.ts';
import { Pileus } from './pileus.ts';

const run = promisify(execFile);
const PROGRAM = fileURLToPath(new URL('../../../pileus', import.meta.url));

describe('cli: README, on the real server', () => {
  let server: SimulatedServer;
  let pileus: Pileus;
  before(async () => {
    server = await startSimulatedServer();
    pileus = await Pileus.at(server);
  });
  after(async () => {
    await server.close();
    await pileus.remove();
  });

  it('knows what belongs to no kind', async () => {
    await pileus.ok('zones', 'list');
    expect(await pileus.ok('--help'))
      .to.match(/^ {2}recovery .+$/m)
      .and.match(/^ {2}backups .+$/m);
    expect((await pileus.run('foo', 'list')).err)
      .to.match(/^Resources: .*recovery.*$/m)
      .and.include('backups');
    const { err } = await pileus.run('instances', 'create', 'x', '--image', 'debian', '--instance-type', 'nope');
    expect(err).to.include('See what there is: pileus instance-types list');
  });

  it('does what it says, and cleans up', async function () {
    this.timeout(300_000);
    const text = await readFile(new URL('../README.md', import.meta.url), 'utf8');
    const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands = '']) => commands);
    expect(blocks.length).to.be.greaterThan(6);
    const bin = join(pileus.home, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'pileus'), `#!/bin/sh\nexec "${PROGRAM}" "$@"\n`);
    await chmod(join(bin, 'pileus'), 0o755);
    for (const [index, commands] of blocks.entries()) {
      const script = join(pileus.home, `block-${index}.sh`);
      await writeFile(script, `set -e\n${commands}`);
      const env = { ...pileus.env, PATH: `${bin}:${pileus.env.PATH}` };
      await run('sh', [script], { cwd: pileus.home, env }).catch((error: { stderr: string }) =>
        expect.fail(`${commands}\n${error.stderr}`),
      );
    }
    expect(await server.cloud.instances.list().toArray()).to.deep.equal([]);
    expect(await server.cloud.volumes.list().toArray()).to.deep.equal([]);
  });
});
