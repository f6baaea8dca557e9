import { BlockList, isIPv4, isIPv6 } from 'node:net';

export interface Network {
  readonly family: 4 | 6;
  readonly address: string;
  readonly prefix: number;
}

export const familyOf = (address: string): 4 | 6 => (isIPv6(address) ? 6 : 4);

/** Undefined when the text is no network. Whether host bits are set is not looked at. */
export function parseNetwork(text: string): Network | undefined {
  const [, address = '', prefix = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  if (isIPv4(address) && Number(prefix) <= 32) return { family: 4, address, prefix: Number(prefix) };
  if (isIPv6(address) && !address.includes('%') && Number(prefix) <= 128) return { family: 6, address, prefix: Number(prefix) };
  return undefined;
}

/** Of a text that was checked. */
export function readNetwork(text: string): Network {
  const network = parseNetwork(text);
  if (network === undefined) throw new RangeError(`${text} is no network`);
  return network;
}

/** The 8 groups of an IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = address.split('::');
  const parse = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [left, right] = [parse(head), parse(tail ?? '')];
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

/** The name under which an address is asked for its name. */
export function reverseName(address: string): string {
  if (familyOf(address) === 4) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  const digits = groupsOf(address).map((group) => group.toString(16).padStart(4, '0'));
  return `${[...digits.join('')].reverse().join('.')}.ip6.arpa`;
}

/** An address and a port, as load balancers write it. */
export const socketAddress = (address: string, port: number): string =>
  familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;

/** Of the networks of all addresses. */
export const HALVES: Readonly<Record<string, readonly string[]>> = {
  '0.0.0.0/0': ['0.0.0.0/1', '128.0.0.0/1'],
  '::/0': ['::/1', '8000::/1'],
};

/** Networks for port security: one of all addresses is written in halves, since OVN takes it for no restriction at all. */
export function securityNetworks(cidr: string): readonly string[] {
  const halves = HALVES[cidr];
  if (halves !== undefined) return halves;
  return [cidr.replace(/\/(32|128)$/, (whole, bits) => ((bits === '32') === (familyOf(cidr.split('/')[0] ?? '') === 4) ? '' : whole))];
}

/** Whether two networks have an address in common. */
export function overlap(a: string, b: string): boolean {
  const [one, other] = [readNetwork(a), readNetwork(b)];
  if (one.family !== other.family) return false;
  const [wide, narrow] = one.prefix <= other.prefix ? [one, other] : [other, one];
  return within(narrow.address, wide);
}

export function within(address: string, { family, address: base, prefix }: Network): boolean {
  if (familyOf(address) !== family) return false;
  const list = new BlockList();
  list.addSubnet(base, prefix, `ipv${family}`);
  return list.check(address, `ipv${family}`);
}
