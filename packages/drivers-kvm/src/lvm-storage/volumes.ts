import { randomInt } from 'node:crypto';
import type { Attachment, Call, HostEndpoint, NewVolume, StorageDriver, StoredObject } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import type { StorageVolume } from '../libvirt/index.ts';
import { type Disk, type DiskFiles, Disks } from '../storage/contents.ts';
import { findImage } from '../storage/images.ts';
import { imageName } from '../storage/names.ts';
import type { DirPool } from '../storage/pool.ts';
import { fill } from './fill.ts';
import { logicalVolumeXml } from './group-xml.ts';
import { type Attempt, attemptName, markBytes, markName, numberOfMark, readAttempt, readMark } from './names.ts';

/** A mark is there before it has its length. */
const MARK_PAUSE_MS = 50;
/** A mark is a sparse file of as many KiB at most. */
const ATTEMPTS = 1_000_000;

interface Made {
  readonly volume: StorageVolume;
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * The logical volumes of a group that are volumes, with their marks in a folder. To make one takes an attempt, which is filled whole, zeroes included: what was
 * in that place before belonged to somebody. Then the mark says that this attempt is the volume. A call that lands late can make another attempt, which nobody sees,
 * but neither a second mark nor a change to an attempt that is there.
 */
export class LvmVolumes {
  readonly #group: DirPool;
  readonly #folder: DirPool;
  readonly #groupName: string;

  constructor(group: DirPool, folder: DirPool, groupName: string) {
    this.#group = group;
    this.#folder = folder;
    this.#groupName = groupName;
  }

  async create({ id, sizeBytes, imageId, snapshot }: NewVolume, call: Call): Promise<void> {
    const deadline = new Deadline(call);
    if (snapshot !== undefined) throw new DriverError('unsupported', 'the pool keeps no snapshots');
    if ((await this.markedNumber(id, deadline)) === undefined) {
      const image = imageId === undefined ? undefined : await this.#image(imageId, sizeBytes, call, deadline);
      const made = await this.#fill(id, sizeBytes, image, deadline);
      await this.#folder.create({ name: markName(id), sizeBytes: markBytes(made.number), format: 'raw' }, deadline);
      // Another call may have been faster.
      if ((await this.markedNumber(id, deadline)) !== made.number) await this.#group.delete(attemptName(made), deadline);
    }
    const present = await this.need(id, deadline);
    if (present.sizeBytes !== sizeBytes)
      throw new DriverError('conflict', `volume ${id} is there with ${present.sizeBytes} bytes, not ${sizeBytes}`);
  }

  /** @throws DriverError not_found; unavailable when its mark is there and it is not, or there is none yet */
  async need(id: string, deadline: Deadline): Promise<Made> {
    const number = await this.markedNumber(id, deadline);
    if (number === undefined) {
      const attempts = await this.#attempts(id, deadline);
      if (attempts.length > 0) throw new DriverError('unavailable', `volume ${id} is in the making`);
      throw new DriverError('not_found', `the pool has no volume ${id}`);
    }
    const name = attemptName({ id, number });
    const volume = await this.#group.find(name, deadline);
    const view = volume && (await this.#group.view(volume, deadline));
    if (volume === undefined || view === undefined)
      throw new DriverError('unavailable', `group ${this.#groupName} shows no ${name}: it is not active, or was removed behind our back`);
    return { volume, path: `/dev/${this.#groupName}/${name}`, sizeBytes: view.capacityBytes };
  }

  /** Undefined only when there is neither a mark nor an attempt. */
  async inspect(id: string, deadline: Deadline): Promise<StoredObject | undefined> {
    const number = await this.markedNumber(id, deadline);
    if (number !== undefined) return { kind: 'volume', id, sizeBytes: (await this.need(id, deadline)).sizeBytes };
    const [attempt] = await this.#attempts(id, deadline);
    return attempt && this.#stored(id, attempt.volume, deadline);
  }

  /** One whose mark alone is there has no size that could be told: it is listed, for somebody has to look after it. */
  async list(files: readonly StorageVolume[], deadline: Deadline): Promise<readonly StoredObject[]> {
    const attempts = readAttempts(await this.#group.list(deadline));
    const marked = new Set(files.flatMap(({ name }) => readMark(name) ?? []));
    const ids = new Set([...marked, ...attempts.map(({ id }) => id)]);
    const stored = [...ids].map(async (id) => {
      const number = marked.has(id) ? await this.markedNumber(id, deadline) : undefined;
      const attempt = attempts.find((each) => each.id === id && (number === undefined || each.number === number));
      return attempt === undefined ? { kind: 'volume' as const, id, sizeBytes: 0 } : this.#stored(id, attempt.volume, deadline);
    });
    return (await Promise.all(stored)).filter((each) => each !== undefined);
  }

  /** The logical volumes first: LVM refuses while somebody has one open. */
  async delete(id: string, deadline: Deadline): Promise<void> {
    for (const { volume } of await this.#attempts(id, deadline)) await this.#group.delete(volume.name, deadline);
    await this.#folder.delete(markName(id), deadline);
  }

  /** Takes away the attempts that came to nothing; one that is being filled yet is left for the next time. */
  async sweep(id: string, kept: StorageVolume, deadline: Deadline): Promise<void> {
    for (const { volume } of await this.#attempts(id, deadline))
      if (volume.name !== kept.name)
        await except(
          ['operationInvalid', 'resourceBusy', 'noStorageVolume'],
          () => this.#group.api.storageVolDelete({ volume }, deadline.left),
          () => {},
        );
  }

  /** The attempt that the mark tells. */
  async markedNumber(id: string, deadline: Deadline): Promise<number | undefined> {
    for (;;) {
      const mark = await this.#folder.find(markName(id), deadline);
      if (mark === undefined) return undefined;
      const number = numberOfMark((await this.#folder.view(mark, deadline))?.capacityBytes ?? 0);
      if (number > 0) return number;
      await deadline.pause(MARK_PAUSE_MS, `${mark.name} to be made`);
    }
  }

  async #attempts(id: string, deadline: Deadline): Promise<readonly (Attempt & { readonly volume: StorageVolume })[]> {
    return readAttempts(await this.#group.list(deadline)).filter((attempt) => attempt.id === id);
  }

  async #stored(id: string, volume: StorageVolume, deadline: Deadline): Promise<StoredObject | undefined> {
    const view = await this.#group.view(volume, deadline);
    return view && { kind: 'volume', id, sizeBytes: view.capacityBytes };
  }

  async #image(imageId: string, sizeBytes: number, call: Call, deadline: Deadline): Promise<Disk<StorageVolume>> {
    const image = await findImage(this.#folder, imageId, deadline);
    if (image === undefined) throw new DriverError('not_found', `the pool has no image ${imageId}`);
    if (image.virtualSizeBytes > sizeBytes)
      throw new DriverError('invalid', `a volume of image ${imageId} has ${image.virtualSizeBytes} bytes at least, not ${sizeBytes}`);
    const pool = this.#folder;
    const files: DiskFiles<StorageVolume> = {
      volume: (id, within) => pool.find(imageName(id, image.format), within),
      below: (path) => Promise.reject(new DriverError('unsupported', `image ${imageId} shows ${path}, which is not in it`)),
      readPart: (file, offsetBytes, lengthBytes, within) => pool.readPart(file, offsetBytes, lengthBytes, within),
      writePart: (file) => Promise.reject(new DriverError('internal', `${file.name} is not to be written to`)),
      fileBytes: (file, within) => pool.fileBytes(file, within),
    };
    return new Disks(files).open({ volumeId: imageId }, call, deadline);
  }

  async #fill(id: string, sizeBytes: number, image: Disk<StorageVolume> | undefined, deadline: Deadline): Promise<Attempt> {
    for (;;) {
      // Not counted: a late call about an earlier one is never about this.
      const attempt = { id, number: randomInt(1, ATTEMPTS) };
      if (!(await this.#group.make(logicalVolumeXml(attemptName(attempt), sizeBytes), deadline))) continue;
      const volume = await this.#exact(attempt, sizeBytes, deadline);
      await fill({ group: this.#group, volume, sizeBytes, image }, deadline);
      return attempt;
    }
  }

  /** @throws DriverError invalid where LVM has rounded the size */
  async #exact(attempt: Attempt, sizeBytes: number, deadline: Deadline): Promise<StorageVolume> {
    const name = attemptName(attempt);
    const volume = await this.#group.find(name, deadline);
    const madeBytes = (volume && (await this.#group.view(volume, deadline)))?.capacityBytes;
    if (volume !== undefined && madeBytes === sizeBytes) return volume;
    if (madeBytes === undefined) throw new DriverError('unavailable', `${name} was removed as soon as it was made`);
    await this.#group.delete(name, deadline);
    throw new DriverError('invalid', `group ${this.#groupName} makes ${madeBytes} bytes of ${sizeBytes}`, {
      field: 'sizeBytes',
      told: `The pool makes disks of whole extents: the next size that it has is ${madeBytes} bytes.`,
    });
  }
}

function readAttempts(volumes: readonly StorageVolume[]): readonly (Attempt & { readonly volume: StorageVolume })[] {
  return volumes.flatMap((volume) => {
    const attempt = readAttempt(volume.name);
    return attempt === undefined ? [] : [{ ...attempt, volume }];
  });
}

export function volumeVerbs(volumes: LvmVolumes, hostId: string): StorageDriver['volumes'] {
  return {
    fillsVolumes: true,
    create: (request, call) => volumes.create(request, call),
    delete: (id, call) => volumes.delete(id, new Deadline(call)),

    async attach(id, host, call): Promise<Attachment> {
      onlyFrom(host);
      const deadline = new Deadline(call);
      const { volume, path } = await volumes.need(id, deadline);
      await volumes.sweep(id, volume, deadline);
      return { type: 'block', path };
    },

    /** There is nothing to end, also of one that was removed by hand. The host is asked all the same: success says that it can be reached. */
    async release(id, host, call) {
      onlyFrom(host);
      await volumes.markedNumber(id, new Deadline(call));
    },
  };

  function onlyFrom(host: HostEndpoint): void {
    if (host.hostId !== hostId)
      throw new DriverError('invalid', `the pool is a volume group of host ${hostId}, which host ${host.hostId} does not see`);
  }
}
