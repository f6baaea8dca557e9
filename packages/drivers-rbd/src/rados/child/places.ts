import type { Args, Result } from '../calls.ts';
import { check, ERANGE } from './failures.ts';
import { rados, rbd, sizeCell, textsIn } from './native.ts';
import type { Session } from './session.ts';

export async function initPool(session: Session, args: Args<'pool.init'>): Promise<null> {
  return await session.within(args, async (io) => {
    check(await rbd.rbd_pool_init.later(io, args.force), `pool ${args.pool}`);
    return null;
  });
}

/** `rados_pool_stat_t`: bytes first, then kilobytes, then objects; sixteen counters in all. */
const STAT_BYTES = 16 * 8;

export async function statPool(session: Session, args: Args<'pool.stat'>): Promise<Result<'pool.stat'>> {
  return await session.within(args, async (io) => {
    const stat = Buffer.alloc(STAT_BYTES);
    check(await rados.rados_ioctx_pool_stat.later(io, stat), `pool ${args.pool}`);
    return { storedBytes: stat.readBigUInt64LE(0), objects: stat.readBigUInt64LE(16) };
  });
}

export async function createNamespace(session: Session, { pool, name }: Args<'namespace.create'>): Promise<null> {
  return await session.within({ pool, namespace: '' }, async (io) => {
    check(await rbd.rbd_namespace_create.later(io, name), `namespace ${pool}/${name}`);
    return null;
  });
}

export async function removeNamespace(session: Session, { pool, name }: Args<'namespace.remove'>): Promise<null> {
  return await session.within({ pool, namespace: '' }, async (io) => {
    check(await rbd.rbd_namespace_remove.later(io, name), `namespace ${pool}/${name}`);
    return null;
  });
}

const NAMES_BYTES = 4_096;

export async function listNamespaces(session: Session, { pool }: Args<'namespace.list'>): Promise<readonly string[]> {
  return await session.within({ pool, namespace: '' }, async (io) => {
    for (let room = NAMES_BYTES; ; room *= 4) {
      const names = Buffer.alloc(room);
      const length = sizeCell(room);
      const result = await rbd.rbd_namespace_list.later(io, names, length);
      if (result === -ERANGE) continue;
      check(result, `namespaces of ${pool}`);
      return textsIn(names, Number(length.readBigUInt64LE()));
    }
  });
}
