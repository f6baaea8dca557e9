import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type Fixture, startFixture } from '../../sdk/test/fixture/server.ts';
import { MAIN, Pileus } from './pileus.ts';

const run = promisify(execFile);

describe('cli: completion', () => {
  let fixture: Fixture;
  let pileus: Pileus;
  before(async () => {
    fixture = await startFixture();
    pileus = await Pileus.at(fixture);
    for (const name of ['web-1', 'web-2', 'db-1']) await pileus.ok('instances', 'create', name, '--vcpus', '1', '--memory', '1', '--wait');
    await pileus.ok('volumes', 'create', 'data', '--size', '1', '--wait');
  });
  after(async () => {
    await fixture.close();
    await pileus.remove();
  });
  const complete = async (...words: readonly string[]) =>
    (await pileus.ok('__complete', '--', ...words)).split('\n').filter((line) => line !== '');

  it('offers commands and resources, then verbs, then names', async () => {
    expect(await complete('inst')).to.deep.equal(['instances', 'instance-types']);
    expect(await complete('co')).to.deep.equal(['console', 'completion']);
    expect(await complete('instances', 'st')).to.deep.equal(['start', 'stop']);
    expect(await complete('instances', 'start', 'web')).to.deep.equal(['web-1', 'web-2']);
    expect(await complete('console', 'd')).to.deep.equal(['db-1']);
  });

  it('offers flags, their choices, and names of what they point to', async () => {
    expect(await complete('instances', 'create', 'x', '--v')).to.deep.equal(['--vcpus']);
    expect(await complete('instances', 'create', 'x', '--guest-os', '')).to.deep.equal(['linux', 'windows']);
    expect(await complete('instances', 'attach-volume', 'web-1', '--volume', '')).to.deep.equal(['data']);
    expect(await complete('instances', 'list', '-o', 'j')).to.deep.equal(['json']);
  });

  it('offers nothing, quietly, where there is nothing', async () => {
    expect(await complete('nonsense', 'x')).to.deep.equal([]);
    const offline = await Pileus.at(undefined);
    expect(await offline.ok('__complete', '--', 'log')).to.equal('login\nlogout\n');
    await offline.remove();
  });

  it('works in bash, also where the program is not on the path', async () => {
    const bin = join(pileus.home, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'pileus'), `#!/bin/sh\nexec ${[process.execPath, ...process.execArgv, MAIN].join(' ')} "$@"\n`);
    await chmod(join(bin, 'pileus'), 0o755);
    const script = join(pileus.home, 'complete.sh');
    await writeFile(
      script,
      [
        'eval "$(./bin/pileus completion bash)"',
        'COMP_WORDS=(./bin/pileus instances start web)',
        'COMP_CWORD=3',
        '_pileus',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is for the shell to fill in.
        'IFS=,; echo "${COMPREPLY[*]}"',
      ].join('\n'),
    );
    const { stdout } = await run('bash', [script], { cwd: pileus.home, env: pileus.env });
    expect(stdout).to.equal('web-1,web-2\n');
  });

  it('has scripts for zsh and fish', async () => {
    expect(await pileus.ok('completion', 'zsh')).to.include('compdef _pileus pileus');
    expect(await pileus.ok('completion', 'fish')).to.include('complete -c pileus');
  });
});
