import type { ServedMachine } from '@pileus/core/agent';

const VERSIONS = ['2012-08-10', '2013-10-17', '2015-10-15', '2016-06-30', '2017-02-22', '2018-08-27', 'latest'];

/** A file and its media type. */
export interface Document {
  readonly type: 'application/json' | 'application/octet-stream' | 'text/plain';
  readonly text: string;
}

const json = (value: object): Document => ({ type: 'application/json', text: JSON.stringify(value) });
const text = (lines: readonly string[]): Document => ({ type: 'text/plain', text: lines.join('\n') });

/** What a machine reads below `/openstack`, as the cloud tools of OpenStack expect it. Undefined: there is no such thing. */
export function openstackAnswer(machine: ServedMachine, path: string): Document | undefined {
  const [version, file, ...rest] = path.split('/').filter((part) => part !== '');
  if (version === undefined) return text(VERSIONS);
  if (!VERSIONS.includes(version) || rest.length > 0) return undefined;
  const files: Readonly<Record<string, () => Document | undefined>> = {
    'meta_data.json': () => json(metaData(machine)),
    'network_data.json': () => json(networkData(machine)),
    user_data: () => (machine.userData === undefined ? undefined : { type: 'application/octet-stream', text: machine.userData }),
    'vendor_data.json': () => json({}),
    'vendor_data2.json': () => json({}),
  };
  if (file === undefined) return text(Object.keys(files).filter((name) => files[name]?.() !== undefined));
  return Object.hasOwn(files, file) ? files[file]?.() : undefined;
}

function metaData(machine: ServedMachine): object {
  const keys = machine.sshKeys.map((data, index) => ({ name: data.split(' ')[2] ?? `key-${index}`, type: 'ssh', data }));
  return {
    uuid: machine.instanceId,
    name: machine.name,
    hostname: machine.fqdn,
    availability_zone: machine.zone,
    project_id: machine.projectId,
    launch_index: 0,
    public_keys: Object.fromEntries(keys.map(({ data }, index) => [`key-${index}`, data])),
    keys,
    meta: {},
    devices: [],
  };
}

function networkData({ nics }: ServedMachine): object {
  return {
    links: nics.map((nic, index) => ({
      id: `link${index}`,
      type: 'phy',
      ethernet_mac_address: nic.mac,
      vif_id: nic.nicId,
      ...(nic.mtuBytes === undefined ? {} : { mtu: nic.mtuBytes }),
    })),
    networks: nics.flatMap((nic, link) =>
      nic.addresses.map(({ address }, index) => ({
        id: `network${link}-${index}`,
        // Addresses are told by DHCP, and with them everything else.
        type: address.includes(':') ? 'ipv6_dhcpv6-stateful' : 'ipv4_dhcp',
        link: `link${link}`,
        network_id: nic.networkId,
      })),
    ),
    services: [...new Set(nics.flatMap(({ dnsServers }) => dnsServers))].map((address) => ({ type: 'dns', address })),
  };
}
