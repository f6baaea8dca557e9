import { basename } from 'node:path';
import { type HeaderWrite, LuksHeader } from '@pileus/core/luks';
import type { Attachment, DiskFormat, HostEndpoint, NewVolume, StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import type { StorageVolume } from '../libvirt/index.ts';
import { deleteSecret, putSecret } from '../secrets.ts';
import { findImage } from './images.ts';
import { presenceNames, readName, volumeName } from './names.ts';
import { type DirPool, findOneOf } from './pool.ts';
import { luksPlace, QCOW2_FIRST_BYTES } from './qcow2.ts';
import { isTold, MARK_AT, markOf, untold } from './qcow2-mark.ts';
import { growInUse, IN_USE, isInUse } from './volume-in-use.ts';
import type { Backing, VolumeView } from './volume-xml.ts';

/** Libvirt makes files of whole KiB. */
const asMade = (sizeBytes: number): number => Math.ceil(sizeBytes / 1024) * 1024;

/** The files of a folder that are volumes: qcow2, which one machine alone can have open, and raw for several. */
export class DirVolumes {
  readonly #pool: DirPool;
  readonly #link: HostLink;
  readonly #path: string;

  constructor(pool: DirPool, link: HostLink, path: string) {
    this.#pool = pool;
    this.#link = link;
    this.#path = path;
  }

  /** What libvirt knows the key of an encrypted volume by: it looks for it under the path of the file. */
  secretRef(id: string): string {
    return `${this.#path.replace(/\/+$/, '')}/${volumeName(id)}`;
  }

  find(id: string, deadline: Deadline): Promise<StorageVolume | undefined> {
    return findOneOf(this.#pool, presenceNames('volume', id), deadline);
  }

  /** @throws DriverError not_found */
  async need(id: string, deadline: Deadline): Promise<StorageVolume> {
    const volume = await this.find(id, deadline);
    if (volume === undefined) throw new DriverError('not_found', `the pool has no volume ${id}`);
    return volume;
  }

  async view(id: string, deadline: Deadline): Promise<VolumeView | undefined> {
    return this.#pool.view(await this.need(id, deadline), deadline);
  }

  async create(
    { id, sizeBytes, imageId, toFill }: NewVolume & { readonly toFill?: true },
    isEncrypted: boolean,
    deadline: Deadline,
  ): Promise<void> {
    const known = await this.find(id, deadline);
    if (known === undefined) {
      const backing = imageId === undefined ? undefined : await findImage(this.#pool, imageId, deadline);
      if (imageId !== undefined && backing === undefined) throw new DriverError('not_found', `the pool has no image ${imageId}`);
      if (backing !== undefined && backing.virtualSizeBytes > sizeBytes)
        throw new DriverError('invalid', `a volume of image ${imageId} has ${backing.virtualSizeBytes} bytes at least, not ${sizeBytes}`);
      const secret = isEncrypted ? { secretRef: this.secretRef(id) } : {};
      const request = {
        name: volumeName(id),
        sizeBytes,
        format: 'qcow2',
        withTables: toFill === true,
        ...(backing && { backing }),
        ...secret,
      } as const;
      if (await this.#pool.create(request, deadline)) return;
    }
    await this.#refuseOther(id, sizeBytes, isEncrypted, deadline);
  }

  /** One that shows a disk of others through, which nobody else is to use from then on. @throws DriverError conflict */
  async createOver(
    { id, sizeBytes, below }: { readonly id: string; readonly sizeBytes: number; readonly below: Backing },
    deadline: Deadline,
  ): Promise<void> {
    const known = await this.find(id, deadline);
    const request = { name: volumeName(id), sizeBytes, format: 'qcow2', backing: below } as const;
    if (known === undefined && (await this.#pool.create(request, deadline))) return;
    await this.#refuseOther(id, sizeBytes, false, deadline);
    if ((await this.view(id, deadline))?.backingPath !== below.path)
      throw new DriverError('conflict', `volume ${id} is there, and does not show ${below.path}`);
  }

  async #refuseOther(id: string, sizeBytes: number, isEncrypted: boolean, deadline: Deadline): Promise<void> {
    await this.#untilMade(id, deadline);
    const present = await this.#needLike(id, { format: 'qcow2', sizeBytes: asMade(sizeBytes) }, deadline);
    if (present.isEncrypted !== isEncrypted)
      throw new DriverError('conflict', `volume ${id} is there, and is ${isEncrypted ? 'not ' : ''}encrypted`);
  }

  /** Raw: the tables of qcow2 are read by each machine once. */
  async createShareable({ id, sizeBytes }: Pick<NewVolume, 'id' | 'sizeBytes'>, deadline: Deadline): Promise<void> {
    const request = { name: volumeName(id, 'raw'), sizeBytes, format: 'raw' } as const;
    if ((await this.find(id, deadline)) !== undefined || !(await this.#pool.create(request, deadline)))
      await this.#needLike(id, request, deadline);
  }

  /** @throws DriverError conflict */
  async #needLike(
    id: string,
    { format, sizeBytes }: { readonly format: DiskFormat; readonly sizeBytes: number },
    deadline: Deadline,
  ): Promise<VolumeView> {
    const volume = await this.need(id, deadline);
    const view = await this.view(id, deadline);
    if (formatOf(volume) !== format)
      throw new DriverError('conflict', `volume ${id} is there, and is for ${format === 'raw' ? 'one machine alone' : 'several machines'}`);
    if (view?.capacityBytes !== sizeBytes)
      throw new DriverError('conflict', `volume ${id} is there with ${view?.capacityBytes} bytes, not ${sizeBytes}`);
    return view;
  }

  /**
   * One that is there may be in the making yet, by a call whose answer was lost: to make the header of an encrypted one takes a busy host minutes. Libvirt shows it,
   * and lets nobody read it before it is whole; if it does not come to that, it is gone. @throws DriverError unavailable
   */
  async #untilMade(id: string, deadline: Deadline): Promise<void> {
    const volume = await this.find(id, deadline);
    const read = async () => volume !== undefined && (await this.#pool.readPart(volume, 0, 1, deadline)).length > 0;
    if (!(await except(['noStorageVolume'], read, () => false)))
      throw new DriverError('unavailable', `volume ${id} was in the making, and is not there any more`);
  }

  async resize(id: string, sizeBytes: number, deadline: Deadline): Promise<void> {
    const volume = await this.need(id, deadline);
    const present = (await this.view(id, deadline))?.capacityBytes ?? 0;
    if (sizeBytes === present) return;
    if (sizeBytes < present) throw new DriverError('invalid', `volume ${id} has ${present} bytes and cannot shrink to ${sizeBytes}`);
    if (await growInUse(this.#link, volume.key, sizeBytes, deadline)) return;
    const mark = formatOf(volume) === 'raw' ? undefined : markOf(await this.#pool.readPart(volume, 0, QCOW2_FIRST_BYTES, deadline));
    // Qemu-img does not grow a disk with bitmaps that QEMU takes for nothing.
    if (mark !== undefined && isTold(mark)) await this.#pool.writePart(volume, MARK_AT, untold(mark), deadline);
    await this.#pool.resize(volume, sizeBytes, deadline);
  }

  /** The header of an encrypted one, which lies in the file behind that of qcow2. @throws DriverError, LuksError conflict */
  async changeKeys(id: string, key: string, make: (header: LuksHeader) => Promise<HeaderWrite[]>, deadline: Deadline): Promise<void> {
    const volume = await this.need(id, deadline);
    if (await isInUse(this.#link, volume.key, deadline)) throw new DriverError('conflict', `a machine has volume ${id} open`);
    const place = luksPlace(await this.#pool.readPart(volume, 0, QCOW2_FIRST_BYTES, deadline));
    if (place === undefined) throw new DriverError('conflict', `volume ${id} is not encrypted`);
    const bytes = await this.#pool.readPart(volume, place.offsetBytes, place.lengthBytes, deadline);
    const writes = await make(LuksHeader.read(bytes));
    // Who is no machine of libvirt's shows by his lock alone.
    await this.knowing(id, key, deadline, () =>
      except(
        ['internalError'],
        () => this.settle(id, deadline),
        (error) => {
          if (!IN_USE.test(error.message)) throw error;
          throw new DriverError('conflict', `somebody has volume ${id} open`, { cause: error });
        },
      ),
    );
    for (const write of writes) await this.#pool.writePart(volume, place.offsetBytes + write.offsetBytes, write.bytes, deadline);
  }

  /**
   * The host's QEMU opens an encrypted one with the key that libvirt knows, changes nothing, and closes it, which brings to the disk what was written before: no
   * call of libvirt does that alone. Libvirt refuses where the file is larger than the disk in it. @throws DriverError exhausted
   */
  async settle(id: string, deadline: Deadline): Promise<void> {
    const volume = await this.need(id, deadline);
    const capacityBytes = (await this.view(id, deadline))?.capacityBytes ?? 0;
    await except(
      ['invalidArgument'],
      () => this.#pool.resize(volume, capacityBytes, deadline),
      (cause) => {
        throw new DriverError('exhausted', `volume ${id} is full to the last byte: grow it first`, { cause });
      },
    );
  }

  /** Paths of what shows through, each with the name of a file that shows it. */
  async shown(files: readonly StorageVolume[], by: 'by volumes' | 'by any', deadline: Deadline): Promise<ReadonlyMap<string, string>> {
    const looked = files.filter(({ name }) => by === 'by any' || readName(name)?.kind === 'volume');
    const views = await Promise.all(looked.map(async (file) => ({ name: file.name, view: await this.#pool.glance(file, deadline) })));
    return new Map(views.flatMap(({ name, view }) => (view?.backingPath === undefined ? [] : [[view.backingPath, name]])));
  }

  async delete(id: string, deadline: Deadline): Promise<void> {
    const adopted = await this.#adopted(id, deadline);
    // First: until the volume is gone, it says what is below it.
    if (adopted !== undefined) await this.#pool.delete(adopted, deadline);
    await this.giveUp(id, deadline);
  }

  /** The name of the disk of others that it was made of, which nothing else shows. */
  async #adopted(id: string, deadline: Deadline): Promise<string | undefined> {
    const volume = await this.find(id, deadline);
    const path = volume && (await this.#pool.glance(volume, deadline))?.backingPath;
    if (path === undefined || readName(basename(path)) !== undefined) return undefined;
    await this.#pool.refresh(deadline);
    const files = await this.#pool.list(deadline);
    const isOfPool = files.some(({ key }) => key === path);
    const showers = await this.shown(
      files.filter(({ name }) => name !== volume?.name),
      'by any',
      deadline,
    );
    return isOfPool && !showers.has(path) ? basename(path) : undefined;
  }

  /** Without what shows through it. */
  async giveUp(id: string, deadline: Deadline): Promise<void> {
    for (const name of presenceNames('volume', id)) await this.#pool.delete(name, deadline);
    // Of a creation or growth that was cut off.
    await deleteSecret(this.#link.host.api, this.secretRef(id), deadline);
  }

  /** Lets libvirt know the key for as long as it works on the file. */
  async knowing(id: string, key: string, deadline: Deadline, work: () => Promise<void>): Promise<void> {
    const ref = this.secretRef(id);
    await putSecret(this.#link.host.api, { ref, value: key, use: 'luks' }, deadline);
    try {
      await work();
    } finally {
      await deleteSecret(this.#link.host.api, ref, deadline);
    }
  }
}

const formatOf = ({ name }: StorageVolume): DiskFormat => (name.endsWith('.raw') ? 'raw' : 'qcow2');

export function volumeVerbs(volumes: DirVolumes, hostId: string): StorageDriver['volumes'] {
  return {
    create: (request, call) => volumes.create(request, false, new Deadline(call)),
    resize: (id, sizeBytes, call) => volumes.resize(id, sizeBytes, new Deadline(call)),
    delete: (id, call) => volumes.delete(id, new Deadline(call)),

    async attach(id, host, call): Promise<Attachment> {
      onlyFrom(host);
      const deadline = new Deadline(call);
      const volume = await volumes.need(id, deadline);
      const isEncrypted = (await volumes.view(id, deadline))?.isEncrypted === true;
      return {
        type: 'file',
        path: volume.key,
        format: formatOf(volume),
        ...(isEncrypted && { encryption: { format: 'luks', secretRef: volumes.secretRef(id) } }),
      };
    },

    /** A file needs no preparation, so there is nothing to end. The host is asked all the same: success says that it can be reached. */
    async release(id, host, call) {
      onlyFrom(host);
      await volumes.find(id, new Deadline(call));
    },
  };

  function onlyFrom(host: HostEndpoint): void {
    if (host.hostId !== hostId)
      throw new DriverError('invalid', `the pool is a folder of host ${hostId}, which host ${host.hostId} does not see`);
  }
}

/**
 * qcow2 whose clusters are encrypted with LUKS, its header among them: the file is of that size, the disk of the one asked for. What an image shows through is in
 * the image's file as it was put there.
 */
export function encryptionVerbs(volumes: DirVolumes): NonNullable<StorageDriver['encryption']> {
  return {
    create: ({ key, ...request }, call) => {
      const deadline = new Deadline(call);
      return volumes.knowing(request.id, key, deadline, () => volumes.create(request, true, deadline));
    },
    resize: (id, sizeBytes, key, call) => {
      const deadline = new Deadline(call);
      return volumes.knowing(id, key, deadline, async () => {
        if ((await volumes.view(id, deadline))?.isEncrypted !== true) throw new DriverError('conflict', `volume ${id} is not encrypted`);
        await volumes.resize(id, sizeBytes, deadline);
      });
    },
    secretRef: (id) => volumes.secretRef(id),
    keys: {
      add: async (id, key, added, call) => {
        const deadline = new Deadline(call);
        await volumes.changeKeys(id, key, (header) => header.withPassphrase(key, added), deadline);
        await volumes.knowing(id, added, deadline, () => volumes.settle(id, deadline));
      },
      keep: async (id, key, call) => {
        const deadline = new Deadline(call);
        await volumes.changeKeys(id, key, (header) => header.withoutOthers(key), deadline);
        await volumes.knowing(id, key, deadline, () => volumes.settle(id, deadline));
      },
    },
  };
}
