import { cluster, host, pool, zone } from '@pileus/core';
import { create, type Id, type Kernel, type Statement } from '@pileus/core/kernel';

export const PER_CLUSTER = 45;
const GIB = 2 ** 30;
const VCPUS = 256;
const MEMORY_BYTES = 512 * GIB;
/** As many as a simulated pool has: looks find nothing to write. */
const POOL_BYTES = 2 ** 50;

interface HostFacts {
  readonly hostname: string;
  readonly hostUuid: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly cpuModel: string;
  readonly architecture: string;
  readonly hypervisorVersion: string;
  readonly virtType: 'simulated';
}

/** Zones full of hosts, each with a pool, as rows alone: nobody looks at them before the next start. */
export async function writeHosts(kernel: Kernel, count: number, factsOf: (name: string) => HostFacts): Promise<void> {
  const mint = <K extends string>(kind: K): Id<K> => kernel.services.ids.mint(kind);
  const zoneId = mint('zone');
  await write(kernel, [create(zone, { id: zoneId, name: 'zone-1' })]);
  for (let first = 0; first < count; first += PER_CLUSTER) {
    const clusterId = mint('cluster');
    const promises = { vcpuOvercommit: 4, memoryOvercommit: 1, allowEmulation: false, hostsMax: PER_CLUSTER };
    const statements: Statement[] = [
      create(cluster, { id: clusterId, name: `cluster-${first}`, zoneId, hypervisor: 'simulated', ...promises }),
    ];
    for (let number = first; number < Math.min(count, first + PER_CLUSTER); number += 1)
      statements.push(...oneHost({ hostId: mint('host'), poolId: mint('pool'), clusterId }, factsOf(`hv${number}`)));
    await write(kernel, statements);
  }
}

function oneHost(
  { hostId, poolId, clusterId }: { readonly hostId: Id<'host'>; readonly poolId: Id<'pool'>; readonly clusterId: Id<'cluster'> },
  facts: HostFacts,
): readonly Statement[] {
  const name = facts.hostname;
  return [
    create(host, {
      ...facts,
      ...{ id: hostId, name, clusterId, uri: `sim://${name}`, failureDomain: name, roles: ['compute', 'storage'] },
      ...{ state: 'enabled', status: 'connected' },
    }),
    create(pool, {
      ...{ id: poolId, name: `pool-${name}`, driver: 'simulated', scope: 'host', hostId, settings: {}, storageClass: 'standard' },
      ...{ overcommit: 1, totalBytes: POOL_BYTES, freeBytes: POOL_BYTES, status: 'connected', state: 'available' },
    }),
    { op: 'limit', counter: `capacity/host/${hostId}/vcpus`, limit: VCPUS },
    { op: 'limit', counter: `capacity/host/${hostId}/memoryBytes`, limit: MEMORY_BYTES },
    { op: 'limit', counter: `capacity/pool/${poolId}/bytes`, limit: POOL_BYTES },
  ];
}

async function write(kernel: Kernel, statements: readonly Statement[]): Promise<void> {
  const result = await kernel.observe(statements);
  if (!result.ok) throw new Error(JSON.stringify(result));
}
