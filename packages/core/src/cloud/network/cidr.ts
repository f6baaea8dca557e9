import { isIPv4, isIPv6 } from 'node:net';

/** A network in numbers: IPv4 in 32 bits, IPv6 in 128. */
export interface Cidr {
  readonly family: 4 | 6;
  readonly base: bigint;
  readonly prefix: number;
  readonly size: bigint;
}

/** Of an address or a network that was checked. */
export const isIpv6 = (text: string): boolean => text.includes(':');

const BITS = { 4: 32, 6: 128 } as const;

export function parseAddress(text: string): { readonly family: 4 | 6; readonly value: bigint } | undefined {
  if (isIPv4(text)) return { family: 4, value: text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  if (!isIPv6(text) || text.includes('%') || text.includes('.')) return undefined;
  const [head = '', tail] = text.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const zeros = tail === undefined ? [] : new Array<string>(8 - left.length - right.length).fill('0');
  return { family: 6, value: [...left, ...zeros, ...right].reduce((sum, part) => sum * 65536n + BigInt(`0x${part}`), 0n) };
}

/** Canonical text (RFC 5952 for IPv6). */
export function formatAddress(family: 4 | 6, value: bigint): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  const runs = [
    ...groups
      .map((group) => (group === '0' ? '0' : 'x'))
      .join('')
      .matchAll(/0{2,}/g),
  ].sort((a, b) => b[0].length - a[0].length || a.index - b.index);
  const longest = runs[0];
  if (longest === undefined) return groups.join(':');
  return `${groups.slice(0, longest.index).join(':')}::${groups.slice(longest.index + longest[0].length).join(':')}`;
}

/** Undefined when the text is not a network in canonical form (host bits set, leading zeros, no prefix). */
export function parseCidr(text: string): Cidr | undefined {
  const [, address = '', prefixText = ''] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const parsed = parseAddress(address);
  const prefix = Number(prefixText);
  if (parsed === undefined || prefix > BITS[parsed.family]) return undefined;
  const size = 1n << BigInt(BITS[parsed.family] - prefix);
  if (parsed.value % size !== 0n || formatAddress(parsed.family, parsed.value) !== address) return undefined;
  return { family: parsed.family, base: parsed.value, prefix, size };
}

/** What was most likely meant by what is not in canonical form: the network that the address is in. Else an example. */
export function nearestCidr(text: string): string {
  const [, address = '', prefixText = ''] = /^\s*([^/\s]+)\/(\d{1,3})\s*$/.exec(text) ?? [];
  const parsed = parseAddress(address);
  const prefix = Number(prefixText);
  if (parsed === undefined || prefix > BITS[parsed.family]) return '10.10.0.0/24';
  const size = 1n << BigInt(BITS[parsed.family] - prefix);
  return `${formatAddress(parsed.family, parsed.value - (parsed.value % size))}/${prefix}`;
}

export const contains = (cidr: Cidr, address: { readonly family: 4 | 6; readonly value: bigint }): boolean =>
  address.family === cidr.family && address.value >= cidr.base && address.value < cidr.base + cidr.size;

export const overlaps = (a: Cidr, b: Cidr): boolean => a.family === b.family && a.base < b.base + b.size && b.base < a.base + a.size;
