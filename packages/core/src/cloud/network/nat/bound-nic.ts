import type { RowOf } from '../../../kernel/index.ts';
import { parseAddress } from '../cidr.ts';
import type { NetworkContext } from '../network-context.ts';
import { nic } from '../nic.ts';

/** A NIC that is on its way out, or in the trash, has nothing any more that leads to it. */
export async function attachedNic({ reader }: Pick<NetworkContext, 'reader'>, nicId: string): Promise<RowOf<typeof nic> | undefined> {
  const row = await reader.find(nic, nicId);
  return row?.state === 'attached' ? row : undefined;
}

/** The NIC's address of the same family as another. */
export const addressOf = ({ address, ipv6Address }: Pick<RowOf<typeof nic>, 'address' | 'ipv6Address'>, like: string): string | undefined =>
  [address, ipv6Address].find((own) => own !== undefined && parseAddress(own)?.family === parseAddress(like)?.family);
