import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Ids } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import { namespaceOf } from '../../src/agent/services/place.ts';
import type { Abandoned } from './abandoning-parent.ts';
import { eventually, isAlive } from './agent-process.ts';

const run = promisify(execFile);
const PARENT = fileURLToPath(new URL('abandoning-parent.ts', import.meta.url));
const SERVICES = fileURLToPath(new URL('../../src/agent/services/main.ts', import.meta.url));
const environment = nodeEnvironment();

/** Sockets that a process holds: what it has made, its channel and its input. */
async function socketsOf(pid: number): Promise<number> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const targets = await Promise.all(files.map((file) => readlink(`/proc/${pid}/fd/${file}`).catch(() => '')));
  return targets.filter((target) => target.startsWith('socket:')).length;
}

/** Waits until a child is where it is wanted, kills its parent, and waits until the child has ended as well. */
async function abandon(what: Abandoned, isReady: (pid: number) => Promise<boolean>): Promise<void> {
  const parent = spawn(process.execPath, [...process.execArgv, PARENT, JSON.stringify(what)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(parent, 'exit');
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line);
  try {
    await eventually(() => isReady(pid));
    parent.kill('SIGKILL');
    await ended;
    await eventually(async () => !(await isAlive(pid)));
  } finally {
    parent.kill('SIGKILL');
    if (await isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
}

describe('agent: children whose parent is killed', function () {
  this.timeout(600_000);

  it('end in the midst of a hand-over of sockets', async () => {
    const networkId = new Ids(environment.clock, environment.random).mint('network');
    await run('ip', ['netns', 'add', namespaceOf(networkId)]);
    try {
      const wanted = [5301, 5302, 5303].map((port) => ({ type: 'tcp' as const, address: '127.0.0.1', port }));
      // Nobody confirms that the first has come, so that the second stays on its way.
      await abandon({ networkId, wanted }, async (pid) => (await socketsOf(pid)) >= 4);
    } finally {
      await run('ip', ['netns', 'delete', namespaceOf(networkId)]);
    }
  });

  it('end while they start, before they listen to their channel', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pileus-abandoned-'));
    try {
      const keyFile = join(directory, 'tokens.key');
      await writeFile(keyFile, '00'.repeat(32));
      const told = { directory, keyFile, upstreams: ['127.0.0.1#9'], logLevel: 'error' };
      await abandon({ directory, args: [SERVICES, JSON.stringify(told)] }, async () => true);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});
