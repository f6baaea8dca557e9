import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from './client.ts';
import { type Bench, inFlight, median, percentile, type Row } from './harness.ts';
import { PROBE, type Probe } from './probes.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';

const SAMPLES = fileURLToPath(new URL('./sample-plugin.ts', import.meta.url));
const FLOOR = fileURLToPath(new URL('./read-floor-child.ts', import.meta.url));
const ROUNDS = 7;
const AT_ONCE = 16;
const COUNTS = { 'get.1': 4000, 'list.100': 800 };
const ROWS = 100;
const LABELS = 34;

/** Reads a side answers, and what each costs it. */
interface Side {
  readonly client: Client;
  probe(): Promise<Probe>;
}
interface Reading {
  readonly cpuMs: number;
  readonly tookMs: readonly number[];
}

/**
 * Reads with a key: one row by its id beside a bare fastify's hello; a page of 100 rows of 2 kB beside a bare fastify that answers the `JSON.stringify` of the
 * same rows, and beside that `JSON.stringify` with nothing around it (`list.100.stringify`). Judged by processor time.
 */
export const readBench: Bench = {
  ids: ['get.1', 'list.100', 'list.100.stringify'],
  async run(wants) {
    await using dir = await scratch();
    const config = { plugins: [{ module: SAMPLES }] };
    await using server = await BenchServer.start({ dir: join(dir.path, 'server'), config });
    const labels = Object.fromEntries(
      Array.from({ length: LABELS }, (_, index) => [`label-${index}`, `value of ${index}, `.padEnd(36, 'x')]),
    );
    let id = '';
    for (let index = 0; index < ROWS; index += 1) id = await server.client.done('POST', '/v1/samples', { name: `sample-${index}`, labels });
    const page = await server.client.ask('GET', `/v1/samples?limit=${ROWS}`);
    const { items } = JSON.parse(page.text) as { readonly items: readonly unknown[] };
    await using floor = await startFloor(items);
    const rows: Row[] = [];
    if (wants('get.1')) rows.push(await contest('get.1', [server, `/v1/samples/${id}`], [floor, '/hello']));
    if (!wants('list.100') && !wants('list.100.stringify')) return rows;
    const bareMs: number[] = [];
    const stringify = async () => void bareMs.push(await floor.stringify(COUNTS['list.100']));
    await stringify();
    const list = await contest('list.100', [server, `/v1/samples?limit=${ROWS}`], [floor, '/rows'], stringify);
    const { value, cpuMs = 0 } = list;
    const bare = median(bareMs.slice(1));
    if (wants('list.100')) rows.push(list);
    rows.push({ id: 'list.100.stringify', value, unit: '1/s', cpuMs, floor: bare, ratio: cpuMs / bare });
    process.stderr.write(`a page has ${Buffer.byteLength(page.text)} bytes\n`);
    return rows;
  },
};

/** All sides in turn, so that what else the machine does falls on all of them. */
async function contest(
  id: keyof typeof COUNTS,
  ours: readonly [Side, string],
  floor: readonly [Side, string],
  third: () => Promise<void> = async () => {},
): Promise<Row> {
  const count = COUNTS[id];
  for (const [side, path] of [ours, floor]) await read(side, path, count);
  const pairs: { readonly ours: Reading & { readonly seconds: number }; readonly floor: Reading }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    pairs.push({ ours: await read(...ours, count), floor: await read(...floor, count) });
    await third();
  }
  const tookMs = pairs.flatMap((pair) => pair.ours.tookMs);
  const cpuMs = median(pairs.map((pair) => pair.ours.cpuMs));
  const floorMs = median(pairs.map((pair) => pair.floor.cpuMs));
  const value = median(pairs.map((pair) => count / pair.ours.seconds));
  return { id, value, unit: '1/s', cpuMs, p50: median(tookMs), p99: percentile(tookMs, 0.99), floor: floorMs, ratio: cpuMs / floorMs };
}

async function read(side: Side, path: string, count: number): Promise<Reading & { readonly seconds: number }> {
  const before = await side.probe();
  const startedMs = performance.now();
  const tookMs = await inFlight(AT_ONCE, 0, count, async () => {
    const { status } = await side.client.ask('GET', path);
    if (status !== 200) throw new Error(`${path}: ${status}`);
  });
  const seconds = (performance.now() - startedMs) / 1000;
  const after = await side.probe();
  return { tookMs, seconds, cpuMs: (after.cpuMs - before.cpuMs) / count };
}

async function startFloor(rows: readonly unknown[]): Promise<Side & AsyncDisposable & { stringify(times: number): Promise<number> }> {
  const child = fork(FLOOR, { execArgv: ['--disable-warning=ExperimentalWarning'] });
  const { port } = await answerOf<{ readonly port: number }>(child);
  child.send({ rows });
  const client = new Client(`http://127.0.0.1:${port}`, 'none');
  const ask = <T>(message: string | object): Promise<T> => {
    const answered = answerOf<T>(child);
    child.send(message);
    return answered;
  };
  return {
    client,
    probe: () => ask<Probe>(PROBE),
    stringify: async (times) => (await ask<{ readonly cpuMs: number }>({ stringify: times })).cpuMs,
    async [Symbol.asyncDispose]() {
      client.close();
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  return (await once(child, 'message'))[0] as T;
}
