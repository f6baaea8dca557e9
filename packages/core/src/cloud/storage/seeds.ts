import { both, equals, type Reader } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { hostPlace, poolsReached } from './pool-choice.ts';
import type { StorageContext } from './removal.ts';
import { volume } from './volume.ts';

/** The pool of a machine's root disk, beside which its seed lies; undefined for a machine that has no root disk, or none that is known. */
export async function seedPool(reader: Reader, machineId: string): Promise<string | undefined> {
  const [root] = await reader.list(volume, both(equals('instanceId', machineId), equals('slot', 0)));
  return root?.poolId;
}

/** Removes what a machine that nothing explains has left of its seed: in whatever pool of its host, but not where one lies that is explained. */
export async function deleteSeeds({ reader, pools }: StorageContext, machineId: string, hostId: string, call: Call): Promise<void> {
  const at = await hostPlace(reader, hostId);
  const right = await seedPool(reader, machineId);
  for (const row of await poolsReached(reader, at)) if (row.id !== right) await (await pools.open(row.id)).deleteSeed(machineId, call);
}
