import type { Args, ImageAt, Result } from '../calls.ts';
import { check, ERANGE } from './failures.ts';
import { dateIn, type Pointer, type Progress, rbd, textAt, withProgress } from './native.ts';
import { mapAnew } from './object-maps.ts';
import { nameOf, type Session } from './session.ts';

const SNAPSHOT_BYTES = 24;
const SNAPSHOT_KINDS = ['user', 'group', 'trash', 'mirror'] as const;

export async function listSnapshots(session: Session, at: ImageAt): Promise<Result<'snapshot.list'>> {
  return await session.withImage(at, 'read', (image) => snapshotsOf(image, at));
}

export async function snapshotsOf(image: Pointer, at: ImageAt): Promise<Result<'snapshot.list'>> {
  const { table, count } = await filledByAnswer(at, image);
  const snapshots = Array.from({ length: count }, (_, index) => ({
    id: table.readBigUInt64LE(index * SNAPSHOT_BYTES),
    sizeBytes: table.readBigUInt64LE(index * SNAPSHOT_BYTES + 8),
    name: textAt(table.readBigUInt64LE(index * SNAPSHOT_BYTES + 16)),
  }));
  rbd.rbd_snap_list_end.now(table);
  const listed: Result<'snapshot.list'>[number][] = [];
  for (const snapshot of snapshots) {
    const kind = Buffer.alloc(4);
    const time = Buffer.alloc(16);
    check(await rbd.rbd_snap_get_namespace_type.later(image, snapshot.id, kind), nameOf(at));
    check(await rbd.rbd_snap_get_timestamp.later(image, snapshot.id, time), nameOf(at));
    listed.push({ ...snapshot, kind: SNAPSHOT_KINDS[kind.readInt32LE()] ?? 'other', createdAt: dateIn(time) });
  }
  return listed.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** `rbd_snap_list` answers the number of entries, counts in 32 bits, and needs room for one more. */
async function filledByAnswer(at: ImageAt, image: Pointer): Promise<{ readonly table: Buffer; readonly count: number }> {
  const room = Buffer.alloc(4);
  for (let entries = 16; ; ) {
    const table = Buffer.alloc((entries + 1) * SNAPSHOT_BYTES);
    room.writeInt32LE(entries + 1);
    const result = await rbd.rbd_snap_list.later(image, table, room);
    if (result !== -ERANGE) return { table, count: check(result, nameOf(at)) };
    entries = Math.max(room.readInt32LE(), entries * 2);
  }
}

export async function createSnapshot(session: Session, args: Args<'snapshot.create'>): Promise<null> {
  return await session.withImage(withoutSnapshot(args), 'write', async (image) => {
    check(await rbd.rbd_snap_create.later(image, args.snapshot), nameOf(args));
    return null;
  });
}

export async function removeSnapshot(session: Session, args: Args<'snapshot.remove'>): Promise<null> {
  const { snapshot } = args;
  return await session.withImage(withoutSnapshot(args), 'write', async (image) => {
    const result =
      typeof snapshot === 'bigint' ? rbd.rbd_snap_remove_by_id.later(image, snapshot) : rbd.rbd_snap_remove.later(image, snapshot);
    check(await result, nameOf(args));
    return null;
  });
}

export async function rollBack(session: Session, args: Args<'snapshot.rollback'>, progress: Progress): Promise<null> {
  return await session.withImage(withoutSnapshot(args), 'write', async (image) => {
    const snapshot = (await snapshotsOf(image, args)).find(({ name, kind }) => name === args.snapshot && kind === 'user');
    if (snapshot !== undefined) await mapAnew(image, nameOf(args), [snapshot.id]);
    const telling = (tell: Pointer) => rbd.rbd_snap_rollback_with_progress.later(image, args.snapshot, tell, null);
    const result = withProgress(progress, telling, () => rbd.rbd_snap_rollback.later(image, args.snapshot));
    check(await result, nameOf(args));
    return null;
  });
}

/** The image itself, and not as it was. */
const withoutSnapshot = ({ pool, namespace, image }: ImageAt): ImageAt => ({ pool, namespace, image });
