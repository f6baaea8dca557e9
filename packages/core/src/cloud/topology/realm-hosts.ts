import type { KernelServices } from '../../kernel/index.ts';
import type { RealmHosts } from '../../strategy/index.ts';
import { host } from './host.ts';
import { removalAllowed } from './recovery.ts';

/** The hosts that there are, for drivers of what spans them. One whose name nobody has been told yet has nothing of theirs. */
export async function realmHosts(services: Pick<KernelServices, 'reader' | 'store' | 'kernel'>): Promise<RealmHosts> {
  const rows = await services.reader.list(host);
  return {
    hosts: rows.flatMap(({ hostname, uri, clusterId, status }) =>
      hostname === undefined ? [] : { host: hostname, uri, clusterId, answers: status === 'connected' },
    ),
    // A store from a backup may know nothing of hosts that came since.
    isComplete: await removalAllowed(services),
  };
}
