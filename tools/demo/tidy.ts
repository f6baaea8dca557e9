import { type Cloud, isPileusError } from '@pileus/sdk';

const TIMEOUT_MS = 180_000;

/** Deletes everything in the cloud, dependents first. What is still being made is deleted when it is made. */
export async function deleteEverything(cloud: Cloud): Promise<void> {
  const kinds = [
    cloud.instances,
    // They keep snapshots for the next ones.
    cloud.volumeBackups,
    cloud.backupStores,
    cloud.snapshotGroups,
    cloud.snapshots,
    cloud.volumes,
    cloud.elasticIps,
    cloud.natGateways,
    cloud.networks,
    cloud.vpcs,
    cloud.physicalNetworks,
    cloud.images,
    cloud.instanceTypes,
    cloud.pools,
    cloud.hosts,
    cloud.clusters,
    cloud.zones,
  ];
  for (const kind of kinds) {
    const rows = await kind.list().toArray();
    await Promise.all(rows.map((row) => deleted(kind.delete(row.id as never).wait({ timeoutMs: TIMEOUT_MS }))));
  }
}

/** Something whose making has failed is gone already. */
async function deleted(deletion: PromiseLike<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isPileusError(error) || error.code !== 'not_found') throw error;
  }
}
