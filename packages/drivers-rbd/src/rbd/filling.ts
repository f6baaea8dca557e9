import type { StoredKind } from '@pileus/core/strategy';
import type { CephPool } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { except, unlessAbsent } from './faults.ts';
import { BASE, nameOf, partName, partPrefix } from './names.ts';
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
  const part = partName(kind === 'volume' ? 'luks' : kind, id);
  try {
    await make(part);
    if (hasBase) await pool.images.image(part).snapshots.create(BASE, deadline.left);
    const shown = await except(
      ['EEXIST'],
      () => pool.images.rename(part, nameOf(kind, id), deadline.left).then(() => true),
      () => false,
    );
    if (!shown) await retire(purge, part);
  } catch (error) {
    // Behind the back of the caller, who may have no time left; what this leaves is swept.
    retire(purge, part).catch(() => undefined);
    throw error;
  }
}

/** Hides what has the name in one instant, then takes it apart. Of what is absent it hides nothing. */
export async function takeApart(
  pool: CephPool,
  purge: Purge,
  thing: { readonly kind: StoredKind; readonly id: string },
  deadline: Deadline,
): Promise<void> {
  const { kind, id } = thing;
  await pool.hide(nameOf(kind, id), partName(kind, id), deadline.left);
  for (const prefix of [partPrefix(kind, id), ...(kind === 'volume' ? [partPrefix('luks', id)] : [])]) {
    const { images } = await pool.images.page({ after: prefix, limit: 100, ...deadline.left });
    for (const { name } of images) {
      if (!name.startsWith(prefix)) break;
      // One that is being written at this moment goes when its writer finds the thing deleted, or is swept.
      const others = await unlessAbsent(() => pool.images.image(name).watchers(deadline.left));
      if (others === undefined || others.length === 0) await purge.discard(name, deadline.leftMs);
    }
  }
  purge.kick();
}

async function retire(purge: Purge, part: string): Promise<void> {
  await purge.discard(part);
  purge.kick();
}
