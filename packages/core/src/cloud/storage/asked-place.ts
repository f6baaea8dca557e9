import { nameable, type Principal, type Reader } from '../../kernel/index.ts';
import { namedHost } from '../compute/contract.ts';
import { pool } from './pool.ts';
import { volume } from './volume.ts';

/** A request for storage names no pool and no host that its caller neither sees nor has something on. @throws CloudError not_found with the field */
export async function refuseUnknownPlace(
  reader: Reader,
  principal: Principal,
  { poolId, hostId }: { readonly poolId?: string | undefined; readonly hostId?: string | undefined },
): Promise<void> {
  if (poolId !== undefined)
    await nameable(reader, pool, poolId, principal, { pointer: '/poolId', toldBy: [{ kind: volume, field: 'poolId' }] });
  if (hostId !== undefined) await namedHost(reader, principal, hostId);
}
