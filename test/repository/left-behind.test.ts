import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { runningWith } from '../../tools/test/left-behind.ts';

/** Starts a child in a session of its own, says its process id, and ends. */
const LEAVES = `
  const { spawn } = require('node:child_process');
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { detached: true, stdio: ['ignore', 'inherit', 'inherit'] });
  process.stdout.write(String(child.pid), () => process.exit(0));
`;

describe('the runner of tests', function () {
  this.timeout(60_000);

  it('knows what a group has left running, also when that is nobody’s child any more and in a session of its own', async () => {
    const word = `PILEUS_LEFT_BEHIND=${process.pid}-${Date.now()}`;
    const [name = '', value = ''] = word.split('=');
    const parent = spawn(process.execPath, ['-e', LEAVES], {
      env: { ...process.env, [name]: value },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(parent, 'exit');
    const closed = once(parent, 'close');
    const [said] = (await once(parent.stdout, 'data')) as [Buffer];
    await ended;
    const left = Number(said);
    try {
      expect(runningWith(word).map(({ pid }) => pid)).to.deep.equal([left]);
      expect(runningWith(word)[0]?.words).to.include('setInterval');
      expect(runningWith(`${word}0`)).to.deep.equal([]);
    } finally {
      process.kill(left, 'SIGKILL');
    }
    // It held the output open.
    await closed;
    expect(runningWith(word)).to.deep.equal([]);
  });
});
