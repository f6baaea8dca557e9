import { writeFileSync } from 'node:fs';
import { nodeEnvironment } from '@pileus/core/node';
import type { DriverPlugin } from '@pileus/core/strategy';
import { SimWorld, simulated } from '@pileus/core/testing';

/** Slow enough that steps can be seen to happen. */
const LATENCY_MS = [5, 60] as const;

/** The list of a sort of things of `SimWorld.snapshot`. */
interface Thing {
  readonly id: string;
  /** Of a thing in a pool. */
  readonly kind?: string;
}

interface Options {
  readonly hostname: string;
  /** Where the process writes down what its world still holds when it ends by itself. */
  readonly leftPath?: string;
}

/** What the demo's server loads where no real guest can run: drivers over a world in memory, with one host of the name given. */
export default function simulatedDrivers({ hostname, leftPath }: Options): DriverPlugin {
  const environment = nodeEnvironment();
  const world = new SimWorld(environment, { latencyMs: LATENCY_MS });
  world.addHost(hostname, { cpus: 8, memoryBytes: 16 * 2 ** 30 });
  if (leftPath !== undefined) process.once('exit', () => writeFileSync(leftPath, JSON.stringify(leftIn(world))));
  return simulated({ world, environment });
}

/** All that the world holds, one line each. */
export function leftIn(world: SimWorld): readonly string[] {
  const sorts = JSON.parse(world.snapshot()) as Readonly<Record<string, readonly Thing[]>>;
  return Object.entries(sorts).flatMap(([sort, things]) => things.map(({ kind, id }) => `${kind ?? sort.replace(/s$/, '')} ${id}`));
}
