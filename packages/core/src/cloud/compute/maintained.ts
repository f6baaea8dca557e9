import {
  both,
  CloudError,
  equals,
  expectState,
  type Id,
  isCloudError,
  operation,
  type Reader,
  type Statement,
  UNFINISHED,
} from '../../kernel/index.ts';
import { host } from '../topology/contract.ts';
import type { InstanceRow } from './context.ts';
import { refuseBound } from './instance-migrate.ts';

/** Somebody may be about to cut its power. @throws CloudError conflict where the host of the machine is in maintenance */
export async function refuseMaintained(reader: Reader, { name, hostId }: InstanceRow): Promise<void> {
  if (hostId === undefined || (await reader.get(host, hostId)).state !== 'maintenance') return;
  throw new CloudError('conflict', `The host of instance ${name} is in maintenance: start it when that is over.`);
}

/** For what makes a machine `running`: of this and a maintenance that begins meanwhile, which looks for running machines, one is refused. */
export const notMaintained = (hostId: string): Statement =>
  expectState(host, hostId as Id<'host'>, ['connecting', 'enabled', 'disabled', 'deleting']);

/** By its operation: a host that is being drained is disabled like any other, and its row is read first, for most are not. */
async function isDrained(reader: Reader, { hostId }: InstanceRow): Promise<boolean> {
  if (hostId === undefined || (await reader.get(host, hostId)).state !== 'disabled') return false;
  const underWay = { field: 'state', op: 'in', value: [...UNFINISHED] } as const;
  const drains = await reader.list(operation, both(equals('resourceId', hostId), equals('action', 'host.drain'), underWay));
  return drains.length > 0;
}

/** What is started while its host is drained is sent after the others. One that cannot be would have all of that undone. @throws CloudError conflict */
export async function refuseStartAmidDrain(reader: Reader, row: InstanceRow): Promise<void> {
  if (!(await isDrained(reader, row))) return;
  await refuseBound({ reader }, row).catch((cause: unknown) => {
    if (!isCloudError(cause)) throw cause;
    throw new CloudError(
      'conflict',
      `The host of instance ${row.name} is being drained, which it cannot leave: start it when the work there is over.`,
      {
        ...(cause.params === undefined ? {} : { params: cause.params }),
        cause,
      },
    );
  });
}

/** A suspended machine cannot be sent. @throws CloudError conflict */
export async function refuseSuspensionAmidDrain(reader: Reader, row: InstanceRow): Promise<void> {
  if (await isDrained(reader, row))
    throw new CloudError('conflict', `The host of instance ${row.name} is being drained: suspend it when it has gone over to another.`);
}
