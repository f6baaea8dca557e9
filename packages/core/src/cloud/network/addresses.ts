import { type AnyKind, both, CloudError, equals, type Reader, type RowOf } from '../../kernel/index.ts';
import { formatAddress, parseAddress } from './cidr.ts';
import { reservedAddress } from './nat/reserved-address.ts';
import { nic } from './nic.ts';
import { invalid } from './refusal.ts';
import type { subnet } from './subnet.ts';

type SubnetRow = RowOf<typeof subnet>;

/** Addresses that were freed lately: taken only when no other is free, and those that were others' not even then. */
export interface Resting {
  readonly ours: ReadonlySet<string>;
  readonly others: ReadonlySet<string>;
}
const NONE: Resting = { ours: new Set(), others: new Set() };

interface Range {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly size: bigint;
}

interface Book {
  readonly range: Range;
  readonly used: Set<bigint>;
  /** Chosen since the book was read: perhaps committed by now, perhaps about to be. */
  readonly chosen: Set<bigint>;
  /** Where the last one was found: going on from there leaves a freed address alone for as long as the range allows. */
  cursor: bigint;
}

/**
 * What was chosen since the last look is left out of the next one, since its commit may be on its way; the look after that finds what is free of it. So the book
 * that is known, and two looks.
 */
const LOOKS_MAX = 3;

/** An address that was asked for by name, and the field that names it. */
export interface Asked {
  readonly address: string;
  readonly pointer: string;
}

/** Chooses free addresses. Only a cache that avoids clashes: what decides is the unique pair of subnet and address in the accepting transaction. */
export class Addresses {
  readonly #books = new Map<string, Promise<Book>>();

  /** A free address of the subnet, or the one asked for. @throws CloudError no_capacity, invalid_input, name_taken */
  async choose(row: SubnetRow, reader: Reader, asked?: Asked, { ours, others }: Resting = NONE): Promise<string> {
    if (asked !== undefined) return checkAsked(row, reader, asked);
    const left = numbers([...ours, ...others]);
    let reading = this.#books.get(row.id) ?? this.#read(row, reader, undefined);
    for (let look = 1; ; look += 1) {
      const book = await reading;
      const value = next(book, left) ?? (look === LOOKS_MAX ? next(book, numbers(others)) : undefined);
      if (value !== undefined) return formatAddress(book.range.family, value);
      if (look === LOOKS_MAX)
        throw new CloudError('no_capacity', `Subnet ${row.name} has no free address.`, { params: { reasons: [row.cidr] } });
      // All is used as far as is known: who has gone? Another may have asked that already.
      const newest = this.#books.get(row.id);
      reading = newest === undefined || newest === reading ? this.#read(row, reader, book) : newest;
    }
  }

  /** Shared by all who wait for it: two books of one subnet would hand out the same addresses. */
  #read(row: SubnetRow, reader: Reader, old: Book | undefined): Promise<Book> {
    const reading = load(row, reader, old);
    this.#books.set(row.id, reading);
    reading.catch(() => this.#books.delete(row.id));
    return reading;
  }
}

async function load(row: SubnetRow, reader: Reader, old: Book | undefined): Promise<Book> {
  const range = rangeOf(row);
  const values = (await takenBy(row, reader)).map(numberOf);
  const reserved = (await reader.list(reservedAddress, equals('subnetId', row.id))).map(({ address }) => address);
  const used = new Set([...values, ...numbers([...reserved, ...oursIn(row)]), ...(old?.chosen ?? [])]);
  return { range, used, chosen: new Set(), cursor: old?.cursor ?? values.at(-1) ?? range.first - 1n };
}

/** What the cloud itself answers, or asks, from. */
export const oursIn = (row: SubnetRow): readonly string[] =>
  [row.gateway, row.serviceAddress, askingAddress(row)].flatMap((address) => address ?? []);

/**
 * Where machines of a VPC are asked from whether they are well: the address after the service address. It is its own, since fabrics answer for it on the network
 * in the name of who asks, and what else was at that address would be out of reach. IPv6 machines are not asked.
 */
export function askingAddress({ gateway, serviceAddress, firstAddress, lastAddress }: SubnetRow): string | undefined {
  if (serviceAddress === undefined || serviceAddress.includes(':')) return undefined;
  const [first, last, service] = [firstAddress, lastAddress, serviceAddress].map(numberOf) as [bigint, bigint, bigint];
  const after = (value: bigint): bigint => (value === last ? first : value + 1n);
  const next = after(service);
  return formatAddress(4, next === numberOf(gateway) ? after(next) : next);
}

/** Those of NICs, which may have one of IPv6 beside their first. */
async function takenBy({ id, firstAddress }: SubnetRow, reader: Reader): Promise<readonly string[]> {
  const first = (await reader.list(nic, equals('subnetId', id))).map(({ address }) => address);
  if (!firstAddress.includes(':')) return first;
  return [...first, ...(await reader.list(nic, equals('ipv6SubnetId', id))).flatMap(({ ipv6Address }) => ipv6Address ?? [])];
}

const numbers = (addresses: Iterable<string>): ReadonlySet<bigint> => new Set([...addresses].map(numberOf));

const numberOf = (address: string): bigint => parseAddress(address)?.value ?? 0n;

function rangeOf(row: SubnetRow): Range {
  const first = numberOf(row.firstAddress);
  return { family: parseAddress(row.firstAddress)?.family ?? 4, first, size: numberOf(row.lastAddress) - first + 1n };
}

function next(book: Book, left: ReadonlySet<bigint>): bigint | undefined {
  const { first, size } = book.range;
  for (let step = 1n; step <= size && step <= BigInt(book.used.size + left.size) + 1n; step += 1n) {
    const value = first + ((((book.cursor - first + step) % size) + size) % size);
    if (book.used.has(value) || left.has(value)) continue;
    book.used.add(value);
    book.chosen.add(value);
    book.cursor = value;
    return value;
  }
  return undefined;
}

async function checkAsked(row: SubnetRow, reader: Reader, { address: text, pointer }: Asked): Promise<string> {
  const parsed = parseAddress(text);
  const { family, first, size } = rangeOf(row);
  if (parsed === undefined) throw invalid(pointer, 'This is no IP address.');
  if (parsed.family !== family) throw invalid(pointer, `An IPv${family} address is meant here; ${text} is IPv${parsed.family}.`);
  if (parsed.value < first || parsed.value >= first + size)
    throw invalid(pointer, `The address lies outside of ${row.firstAddress} to ${row.lastAddress}.`);
  if (parsed.value === numberOf(row.gateway)) throw invalid(pointer, 'The address is the gateway.');
  if (oursIn(row).some((own) => parsed.value === numberOf(own))) throw invalid(pointer, 'The address is where the cloud itself answers.');
  const address = formatAddress(family, parsed.value);
  const holder = await holderOf(row, reader, address);
  if (holder !== undefined)
    throw new CloudError('name_taken', `The address ${address} is taken.`, { pointer, params: { field: 'address', kind: holder.name } });
  return address;
}

async function holderOf(row: SubnetRow, reader: Reader, address: string): Promise<AnyKind | undefined> {
  const ways = [
    { kind: nic, where: both(equals('subnetId', row.id), equals('address', address)) },
    ...(address.includes(':') ? [{ kind: nic, where: both(equals('ipv6SubnetId', row.id), equals('ipv6Address', address)) }] : []),
    { kind: reservedAddress, where: both(equals('subnetId', row.id), equals('address', address)) },
  ];
  for (const { kind, where } of ways) if ((await reader.list(kind as AnyKind, where, { limit: 1 })).length > 0) return kind;
  return undefined;
}
