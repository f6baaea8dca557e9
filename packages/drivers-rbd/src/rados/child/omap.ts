import type { Place } from '../calls.ts';
import { check, ENOENT } from './failures.ts';
import { addressOf, bytesAt, type Pointer, rados } from './native.ts';
import type { Session } from './session.ts';

/** A sorted map that an object of a pool carries. */
export interface MapAt extends Place {
  readonly object: string;
}

export interface MapEntry {
  readonly key: string;
  readonly value: Buffer;
}

export interface MapPage {
  readonly prefix: string;
  /** Without the prefix. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Keys come without the prefix. A map that is not there is empty. */
export async function readPage(
  session: Session,
  at: MapAt,
  { prefix, after, limit }: MapPage,
): Promise<{ readonly entries: readonly MapEntry[]; readonly isLast: boolean }> {
  const more = Buffer.alloc(1);
  const start = after === undefined ? '' : `${prefix}${after}`;
  const entries = await read(session, at, (operation, iterator, result) =>
    rados.rados_read_op_omap_get_vals2.now(operation, start, prefix, BigInt(limit), iterator, more, result),
  );
  return { entries: entries.map(({ key, value }) => ({ key: key.slice(prefix.length), value })), isLast: more[0] === 0 };
}

export async function readKey(session: Session, at: MapAt, key: string): Promise<Buffer | undefined> {
  return (await readKeys(session, at, [key])).get(key);
}

/** Those of them that there are. */
export async function readKeys(session: Session, at: MapAt, keys: readonly string[]): Promise<ReadonlyMap<string, Buffer>> {
  const texts = keys.map((key) => Buffer.from(`${key}\0`));
  const table = Buffer.alloc(8 * texts.length);
  for (const [index, text] of texts.entries()) table.writeBigUInt64LE(addressOf(text), 8 * index);
  const entries = await read(session, at, (operation, iterator, result) =>
    rados.rados_read_op_omap_get_vals_by_keys.now(operation, table, texts.length, iterator, result),
  );
  // Compared with what was asked for, which also holds the memory of it until here.
  const asked = new Set(texts.map((text) => text.toString('utf8', 0, text.length - 1)));
  return new Map(entries.flatMap(({ key, value }) => (asked.has(key) ? [[key, value] as const] : [])));
}

async function read(
  session: Session,
  at: MapAt,
  ask: (operation: Pointer, iterator: Buffer, result: Buffer) => unknown,
): Promise<readonly MapEntry[]> {
  return await session.within(at, async (io) => {
    const operation = BigInt(rados.rados_create_read_op.now());
    const [iterator, result] = [Buffer.alloc(8), Buffer.alloc(4)];
    try {
      ask(operation, iterator, result);
      const answer = await rados.rados_read_op_operate.later(operation, io, at.object, 0);
      if (answer === -ENOENT) {
        // Nobody has made it yet; or there is no such pool any more, which this client may not have heard.
        await session.catchUp();
        await session.within(at, async () => undefined);
        return [];
      }
      check(answer, `${at.object} of ${at.pool}`);
      check(result.readInt32LE(), `${at.object} of ${at.pool}`);
      return entriesOf(iterator.readBigUInt64LE());
    } finally {
      rados.rados_release_read_op.now(operation);
    }
  });
}

function entriesOf(iterator: Pointer): readonly MapEntry[] {
  const [key, value, keyBytes, valueBytes] = [Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8)];
  const entries: MapEntry[] = [];
  for (;;) {
    check(rados.rados_omap_get_next2.now(iterator, key, value, keyBytes, valueBytes), 'entries');
    if (key.readBigUInt64LE() === 0n) break;
    entries.push({
      key: bytesAt(key.readBigUInt64LE(), Number(keyBytes.readBigUInt64LE())).toString('utf8'),
      value: bytesAt(value.readBigUInt64LE(), Number(valueBytes.readBigUInt64LE())),
    });
  }
  rados.rados_omap_get_end.now(iterator);
  return entries;
}
