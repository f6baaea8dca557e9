import { nodeEnvironment } from '@pileus/core/node';
import type { DriverPlugin } from '@pileus/core/strategy';
import { SimWorld, simulated } from '@pileus/core/testing';

/** Slow enough that steps can be seen to happen. */
const LATENCY_MS = [5, 60] as const;

/** What the demo's server loads where no real guest can run: drivers over a world in memory, with one host of the name given. */
export default function simulatedDrivers({ hostname }: { readonly hostname: string }): DriverPlugin {
  const environment = nodeEnvironment();
  const world = new SimWorld(environment, { latencyMs: LATENCY_MS });
  world.addHost(hostname, { cpus: 8, memoryBytes: 16 * 2 ** 30 });
  return simulated({ world, environment });
}
