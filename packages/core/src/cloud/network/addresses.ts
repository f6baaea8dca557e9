import { both, CloudError, equals, type Reader, type RowOf } from '../../kernel/index.ts';
import { formatAddress, parseAddress } from './cidr.ts';
import { nic } from './nic.ts';
import type { subnet } from './subnet.ts';

type SubnetRow = RowOf<typeof subnet>;

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

/** Chooses free addresses. Only a cache that avoids clashes: what decides is the unique pair of subnet and address in the accepting transaction. */
export class Addresses {
  readonly #books = new Map<string, Promise<Book>>();

  /** A free address of the subnet, or the one asked for. @throws CloudError no_capacity, invalid_input, name_taken */
  async choose(row: SubnetRow, reader: Reader, asked?: { readonly address: string; readonly pointer: string }): Promise<string> {
    if (asked !== undefined) return checkAsked(row, reader, asked);
    let reading = this.#books.get(row.id) ?? this.#read(row, reader, undefined);
    for (let look = 1; ; look += 1) {
      const book = await reading;
      const value = next(book);
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
  const nics = await reader.list(nic, equals('subnetId', row.id));
  const values = nics.map((entry) => numberOf(entry.address));
  const used = new Set([...values, numberOf(row.gateway), ...(old?.chosen ?? [])]);
  return { range, used, chosen: new Set(), cursor: old?.cursor ?? values.at(-1) ?? range.first - 1n };
}

const numberOf = (address: string): bigint => parseAddress(address)?.value ?? 0n;

function rangeOf(row: SubnetRow): Range {
  const first = numberOf(row.firstAddress);
  return { family: parseAddress(row.firstAddress)?.family ?? 4, first, size: numberOf(row.lastAddress) - first + 1n };
}

function next(book: Book): bigint | undefined {
  const { first, size } = book.range;
  for (let step = 1n; step <= size && step <= BigInt(book.used.size) + 1n; step += 1n) {
    const value = first + ((((book.cursor - first + step) % size) + size) % size);
    if (book.used.has(value)) continue;
    book.used.add(value);
    book.chosen.add(value);
    book.cursor = value;
    return value;
  }
  return undefined;
}

async function checkAsked(
  row: SubnetRow,
  reader: Reader,
  { address: text, pointer }: { readonly address: string; readonly pointer: string },
): Promise<string> {
  const parsed = parseAddress(text);
  const { family, first, size } = rangeOf(row);
  if (parsed === undefined || parsed.family !== family || parsed.value < first || parsed.value >= first + size)
    throw new CloudError('invalid_input', `The address lies outside of ${row.firstAddress} to ${row.lastAddress}.`, { pointer });
  if (parsed.value === numberOf(row.gateway)) throw new CloudError('invalid_input', 'The address is the gateway.', { pointer });
  const address = formatAddress(family, parsed.value);
  const [taken] = await reader.list(nic, both(equals('subnetId', row.id), equals('address', address)), { limit: 1 });
  if (taken !== undefined)
    throw new CloudError('name_taken', `The address ${address} is taken.`, { pointer, params: { field: 'address', kind: nic.name } });
  return address;
}
