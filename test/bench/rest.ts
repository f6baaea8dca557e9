import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Bench, median, type Row } from './harness.ts';
import { scratch } from './scratch.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What the package holds, and `npm start` runs. */
const MAIN = join(ROOT, 'packages/server/dist/src/main.js');
const FLOOR = fileURLToPath(new URL('./read-floor-child.ts', import.meta.url));
/** As `npm start` and the package's program have them. */
const NODE_FLAGS = ['--disable-warning=ExperimentalWarning'];
/** Without what runs of sources keep compiled. */
const { NODE_COMPILE_CACHE: _, ...env } = process.env;
const STARTS = 5;
const RESTS = 3;
const POLL_MS = 3;
const REST_MS = 5000;
const MIB = 2 ** 20;

interface Started extends AsyncDisposable {
  readonly pid: number;
  /** From the start of the process to its first answer. */
  readonly tookMs: number;
}

/**
 * The server as it is installed: built, with the KVM drivers, on a store that is there. `start` is the time to its first answer that it is ready, beside that
 * of a bare fastify; `memory.rest` what it holds when it has nothing to do.
 */
export const restBench: Bench = {
  ids: ['start', 'memory.rest'],
  async run(wants) {
    await promisify(execFile)(join(ROOT, 'node_modules/.bin/tsc'), ['-b', join(ROOT, 'tsconfig.build.json')]);
    await using dir = await scratch();
    const port = await freePort();
    const config = join(dir.path, 'config.json');
    await writeFile(config, JSON.stringify({ listen: { port }, dataDir: 'data', log: { level: 'warn' } }));
    const url = `http://127.0.0.1:${port}/health/ready`;
    await (await start([MAIN, '--config', config], url))[Symbol.asyncDispose]();
    const rows: Row[] = [];
    if (wants('start')) rows.push(await measureStart([MAIN, '--config', config], url));
    if (wants('memory.rest')) rows.push(await measureRest([MAIN, '--config', config], url));
    return rows;
  },
};

async function measureRest(command: readonly string[], url: string): Promise<Row> {
  const mib: number[] = [];
  for (let round = 0; round < RESTS; round += 1) {
    await using server = await start(command, url);
    await sleep(REST_MS);
    mib.push((await residentBytes(server.pid)) / MIB);
  }
  return { id: 'memory.rest', value: median(mib), unit: 'MiB' };
}

async function measureStart(command: readonly string[], url: string): Promise<Row> {
  const ours: number[] = [];
  const floor: number[] = [];
  for (let round = 0; round < STARTS; round += 1) {
    await using server = await start(command, url);
    ours.push(server.tookMs);
    await using bare = await startFloor();
    floor.push(bare.tookMs);
  }
  const value = median(ours);
  return { id: 'start', value, unit: 'ms', p50: value, p99: Math.max(...ours), floor: median(floor), ratio: value / median(floor) };
}

/** Starts a server and asks it until it answers. */
async function start(command: readonly string[], url: string): Promise<Started> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [...NODE_FLAGS, ...command], { stdio: ['ignore', 'ignore', 'inherit'], env });
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return started(child, performance.now() - startedMs);
    await sleep(POLL_MS);
  }
}

async function startFloor(): Promise<Started> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [...NODE_FLAGS, FLOOR], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], env });
  const [{ port }] = (await once(child, 'message')) as [{ readonly port: number }];
  await fetch(`http://127.0.0.1:${port}/hello`);
  return started(child, performance.now() - startedMs);
}

const started = (child: ChildProcess, tookMs: number): Started => ({
  pid: child.pid ?? 0,
  tookMs,
  async [Symbol.asyncDispose]() {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  },
});

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { readonly port: number };
  probe.close();
  return port;
}
