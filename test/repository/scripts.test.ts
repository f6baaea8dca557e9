import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { built, ROOT } from './documents.ts';

const LISTENING = /^listening on \S+$/m;

describe('the scripts of npm', function () {
  this.timeout(300_000);

  it('end what they run when npm is told to end', async () => {
    await built();
    const dir = await mkdtemp(join(tmpdir(), 'pileus-start-'));
    const config = join(dir, 'pileus.json');
    await writeFile(config, JSON.stringify({ listen: { port: 0 }, dataDir: join(dir, 'data') }));
    // A group of its own, so that nothing outlives this test; the signal itself goes to npm alone.
    const npm = spawn('npm', ['start', '--', '--config', config], { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    const { pid } = npm;
    if (pid === undefined) throw new Error('there is no npm to start');
    const ended = new Promise<'ended'>((resolve) => npm.stdout.once('close', () => resolve('ended')));
    try {
      let said = '';
      for await (const chunk of npm.stdout.iterator({ destroyOnReturn: false })) {
        said += String(chunk);
        if (LISTENING.test(said)) break;
      }
      expect(said).to.match(LISTENING);
      npm.stdout.resume();
      npm.kill('SIGTERM');
      // The server holds this pipe as long as it lives.
      const late = new Promise<'still there'>((resolve) => setTimeout(() => resolve('still there'), 120_000).unref());
      expect(await Promise.race([ended, late])).to.equal('ended');
    } finally {
      try {
        process.kill(-pid, 'SIGKILL');
      } catch {
        // All of it has ended.
      }
      await rm(dir, { recursive: true });
    }
  });
});
