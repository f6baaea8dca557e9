import { randomUUID } from 'node:crypto';
import type { Args, ImageAt, Place, Result } from '../calls.ts';
import { changeObject, encoded, operate } from './classes.ts';
import { check, ENOENT, EOVERFLOW, ERANGE, unlessGone } from './failures.ts';
import { rados, rbd } from './native.ts';
import { readKey, readPage } from './omap.ts';
import { nameOf, type Session } from './session.ts';

/*
 * librbd renames in three steps: the new name leads to the image, the directory lists that name in place of the old one, the old one leads nowhere. Killed between
 * them it leaves a name that leads somewhere and is listed nowhere, which nobody would find. So both names are noted first, among the words of the pool.
 */
const NOTES = { object: 'rbd_info', key: 'pileus.renaming.', prefix: 'metadata_pileus.renaming.' } as const;

export async function renameImage(session: Session, args: Args<'image.rename'>): Promise<null> {
  const { pool, namespace, image, to } = args;
  const place = { pool, namespace };
  const id = randomUUID();
  const words = [`${NOTES.key}${id}`, JSON.stringify([image, to])].map((text) => encoded.text(text));
  await session.within(args, async (io) => {
    const input = Buffer.concat([encoded.u32(1), ...words]);
    await changeObject(session, { ...place, object: NOTES.object, mayBeNew: true }, [{ method: 'metadata_set', input }]);
    const result = await rbd.rbd_rename.later(io, image, to);
    // Refused half way it may have left the new name.
    const isSettled = result === 0 || !(await isUnlisted(session, { ...place, image: to }));
    if (isSettled) await forgetRenaming(session, { ...place, id });
    check(result, `${nameOf(args)} to ${to}`);
  });
  return null;
}

export async function listRenamings(session: Session, { limit, ...place }: Args<'renaming.list'>): Promise<Result<'renaming.list'>> {
  const { entries } = await readPage(session, { ...place, object: NOTES.object }, { prefix: NOTES.prefix, limit });
  return entries.map(({ key, value }) => {
    const [from, to] = JSON.parse(value.toString()) as readonly [string, string];
    return { id: key, from, to };
  });
}

export async function forgetRenaming(session: Session, { id, ...place }: Place & { readonly id: string }): Promise<null> {
  const input = encoded.text(`${NOTES.key}${id}`);
  await unlessGone(changeObject(session, { ...place, object: NOTES.object }, [{ method: 'metadata_remove', input }]));
  return null;
}

/** Grows each time that somebody gives the name, also when it was taken away in between. Null where it leads nowhere. */
export async function versionOfName(session: Session, at: ImageAt): Promise<bigint | null> {
  return await session.within(at, async (io) => {
    const result = await rados.rados_read.later(io, idObjectOf(at.image), Buffer.alloc(1), 1, 0);
    if (result === -ENOENT) return null;
    check(result, nameOf(at));
    return BigInt(rados.rados_get_last_version.now(io));
  });
}

/** One that the directory does not have, whatever it leads to, unless it was given anew since it had that version. */
export async function takeName(session: Session, { version, ...at }: Args<'image.unname'>): Promise<boolean> {
  if (!(await isUnlisted(session, at))) return false;
  return await session.within(at, async (io) => {
    const result = await operate(io, idObjectOf(at.image), (operation) => {
      rados.rados_write_op_assert_version.now(operation, version);
      rados.rados_write_op_remove.now(operation);
    });
    if (result === -ENOENT || result === -ERANGE || result === -EOVERFLOW) return false;
    check(result, nameOf(at));
    return true;
  });
}

/** Whether a name leads somewhere that the directory does not know of. */
async function isUnlisted(session: Session, { image, ...place }: ImageAt): Promise<boolean> {
  if ((await versionOfName(session, { ...place, image })) === null) return false;
  return (await readKey(session, { ...place, object: 'rbd_directory' }, `name_${image}`)) === undefined;
}

const idObjectOf = (image: string): string => `rbd_id.${image}`;
