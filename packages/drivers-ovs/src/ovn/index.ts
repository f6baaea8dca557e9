/** OVN as the networks of a cloud: VPCs with distributed routers, security groups, gateways, load balancers. */
import type { DriverPlugin } from '@pileus/core/strategy';
import type { Address } from '../ovsdb/index.ts';
import { ovnDriver } from './driver.ts';
import { Northbound } from './northbound.ts';
import { Southbound } from './southbound.ts';

export interface OvnOptions {
  /** Servers of OVN's northbound database: of a cluster all of them. */
  readonly northbound: readonly [Address, ...Address[]];
  /** Servers of OVN's southbound database. It is only read. */
  readonly southbound: readonly [Address, ...Address[]];
  /** The bridge of OVN on the hosts. Default `br-int`. */
  readonly bridge?: string;
  /** What guests are told in networks whose frames travel in tunnels. Default 1442: what is left of 1500 by Geneve. */
  readonly overlayMtuBytes?: number;
  /** What guests are told in networks of physical ones. Default 1500. */
  readonly providerMtuBytes?: number;
  /**
   * How often hosts that may carry gateways ask each other whether they live; after three silences another takes over. Default 400, which makes it little more
   * than a second. It is a setting of the whole OVN, and made only where nobody has made it.
   */
  readonly gatewayProbeMs?: number;
}

/** OVN: network driver `ovn`, for networks that are routed in a VPC, isolated, or segments of a physical network. */
export function ovn(options: OvnOptions): DriverPlugin {
  const { northbound, southbound, bridge = 'br-int', overlayMtuBytes = 1442, providerMtuBytes = 1500, gatewayProbeMs = 400 } = options;
  return {
    id: 'ovn',
    version: '0.1.0',
    strategies: {
      network: [
        {
          name: 'ovn',
          scope: 'zone',
          modes: ['routed', 'isolated', 'provider'],
          overlayMtuBytes,
          open: ({ writer = { cloudId: 'default', epoch: 0 } }) =>
            ovnDriver(new Northbound(northbound, writer), new Southbound(southbound), {
              bridge,
              mtu: { overlayBytes: overlayMtuBytes, providerBytes: providerMtuBytes },
              gatewayProbeMs,
            }),
        },
      ],
    },
  };
}

export type { Address } from '../ovsdb/index.ts';
