import { stat } from 'node:fs/promises';
import type { ServedNetwork } from '@pileus/core/agent';

/** Where every cloud tool asks a machine's metadata. */
export const METADATA_ADDRESS = '169.254.169.254';
/** The same where machines have IPv6: an address of the link, as OpenStack's tools ask for it. */
export const METADATA_ADDRESS_6 = 'fe80::a9fe:a9fe';
/** The end of the pair that is in a network's namespace. */
export const INNER = 'eth0';

export const hasIpv6 = ({ addresses, onLink = [] }: Pick<ServedNetwork, 'addresses' | 'onLink'>): boolean =>
  [...addresses.map(({ address }) => address), ...onLink].some((text) => text.includes(':'));

export const namespaceOf = (networkId: string): string => `pileus-${networkId}`;

/** Another one when the namespace is not the one that it was. Undefined: there is none. */
export async function namespaceIdentity(networkId: string): Promise<string | undefined> {
  const found = await stat(`/run/netns/${namespaceOf(networkId)}`).catch(() => undefined);
  return found === undefined ? undefined : `${found.dev}/${found.ino}`;
}
