import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Crowd } from './crowd-child.ts';
import { type Bench, median, percentile, type Row } from './harness.ts';
import type { Probe } from './probes.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';

const CHILD = fileURLToPath(new URL('./crowd-child.ts', import.meta.url));
const FLOOR = fileURLToPath(new URL('./read-floor-child.ts', import.meta.url));
const SAMPLES = fileURLToPath(new URL('./sample-plugin.ts', import.meta.url));
const MIB = 2 ** 20;
const ROUNDS = 3;
const BARE = ['--disable-warning=ExperimentalWarning'];
/** What is asked at the beginning of a wait has come to rest by then. */
const RESTING_MS = 8000;
const WAIT_SECONDS = 60;

/** As many requests at once, each on a connection of its own, from a process of its own. */
class Clients implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async connect(url: string, key: string, count: number, path: string): Promise<Clients> {
    const child = fork(CHILD, [url, key, String(count), path], { execArgv: process.execArgv });
    await once(child, 'message');
    return new Clients(child);
  }

  /** All ask now; answers when all are answered. @throws when an answer was lost, or was none of 200 */
  async ask(): Promise<readonly number[]> {
    const told = once(this.#child, 'message');
    this.#child.send('ask');
    const [{ tookMs, lost, statuses }] = (await told) as [Crowd];
    if (lost > 0 || Object.keys(statuses).join() !== '200')
      throw new Error(`${lost} requests were not answered, the others ${JSON.stringify(statuses)}`);
    return tookMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** How long each of so many takes that ask for a row at once, beside a bare fastify that answers a hello; and what so many that wait take of memory. */
export const crowdBench = (count: number): Bench => ({
  ids: [`crowd.${count}`, `crowd.${count}.wait`, `crowd.${count}.memory`],
  async run(wants) {
    await using dir = await scratch();
    const limits = { requests: 2 * count, streams: 2 * count };
    await using server = await BenchServer.start({ dir: join(dir.path, 'server'), config: { plugins: [{ module: SAMPLES }], limits } });
    const id = await server.client.done('POST', '/v1/samples', { name: 'sample', labels: {} });
    const rows: Row[] = [];
    if (wants(`crowd.${count}`)) rows.push(await atOnce(server, count, `/v1/samples/${id}`));
    if (wants(`crowd.${count}.wait`) || wants(`crowd.${count}.memory`)) rows.push(...(await waiting(server, count)));
    return rows;
  },
});

async function atOnce({ url, client }: BenchServer, count: number, path: string): Promise<Row> {
  const floor = fork(FLOOR, { execArgv: BARE });
  const [{ port }] = (await once(floor, 'message')) as [{ readonly port: number }];
  const [ours, bare] = [[], []] as [number[], number[]];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [to, key, asked, tookMs] of [
      [url, client.key, path, ours],
      [`http://127.0.0.1:${port}`, 'none', '/hello', bare],
    ] as const) {
      await using clients = await Clients.connect(to, key, count, asked);
      tookMs.push(...(await clients.ask()));
    }
  }
  floor.kill('SIGKILL');
  const [value, least] = [percentile(ours, 0.99), percentile(bare, 0.99)];
  return { id: `crowd.${count}`, value, unit: 'ms p99', p50: median(ours), p99: value, floor: least, ratio: value / least };
}

/** All wait for the next change; then there is one, and all are told. */
async function waiting(server: BenchServer, count: number): Promise<readonly Row[]> {
  const { text } = await server.client.ask('GET', '/v1/changes');
  const { next } = JSON.parse(text) as { readonly next: string };
  const path = `/v1/changes?after=${next}&waitSeconds=${WAIT_SECONDS}`;
  const rest = await resident(server);
  await using clients = await Clients.connect(server.url, server.client.key, count, path);
  const told = clients.ask();
  await sleep(RESTING_MS);
  const held = await resident(server);
  const beganMs = performance.now();
  await server.client.done('POST', '/v1/samples', { name: 'the-change', labels: {} });
  await told;
  const value = performance.now() - beganMs;
  return [
    { id: `crowd.${count}.wait`, value, unit: 'ms' },
    { id: `crowd.${count}.memory`, value: held, unit: 'MiB', floor: rest, ratio: held / rest },
  ];
}

const resident = async (server: BenchServer): Promise<number> => ((await server.probe()) satisfies Probe).rssBytes / MIB;
