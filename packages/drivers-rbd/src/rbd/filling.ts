import type { StoredKind } from '@pileus/core/strategy';
import type { ImageStat } from '../rados/index.ts';
import type { CephPool } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { except } from './faults.ts';
import { BASE, filledAs, nameOf, partName, partPrefix } from './names.ts';
import type { Purge } from './purge.ts';

interface Filling {
  readonly kind: StoredKind;
  readonly id: string;
  /** A snapshot that clones are made of. */
  readonly hasBase: boolean;
  /** Makes the image of this name, with all that is to be in it. */
  readonly make: (part: string) => Promise<void>;
}

/** Makes an image that shows under its name when it is whole, and not before. Where another was quicker, its work is what is there. */
export async function fill(pool: CephPool, purge: Purge, filling: Filling, deadline: Deadline): Promise<void> {
  const { kind, id, hasBase, make } = filling;
  const part = partName(filledAs(kind), id);
  try {
    await make(part);
    if (hasBase) await pool.images.image(part).snapshots.create(BASE, deadline.left);
  } catch (error) {
    // Behind the back of the caller, who may have no time left; what this leaves is swept.
    retire(purge, part).catch(() => undefined);
    throw error;
  }
  // Of a renaming that no answer came of nobody knows whether the part is the whole by now: it is ended by who asks again, or swept.
  const name = nameOf(kind, id);
  const show = () =>
    except(
      ['EEXIST'],
      () => pool.images.rename(part, name, deadline.left).then(() => true),
      () => false,
    );
  if (await show()) return;
  // A name that nothing has, left by one who was killed, keeps it from all others.
  if ((await pool.idOf(name, deadline)) === undefined) {
    await pool.unname(name, deadline);
    if (await show()) return;
  }
  await retire(purge, part);
}

/**
 * What is there under its name, whole. librbd renames in steps, and writes what leads to the image before it lists the new name: a renaming that was
 * killed between the two is done to its end here, for what is not listed counts as lost, and its part as left behind. Of a way into the trash that was killed
 * nothing is listed, and it is absent.
 */
export async function shown(pool: CephPool, kind: StoredKind, id: string, deadline: Deadline): Promise<ImageStat | undefined> {
  const name = nameOf(kind, id);
  const stat = await pool.stat(name, deadline);
  if (stat === undefined || (await pool.idOf(name, deadline)) === stat.id) return stat;
  const prefix = partPrefix(filledAs(kind), id);
  const { images } = await pool.images.page({ after: prefix, limit: 100, ...deadline.left });
  const part = images.find((image) => image.id === stat.id && image.name.startsWith(prefix));
  if (part === undefined) return undefined;
  await pool.endRenaming(part.name, name, deadline);
  return stat;
}

/** Hides what has the name in one instant, then takes it apart. Of what is absent it hides nothing. */
export async function takeApart(
  pool: CephPool,
  purge: Purge,
  thing: { readonly kind: StoredKind; readonly id: string },
  deadline: Deadline,
): Promise<void> {
  const { kind, id } = thing;
  const name = nameOf(kind, id);
  // What is not listed any more, and has its name yet, was hidden by one who was killed.
  if ((await pool.idOf(name, deadline)) === undefined) await pool.unname(name, deadline);
  else await pool.hide(name, partName(kind, id), deadline.left);
  for (const prefix of new Set([partPrefix(kind, id), partPrefix(filledAs(kind), id)])) {
    const { images } = await pool.images.page({ after: prefix, limit: 100, ...deadline.left });
    for (const { name } of images) {
      if (!name.startsWith(prefix)) break;
      // One that is being written at this moment goes when its writer finds the thing deleted, or is swept.
      const writers = await pool.writersOn(name, deadline);
      if (writers === undefined || writers.length === 0) await purge.discard(name, deadline.leftMs);
    }
  }
  purge.kick();
}

async function retire(purge: Purge, part: string): Promise<void> {
  await purge.discard(part);
  purge.kick();
}
