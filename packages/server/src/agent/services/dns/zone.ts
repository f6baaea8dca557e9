import { isIP } from 'node:net';
import type { ServedNames } from '@pileus/core/agent';

/** A record, as the packet format has it. */
export type Record = { readonly type: 'A' | 'AAAA' | 'PTR'; readonly name: string; readonly ttl: number; readonly data: string };

/** What a VPC knows of a name. `records` empty: the name is there, though nothing of the type asked for. */
export type Known = { readonly records: readonly Record[] } | 'absent';

/** As long as a name may be remembered. A name that goes is gone within it. */
export const TTL_SECONDS = 5;

/** The names of a VPC, both ways. */
export class Zone {
  readonly domain: string;
  readonly #forward = new Map<string, readonly string[]>();
  readonly #reverse = new Map<string, string[]>();
  /** Names that have others below them. */
  readonly #above = new Set<string>();
  readonly #subnets: readonly { readonly prefix: string }[];

  constructor({ domain, cidrs, records }: ServedNames) {
    this.domain = domain;
    for (const { name, addresses } of records) {
      this.#forward.set(name, addresses);
      for (let parent = above(name); parent.length > domain.length; parent = above(parent)) this.#above.add(parent);
      for (const address of addresses) {
        const pointer = pointerOf(address);
        this.#reverse.set(pointer, [...(this.#reverse.get(pointer) ?? []), name]);
      }
    }
    this.#subnets = cidrs.flatMap((cidr) => suffixesOf(cidr).map((prefix) => ({ prefix })));
  }

  /** Undefined: not for this zone to say. Names compare in lower case. */
  find(name: string, type: string): Known | undefined {
    const addresses = this.#forward.get(name);
    if (addresses !== undefined) {
      const family = type === 'A' ? 4 : type === 'AAAA' ? 6 : 0;
      const found = addresses.filter((address) => isIP(address) === family);
      return { records: found.map((data) => ({ type: type as 'A' | 'AAAA', name, ttl: TTL_SECONDS, data })) };
    }
    const pointed = this.#reverse.get(name);
    if (pointed !== undefined) {
      const records = type === 'PTR' ? pointed.map((data) => ({ type: 'PTR' as const, name, ttl: TTL_SECONDS, data })) : [];
      return { records };
    }
    if (name === this.domain) return { records: [] };
    // A name with others below it is there, though it has nothing itself.
    if (name.endsWith(`.${this.domain}`)) return this.#above.has(name) ? { records: [] } : 'absent';
    return this.#subnets.some(({ prefix }) => name === prefix || name.endsWith(`.${prefix}`)) ? 'absent' : undefined;
  }
}

const above = (name: string): string => (name.includes('.') ? name.slice(name.indexOf('.') + 1) : '');

/** E.g. `11.1.0.10.in-addr.arpa`. */
export function pointerOf(address: string): string {
  if (isIP(address) === 4) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  return `${nibbles(address).reverse().join('.')}.ip6.arpa`;
}

function nibbles(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0');
  return [...left, ...middle, ...right].flatMap((group) => [...group.padStart(4, '0')]);
}

/** The reverse names that all addresses of a network are below of: whole labels, so as many as its length needs. */
function suffixesOf(cidr: string): readonly string[] {
  const [address = '', length = '0'] = cidr.split('/');
  const isV4 = isIP(address) === 4;
  const labels = isV4 ? address.split('.') : nibbles(address);
  const [bits, base, top] = isV4 ? [8, 10, 'in-addr.arpa'] : [4, 16, 'ip6.arpa'];
  const whole = Math.floor(Number(length) / bits);
  const rest = Number(length) % bits;
  const fixed = labels.slice(0, whole);
  const named = (parts: readonly string[]) => [...[...parts].reverse(), top].join('.');
  if (rest === 0) return [named(fixed)];
  const first = Number.parseInt(labels[whole] ?? '0', base);
  return Array.from({ length: 2 ** (bits - rest) }, (_, index) => named([...fixed, (first + index).toString(base)]));
}
