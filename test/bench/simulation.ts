import { playHistory } from '../simulation/history.ts';
import { stillCloud } from '../simulation/still-cloud.ts';
import { type Bench, median } from './harness.ts';

const SEEDS = [1, 2, 3, 4, 5];
const HOSTS = 20;
const CLIENTS = 20;
const RAGE_MS = 60_000;
const MACHINES = 100;

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((total, count) => total + count, 0);

/** Operations that a simulation plays in a second, with tenants, troubles and invariants, beside those of a simulated cloud in which nothing goes wrong and nobody looks. */
export const simulationBench: Bench = {
  ids: ['simulation'],
  async run() {
    const [ours, still] = [[], []] as [number[], number[]];
    // The first is the warm-up.
    for (const seed of [0, ...SEEDS]) {
      const [history, undisturbed] = [await played(seed), await stillPlayed(seed)];
      if (seed === 0) continue;
      ours.push(history);
      still.push(undisturbed);
    }
    const [value, floor] = [median(ours), median(still)];
    return [{ id: 'simulation', value, unit: '1/s', floor, ratio: floor / value }];
  },
};

async function played(seed: number): Promise<number> {
  const startedMs = performance.now();
  const { outcomes, problems } = await playHistory({ seed, hosts: HOSTS, clients: CLIENTS, rageMs: RAGE_MS });
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return sum(outcomes) / ((performance.now() - startedMs) / 1000);
}

/** Machines made, stopped and deleted one after the other. */
async function stillPlayed(seed: number): Promise<number> {
  const { sim, machine } = await stillCloud(`bench ${seed}`);
  const startedMs = performance.now();
  for (let index = 0; index < MACHINES; index += 1) {
    const id = await sim.done('instance.create', machine());
    await sim.done('instance.stop', { force: true }, id);
    await sim.done('instance.delete', {}, id);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  sim.dispose();
  return (3 * MACHINES) / seconds;
}
