import type { Args } from '../calls.ts';
import type { Watcher } from '../errors.ts';
import { findId, listTrash } from './directory.ts';
import { check, EBUSY, ENOENT, EUCLEAN, NativeFailure } from './failures.ts';
import { watchersOf } from './images.ts';
import { type Pointer, type Progress, rados, rbd, withProgress } from './native.ts';
import { nameOf, type Session } from './session.ts';

/**
 * Looks who has the image open before it removes: librbd looks too, but takes the lock from a machine that writes, which then waits for seconds. That librbd
 * finds nothing does not say that nothing is there: a removal that was killed, or hit a full pool, leaves a name, or a hidden entry of the trash.
 */
export async function removeImage(session: Session, args: Args<'image.remove'>, progress: Progress): Promise<null> {
  return await session.within(args, async (io) => {
    // In a full pool librbd shall answer and not wait for room.
    rados.rados_set_pool_full_try.now(io);
    const open = async (out: Buffer) => {
      const result = await rbd.rbd_open_read_only.later(io, args.image, out, null);
      if (result !== -ENOENT) return result;
      // Half removed it has no name any more, and who was about to remove it may still be there.
      const id = await findId(session, args);
      return id === undefined ? result : await rbd.rbd_open_by_id_read_only.later(io, id, out, null);
    };
    await removeWatched(nameOf(args), {
      open,
      remove: () =>
        withProgress(
          progress,
          (tell) => rbd.rbd_remove_with_progress.later(io, args.image, tell, null),
          () => rbd.rbd_remove.later(io, args.image),
        ),
      isThere: async () => (await findId(session, args)) !== undefined,
    });
    return null;
  });
}

interface Removal {
  readonly open: (out: Buffer) => Promise<number>;
  readonly remove: () => Promise<number>;
  readonly isThere: () => Promise<boolean>;
}

async function removeWatched(name: string, { open, remove, isThere }: Removal): Promise<void> {
  const before = await watchers(name, open);
  if (before.length > 0) throw new NativeFailure(EBUSY, name, before);
  let result = await remove();
  if (result === -ENOENT && (await isThere())) result = await remove();
  if (result === -ENOENT && (await isThere())) throw new NativeFailure(EUCLEAN, name);
  if (result === -EBUSY) throw new NativeFailure(EBUSY, name, await watchers(name, open));
  check(result, name);
}

async function watchers(name: string, open: Removal['open']): Promise<readonly Watcher[]> {
  const out = Buffer.alloc(8);
  // What cannot be opened is not open.
  if ((await open(out)) < 0) return [];
  const image: Pointer = out.readBigUInt64LE();
  try {
    return await watchersOf(image, name);
  } finally {
    await rbd.rbd_close.later(image);
  }
}

export async function moveToTrash(session: Session, args: Args<'trash.move'>): Promise<null> {
  return await session.within(args, async (io) => {
    check(await rbd.rbd_trash_move.later(io, args.image, BigInt(Math.ceil(args.keepMs / 1_000))), nameOf(args));
    return null;
  });
}

export async function restoreFromTrash(session: Session, args: Args<'trash.restore'>): Promise<null> {
  return await session.within(args, async (io) => {
    check(await rbd.rbd_trash_restore.later(io, args.id, args.name), `${args.pool}: ${args.id} as ${args.name}`);
    return null;
  });
}

export async function removeFromTrash(session: Session, args: Args<'trash.remove'>, progress: Progress): Promise<null> {
  return await session.within(args, async (io) => {
    rados.rados_set_pool_full_try.now(io);
    await removeWatched(`${args.pool}: ${args.id}`, {
      open: (out) => rbd.rbd_open_by_id_read_only.later(io, args.id, out, null),
      remove: () =>
        withProgress(
          progress,
          (tell) => rbd.rbd_trash_remove_with_progress.later(io, args.id, args.force, tell, null),
          () => rbd.rbd_trash_remove.later(io, args.id, args.force),
        ),
      isThere: async () => (await listTrash(session, args)).some(({ id }) => id === args.id),
    });
    return null;
  });
}
