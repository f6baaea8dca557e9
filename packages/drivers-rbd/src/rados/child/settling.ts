import type { Args } from '../calls.ts';
import { check } from './failures.ts';
import { type Pointer, rados, sizeCell } from './native.ts';
import type { Session } from './session.ts';

/** Placement groups that are asked at a time. */
const AT_ONCE = 8;
const ITEM_BYTES = 48;

/**
 * A disk refuses a client of the blocklist from the moment it has heard of it, and disks hear of it one by one. Each placement group is asked for one name here, by a
 * client that knows the latest map: it answers when it knows that map, too.
 */
export async function settlePool(session: Session, args: Args<'pool.settle'>): Promise<null> {
  await session.catchUp();
  const command = { prefix: 'osd pool get', pool: args.pool, var: 'pg_num', format: 'json' };
  const { pg_num: groups } = JSON.parse((await session.monCommand(JSON.stringify(command))).output) as { readonly pg_num: number };
  // Groups are halves of halves of what there is to list: so many slices that none has parts of two.
  const slices = 2 ** Math.ceil(Math.log2(groups));
  return await session.within(args, async (io) => {
    const [begin, end] = [BigInt(rados.rados_object_list_begin.now(io)), BigInt(rados.rados_object_list_end.now(io))];
    try {
      let next = 0;
      const worker = async () => {
        while (next < slices) {
          next += 1;
          await listOne(io, { begin, end, slice: next - 1, slices }, args.pool);
        }
      };
      await Promise.all(Array.from({ length: Math.min(AT_ONCE, slices) }, worker));
      return null;
    } finally {
      for (const cursor of [begin, end]) rados.rados_object_list_cursor_free.now(io, cursor);
    }
  });
}

interface Slice {
  readonly begin: Pointer;
  readonly end: Pointer;
  readonly slice: number;
  readonly slices: number;
}

async function listOne(io: Pointer, { begin, end, slice, slices }: Slice, pool: string): Promise<void> {
  // What is told is written into cursors that are there.
  const cursor = () => sizeCell(rados.rados_object_list_begin.now(io));
  const [from, to, next] = [cursor(), cursor(), cursor()];
  const item = Buffer.alloc(ITEM_BYTES);
  rados.rados_object_list_slice.now(io, begin, end, slice, slices, from, to);
  const result = await rados.rados_object_list.later(io, from.readBigUInt64LE(), to.readBigUInt64LE(), 1, null, 0, item, next);
  if (result > 0) rados.rados_object_list_free.now(result, item);
  for (const used of [from, to, next]) rados.rados_object_list_cursor_free.now(io, used.readBigUInt64LE());
  check(result, `placement group ${slice} of ${pool}`);
}
