import { BlockList, isIP } from 'node:net';

export interface Cidr {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly prefix: number;
}

export function readCidr(cidr: string): Cidr {
  const [address = '', prefix] = cidr.split('/');
  return { family: familyOf(address), address, prefix: Number(prefix) };
}

export function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}

/** True when the address is in the network that `member` is in by its prefix. */
export function inNetwork(address: string, member: Cidr): boolean {
  const network = new BlockList();
  network.addSubnet(member.address, member.prefix, member.family);
  return familyOf(address) === member.family && network.check(address, member.family);
}

/** True when two texts are the same address: IPv6 has many spellings. */
export function sameAddress(a: string, b: string): boolean {
  const one = new BlockList();
  one.addAddress(a, familyOf(a));
  return familyOf(a) === familyOf(b) && one.check(b, familyOf(b));
}
