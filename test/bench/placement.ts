import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Cloud, createCloud } from '@pileus/core';
import type { Statement } from '@pileus/core/kernel';
import { openSqlite } from '@pileus/core/sqlite';
import { TwoLevelPlacement } from '../../packages/core/src/cloud/placement/two-level.ts';
import { type Bench, inFlight, median, percentile, type Row } from './harness.ts';
import { writeHosts } from './many-hosts.ts';
import { scratch } from './scratch.ts';
import benchWorld from './world-plugin.ts';

const GIB = 2 ** 30;
const COUNTS = [10_000, 100_000] as const;
const AT_ONCE = 10;
const WARM_UP = 2000;
const ROUNDS = 5;
const PLACEMENTS = 3000;
const ATTEMPTS = 20;

interface Measured {
  readonly tookMs: readonly number[];
  readonly seconds: number;
  readonly cpuMs: number;
}

/** Places machines, and commits what it reserves; the floor commits the same again elsewhere, without looking for a place. */
class Placements {
  readonly #cloud: Cloud;
  readonly #placement: TwoLevelPlacement;
  readonly #placed: (readonly Statement[])[] = [];
  /** How long each look for a place took, until its commit was asked for. */
  readonly decidedMs: number[] = [];
  conflicts = 0;

  constructor(cloud: Cloud) {
    const { kernel } = cloud;
    this.#cloud = cloud;
    this.#placement = new TwoLevelPlacement({
      clock: kernel.services.environment.clock,
      listen: (listener) => kernel.onOutcome(listener),
      hooks: () => kernel.registry.hooks,
    });
  }

  /** With the time each took, to the commit. */
  place(count: number): Promise<Measured> {
    return timed(count, async (index) => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const volumes = [{ id: String(index), sizeBytes: 10 * GIB }];
        const startedMs = performance.now();
        const { reserve } = await this.#placement.place({ vcpus: 2, memoryBytes: 4 * GIB, volumes, attempt }, this.#cloud.kernel.reader);
        this.decidedMs.push(performance.now() - startedMs);
        if ((await this.#cloud.kernel.observe(reserve)).ok) {
          this.#placed.push(reserve);
          return;
        }
        this.conflicts += 1;
      }
      throw new Error(`${ATTEMPTS} conflicts`);
    });
  }

  /** Writes as much on as many hosts, and takes both back, so that the next round finds what this one has found. */
  async floor(): Promise<Measured> {
    const again = this.#placed.map((statements) => statements.map((statement) => ({ ...statement })));
    const { store } = this.#cloud.kernel.services;
    const commit = async (statements: readonly Statement[]) => {
      const result = await store.commit({ node: 'bench', epoch: store.epoch, at: new Date().toISOString(), statements });
      if (!result.ok) throw new Error(JSON.stringify(result));
    };
    const measured = await timed(again.length, (index) => commit(again[index] ?? []));
    for (const statements of again) await commit(statements.map(takenBack));
    const ours = this.#placed.splice(0);
    await inFlight(AT_ONCE, 0, ours.length, async (index) => {
      await this.#cloud.kernel.observe((ours[index] ?? []).map(takenBack));
    });
    return measured;
  }
}

const takenBack = (statement: Statement): Statement => (statement.op === 'adjust' ? { ...statement, by: -statement.by } : statement);

async function timed(count: number, work: (index: number) => Promise<void>): Promise<Measured> {
  const before = process.cpuUsage();
  const startedMs = performance.now();
  const tookMs = await inFlight(AT_ONCE, 0, count, work);
  const { user, system } = process.cpuUsage(before);
  return { tookMs, seconds: (performance.now() - startedMs) / 1000, cpuMs: (user + system) / 1000 / count };
}

async function measure(hosts: number): Promise<readonly Row[]> {
  await using dir = await scratch();
  const store = await openSqlite({ path: join(dir.path, 'pileus.db') });
  await using cloud = await createCloud({
    plugins: [benchWorld({ hosts: [] })],
    store,
    dataDir: dir.path,
    presets: { 'hosts.heartbeatSeconds': 3600 },
  });
  const facts = { cpus: 64, memoryBytes: 512 * GIB, cpuModel: 'bench', architecture: 'x86_64', hypervisorVersion: 'bench 1' };
  await writeHosts(cloud.kernel, hosts, (hostname) => ({ ...facts, hostname, hostUuid: crypto.randomUUID(), virtType: 'simulated' }));
  const placements = new Placements(cloud);
  await placements.place(WARM_UP);
  await placements.floor();
  await sleep(1000);
  placements.decidedMs.length = 0;
  const rounds: { readonly ours: Measured; readonly floor: Measured }[] = [];
  for (let round = 0; round < ROUNDS; round += 1)
    rounds.push({ ours: await placements.place(PLACEMENTS), floor: await placements.floor() });
  const rate = (side: 'ours' | 'floor') => median(rounds.map((round) => PLACEMENTS / round[side].seconds));
  const tookMs = (side: 'ours' | 'floor') => rounds.flatMap((round) => round[side].tookMs);
  const p99 = (side: 'ours' | 'floor') => percentile(tookMs(side), 0.99);
  return [
    {
      ...{ id: `placement.${hosts}`, value: rate('ours'), unit: 'placements/s', p50: percentile(tookMs('ours'), 0.5), p99: p99('ours') },
      ...{ cpuMs: median(rounds.map(({ ours }) => ours.cpuMs)), floor: rate('floor') },
      ratio: median(rounds.map(({ ours, floor }) => ours.seconds / floor.seconds)),
    },
    { id: `placement.${hosts}.p99`, value: p99('ours'), unit: 'ms', floor: p99('floor'), ratio: p99('ours') / p99('floor') },
    {
      ...{ id: `placement.${hosts}.decision`, value: percentile(placements.decidedMs, 0.99), unit: 'ms' },
      ...{ p50: median(placements.decidedMs), p99: percentile(placements.decidedMs, 0.99) },
    },
  ];
}

const rowsOf = (hosts: number): readonly string[] => ['', '.p99', '.decision'].map((figure) => `placement.${hosts}${figure}`);

/** Durable placements a second, ten in flight, each on one of so many hosts. */
export const placementBench: Bench = {
  ids: COUNTS.flatMap(rowsOf),
  async run(wants) {
    const rows: Row[] = [];
    for (const hosts of COUNTS) if (rowsOf(hosts).some(wants)) rows.push(...(await measure(hosts)));
    return rows;
  },
};
