import type { KernelServices, Reader } from '../../kernel/index.ts';
import type { Fabrics } from '../network/contract.ts';
import type { Pools } from '../storage/contract.ts';
import type { HostWatch } from './host-watch.ts';
import type { Hosts } from './hosts.ts';

/** What sagas on hosts reach. */
export interface HostContext {
  readonly hosts: Hosts;
  readonly pools: Pick<Pools, 'forgetHost'>;
  readonly fabrics: Pick<Fabrics, 'forgetHost'>;
  readonly watch: Pick<HostWatch, 'add' | 'lookSoon'>;
  readonly reader: Reader;
  readonly secrets: Pick<KernelServices['secrets'], 'open'>;
}

/** Every connection through the host, so that the next use opens it anew. */
export async function forgetHost(
  { hosts, pools, fabrics }: Pick<HostContext, 'hosts' | 'pools' | 'fabrics'>,
  hostId: string,
): Promise<void> {
  await pools.forgetHost(hostId);
  await fabrics.forgetHost(hostId);
  await hosts.forget(hostId);
}
