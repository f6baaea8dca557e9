import { CloudError, changeable, equals, isCloudError, type Principal, type Reader, type RowOf, usable } from '../../../kernel/index.ts';
import { network } from '../network.ts';
import { vpc } from './vpc.ts';

/** A VPC of the project, to which something can be added. @throws CloudError not_found, conflict */
export async function ownVpc(reader: Reader, id: string, principal: Principal, pointer = '/vpcId'): Promise<RowOf<typeof vpc>> {
  return available(await changeable(reader, vpc, id, principal, pointer), pointer);
}

function available(row: RowOf<typeof vpc>, pointer: string): RowOf<typeof vpc> {
  if (row.state === 'available') return row;
  throw new CloudError('conflict', `VPC ${row.name} is ${row.state}.`, { pointer, params: { state: row.state } });
}

/** A VPC of the project, or one of which a network is shared with it: its guests have groups of their own. @throws CloudError not_found, conflict */
export async function joinedVpc(reader: Reader, id: string, principal: Principal, pointer = '/vpcId'): Promise<RowOf<typeof vpc>> {
  const row = await absentIfNotFound(changeable(reader, vpc, id, principal, pointer));
  if (row !== undefined) return available(row, pointer);
  for (const { id: networkId } of await reader.list(network, equals('vpcId', id)))
    if ((await absentIfNotFound(usable(reader, network, networkId, principal))) !== undefined)
      return available(await reader.get(vpc, id), pointer);
  return ownVpc(reader, id, principal, pointer);
}

const absentIfNotFound = <T>(asked: Promise<T>): Promise<T | undefined> =>
  asked.catch((error: unknown) => {
    if (isCloudError(error) && error.code === 'not_found') return undefined;
    throw error;
  });
