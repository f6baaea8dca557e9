import { both, CloudError, equals, type Reader } from '../../kernel/index.ts';
import { host, stray } from '../topology/contract.ts';
import type { InstanceRow } from './context.ts';

/**
 * A store that was restored may know an older host of a machine than the one that it was evacuated to since: to start it there would open its disks twice.
 * @throws CloudError conflict
 */
export async function refuseFoundElsewhere(reader: Reader, { id, name, hostId }: InstanceRow): Promise<void> {
  const found = await reader.list(stray, both(equals('objectKind', 'machine'), equals('objectId', id)));
  const other = found.find((each) => each.hostId !== hostId);
  if (other === undefined) return;
  const { name: hostName } = await reader.get(host, other.hostId);
  throw new CloudError(
    'conflict',
    `Instance ${name} was found on host ${hostName}, where its row does not say that it is. Remove that stray first.`,
    {
      params: { strayId: other.id, hostId: other.hostId },
    },
  );
}
