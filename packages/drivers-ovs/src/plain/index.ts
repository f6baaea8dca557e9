/** Open vSwitch alone, without OVN: networks of physical ones, and of tunnels between the hosts. */
import type { DriverPlugin, RealmHost } from '@pileus/core/strategy';
import type { Address } from '../ovsdb/index.ts';
import { openVswitchDriver } from './driver.ts';
import { Switches } from './switches.ts';

export interface OpenVswitchOptions {
  /** Where hosts' databases listen, at the name that the URI of the host has. Default 6640. */
  readonly port?: number;
  /** PEM texts for mutual TLS. Without them connections are not encrypted, and whoever reaches the port may change the switch. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string; readonly servername?: string | false };
  /** By a host's own name: where its database is, if elsewhere. */
  readonly switches?: Readonly<Record<string, Address>>;
}

const PORT = 6640;
const SOCKET = '/run/openvswitch/db.sock';

/** Open vSwitch: network driver `openvswitch`, for networks that are segments of a physical one. */
export function openVswitch(options: OpenVswitchOptions = {}): DriverPlugin {
  return {
    id: 'openvswitch',
    version: '0.1.0',
    strategies: {
      network: [
        {
          name: 'openvswitch',
          scope: 'zone',
          modes: ['provider'],
          encapsulations: ['vxlan', 'geneve'],
          lacks: ['dhcp', 'antiSpoofing'],
          open: ({ writer = { cloudId: 'default', epoch: 0 }, hosts = () => Promise.resolve({ hosts: [], isComplete: false }) }) =>
            openVswitchDriver(new Switches(hosts, (host) => addressOf(host, options), writer)),
        },
      ],
    },
  };
}

/** A hypervisor that is reached by a socket is on this machine, and its switch is, too. */
function addressOf({ host, uri }: RealmHost, { port = PORT, tls, switches = {} }: OpenVswitchOptions): Address {
  const told = switches[host];
  if (told !== undefined) return told;
  const name = URL.canParse(uri) ? new URL(uri).hostname.replace(/^\[(.*)\]$/, '$1') : '';
  if (name === '') return { kind: 'unix', path: SOCKET };
  return tls === undefined ? { kind: 'tcp', host: name, port } : { kind: 'tls', host: name, port, ...tls };
}

export type { Address } from '../ovsdb/index.ts';
export { clearLeftQueues } from './left-queues.ts';
