import type { OthersDisk, StorageDriver } from '@pileus/core/strategy';
import type { ImageFeature, ImageName } from '../rados/index.ts';
import { type CephPool, HEADER_KEY } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { unlessAbsent } from './faults.ts';
import { partKind, readName, volumeName } from './names.ts';

const PAGE = 1_000;
const HEAD_BYTES_MAX = 65_536;

/** Kept with a volume that others have made, with the name that it had. */
const ADOPTED_KEY = 'pileus.adopted';

/** Without these nobody would be kept from a disk that another has open, and what has changed in it could not be told. */
const NEEDED: readonly ImageFeature[] = ['exclusive-lock', 'object-map', 'fast-diff'];

const isOurs = (name: string): boolean => readName(name) !== undefined || partKind(name) !== undefined;

/** Images that have no name of ours. They are renamed when they are adopted: names are what tells volumes. */
export function othersVerbs(pool: CephPool): NonNullable<StorageDriver['others']> {
  return {
    async list({ after }, call) {
      const deadline = pool.begin(call);
      const { images, isLast } = await pool.images.page({ limit: PAGE, ...(after === undefined ? {} : { after }), ...deadline.left });
      const disks = await sized(
        pool,
        images.filter(({ name }) => !isOurs(name)),
        deadline,
      );
      const last = images.at(-1)?.name;
      return { disks, ...(isLast || last === undefined ? {} : { next: last }) };
    },

    async look(name, headBytes, call) {
      const deadline = pool.begin(call);
      refuseOurs(name);
      const { sizeBytes } = await pool.need(name, deadline);
      const lengthBytes = Math.min(headBytes, HEAD_BYTES_MAX, Number(sizeBytes));
      await using image = pool.images.image(name).open({ readOnly: true });
      return { sizeBytes: Number(sizeBytes), head: await image.read(0, lengthBytes, deadline.left) };
    },

    async adopt(name, id, call) {
      const deadline = pool.begin(call);
      refuseOurs(name);
      const volume = volumeName(id);
      if (!(await isThere(pool, name, deadline))) {
        if (await isThere(pool, volume, deadline)) return;
        throw new DriverError('not_found', `the pool has no ${name}`);
      }
      await refuseUnfit(pool, name, deadline);
      await pool.images.image(name).metadata.set(ADOPTED_KEY, name, deadline.left);
      await pool.images.rename(name, volume, deadline.left);
      // Who came in between the look and the new name.
      const others = await pool.othersOn(volume, deadline);
      if (others === undefined || others.length === 0) return;
      await giveBack(pool, name, volume, deadline);
      throw open(name);
    },

    giveBack: (name, id, call) => giveBack(pool, name, volumeName(id), pool.begin(call)),
  };
}

async function sized(pool: CephPool, images: readonly ImageName[], deadline: Deadline): Promise<readonly OthersDisk[]> {
  if (images.length === 0) return [];
  const ids = images.map(({ id }) => id);
  const sizes = await pool.images.sizes(ids, deadline.left);
  // Without a size: removed meanwhile, or what is left of a removal.
  return images.flatMap(({ name }, index) => {
    const size = sizes[index];
    return size === undefined ? [] : [{ name, sizeBytes: Number(size.sizeBytes) }];
  });
}

function refuseOurs(name: string): void {
  if (isOurs(name)) throw new DriverError('not_found', `${name} has a name of ours`);
}

const isThere = async (pool: CephPool, name: string, deadline: Deadline): Promise<boolean> =>
  (await pool.stat(name, deadline)) !== undefined;

const open = (name: string) => new DriverError('conflict', `${name} is open`, { told: 'Somebody has it open: stop what uses it first.' });

/** @throws DriverError conflict, which tells what stands in the way */
async function refuseUnfit(pool: CephPool, name: string, deadline: Deadline): Promise<void> {
  const unfit = (told: string) => new DriverError('conflict', `${name} cannot be adopted`, { told });
  const image = pool.images.image(name);
  const { features, parent, metadataValue } = await image.stat({ ...deadline.left, metadataKey: HEADER_KEY });
  if (metadataValue !== undefined) throw unfit('It is an encrypted volume of another cloud, whose key is not known.');
  if (parent !== undefined) throw unfit('It is a clone, and reads from what is not ours: flatten it first.');
  const lacking = NEEDED.filter((feature) => !features.includes(feature));
  if (lacking.length > 0) throw unfit(`It lacks ${lacking.join(', ')}: enable that first.`);
  const { watchers, snapshots } = await image.usage(deadline.left);
  if (snapshots.length > 0) throw unfit('It has snapshots, which would be unknown: remove them first.');
  if ((await pool.othersAmong(name, watchers, deadline)).length > 0) throw open(name);
}

async function giveBack(pool: CephPool, name: string, volume: string, deadline: Deadline): Promise<void> {
  const adopted = await pool.stat(volume, deadline);
  // A rename that was killed may leave an image with both names: then it has the one that it is listed by.
  if (adopted === undefined || (await pool.stat(name, deadline))?.id === adopted.id) return;
  const back = async () => {
    await pool.images.image(volume).metadata.remove(ADOPTED_KEY, deadline.left);
    await pool.images.rename(volume, name, deadline.left);
  };
  await unlessAbsent(back);
}
