import { nodeEnvironment } from '@pileus/core/node';
import type { DriverPlugin } from '@pileus/core/strategy';
import { SimWorld, simulated } from '@pileus/core/testing';
import { answerProbes } from './probes.ts';

/** What the measured server loads: drivers over a world in memory that answers at once and never gets full, and the probes. */
export default function benchWorld({ hosts }: { readonly hosts: readonly string[] }): DriverPlugin {
  const environment = nodeEnvironment();
  const world = new SimWorld(environment, { latencyMs: [0, 0], poolBytes: 2 ** 50 });
  for (const hostname of hosts) world.addHost(hostname, { cpus: 1_000_000, memoryBytes: 2 ** 50 });
  if (process.send !== undefined) answerProbes();
  return simulated({ world, environment });
}
