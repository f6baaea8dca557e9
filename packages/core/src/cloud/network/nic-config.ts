import type { Reader, RowOf } from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { parseCidr } from './cidr.ts';
import type { Fabrics } from './fabrics.ts';
import { network } from './network.ts';
import type { nic } from './nic.ts';
import { subnet } from './subnet.ts';

/** What a machine is told of a NIC before it starts, where nobody tells it afterwards. */
export interface NicConfig {
  /** With the length of their subnets' prefix, e.g. `10.10.0.5/24`. */
  readonly addresses: readonly string[];
  /** Of each of their subnets. */
  readonly gateways: readonly string[];
  readonly routes: readonly { readonly destination: string; readonly nextHop: string }[];
  readonly dnsServers: readonly string[];
  readonly domain?: string;
  readonly mtuBytes?: number;
}

/** Undefined where DHCP tells it. */
export async function nicConfig(
  { reader, fabrics }: { readonly reader: Reader; readonly fabrics: Pick<Fabrics, 'haveDhcp' | 'hasDhcp'> },
  { networkId, subnetId, address, ipv6SubnetId, ipv6Address }: RowOf<typeof nic>,
): Promise<NicConfig | undefined> {
  if (fabrics.haveDhcp) return undefined;
  const { driver, domain, mtuBytes } = await reader.get(network, networkId);
  if (fabrics.hasDhcp(driver)) return undefined;
  const first = await reader.get(subnet, subnetId);
  const second = ipv6SubnetId === undefined ? undefined : await reader.get(subnet, ipv6SubnetId);
  const subnets = second === undefined ? [first] : [first, second];
  const within = (own: string | undefined, { cidr }: RowOf<typeof subnet>) => `${own}/${parseCidr(cidr)?.prefix}`;
  return {
    addresses: subnets.map((each) => within(each === first ? address : ipv6Address, each)),
    gateways: subnets.map(({ gateway }) => gateway),
    routes: subnets.flatMap(({ hostRoutes = [] }) => hostRoutes),
    dnsServers: [...new Set(subnets.flatMap(({ dnsServers }) => dnsServers))],
    ...given({ domain, mtuBytes }),
  };
}
