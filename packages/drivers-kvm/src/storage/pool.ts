import type { Fault } from '@pileus/core/strategy';
import type { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { except } from '../faults.ts';
import type { HostLink } from '../host-links.ts';
import { type LibvirtApi, LibvirtError, type StoragePool, type StorageVolume, VolumeCreateFlag, VolumeInfoFlag } from '../libvirt/index.ts';
import type { VolumeView } from './volume-xml.ts';
import { poolPath, poolXml, viewVolume, volumeXml } from './volume-xml.ts';

/** A volume that is being made or copied cannot be looked at yet; libvirt says so, and we ask again. */
const BUSY_RETRY_MS = 50;

/** qemu-img measures how fast it derives keys, and gives up where the kernel counts its time too coarsely: another measurement may do. */
const MISMEASURED = /Unable to get accurate CPU usage/;

/** A header is written in a moment, so what lasts longer is a coincidence of sizes. */
const UNFINISHED_LOOKS_MAX = 20;

const NOT_ACTIVE = /storage pool .* is not active/;
const STILL_ACTIVE = /storage pool .* is still active/;

export type NewVolume = Parameters<typeof volumeXml>[0];

export interface VolumeContent {
  /** Where in the file to begin. Default: 0. */
  readonly offsetBytes?: number;
  readonly source: () => AsyncIterable<Uint8Array>;
  readonly lengthBytes: number;
  readonly onProgress: (bytes: number) => void;
}

/** What a pool of libvirt is of: its place is a path or a name. */
export interface PoolForm {
  xmlOf(name: string, place: string): string;
  placeOf(xml: string): string | undefined;
  /** Whether libvirt makes the place where there is none. */
  readonly isMade: boolean;
  /** Whether libvirt counts it as stopped at times while nobody has stopped it: it is started again then, by whoever asks for something. */
  readonly isWoken: boolean;
  readonly refusals: readonly Refusal[];
}

/** What libvirt has no code of its own for, and what whoever chose the place is told of it. */
export interface Refusal {
  readonly pattern: RegExp;
  readonly fault: Fault;
  readonly told: string;
}

const FOLDER: PoolForm = {
  xmlOf: poolXml,
  placeOf: poolPath,
  isMade: true,
  isWoken: false,
  refusals: [
    {
      pattern: /Storage source conflict with pool/,
      fault: 'conflict',
      told: 'Another pool of the host has this folder: take another path.',
    },
    {
      pattern: /failed to create directory/,
      fault: 'conflict',
      told: 'The host cannot make this folder: take another path, or make it there.',
    },
  ],
};

/** A libvirt pool that is a folder, or of another form, and its files. */
export class DirPool {
  readonly name: string;
  readonly #place: string;
  readonly #form: PoolForm;
  readonly #link: HostLink;
  #ref: StoragePool | undefined;

  constructor(link: HostLink, name: string, place: string, form: PoolForm = FOLDER) {
    this.#link = link;
    this.name = name;
    this.#place = place;
    this.#form = form;
  }

  get api(): LibvirtApi {
    return this.#link.host.api;
  }

  /** Defined, its folder made where it is one, started, and started with the host. */
  async ensure(deadline: Deadline): Promise<void> {
    try {
      await this.#ensure(deadline);
    } catch (error) {
      throw explained(error, this.#form.refusals);
    }
  }

  async #ensure(deadline: Deadline): Promise<void> {
    const pool = (await this.#find(deadline)) ?? (await this.#define(deadline));
    const place = this.#form.placeOf(await this.api.storagePoolGetXmlDesc({ pool }, deadline.left));
    if (place !== this.#place)
      throw new DriverError('conflict', `pool ${this.name} is at ${place}, not at ${this.#place}`, {
        told: 'The host has this pool in another place already.',
      });
    if (!(await this.api.storagePoolIsActive({ pool }, deadline.left))) {
      if (this.#form.isMade) await this.api.storagePoolBuild({ pool }, deadline.left);
      const start = () => this.api.storagePoolCreate({ pool }, deadline.left);
      await except(['operationInvalid'], start, async (refusal) => {
        if (!(await this.api.storagePoolIsActive({ pool }, deadline.left))) throw refusal;
      });
    }
    await this.api.storagePoolSetAutostart({ pool, autostart: true }, deadline.left);
    this.#ref = pool;
  }

  /** Stopped and forgotten by libvirt; the folder and its files stay. */
  async release(deadline: Deadline): Promise<void> {
    const pool = await this.#find(deadline);
    this.#ref = undefined;
    if (pool === undefined) return;
    // A pool that is stopped already, or gone by now, is as it should be.
    const stop = () => this.#whenIdle(() => this.api.storagePoolDestroy({ pool }, deadline.left), deadline);
    const forget = () => this.api.storagePoolUndefine({ pool }, deadline.left).then(() => undefined);
    for (;;) {
      if (await this.#isActive(pool, deadline)) await except(['noStoragePool', 'operationInvalid'], stop, () => {});
      const refusal = await except<LibvirtError | undefined>(['noStoragePool', 'operationInvalid'], forget, (refused) => refused);
      if (refusal === undefined || refusal.is('noStoragePool')) return;
      // Somebody who asked for something may have woken it.
      if (!this.#form.isWoken || !STILL_ACTIVE.test(refusal.message)) throw refusal;
      await deadline.pause(BUSY_RETRY_MS, refusal.message);
    }
  }

  async ref(deadline: Deadline): Promise<StoragePool> {
    this.#ref ??= await this.#find(deadline);
    if (this.#ref === undefined) throw new DriverError('unavailable', `the host knows no pool ${this.name} yet`);
    return this.#ref;
  }

  /** Libvirt knows how full a folder is only from its last look at it. It does not look while a volume is being written; then the last look has to do. */
  async info(deadline: Deadline): Promise<{ readonly capacityBytes: number; readonly availableBytes: number }> {
    await this.refresh(deadline);
    return this.api.storagePoolGetInfo({ pool: await this.ref(deadline) }, deadline.left);
  }

  /** Undefined only when the host says that there is none. */
  async find(name: string, deadline: Deadline): Promise<StorageVolume | undefined> {
    const pool = await this.ref(deadline);
    return except<StorageVolume | undefined>(
      ['noStorageVolume'],
      () => this.#awake(() => this.api.storageVolLookupByName({ pool, name }, deadline.left), deadline),
      () => undefined,
    );
  }

  /** A file of the pool by its path. */
  async findPath(path: string, deadline: Deadline): Promise<StorageVolume> {
    const volume = (await this.list(deadline)).find(({ key }) => key === path);
    if (volume === undefined) throw new DriverError('not_found', `the pool has no file ${path}`);
    return volume;
  }

  async list(deadline: Deadline): Promise<readonly StorageVolume[]> {
    const pool = await this.ref(deadline);
    return this.#awake(() => this.api.storagePoolListAllVolumes({ pool }, deadline.left), deadline);
  }

  /** True when the volume was made, false when one of that name was there. */
  async create(request: NewVolume & { readonly withTables?: boolean }, deadline: Deadline): Promise<boolean> {
    const pool = await this.ref(deadline);
    const flags = request.withTables === true ? VolumeCreateFlag.preallocateMetadata : 0;
    for (;;) {
      const made = await except<boolean | undefined>(
        ['storageVolumeExists', 'internalError'],
        async () => {
          await this.api.storageVolCreateXml({ pool, xml: volumeXml(request), flags }, deadline.left);
          return true;
        },
        (refusal) => {
          if (refusal.is('storageVolumeExists')) return false;
          if (!MISMEASURED.test(refusal.message)) throw refusal;
          return undefined;
        },
      );
      if (made !== undefined) return made;
      await deadline.pause(BUSY_RETRY_MS, `${request.name} to be made`);
    }
  }

  /** As `create`, of a form that only its caller knows. */
  make(xml: string, deadline: Deadline): Promise<boolean> {
    const make = async () => {
      const pool = await this.ref(deadline);
      await this.#awake(() => this.api.storageVolCreateXml({ pool, xml }, deadline.left), deadline);
      return true;
    };
    return except(['storageVolumeExists'], make, () => false);
  }

  /** Deleting what is absent succeeds. */
  async delete(name: string, deadline: Deadline): Promise<void> {
    const volume = await this.find(name, deadline);
    if (volume === undefined) return;
    const remove = () => this.#whenIdle(() => this.api.storageVolDelete({ volume }, deadline.left), deadline);
    await except(['noStorageVolume'], remove, () => {});
  }

  async resize(volume: StorageVolume, sizeBytes: number, deadline: Deadline): Promise<void> {
    await this.#whenIdle(() => this.api.storageVolResize({ volume, capacityBytes: sizeBytes }, deadline.left), deadline);
  }

  /** Undefined when the file is gone. Libvirt shows volumes that it is still making, without a file or with a header half written: those are waited for. */
  async view(volume: StorageVolume, deadline: Deadline): Promise<VolumeView | undefined> {
    for (let looks = 1; ; looks += 1) {
      const view = await this.glance(volume, deadline);
      if (view !== undefined && (!view.unfinished || looks >= UNFINISHED_LOOKS_MAX)) return view;
      if (view === undefined && (await this.find(volume.name, deadline)) === undefined) return undefined;
      // If there is no file because it was taken away behind libvirt's back, a refresh tells libvirt.
      if (view === undefined) await this.refresh(deadline);
      await deadline.pause(BUSY_RETRY_MS, `${volume.name} to be made`);
    }
  }

  /** One look, at what is made already. Undefined when the file is gone, or not there yet. */
  glance(volume: StorageVolume, deadline: Deadline): Promise<VolumeView | undefined> {
    const look = async () => viewVolume(await this.api.storageVolGetXmlDesc({ volume }, deadline.left));
    return except<VolumeView | undefined>(['noStorageVolume'], look, () => undefined);
  }

  /** Length of the volume's file. */
  async fileBytes(volume: StorageVolume, deadline: Deadline): Promise<number> {
    const look = () => this.api.storageVolGetInfoFlags({ volume, flags: VolumeInfoFlag.physical }, deadline.left);
    return (await this.#whenIdle(look, deadline)).allocationBytes;
  }

  /** Gives the bytes written. Fails when the deadline passes, whatever the source does. They are in the host's page cache: no call of libvirt syncs a file. */
  async write(volume: StorageVolume, request: VolumeContent, deadline: Deadline): Promise<number> {
    const { offsetBytes = 0, lengthBytes, onProgress } = request;
    const seen: { last?: Piece } = {};
    const upload = () => {
      const { signal, leftMs } = deadline;
      delete seen.last;
      const source = watched(request.source(), offsetBytes, (piece) => {
        if (seen.last === undefined || hasData(piece.bytes)) seen.last = piece;
      });
      return this.#link.host.uploadVolume({ volume, offsetBytes, lengthBytes, source, onProgress }, { signal, timeoutMs: leftMs });
    };
    // The upload cannot be trusted to end by itself: its source may be stuck.
    const written = await deadline.bound(this.#whenIdle(upload, deadline), `writing ${volume.name}`);
    if (written === lengthBytes && seen.last !== undefined) await this.#refuseLost(volume, seen.last, deadline);
    return written;
  }

  /** Has the host write zeroes over a part of a volume that is a block device. */
  async zeroPart(volume: StorageVolume, offsetBytes: number, lengthBytes: number, deadline: Deadline): Promise<void> {
    const zero = () => {
      const { signal, leftMs } = deadline;
      return this.#link.host.zeroVolume({ volume, offsetBytes, lengthBytes }, { signal, timeoutMs: leftMs });
    };
    await deadline.bound(this.#whenIdle(zero, deadline), `clearing ${volume.name}`);
  }

  /** Writes a part of the volume's file, as `write` does. */
  async writePart(volume: StorageVolume, offsetBytes: number, bytes: Uint8Array, deadline: Deadline): Promise<void> {
    await this.write(volume, { offsetBytes, lengthBytes: bytes.length, source: () => only(bytes), onProgress: () => {} }, deadline);
  }

  /**
   * Libvirt writes behind what it takes, drops the rest when a write fails, for want of room say, and answers with success where nothing is sent after that. So
   * the last that had data is read back. @throws DriverError unavailable
   */
  async #refuseLost(volume: StorageVolume, { offsetBytes, bytes }: Piece, deadline: Deadline): Promise<void> {
    if (bytes.length === 0 || (await this.readPart(volume, offsetBytes, bytes.length, deadline)).equals(bytes)) return;
    throw new DriverError('unavailable', `what was written to ${volume.name} is not there; its host may have no room`);
  }

  /** A part of the volume's file; past its end there are zeroes. */
  async readPart(volume: StorageVolume, offsetBytes: number, lengthBytes: number, deadline: Deadline): Promise<Buffer> {
    const download = async () => {
      const { signal, leftMs } = deadline;
      const pieces: Buffer[] = [];
      const stream = await this.#link.host.downloadVolume({ volume, offsetBytes, lengthBytes }, { signal, timeoutMs: leftMs });
      for await (const piece of stream) pieces.push(piece as Buffer);
      return Buffer.concat(pieces);
    };
    const found = await deadline.bound(this.#whenIdle(download, deadline), `reading ${volume.name}`);
    if (found.length === lengthBytes) return found;
    const bytes = Buffer.alloc(lengthBytes);
    found.copy(bytes);
    return bytes;
  }

  async #whenIdle<T>(act: () => Promise<T>, deadline: Deadline): Promise<T> {
    for (;;) {
      const tried = await except<{ readonly value: T } | undefined>(
        ['operationInvalid', 'resourceBusy'],
        async () => ({ value: await act() }),
        async (refusal) => {
          if (!/still being allocated|in use/.test(refusal.message)) throw refusal;
          await deadline.pause(BUSY_RETRY_MS, refusal.message);
          return undefined;
        },
      );
      if (tried !== undefined) return tried.value;
    }
  }

  /** Libvirt refuses while a volume is being made or written. */
  async refresh(deadline: Deadline): Promise<void> {
    const pool = await this.ref(deadline);
    await except(
      ['operationInvalid', 'internalError'],
      () => this.#awake(() => this.api.storagePoolRefresh({ pool }, deadline.left), deadline),
      (refusal) => {
        // Of one that is stopped nothing is known, and libvirt would tell 0 bytes.
        if (NOT_ACTIVE.test(refusal.message)) throw refusal;
      },
    );
  }

  /** Starts the pool where `act` is refused because it is stopped, and does it again. */
  async #awake<T>(act: () => Promise<T>, deadline: Deadline): Promise<T> {
    return except(['operationInvalid'], act, async (refusal) => {
      if (!this.#form.isWoken || !NOT_ACTIVE.test(refusal.message)) throw refusal;
      const pool = await this.ref(deadline);
      // Another call may have been faster, and where it cannot be started the first refusal says what is wrong.
      const start = () => this.api.storagePoolCreate({ pool }, deadline.left);
      await except(['operationInvalid', 'internalError', 'noStoragePool'], start, () => {});
      return act();
    });
  }

  #isActive(pool: StoragePool, deadline: Deadline): Promise<boolean> {
    return except(
      ['noStoragePool'],
      () => this.api.storagePoolIsActive({ pool }, deadline.left),
      () => false,
    );
  }

  #find(deadline: Deadline): Promise<StoragePool | undefined> {
    return except<StoragePool | undefined>(
      ['noStoragePool'],
      () => this.api.storagePoolLookupByName({ name: this.name }, deadline.left),
      () => undefined,
    );
  }

  async #define(deadline: Deadline): Promise<StoragePool> {
    try {
      return await this.api.storagePoolDefineXml({ xml: this.#form.xmlOf(this.name, this.#place) }, deadline.left);
    } catch (error) {
      // Another driver object may have defined it at the same moment, under a UUID of its own.
      const pool = await this.#find(deadline);
      if (pool === undefined) throw error;
      return pool;
    }
  }
}

/** The first of them that is there. */
export async function findOneOf(
  pool: Pick<DirPool, 'find'>,
  names: readonly string[],
  deadline: Deadline,
): Promise<StorageVolume | undefined> {
  for (const name of names) {
    const found = await pool.find(name, deadline);
    if (found !== undefined) return found;
  }
  return undefined;
}

export function explained(error: unknown, refusals: readonly Refusal[] = FOLDER.refusals): unknown {
  const refusal = error instanceof LibvirtError ? refusals.find(({ pattern }) => pattern.test(error.message)) : undefined;
  return refusal === undefined
    ? error
    : new DriverError(refusal.fault, 'the place of the pool cannot be had', { told: refusal.told, cause: error });
}

/** What was sent at once, and where to in the file. */
interface Piece {
  readonly offsetBytes: number;
  readonly bytes: Uint8Array;
}

async function* watched(source: AsyncIterable<Uint8Array>, fromBytes: number, onPiece: (piece: Piece) => void): AsyncGenerator<Uint8Array> {
  let offsetBytes = fromBytes;
  for await (const bytes of source) {
    onPiece({ offsetBytes, bytes });
    yield bytes;
    offsetBytes += bytes.length;
  }
}

const hasData = (bytes: Uint8Array): boolean => bytes.some((byte) => byte !== 0);

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
