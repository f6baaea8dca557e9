import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCloud } from '@pileus/core';
import type { JsonObject, Statement } from '@pileus/core/kernel';
import { openSqlite } from '@pileus/core/sqlite';
import { Queues } from '../../packages/core/src/kernel/queues.ts';
import { HOSTNAMES, machineInput, makeFixture, overHttp } from './fixture.ts';
import { type Bench, inFlight, type Row } from './harness.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';

const MIB = 2 ** 20;
const BATCH_ROWS = 1000;
const REST_MS = 5000;
const IN_FLIGHT = 200;
const MACHINES = 1000;
const KEYS = 100_000;
const KEYS_EACH = 4;

/** Copies a row of a machine until there are so many: on a host that no longer is, so that nobody looks for them. */
async function fillStore(dataDir: string, row: JsonObject, rows: number): Promise<void> {
  const store = await openSqlite({ path: join(dataDir, 'pileus.db') });
  const cloud = await createCloud({ plugins: [], store, dataDir });
  const hostId = crypto.randomUUID();
  for (let first = 0; first < rows; first += BATCH_ROWS) {
    const statements = Array.from({ length: BATCH_ROWS }, (_, step): Statement => {
      const end = (first + step).toString(16).padStart(12, '0');
      const own = { id: `01990000-0000-7000-8000-${end}`, name: `vm-${end}`, hostId };
      return { op: 'insert', table: 'instance', row: { ...row, ...own } };
    });
    const result = await store.commit({ node: 'bench', epoch: store.epoch, at: new Date().toISOString(), statements });
    if (!result.ok) throw new Error(JSON.stringify(result));
  }
  await cloud.close();
}

/** At rest, after a page and a row were asked for. */
async function residentMib(dir: string): Promise<number> {
  await using server = await BenchServer.start({ dir });
  const { text } = await server.client.ask('GET', '/v1/instances?limit=100');
  const [first] = (JSON.parse(text) as { readonly items: readonly { readonly id: string }[] }).items;
  await server.client.ask('GET', `/v1/instances/${first?.id}`);
  await sleep(REST_MS);
  return (await server.probe()).rssBytes / MIB;
}

async function memoryOf(id: string, rows: number): Promise<readonly Row[]> {
  await using dir = await scratch();
  const serverDir = join(dir.path, 'server');
  const row = await modelRow(serverDir);
  const floor = await residentMib(serverDir);
  await fillStore(join(serverDir, 'data'), row, rows);
  const value = await residentMib(serverDir);
  return [{ id, value, unit: 'MiB', floor, ratio: value / floor }];
}

/** What 100,000 machines take of the server's memory, beside the server with one. */
export const memoryBench: Bench = { ids: ['memory.100k'], run: () => memoryOf('memory.100k', 100_000) };
/** The same of 1,000,000. */
export const millionMemoryBench: Bench = { ids: ['memory.1m'], onRequest: 'memory.1m', run: () => memoryOf('memory.1m', 1_000_000) };

async function modelRow(dir: string): Promise<JsonObject> {
  await using server = await BenchServer.start({ dir, hosts: HOSTNAMES });
  const fixture = await makeFixture(overHttp(server.client));
  const id = await server.client.done('POST', '/v1/instances', machineInput(fixture, 0));
  const { text } = await server.client.ask('GET', `/v1/instances/${id}`);
  return JSON.parse(text) as JsonObject;
}

/** How late the event loop is, 99th percentile, while 200 machines are being made at any time. */
export const lagBench: Bench = {
  ids: ['loop-lag'],
  async run() {
    await using dir = await scratch();
    await using server = await BenchServer.start({ dir: dir.path, hosts: HOSTNAMES });
    const fixture = await makeFixture(overHttp(server.client));
    const create = (index: number) => server.client.done('POST', '/v1/instances', machineInput(fixture, index)).then(() => undefined);
    await inFlight(IN_FLIGHT, 0, MACHINES, create);
    await server.probe();
    await inFlight(IN_FLIGHT, MACHINES, MACHINES, create);
    const { lagP99Ms } = await server.probe();
    return [{ id: 'loop-lag', value: lagP99Ms, unit: 'ms', p99: lagP99Ms }];
  },
};

/** Takes places in queues and leaves them again, while so many keys are in use; microseconds for one operation. */
function queueMicroseconds(keys: number, rounds: number): number {
  const queues = new Queues();
  const operations = keys / KEYS_EACH;
  const keysOf = (index: number) => Array.from({ length: KEYS_EACH }, (_, part) => `key-${(index * KEYS_EACH + part) % keys}`);
  for (let index = 0; index < operations; index += 1) queues.add(`op-${index}`, keysOf(index));
  const startedMs = performance.now();
  for (let round = 0; round < rounds; round += 1) {
    queues.add(`op-${operations + round}`, keysOf(round));
    queues.remove(`op-${round}`);
    if (!queues.isFirst(`op-${operations + round}`)) throw new Error('the operation behind is first now');
  }
  return ((performance.now() - startedMs) * 1000) / rounds;
}

/** Whether the queues cost the same with 100,000 keys in use as with 100. */
export const queueBench: Bench = {
  ids: ['queue-keys'],
  async run() {
    queueMicroseconds(KEYS, KEYS / KEYS_EACH);
    const value = queueMicroseconds(KEYS, KEYS / KEYS_EACH);
    const few = Array.from({ length: KEYS / 100 }, () => queueMicroseconds(100, 100 / KEYS_EACH));
    const floor = few.reduce((sum, one) => sum + one, 0) / few.length;
    return [{ id: 'queue-keys', value, unit: 'us', floor, ratio: value / floor } satisfies Row];
  },
};
