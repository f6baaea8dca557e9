import { type Cloud, isPileusError } from '@pileus/sdk';

const TIMEOUT_MS = 180_000;

/** What projects have, dependents first. */
const ofProjects = (cloud: Cloud) => [
  // They delete their resources themselves.
  cloud.stacks,
  cloud.backupPlans,
  // What is in one goes with it, and not by itself.
  cloud.backupSets,
  // They keep snapshots for the next ones.
  cloud.volumeBackups,
  cloud.snapshotGroups,
  cloud.snapshots,
  // Its disks go with it, unless they have snapshots.
  cloud.instances,
  cloud.volumes,
  cloud.elasticIps,
  cloud.natGateways,
  cloud.networks,
  cloud.vpcs,
  cloud.images,
];

const ofCloud = (cloud: Cloud) => [
  cloud.backupStores,
  cloud.physicalNetworks,
  cloud.instanceTypes,
  cloud.pools,
  cloud.hosts,
  cloud.clusters,
  cloud.zones,
];

/**
 * Deletes everything in the cloud, dependents first, also in the projects that whoever looked around has made. What is still being made is deleted when it is
 * made.
 */
export async function deleteEverything(cloud: Cloud, inProject: (projectId: string) => Cloud): Promise<void> {
  const projects = await cloud.projects.list({ allProjects: true }).toArray();
  const owners = projects.map(({ id }) => ofProjects(inProject(id)));
  for (const number of ofProjects(cloud).keys()) await deleteAll(owners.flatMap((kinds) => kinds[number] ?? []));
  for (const kind of ofCloud(cloud)) await deleteAll([kind]);
}

type Deletable = ReturnType<typeof ofProjects | typeof ofCloud>[number];

async function deleteAll(kinds: readonly Deletable[]): Promise<void> {
  const lists = kinds.map(async (kind) => {
    const rows = await kind.list().toArray();
    await Promise.all(rows.map((row) => deleted(kind.delete(row.id as never).wait({ timeoutMs: TIMEOUT_MS }))));
  });
  await Promise.all(lists);
}

/** Something whose making has failed is gone already. */
async function deleted(deletion: PromiseLike<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isPileusError(error) || error.code !== 'not_found') throw error;
  }
}
