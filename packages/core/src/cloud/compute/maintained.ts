import { CloudError, expectState, type Id, type Reader, type Statement } from '../../kernel/index.ts';
import { host } from '../topology/contract.ts';
import type { InstanceRow } from './context.ts';

/** Somebody may be about to cut its power. @throws CloudError conflict where the host of the machine is in maintenance */
export async function refuseMaintained(reader: Reader, { name, hostId }: InstanceRow): Promise<void> {
  if (hostId === undefined || (await reader.get(host, hostId)).state !== 'maintenance') return;
  throw new CloudError('conflict', `The host of instance ${name} is in maintenance: start it when that is over.`);
}

/** For what makes a machine `running`: of this and a maintenance that begins meanwhile, which looks for running machines, one is refused. */
export const notMaintained = (hostId: string): Statement =>
  expectState(host, hostId as Id<'host'>, ['connecting', 'enabled', 'disabled', 'deleting']);
