import type { Args, Result, WatchKey } from '../calls.ts';
import { findId } from './directory.ts';
import { check, ENOENT, NativeFailure } from './failures.ts';
import { bytesAt, rados } from './native.ts';
import { nameOf, type Session } from './session.ts';

const ETIMEDOUT = 110;

/**
 * Tells all who have an image open to look at it again, as librbd does after each change, and waits for their word. Whom its disk does not wait for it does not know: a
 * client that ended in the instant in which its watch was written stays listed, with nobody behind it, until the disk reads the image anew.
 */
export async function notifyWatchers(session: Session, args: Args<'image.notify'>): Promise<Result<'image.notify'>> {
  const id = await findId(session, args);
  if (id === undefined) throw new NativeFailure(ENOENT, nameOf(args));
  return await session.within(args, async (io) => {
    const [reply, replyBytes] = [Buffer.alloc(8), Buffer.alloc(8)];
    const result = await rados.rados_notify2.later(io, `rbd_header.${id}`, '', 0, BigInt(args.waitMs), reply, replyBytes);
    const told = bytesAt(reply.readBigUInt64LE(), Number(replyBytes.readBigUInt64LE()));
    if (reply.readBigUInt64LE() !== 0n) rados.rados_buffer_free.now(reply.readBigUInt64LE());
    // That some did not answer in time is told beside who they are.
    if (result !== -ETIMEDOUT) check(result, nameOf(args));
    return told.length === 0 ? [] : readKeys(told);
  });
}

/** Those who answered, each with what it said; then those who did not. */
function readKeys(told: Buffer): readonly WatchKey[] {
  const keys: WatchKey[] = [];
  let at = 0;
  const key = () => {
    keys.push({ clientId: told.readBigInt64LE(at), cookie: told.readBigUInt64LE(at + 8) });
    at += 16;
  };
  const count = () => {
    at += 4;
    return told.readUInt32LE(at - 4);
  };
  for (let left = count(); left > 0; left -= 1) {
    key();
    at += 4 + told.readUInt32LE(at);
  }
  for (let left = count(); left > 0; left -= 1) key();
  return keys;
}
