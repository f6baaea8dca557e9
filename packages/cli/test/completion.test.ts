import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
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

  describe('in a shell', () => {
    let bin: string;
    before(async () => {
      bin = join(pileus.home, 'bin');
      await mkdir(bin);
      await writeFile(join(bin, 'pileus'), `#!/bin/sh\nexec ${[process.execPath, ...process.execArgv, MAIN].join(' ')} "$@"\n`);
      await chmod(join(bin, 'pileus'), 0o755);
    });
    const runScript = async (shell: string, ...lines: readonly string[]) => {
      const script = join(pileus.home, `complete.${shell}`);
      await writeFile(script, lines.join('\n'));
      const env = { ...pileus.env, PATH: `${bin}:${pileus.env.PATH}` };
      return (await run(shell, [script], { cwd: pileus.home, env })).stdout;
    };

    it('works in bash, also where the program is not on the path', async () => {
      const out = await runScript(
        'bash',
        'eval "$(./bin/pileus completion bash)"',
        'COMP_WORDS=(./bin/pileus instances start web)',
        'COMP_CWORD=3',
        '_pileus',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is for the shell to fill in.
        'IFS=,; echo "${COMPREPLY[*]}"',
      );
      expect(out).to.equal('web-1,web-2\n');
    });

    // Both are installed with what the tests need; without them the scripts are at least what the shells are to read.
    if (isThere('zsh'))
      it('works in zsh, also where the word is not begun', async () => {
        const out = await runScript(
          'zsh',
          'compdef() { }',
          '_files() { print files }',
          // The real one works in the line editor alone.
          // biome-ignore lint/suspicious/noTemplateCurlyInString: it is for the shell to fill in.
          'compadd() { print -r -- "${(PF)2}" }',
          'source <(pileus completion zsh)',
          'words=(pileus instances start web) CURRENT=4',
          '_pileus',
          'words=(pileus volumes get "") CURRENT=4',
          '_pileus',
          'words=(pileus images upload "") CURRENT=4',
          '_pileus',
        );
        expect(out).to.equal('web-1\nweb-2\ndata\nfiles\n');
      });
    else it('has a script for zsh', async () => expect(await pileus.ok('completion', 'zsh')).to.include('compdef _pileus pileus'));

    if (isThere('fish'))
      it('works in fish, also where the word is not begun, and falls back to files', async () => {
        await writeFile(join(pileus.home, 'disk.img'), '');
        const out = await runScript(
          'fish',
          'pileus completion fish | source',
          'complete -C "pileus instances start web"',
          'complete -C "pileus volumes get "',
          'complete -C "pileus images upload dis"',
        );
        expect(out).to.equal('web-1\nweb-2\ndata\ndisk.img\n');
      });
    else it('has a script for fish', async () => expect(await pileus.ok('completion', 'fish')).to.include('complete -c pileus'));
  });
});

function isThere(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, program)));
}
