import { randomBytes } from 'node:crypto';
import { type HeaderWrite, LUKS_HEADER_BYTES, LuksHeader } from '@pileus/core/luks';
import type { NewVolume, StorageDriver } from '@pileus/core/strategy';
import { type CephPool, HEADER_KEY } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { unlessAbsent } from './faults.ts';
import { fill, shown } from './filling.ts';
import type { Listing } from './listing.ts';
import { lockedContentVerbs } from './locked-contents.ts';
import { BASE, imageName, volumeName } from './names.ts';
import type { Purge } from './purge.ts';
import { createVolume, refuseOther, resize } from './volumes.ts';

/**
 * Volumes with a LUKS header before their content, which the QEMU that has them open encrypts. Ceph shows through a clone nothing but what was put there, so of
 * one made from an image all is copied, encrypted.
 */
export function encryptionVerbs(pool: CephPool, purge: Purge, listing: Listing): NonNullable<StorageDriver['encryption']> {
  return {
    async create({ key, ...request }, call) {
      const deadline = pool.begin(call);
      const { id, sizeBytes, snapshot } = request;
      const name = volumeName(id);
      if (snapshot !== undefined) {
        await needOpen(pool, volumeName(snapshot.volumeId), key, deadline, snapshot.id);
        await createVolume(pool, purge, { ...request, isEncrypted: true }, deadline);
        return;
      }
      if ((await shown(pool, 'volume', id, deadline)) === undefined) {
        await refuseSmaller(pool, request, deadline);
        const make = (part: string) => makeEncrypted(pool, part, { ...request, key, onProgress: call.onProgress }, deadline);
        await fill(pool, purge, { kind: 'volume', id, hasBase: false, make }, deadline);
      }
      refuseOther(await pool.needVolume(name, deadline), { name, sizeBytes, isEncrypted: true });
      await needOpen(pool, name, key, deadline);
    },

    async resize(id, sizeBytes, key, call) {
      const deadline = pool.begin(call);
      const name = volumeName(id);
      await needOpen(pool, name, key, deadline);
      await resize(pool, listing, name, sizeBytes, deadline);
    },

    secretRef: (id) => pool.keyRef(id),

    keys: { ...keyVerbs(pool, refuseOpen), live: keyVerbs(pool, refuseLost) },

    contents: lockedContentVerbs(pool),
  };
}

/** Whether others may have a volume open while its header is changed. A connection of ours that was lost in the middle of that is shut out by either. */
type Refusal = (pool: CephPool, name: string, deadline: Deadline) => Promise<void>;

/** @throws DriverError conflict, not_found */
async function refuseOpen(pool: CephPool, name: string, deadline: Deadline): Promise<void> {
  await pool.refuseInUse(name, deadline);
  await pool.shutOutGone(name, deadline);
}

/**
 * QEMU reads the header when it opens the disk, and never again, and writes it never. So it is changed beside QEMU: the lock of the image goes to us for these writes
 * and comes back with QEMU's next. One who has the lock and is not heard of would be shut out by that, and a machine may be its.
 * @throws DriverError conflict, not_found
 */
async function refuseLost(pool: CephPool, name: string, deadline: Deadline): Promise<void> {
  const others = await pool.othersOn(name, deadline);
  if (others === undefined) throw new DriverError('not_found', `the pool has no ${name}`);
  if (others.length === 0) {
    await pool.shutOutGone(name, deadline);
    return;
  }
  const holders = (await unlessAbsent(() => pool.images.image(name).locks(deadline.left)))?.lockers ?? [];
  for (const { address } of holders)
    if (!pool.isOurs(address) && !others.some((other) => other.address === address))
      throw new DriverError('conflict', `${name} is locked by ${address}, of whom nothing is heard`);
}

type KeyVerbs = Pick<NonNullable<NonNullable<StorageDriver['encryption']>['keys']>, 'add' | 'keep'>;

function keyVerbs(pool: CephPool, refuse: Refusal): KeyVerbs {
  const change = changing(pool, refuse);
  return {
    async add(id, key, added, call) {
      const deadline = pool.begin(call);
      await change(volumeName(id), (header) => header.withPassphrase(key, added), deadline);
      await needOpen(pool, volumeName(id), added, deadline);
    },
    keep: async (id, key, call) => change(volumeName(id), (header) => header.withoutOthers(key), pool.begin(call)),
  };
}

/** Each write is durable when it is answered, so they come to be in their order. @throws DriverError not_found, conflict, LuksError conflict */
const changing =
  (pool: CephPool, refuse: Refusal) =>
  async (name: string, make: (header: LuksHeader) => Promise<HeaderWrite[]>, deadline: Deadline): Promise<void> => {
    await refuse(pool, name, deadline);
    const { headerBytes } = await pool.needVolume(name, deadline);
    if (headerBytes === 0) throw new DriverError('conflict', `${name} is not encrypted`);
    const snapshots = (await unlessAbsent(() => pool.images.image(name).snapshots.list(deadline.left))) ?? [];
    if (snapshots.some(({ kind }) => kind === 'user'))
      throw new DriverError('conflict', `${name} has snapshots, which would keep their headers`);
    await using image = pool.images.image(name).open();
    const bytes = await image.read(0, headerBytes, deadline.left);
    const writes = await make(LuksHeader.read(bytes));
    for (const write of writes) await image.write(write.offsetBytes, write.bytes, deadline.left);
  };

/** @throws DriverError not_found, invalid */
async function refuseSmaller(pool: CephPool, { imageId, sizeBytes }: NewVolume, deadline: Deadline): Promise<void> {
  if (imageId === undefined) return;
  const least = await pool.volume(imageName(imageId), deadline, BASE);
  if (least === undefined) throw new DriverError('not_found', `the pool has no image ${imageId}`);
  if (least.sizeBytes > sizeBytes)
    throw new DriverError('invalid', `a volume of image ${imageId} has ${least.sizeBytes} bytes at least, not ${sizeBytes}`);
}

interface NewEncrypted extends NewVolume {
  readonly key: string;
  readonly onProgress: ((fraction: number) => void) | undefined;
}

async function makeEncrypted(pool: CephPool, part: string, { sizeBytes, imageId, key, onProgress }: NewEncrypted, deadline: Deadline) {
  const image = pool.images.image(part);
  await pool.images.create(part, { ...pool.newImage, sizeBytes: sizeBytes + LUKS_HEADER_BYTES }, deadline.left);
  {
    await using open = image.open();
    for (const { offsetBytes, bytes } of await LuksHeader.make(key, randomBytes)) await open.write(offsetBytes, bytes, deadline.left);
  }
  if (imageId !== undefined) {
    const source = { image: imageName(imageId), snapshot: BASE };
    const copied = pool.cluster.bulk.encryptInto(pool.images, source, { image: part, passphrase: key }, { ...deadline.left, onProgress });
    await deadline.bound(copied, 'for an image to be copied');
  }
  await image.metadata.set(HEADER_KEY, String(LUKS_HEADER_BYTES), deadline.left);
}

/** A key opens a volume, or a snapshot of it. @throws DriverError not_found, conflict, LuksError conflict */
async function needOpen(pool: CephPool, name: string, key: string, deadline: Deadline, snapshot?: string): Promise<void> {
  const stat = await pool.volume(name, deadline, snapshot);
  if (stat === undefined)
    throw new DriverError('not_found', `the pool has no ${name}${snapshot === undefined ? '' : ` with a snapshot ${snapshot}`}`);
  if (stat.headerBytes === 0) throw new DriverError('conflict', `${name} is not encrypted`);
  await using image = pool.images.image(name).open(snapshot === undefined ? { readOnly: true } : { snapshot });
  const bytes = await unlessAbsent(() => image.read(0, stat.headerBytes, deadline.left));
  if (bytes === undefined) throw new DriverError('not_found', `the pool has no ${name} any more`);
  if (!(await LuksHeader.read(bytes).opens(key))) throw new DriverError('conflict', `the key does not open ${name}`);
}
