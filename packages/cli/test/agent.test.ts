import { once } from 'node:events';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { Pileus } from './pileus.ts';

describe('cli: the agent', () => {
  let pileus: Pileus;
  before(async () => {
    pileus = await Pileus.at(undefined);
  });
  after(() => pileus.remove());

  const install = async (...lines: readonly string[]) => {
    const bin = join(pileus.home, 'bin');
    await mkdir(bin, { recursive: true });
    await writeFile(join(bin, 'pileus-agent'), ['#!/bin/sh', ...lines, ''].join('\n'));
    await chmod(join(bin, 'pileus-agent'), 0o755);
    pileus.env.PATH = `${bin}:${process.env.PATH}`;
  };

  it('is the program pileus-agent, without which it says how to get it', async () => {
    pileus.env.PATH = pileus.home;
    const missing = await pileus.run('agent', '--config', 'agent.yaml');
    expect([missing.code, missing.err]).to.deep.equal([1, 'error: pileus-agent is not installed.\nnpm install --global @pileus/server\n']);
    await install('echo "asked: $*"');
    expect(await pileus.ok('agent', '--config', 'agent.yaml')).to.equal('asked: --config agent.yaml\n');
    expect((await pileus.run('agent')).err).to.include('The agent needs --config.');
    await install('exit 3');
    expect((await pileus.run('agent', '--config', 'x')).code).to.equal(1);
  });

  it('is stopped with it', async () => {
    await install('trap "echo stopped; exit 0" TERM', 'echo running', 'while :; do sleep 0.1; done');
    const child = pileus.start('agent', '--config', 'agent.yaml');
    const said = text(child.stdout);
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(await said).to.include('stopped');
  });
});
