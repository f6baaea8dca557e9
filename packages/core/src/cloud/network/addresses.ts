import { CloudError, equals, type Reader, type RowOf } from '../../kernel/index.ts';
import { formatAddress, parseAddress } from './cidr.ts';
import { nic } from './nic.ts';
import type { subnet } from './subnet.ts';

type SubnetRow = RowOf<typeof subnet>;

interface Book {
  readonly used: Set<bigint>;
  /** Where the last one was found: going on from there leaves a freed address alone for as long as the range allows. */
  cursor: bigint;
}

/** Chooses free addresses. Only a cache that avoids clashes: what decides is the unique pair of subnet and address in the accepting transaction. */
export class Addresses {
  readonly #books = new Map<string, Book>();

  /** A free address of the subnet, or the one asked for. @throws CloudError no_capacity, invalid_input */
  async choose(row: SubnetRow, reader: Reader, asked?: { readonly address: string; readonly pointer: string }): Promise<string> {
    if (asked !== undefined) return checkAsked(row, asked);
    const known = this.#books.get(row.id);
    const found = known === undefined ? undefined : next(row, known);
    if (found !== undefined) return found;
    const fresh = await load(row, reader, known?.cursor);
    this.#books.set(row.id, fresh);
    const again = next(row, fresh);
    if (again === undefined)
      throw new CloudError('no_capacity', `Subnet ${row.name} has no free address.`, { params: { reasons: [row.cidr] } });
    return again;
  }

  /** After a clash: what was known of the subnet is stale. */
  forget(subnetId: string): void {
    this.#books.delete(subnetId);
  }
}

async function load(row: SubnetRow, reader: Reader, cursor: bigint | undefined): Promise<Book> {
  const nics = await reader.list(nic, equals('subnetId', row.id));
  const values = nics.map((entry) => parseAddress(entry.address)?.value ?? 0n);
  return { used: new Set([...values, parseAddress(row.gateway)?.value ?? 0n]), cursor: cursor ?? values.at(-1) ?? range(row).first - 1n };
}

const range = (row: SubnetRow) => ({
  first: parseAddress(row.firstAddress)?.value ?? 0n,
  last: parseAddress(row.lastAddress)?.value ?? 0n,
  family: parseAddress(row.firstAddress)?.family ?? 4,
});

function next(row: SubnetRow, book: Book): string | undefined {
  const { first, last, family } = range(row);
  const size = last - first + 1n;
  for (let step = 1n; step <= size && step <= BigInt(book.used.size) + 1n; step += 1n) {
    const value = first + ((((book.cursor - first + step) % size) + size) % size);
    if (book.used.has(value)) continue;
    book.used.add(value);
    book.cursor = value;
    return formatAddress(family, value);
  }
  return undefined;
}

function checkAsked(row: SubnetRow, asked: { readonly address: string; readonly pointer: string }): string {
  const parsed = parseAddress(asked.address);
  const { first, last, family } = range(row);
  if (parsed === undefined || parsed.family !== family || parsed.value < first || parsed.value > last)
    throw new CloudError('invalid_input', `The address lies outside of ${row.firstAddress} to ${row.lastAddress}.`, {
      pointer: asked.pointer,
    });
  if (asked.address === row.gateway) throw new CloudError('invalid_input', 'The address is the gateway.', { pointer: asked.pointer });
  return formatAddress(parsed.family, parsed.value);
}
