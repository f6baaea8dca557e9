import type { NewVolume, StorageDriver } from '@pileus/core/strategy';
import type { ImageFeature } from '../rados/index.ts';
import { type CephPool, HEADER_KEY, inUse, type VolumeStat } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { except, unlessAbsent } from './faults.ts';
import { takeApart } from './filling.ts';
import type { Listing } from './listing.ts';
import { BASE, imageName, partName, volumeName } from './names.ts';
import type { Purge } from './purge.ts';

type CreateRequest = NewVolume & { readonly isEncrypted: boolean; readonly isShareable?: boolean };

/** What a clone is made of. */
interface Source {
  readonly image: string;
  readonly snapshot: string;
}

/**
 * Kept with a clone when all of it is done, with the name of the clone as its value: librbd makes one in several steps, and copies the words that are kept with
 * what it is cloned from.
 */
const WHOLE_KEY = 'pileus.whole';

/** What has the name of what was asked for. */
interface Half {
  readonly name: string;
  readonly sizeBytes: number;
  readonly isClone: boolean;
  readonly isEncrypted: boolean;
  readonly isShareable: boolean;
}

/**
 * Without the lock of who writes, which would go from one machine to the next, and without what needs it: changes are told by reading then.
 */
const SHAREABLE: readonly ImageFeature[] = ['layering', 'deep-flatten'];

const HALF_PAUSE_MS = 500;
/** Another call may be making the image at this moment; what is not whole after that was left by one that was killed. */
export const MAKING_LOOKS = 20;
export const MAKING_PAUSE_MS = 100;

export function volumeVerbs(pool: CephPool, purge: Purge, listing: Listing): StorageDriver['volumes'] {
  return {
    create: async (request, call) => createVolume(pool, purge, { ...request, isEncrypted: false }, pool.begin(call)),

    async resize(id, sizeBytes, call) {
      const deadline = pool.begin(call);
      const name = volumeName(id);
      await resize(pool, listing, name, sizeBytes, deadline);
    },

    async delete(id, call) {
      const deadline = pool.begin(call);
      const name = volumeName(id);
      if (await isPutAway(pool, name, id, deadline)) {
        purge.kick();
        return;
      }
      // A removal that meets a machine makes its writes wait, so who has it open is looked at first.
      const usage = await unlessAbsent(() => pool.images.image(name).usage(deadline.left));
      if (usage === undefined) {
        await removeTrace(pool, name, deadline);
        // What a deletion that was killed had hidden, and not moved yet.
        return takeApart(pool, purge, { kind: 'volume', id }, deadline);
      }
      const others = await pool.othersAmong(name, usage.watchers, deadline);
      if (others.length > 0) throw inUse(name, others);
      if (usage.snapshots.some(({ kind }) => kind === 'user')) throw new DriverError('conflict', `${name} has snapshots`);
      await putAway(pool, purge, id, deadline);
    },

    async attach(id, _host, call) {
      const name = volumeName(id);
      const { headerBytes } = await pool.needVolume(name, pool.begin(call));
      const attachment = pool.attachment(name);
      return headerBytes === 0 ? attachment : { ...attachment, encryption: { format: 'luks', secretRef: pool.keyRef(id) } };
    },

    /** An image needs no preparation on the host, so there is nothing to end. The cluster is asked all the same: success says that it can be reached. */
    async release(id, _host, call) {
      await pool.volume(volumeName(id), pool.begin(call));
    },
  };
}

/** At once, where nothing is in the way. The name that it has in the trash says that it was deleted, and not put there by somebody. */
async function isPutAway(pool: CephPool, name: string, id: string, deadline: Deadline): Promise<boolean> {
  const put = () => pool.images.trash.putAway(name, partName('volume', id), deadline.left).then(() => true);
  return (await unlessAbsent(() => except(['EBUSY', 'ENOTEMPTY', 'EOPNOTSUPP'], put, () => false))) ?? false;
}

/** What has snapshots in the trash, or is held by a watch with nobody behind it, has to be named anew first. */
async function putAway(pool: CephPool, purge: Purge, id: string, deadline: Deadline): Promise<void> {
  const part = partName('volume', id);
  await pool.hide(volumeName(id), part, deadline.left);
  await pool.moveToTrash(part, deadline.left);
  purge.kick();
}

/** One that is encrypted is a clone of one that is: others are made otherwise. */
export async function createVolume(pool: CephPool, purge: Purge, request: CreateRequest, deadline: Deadline): Promise<void> {
  const { id, sizeBytes, isEncrypted, isShareable = false } = request;
  const name = volumeName(id);
  const source = sourceOf(request);
  const half = { name, sizeBytes, isEncrypted, isShareable, isClone: source !== undefined };
  const made = await except(
    ['EEXIST'],
    () => (source === undefined ? createEmpty(pool, half, deadline) : clone(pool, half, source, deadline)),
    () => false,
  );
  if (made || (await isThere(pool, half, deadline))) return;
  if (!(await removeHalf(pool, half, () => putAway(pool, purge, id, deadline), deadline))) return;
  // Once more, and not for ever: somebody else may be making and removing it.
  if (source === undefined) await createEmpty(pool, half, deadline);
  else await clone(pool, half, source, deadline);
}

/**
 * Nobody has what is not whole open but who makes it: one of us in another process, which goes on or was killed, and then counts as living for half a minute yet. It is
 * waited for. False when it has become whole meanwhile.
 * @throws DriverError unavailable at the end of the time
 */
async function removeHalf(pool: CephPool, half: Half, putItAway: () => Promise<void>, deadline: Deadline): Promise<boolean> {
  for (;;) {
    const left = await except(
      ['EBUSY', 'EUCLEAN'],
      () => removeTrace(pool, half.name, deadline),
      (error) => error,
    );
    if (left === undefined) return true;
    // A watch with nobody behind it, for which librbd removes nothing.
    if (left.code === 'EBUSY' && (await pool.othersOn(half.name, deadline))?.length === 0) {
      await putItAway();
      return true;
    }
    if (deadline.leftMs <= HALF_PAUSE_MS + 2 * MAKING_LOOKS * MAKING_PAUSE_MS)
      throw new DriverError('unavailable', `${half.name} is not whole, and cannot be made anew yet`, { cause: left });
    await deadline.pause(HALF_PAUSE_MS, `for who makes ${half.name}`);
    if (await isThere(pool, half, deadline)) return false;
  }
}

function sourceOf({ imageId, snapshot }: CreateRequest): Source | undefined {
  if (imageId !== undefined) return { image: imageName(imageId), snapshot: BASE };
  return snapshot && { image: volumeName(snapshot.volumeId), snapshot: snapshot.id };
}

async function createEmpty(pool: CephPool, { name, sizeBytes, isShareable }: Half, deadline: Deadline): Promise<true> {
  const how = { ...pool.newImage, sizeBytes, ...(isShareable && { features: SHAREABLE }) };
  await pool.images.create(name, how, deadline.left);
  return true;
}

async function clone(pool: CephPool, { name, sizeBytes, isEncrypted }: Half, source: Source, deadline: Deadline): Promise<true> {
  const { image, snapshot } = source;
  // An image never changes, and shows with its snapshot or not at all: its size is had without opening it.
  const least = await pool.volume(image, deadline, snapshot === BASE ? undefined : snapshot);
  if (least === undefined) throw new DriverError('not_found', `the pool has no ${image} with a snapshot ${snapshot}`);
  const { headerBytes } = least;
  if (least.sizeBytes > sizeBytes)
    throw new DriverError('invalid', `a clone of ${image} has ${least.sizeBytes} bytes at least, not ${sizeBytes}`);
  if (headerBytes > 0 !== isEncrypted) throw new DriverError('conflict', `${image} is ${isEncrypted ? 'not ' : ''}encrypted`);
  const metadata = { [WHOLE_KEY]: name, ...(isEncrypted && { [HEADER_KEY]: String(headerBytes) }) };
  const how = { ...pool.newImage, sizeBytes: sizeBytes + headerBytes, metadata };
  await pool.images.clone(source, name, how, deadline.left);
  return true;
}

/** @throws DriverError not_found, invalid */
export async function resize(pool: CephPool, listing: Listing, name: string, sizeBytes: number, deadline: Deadline): Promise<void> {
  const present = await pool.needVolume(name, deadline);
  if (sizeBytes < present.sizeBytes)
    throw new DriverError('invalid', `${name} has ${present.sizeBytes} bytes and cannot shrink to ${sizeBytes}`);
  if (sizeBytes === present.sizeBytes) return;
  await pool.shutOutGone(name, deadline);
  await pool.images.image(name).resize(sizeBytes + present.headerBytes, deadline.left);
  listing.forget(name);
}

/** @throws DriverError conflict when what has the name is of another size, or encrypted otherwise */
export function refuseOther(stat: VolumeStat, { name, sizeBytes, isEncrypted }: Omit<Half, 'isClone' | 'isShareable'>): void {
  if (stat.headerBytes > 0 !== isEncrypted)
    throw new DriverError('conflict', `${name} is there, and is ${isEncrypted ? 'not ' : ''}encrypted`);
  if (stat.sizeBytes !== sizeBytes) throw new DriverError('conflict', `${name} is there with ${stat.sizeBytes} bytes, not ${sizeBytes}`);
}

/** Whether what has the name is what was asked for, whole. @throws DriverError conflict when it is whole and of another size */
async function isThere(pool: CephPool, { name, sizeBytes, isClone, isEncrypted, isShareable }: Half, deadline: Deadline): Promise<boolean> {
  for (let look = 0; look < MAKING_LOOKS; look += 1) {
    if (look > 0) await deadline.pause(MAKING_PAUSE_MS, `for ${name} to be made`);
    const stat = await pool.volume(name, deadline);
    if (stat === undefined) continue;
    if (isClone && (await unlessAbsent(() => pool.images.image(name).metadata.get(WHOLE_KEY, deadline.left))) !== name) continue;
    refuseOther(stat, { name, sizeBytes, isEncrypted });
    if (isClone) return true;
    await refuseOtherwiseShared(pool, name, isShareable, deadline);
    return isShareable || !(await lacksObjectMap(pool, name, sizeBytes, deadline));
  }
  return false;
}

/** @throws DriverError conflict */
async function refuseOtherwiseShared(pool: CephPool, name: string, isShareable: boolean, deadline: Deadline): Promise<void> {
  const { features } = await pool.need(name, deadline);
  if (features.includes('exclusive-lock') === isShareable)
    throw new DriverError('conflict', `${name} is there, and is for ${isShareable ? 'one machine alone' : 'several machines'}`);
}

/**
 * Whether the creation of an empty volume was killed before its last step: snapshots of such a one could not be read. Who takes its lock, as a change of the size
 * to what it is does, finds the object map missing and flags it. One that has data, or is open elsewhere, has been given out and is left alone.
 */
async function lacksObjectMap(pool: CephPool, name: string, sizeBytes: number, deadline: Deadline): Promise<boolean> {
  const image = pool.images.image(name);
  const { watchers, snapshots } = await image.usage(deadline.left);
  if (snapshots.length > 0 || (await pool.othersAmong(name, watchers, deadline)).length > 0) return false;
  await image.resize(sizeBytes, deadline.left);
  await using open = image.open({ readOnly: true });
  if (!(await open.stat(deadline.left)).flags.includes('object-map-invalid')) return false;
  for await (const { hasData } of open.diff({ ...deadline.left, wholeObjects: false })) if (hasData) return false;
  return true;
}

/** Removes what is not whole, or cannot be opened any more. */
async function removeTrace(pool: CephPool, name: string, deadline: Deadline): Promise<void> {
  await unlessAbsent(() => pool.images.remove(name, deadline.left));
}
