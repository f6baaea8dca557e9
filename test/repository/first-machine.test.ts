import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../packages/sdk/test/fixture/simulated-server.ts';
import { run } from '../../tools/system/command.ts';
import { ROOT, read } from './documents.ts';

/**
 * A console has no end of its own, and shows what is said from now on: it is looked at until the guest has spoken, which on a busy machine may have been before,
 * so that it is told to start again.
 */
const CONSOLE = './pileus console web-1';
const LOOKED_AT = `${CONSOLE} </dev/null >seen & console=$!
until grep booted seen; do
  sleep 5
  grep -q booted seen || ./pileus instance reset web-1 >/dev/null
done
kill $console`;

describe('the guide to a first machine', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let home: string;
  before(async () => {
    server = await startSimulatedServer({ isEmpty: true });
    home = await mkdtemp(join(tmpdir(), 'pileus-first-'));
    await symlink(join(ROOT, 'pileus'), join(home, 'pileus'));
    await writeFile(join(home, 'debian-12.qcow2'), new Uint8Array(1024 ** 2));
  });
  after(async () => {
    await server.close();
    await rm(home, { recursive: true });
  });

  it('has commands that work, on simulated hosts', async () => {
    server.world.addHost('host-1');
    const text = await read('docs/guides/first-machine.md');
    const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands = '']) => commands);
    expect(blocks).to.have.length(6);
    const env = { PATH: process.env.PATH ?? '', HOME: home, PILEUS_URL: server.url, PILEUS_KEY: server.apiKey };
    const said: string[] = [];
    for (const block of blocks) {
      const commands = block
        .replace('qemu:///system', 'sim://host-1')
        .replace(/'\{"path": .*\}'/, "'{}'")
        .replace(CONSOLE, LOOKED_AT);
      const script = join(home, `block-${said.length}.sh`);
      await writeFile(script, commands);
      said.push(await run(['sh', '-e', script], { cwd: home, env, timeoutMs: 150_000 }));
    }
    expect(said[3]).to.match(/^name +web-1\n.*\nstate +running$/ms);
    expect(said[3]).to.include('192.168.150.');
    expect(said[4]).to.include('has booted');
    expect(await server.cloud.zones.list().toArray()).to.deep.equal([]);
  });
});
