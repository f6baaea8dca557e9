import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.ts';
import { type Fixture, HOSTNAMES, machineInput, makeFixture, overHttp } from './fixture.ts';
import { Floor } from './floor.ts';
import type { FloorAnswer, FloorVerb } from './floor-child.ts';
import { type Bench, inFlight, median, percentile, type Row } from './harness.ts';
import { scratch } from './scratch.ts';
import { BenchServer } from './server.ts';
import { Yardstick } from './yardstick.ts';

export const ROUNDS = 5;
/** Machines made in one round, by how many are in flight. */
const COUNTS = { 1: 40, 20: 400, 200: 600 } as const;
type AtOnce = keyof typeof COUNTS;
const IN_FLIGHT: readonly AtOnce[] = [1, 20, 200];
/** On both sides. A server runs for days: what comes before its code is compiled says nothing of that, and takes twice as long. */
export const WARM_UP = 2000;
/** Events of the last machines are looked at 50 ms after them: that is part of what they cost. */
const SETTLE_MS = 200;

/** The server and the bare writes, side by side. Only one of them is at work at a time. */
export class Contest {
  readonly #server: BenchServer;
  readonly #floor: Floor;
  readonly #fixture: Fixture;
  readonly #ids = new Map<number, string>();
  readonly #client: Client;
  #next = 0;

  /** @param client who asks; by default the root key */
  constructor(server: BenchServer, floor: Floor, fixture: Fixture, client: Client = server.client) {
    this.#server = server;
    this.#client = client;
    this.#floor = floor;
    this.#fixture = fixture;
  }

  /** Makes and deletes so many machines on both sides. */
  async round(atOnce: AtOnce, count: number = COUNTS[atOnce]): Promise<Record<FloorVerb, Pair>> {
    const first = this.#next;
    this.#next += count;
    return { create: await this.#both('create', first, count, atOnce), delete: await this.#both('delete', first, count, atOnce) };
  }

  async #both(verb: FloorVerb, first: number, count: number, atOnce: number): Promise<Pair> {
    return { ours: await this.#serve(verb, first, count, atOnce), floor: await this.#floor.replay({ verb, first, count, atOnce }) };
  }

  async #serve(verb: FloorVerb, first: number, count: number, atOnce: number): Promise<FloorAnswer> {
    const before = await this.#server.probe();
    const startedMs = performance.now();
    const tookMs = await inFlight(
      atOnce,
      first,
      count,
      verb === 'create' ? (index) => this.#create(index) : (index) => this.#delete(index),
    );
    const seconds = (performance.now() - startedMs) / 1000;
    await sleep(SETTLE_MS);
    const after = await this.#server.probe();
    return { tookMs, seconds, cpuMs: (after.cpuMs - before.cpuMs) / count };
  }

  async #create(index: number): Promise<void> {
    const input = machineInput(this.#fixture, index);
    this.#ids.set(index, await this.#client.done('POST', '/v1/instances', input, `create-${index}`));
  }

  async #delete(index: number): Promise<void> {
    await this.#client.done('DELETE', `/v1/instances/${this.#ids.get(index)}`, undefined, `delete-${index}`);
  }
}

interface Pair {
  readonly ours: FloorAnswer;
  readonly floor: FloorAnswer;
}

export function rowOf(id: string, pairs: readonly Pair[], judgedBy: 'latency' | 'cpu'): Row {
  const tookMs = pairs.flatMap(({ ours }) => ours.tookMs);
  const p50 = median(tookMs);
  const cpuMs = median(pairs.map(({ ours }) => ours.cpuMs));
  const common = { id, cpuMs, p50, p99: percentile(tookMs, 0.99) };
  if (judgedBy === 'latency') {
    const floor = median(pairs.flatMap(({ floor }) => floor.tookMs));
    return { ...common, value: p50, unit: 'ms', floor, ratio: p50 / floor };
  }
  const floor = median(pairs.map((pair) => pair.floor.cpuMs));
  const rate = median(pairs.map(({ ours }) => ours.tookMs.length / ours.seconds));
  return { ...common, value: rate, unit: '1/s', floor, ratio: cpuMs / floor };
}

/**
 * Durable machines over HTTP, on drivers that take no time: with a volume, a NIC and an address, from the request to `running` or to nothing left. One in
 * flight is judged by its latency, more by their processor time; the floor is the same writes with nothing around them.
 */
export const createBench: Bench = {
  ids: ['create.1', 'create.20', 'create.200', 'delete.20', 'yardstick.20'],
  async run(wants) {
    await using dir = await scratch();
    await using server = await BenchServer.start({ dir: join(dir.path, 'server'), hosts: HOSTNAMES });
    await using floor = await Floor.start(dir.path);
    await using yardstick = await Yardstick.start(dir.path);
    const contest = new Contest(server, floor, await makeFixture(overHttp(server.client)));
    await contest.round(20, WARM_UP);
    const rows: Row[] = [];
    for (const atOnce of IN_FLIGHT) {
      const id = `create.${atOnce}`;
      if (!wants(id) && !(atOnce === 20 && wants('delete.20'))) continue;
      const rounds: Record<FloorVerb, Pair>[] = [];
      const bareMs: number[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        rounds.push(await contest.round(atOnce));
        if (atOnce === 20) bareMs.push(await yardstick.cpuMs());
      }
      const pairsOf = (verb: FloorVerb) => rounds.map((round) => round[verb]);
      if (wants(id)) rows.push(rowOf(id, pairsOf('create'), atOnce === 1 ? 'latency' : 'cpu'));
      if (atOnce !== 20) continue;
      if (wants('delete.20')) rows.push(rowOf('delete.20', pairsOf('delete'), 'cpu'));
      rows.push({ id: 'yardstick.20', value: median(bareMs), unit: 'ms', cpuMs: median(bareMs) });
    }
    process.stderr.write(`bare writes: ${JSON.stringify(floor.shape)}\n`);
    return rows;
  },
};
