import { CloudError } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';

/** What guests learn by DHCP alone. */
const FIELDS = ['domain', 'dnsServers', 'hostRoutes', 'ipv6Mode'] as const;

/** @throws CloudError unsupported for what nobody would tell guests of networks of this driver */
export function refuseTold(
  { fabrics }: Pick<CloudServices, 'fabrics'>,
  driver: string,
  asked: { readonly [F in (typeof FIELDS)[number]]?: unknown },
  at: string,
): void {
  if (fabrics.factory(driver).lacks?.includes('dhcp') !== true) return;
  const field = FIELDS.find((each) => asked[each] !== undefined && asked[each] !== null);
  if (field !== undefined)
    throw new CloudError('unsupported', `${driver} tells guests nothing: there is no DHCP in its networks.`, { pointer: `${at}/${field}` });
}
