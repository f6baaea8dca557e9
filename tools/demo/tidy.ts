import { type Cloud, isPileusError } from '@pileus/sdk';

const TIMEOUT_MS = 180_000;
const ATTEMPTS = 3;

/** Deletes everything in the cloud, dependents first. What is still being made is deleted when it is made. */
export async function deleteEverything(cloud: Cloud): Promise<void> {
  const kinds = [
    cloud.instances,
    cloud.volumes,
    cloud.networks,
    cloud.images,
    cloud.instanceTypes,
    cloud.pools,
    cloud.hosts,
    cloud.clusters,
    cloud.zones,
  ];
  for (const kind of kinds) {
    const rows = await kind.list().toArray();
    await Promise.all(rows.map((row) => deleted(() => kind.delete(row.id as never).wait({ timeoutMs: TIMEOUT_MS }))));
  }
}

/** Something whose making has failed is gone already. What gained a dependent while it was being made is asked for again. */
async function deleted(ask: () => Promise<unknown>, attempts = ATTEMPTS): Promise<void> {
  try {
    await ask();
  } catch (error) {
    if (!isPileusError(error)) throw error;
    if (error.code === 'not_found') return;
    if (error.code !== 'conflict' || attempts <= 1) throw error;
    await deleted(ask, attempts - 1);
  }
}
