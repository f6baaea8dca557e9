import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../packages/sdk/test/fixture/simulated-server.ts';
import { attempt, run } from '../../tools/system/command.ts';
import { CodeOfPage, NODE, ROOT, read } from './documents.ts';

describe('the README', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let scratch: string;
  before(async () => {
    server = await startSimulatedServer();
    scratch = await mkdtemp(join(tmpdir(), 'pileus-readme-'));
  });
  after(async () => {
    await server.close();
    await rm(scratch, { recursive: true });
  });

  it('has examples that compile and do what they say, each of about ten lines', async () => {
    await using code = await CodeOfPage.lay('README.md');
    expect(code.names).to.have.length(2);
    expect(await code.typeErrors()).to.equal('');
    const [client = '', library = ''] = code.names;
    const env = { PILEUS_URL: server.url, PILEUS_KEY: server.apiKey };
    expect(await code.run(client, env)).to.match(/100 % ready\n(?:.*\n)*web-1 running 1\n$/);
    expect(await server.cloud.instances.list().toArray()).to.deep.equal([]);
    expect(await run([...NODE, join(code.dir, library)], { cwd: scratch })).to.equal('here available\n');
    for (const block of (await read('README.md')).matchAll(/```ts\n([\s\S]*?)```/g))
      expect((block[1] ?? '').split('\n').filter((line) => line.trim() !== '').length).to.be.at.most(10);
  });

  it('names scripts and files that are there', async () => {
    const text = await read('README.md');
    const { scripts } = JSON.parse(await read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
    for (const [, script = ''] of text.matchAll(/npm run ([a-z:]+)/g)) expect(scripts, script).to.have.property(script);
    for (const script of ['start', 'test']) expect(scripts).to.have.property(script);
    expect(await run([join(ROOT, 'pileus'), '--version'])).to.match(/^\d+\.\d+\.\d+\n$/);
    // Nothing is installed: the command line of a clone runs the agent of that clone.
    const { stderr } = await attempt([join(ROOT, 'pileus'), 'agent', '--config', '/nonexistent.yaml']);
    expect(stderr).to.match(/^pileus-agent: \/nonexistent\.yaml cannot be read: ENOENT/);
  });
});
