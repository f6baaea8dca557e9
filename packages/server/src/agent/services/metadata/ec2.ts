import type { ServedMachine } from '@pileus/core/agent';

/** Versions that tools ask for; all say the same here. */
const VERSIONS = ['1.0', '2007-01-19', '2009-04-04', '2016-09-02', '2018-09-24', '2021-03-23', '2024-04-11'];

type Tree = { readonly [name: string]: Tree | string | undefined };

const cidrOf = (address: string, prefixLength: number): string => `${address}/${prefixLength}`;

function interfaceOf(nic: ServedMachine['nics'][number], index: number, machine: ServedMachine): Tree {
  const v4 = nic.addresses.filter(({ address }) => !address.includes(':'));
  const v6 = nic.addresses.filter(({ address }) => address.includes(':'));
  return {
    'device-number': String(index),
    'interface-id': nic.nicId,
    'local-hostname': machine.fqdn,
    ...(v4.length === 0 ? {} : { 'local-ipv4s': v4.map(({ address }) => address).join('\n') }),
    ...(v6.length === 0 ? {} : { ipv6s: v6.map(({ address }) => address).join('\n') }),
    mac: nic.mac,
    'owner-id': machine.projectId,
    ...(nic.addresses[0] === undefined ? {} : { 'subnet-id': nic.addresses[0].subnetId }),
    ...(v4[0] === undefined
      ? {}
      : { 'subnet-ipv4-cidr-block': cidrOf(networkAddress(v4[0].address, v4[0].prefixLength), v4[0].prefixLength) }),
    'vpc-id': nic.networkId,
  };
}

function networkAddress(address: string, prefixLength: number): string {
  const bits = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - prefixLength);
  const first = Math.floor(bits / size) * size;
  return [24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join('.');
}

function metaData(machine: ServedMachine): Tree {
  const [nic] = machine.nics;
  const address = nic?.addresses.find((one) => !one.address.includes(':'))?.address;
  return {
    'ami-id': machine.imageId ?? 'none',
    'ami-launch-index': '0',
    hostname: machine.fqdn,
    'instance-action': 'none',
    'instance-id': machine.instanceId,
    'instance-type': machine.instanceType,
    'local-hostname': machine.fqdn,
    'local-ipv4': address,
    mac: nic?.mac,
    network: { interfaces: { macs: Object.fromEntries(machine.nics.map((one, index) => [one.mac, interfaceOf(one, index, machine)])) } },
    placement: { 'availability-zone': machine.zone },
    'public-keys': machine.sshKeys.length === 0 ? undefined : keysOf(machine.sshKeys),
    'reservation-id': machine.instanceId,
    services: { domain: 'pileus' },
  };
}

/** Listed as `0=name`, asked for as `0`. */
const keysOf = (keys: readonly string[]): Tree => Object.fromEntries(keys.map((key, index) => [String(index), { 'openssh-key': key }]));
const keyName = (key: string, index: string): string => key.split(' ')[2] ?? `key-${index}`;

/** What a machine reads at a path, as the cloud tools of EC2 expect it. Undefined: there is no such thing. */
export function ec2Answer(machine: ServedMachine, path: string): string | undefined {
  const [version, ...parts] = path.split('/').filter((part) => part !== '');
  if (version === undefined) return [...VERSIONS, 'latest'].join('\n');
  if (version !== 'latest' && !VERSIONS.includes(version)) return undefined;
  const tree: Tree = { 'meta-data': metaData(machine), 'user-data': machine.userData };
  return read(tree, parts, []);
}

function read(tree: Tree, parts: readonly string[], above: readonly string[]): string | undefined {
  const [part, ...rest] = parts;
  if (part === undefined) return list(tree, above.at(-1) === 'public-keys');
  const found = Object.hasOwn(tree, part) ? tree[part] : undefined;
  if (typeof found === 'object') return read(found, rest, [...above, part]);
  return rest.length === 0 ? found : undefined;
}

const list = (tree: Tree, isOfKeys: boolean): string =>
  Object.entries(tree)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      if (isOfKeys && typeof value === 'object') return `${name}=${keyName(String(value['openssh-key']), name)}`;
      return typeof value === 'object' ? `${name}/` : name;
    })
    .join('\n');
