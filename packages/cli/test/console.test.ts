import { spawn } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { MUTE } from '../../sdk/test/fixture/endpoints.ts';
import { type Fixture, startFixture } from '../../sdk/test/fixture/server.ts';
import { MAIN, Pileus } from './pileus.ts';

describe('cli: console', () => {
  let fixture: Fixture;
  let pileus: Pileus;
  before(async () => {
    fixture = await startFixture();
    pileus = await Pileus.at(fixture);
    await pileus.ok('instances', 'create', 'talker', '--vcpus', '1', '--memory', '1', '--wait');
  });
  after(async () => {
    await fixture.close();
    await pileus.remove();
  });

  it('passes what comes in to the guest, and what the guest says out, until it hangs up', async () => {
    const ran = await pileus.runWith('hello logout', 'console', 'talker');
    expect(ran).to.deep.equal({ code: 0, out: 'serial console\r\nHELLO LOGOUT', err: '' });
  });

  it('takes the terminal over, and gives it back at Ctrl-]', async () => {
    const program = join(pileus.home, 'on-terminal.sh');
    await writeFile(program, `#!/bin/sh\nexec ${[process.execPath, ...process.execArgv, MAIN].join(' ')} instances console talker\n`);
    await chmod(program, 0o755);
    // `script` gives its child a terminal; the child is what SHELL names.
    const child = spawn('script', ['-q', '-e', '/dev/null'], { env: { ...pileus.env, SHELL: program } });
    let out = '';
    const replies = new Map([
      ['serial console', 'typed\x03'],
      ['TYPED\x03', '\x1d'],
    ]);
    child.stdout.on('data', (chunk) => {
      out += chunk;
      for (const [heard, reply] of replies) if (out.includes(heard) && replies.delete(heard)) child.stdin.write(reply);
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    child.stdin.destroy();
    expect(code).to.equal(0);
    expect(out).to.include('Ctrl-] leaves');
    expect(out).to.include('TYPED\x03');
    expect(out).to.include('The console is closed.');
  });

  it('serves the screen on a local port, each viewer with a ticket of its own', async () => {
    const child = pileus.start('console', 'talker', '--vnc');
    let err = '';
    child.stderr.on('data', (chunk) => {
      err += chunk;
    });
    while (!/127\.0\.0\.1:(\d+)/.test(err)) await new Promise((resolve) => setTimeout(resolve, 20));
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(err)?.[1]);
    for (const word of ['one', 'two']) {
      const viewer = connect(port, '127.0.0.1');
      viewer.write(`${word} logout`);
      let heard = '';
      for await (const chunk of viewer) heard += chunk;
      expect(heard).to.equal(`vnc console\r\n${word.toUpperCase()} LOGOUT`);
    }
    child.kill('SIGINT');
    expect(await new Promise((resolve) => child.on('close', resolve))).to.equal(130);
  });

  it('says why the server does not open it', async () => {
    await pileus.ok('instances', 'create', MUTE, '--vcpus', '1', '--memory', '1', '--wait');
    const { code, err } = await pileus.run('console', MUTE);
    expect(code).to.be.greaterThan(0);
    expect(err)
      .to.include('The host of the machine failed.')
      .and.match(/request-\d+/);
  });

  it('says why there is no console', async () => {
    await pileus.ok('instances', 'stop', 'talker', '--wait');
    const { code, err } = await pileus.run('console', 'talker');
    expect(code).to.equal(4);
    expect(err).to.include('needs a running machine');
  });
});
