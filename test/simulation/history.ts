import { isFinished, type Operation } from '@pileus/core/kernel';
import { SimCloud, type StoreFaults } from '@pileus/core/testing';
import { Chaos } from './chaos.ts';
import { always, atQuiet } from './invariants.ts';
import { upload } from './still-cloud.ts';
import { Client, type Surroundings } from './workload.ts';

export interface HistoryOptions {
  readonly seed: number;
  readonly hosts: number;
  readonly clients?: number;
  /** Virtual time of trouble. */
  readonly rageMs?: number;
}

export interface History {
  readonly seed: number;
  /** Equal for equal seeds: proves that a replay is one. */
  readonly hash: string;
  readonly problems: readonly string[];
  readonly operations: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly troubles: Readonly<Record<string, number>>;
  /** The last lines of what happened. */
  readonly lastLines: readonly string[];
}

const GIB = 2 ** 30;
const LINES_KEPT = 80;
const LOOK_EVERY_MS = 250;
const SETTLE_MS_MAX = 2 * 3600_000;
/** For machines that wait for room. */
const PATIENCE_MS = 60_000;
/** For reconcilers and debts, after the last operation has ended. */
const QUIET_MS = 300_000;

/**
 * One history of a whole control plane: several clients ask at random for whatever there is, while processes, hosts, networks and the store fail at random;
 * then everything is healed, and must come to rest. One seed, one history.
 */
export async function playHistory({ seed, hosts, clients = 3, rageMs = 180_000 }: HistoryOptions): Promise<History> {
  const lastLines: string[] = [];
  const storeFaults: StoreFaults = {};
  const sim = new SimCloud({
    seed,
    storeFaults,
    world: {
      hintLoss: 0.2,
      guests: (spec) => ({
        onShutdown: spec.name.endsWith('3') ? 'ignores' : 'powers_off',
        ...(spec.name.endsWith('7') ? { haltsAfterMs: 20_000 } : {}),
        ...(spec.name.endsWith('9') ? { crashesAfterMs: 15_000 } : {}),
      }),
    },
    onTrace: (line) => {
      lastLines.push(line);
      if (lastLines.length > 2 * LINES_KEPT) lastLines.splice(0, LINES_KEPT);
    },
  });
  const at = await surroundings(sim, hosts, seed % 2 === 0);
  const chaos = new Chaos(sim, [...sim.world.hosts.keys()], storeFaults);
  const working = Array.from({ length: clients }, (_, index) => new Client(at, `client-${index + 1}`));
  for (const client of working) void client.work();
  chaos.rage();
  const problems = at.problems;
  const now = () => sim.environment.clock.monotonicMs();
  const goOn = async () => {
    if (!sim.alive && now() >= chaos.downUntilMs) {
      chaos.starting = true;
      await sim.start();
      chaos.starting = false;
    }
    await sim.run(LOOK_EVERY_MS);
    problems.push(...always(sim));
  };
  const rageUntilMs = now() + rageMs;
  while (now() < rageUntilMs && problems.length === 0) await goOn();
  for (const client of working) client.stopped = true;
  chaos.heal();
  const settleUntilMs = now() + SETTLE_MS_MAX;
  const busy = () => !sim.alive || (sim.rows('operation') as unknown as readonly Operation[]).some((row) => !isFinished(row));
  const patientUntilMs = now() + PATIENCE_MS;
  while (problems.length === 0 && now() < settleUntilMs && busy()) {
    if (now() > patientUntilMs) giveUpWaiting(sim);
    await goOn();
  }
  const quietUntilMs = now() + QUIET_MS;
  while (problems.length === 0 && now() < quietUntilMs) await goOn();
  if (problems.length === 0) problems.push(...atQuiet(sim, at.known.operations));
  const outcomes: Record<string, number> = {};
  for (const { state } of sim.rows('operation')) outcomes[String(state)] = (outcomes[String(state)] ?? 0) + 1;
  const { tally } = chaos;
  const hash = sim.environment.historyHash();
  sim.dispose();
  return {
    seed,
    hash,
    problems,
    operations: at.known.operations.length,
    outcomes,
    troubles: tally,
    lastLines: lastLines.slice(-LINES_KEPT),
  };
}

/** There may never be room for all. */
function giveUpWaiting(sim: SimCloud): void {
  if (!sim.alive) return;
  for (const { id, state, waitsFor } of sim.rows('operation'))
    if (state === 'queued' && waitsFor !== undefined) void sim.kernel.operations.cancel(String(id)).catch(() => undefined);
}

/** Hosts with a pool each, an image, a size and a network; and quotas that are soon used up, if there are to be any. */
async function surroundings(sim: SimCloud, hosts: number, isLimited: boolean): Promise<Surroundings> {
  const names = Array.from({ length: hosts }, (_, index) => `hv${index + 1}`);
  // Small ones: what does not fit is part of the history.
  for (const name of names) sim.world.addHost(name, { cpus: 4, memoryBytes: 12 * GIB });
  await sim.start();
  const zoneId = await sim.done('zone.create', { name: 'zone-a' });
  const clusterId = await sim.done('cluster.create', { name: 'cluster-a', zoneId, hypervisor: 'simulated' });
  for (const name of names) {
    const hostId = await sim.done('host.create', { name, clusterId, uri: `sim://${name}` });
    await sim.done('pool.create', { name: `pool-${name}`, driver: 'simulated', hostId, settings: {} });
  }
  const imageId = await sim.done('image.create', { name: 'image-1' });
  await upload(sim, imageId);
  await sim.done('instanceType.create', { name: 'small', vcpus: 1, memoryBytes: GIB, vcpusMax: 4, memoryBytesMax: 4 * GIB });
  const limits = { instances: 2 * hosts, vcpus: 3 * hosts, volumes: 4 * hosts, volumeBytes: 4 * hosts * 16_384, networks: 3 };
  if (isLimited) await sim.done('project.setQuota', { limits }, sim.principal.projectId);
  const networkId = await sim.done('network.create', { name: 'net-1', subnets: [{ name: 'subnet-1', cidr: '10.255.0.0/24' }] });
  const groups: string[] = [];
  for (const policy of ['antiAffinity', 'affinity', 'softAntiAffinity'])
    groups.push(await sim.done('placementGroup.create', { name: `group-${policy.toLowerCase()}`, policy }));
  const known = { instances: [], volumes: [], networks: [networkId], operations: [], groups };
  return { sim, imageId, known, answers: new Map(), problems: [] };
}
