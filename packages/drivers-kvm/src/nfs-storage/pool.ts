import { randomUUID } from 'node:crypto';
import type { DiskFormat, StoredKind } from '@pileus/core/strategy';
import type { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import {
  type DirectoryEntry,
  type ExportPlace,
  type FileAttributes,
  type Handle,
  NfsError,
  NfsExport,
  type NfsStatus,
} from '../nfs/index.ts';
import { fileName, MARK_NAME, PARTS_NAME, type PoolFile, partName, partPrefix, readName } from './names.ts';

/** Handles, offsets and bytes are of the file's own content, whatever disk is in it. */
export interface StoredFile extends PoolFile {
  readonly name: string;
  readonly handle: Handle;
}

/** Under a name that is none of ours. */
export interface OthersFile {
  readonly name: string;
  readonly handle: Handle;
  readonly attributes: FileAttributes;
}

const FORMATS: readonly DiskFormat[] = ['qcow2', 'raw'];
/** Calls at a time, where there are many to make. */
const WIDTH = 8;
/** Of those who began it nobody goes on after that, however wrong the clocks are. */
const PART_AGE_MS_MAX = 2 * 24 * 3600 * 1000;
/** To tidy up when the time of a call is over. */
const TIDY = { timeoutMs: 5_000 } as const;

/**
 * The files of a pool. "It is not there" is said only of an export that has the pool's mark: where the disk is not mounted on the server, or another folder is
 * exported, everything seems to be gone.
 */
export class NfsPool {
  readonly place: ExportPlace;
  readonly #export: NfsExport;

  constructor(place: ExportPlace) {
    this.place = place;
    this.#export = new NfsExport(place);
  }

  async ensure(deadline: Deadline): Promise<void> {
    const root = await this.#export.root(deadline.left);
    await this.#refuseUnmarked(deadline);
    if (!(await this.#export.mayChange(root, deadline.left)))
      throw new DriverError('unavailable', `${this.#words}: it is exported read-only, or its folder is not ours to change`);
    const parts = await this.#export.lookup(root, PARTS_NAME, deadline.left);
    if (parts === undefined) await unless('exist', () => this.#export.makeFolder(root, PARTS_NAME, deadline.left));
    else await this.#sweep(parts, deadline);
  }

  space(deadline: Deadline) {
    return this.#export.space(deadline.left);
  }

  /** Undefined only when it is certainly not there. */
  async find(kind: StoredKind, id: string, deadline: Deadline): Promise<StoredFile | undefined> {
    const root = await this.#export.root(deadline.left);
    const looks = FORMATS.map(async (format) => {
      const name = fileName({ kind, id, format });
      const handle = await this.#export.lookup(root, name, deadline.left);
      return handle && { kind, id, format, name, handle };
    });
    const found = (await Promise.all(looks)).find((each) => each !== undefined);
    if (found === undefined) await this.#refuseUnmarked(deadline);
    return found;
  }

  /** @throws DriverError not_found */
  async need(kind: StoredKind, id: string, deadline: Deadline): Promise<StoredFile> {
    const found = await this.find(kind, id, deadline);
    if (found === undefined) throw new DriverError('not_found', `the pool has no ${kind} ${id}`);
    return found;
  }

  /** Everything of ours. */
  async list(deadline: Deadline): Promise<readonly (StoredFile & { readonly sizeBytes: number })[]> {
    const root = await this.#export.root(deadline.left);
    const files: (PoolFile & DirectoryEntry)[] = [];
    let isMarked = false;
    for await (const entry of this.#export.list(root, () => deadline.left)) {
      isMarked ||= entry.name === MARK_NAME;
      const file = readName(entry.name);
      if (file !== undefined) files.push({ ...entry, ...file });
    }
    if (!isMarked) throw this.#unmarked();
    const known = await inTurns(files, async (file) => {
      const handle = file.handle ?? (await this.#export.lookup(root, file.name, deadline.left));
      if (handle === undefined) return [];
      const sizeBytes = (file.attributes ?? (await this.attributes({ handle }, deadline))).sizeBytes;
      return [{ kind: file.kind, id: file.id, format: file.format, name: file.name, handle, sizeBytes }];
    });
    return known.flat();
  }

  /** What others have put there: of its folders and special names, none. */
  async others(deadline: Deadline): Promise<readonly OthersFile[]> {
    const root = await this.#export.root(deadline.left);
    const names: DirectoryEntry[] = [];
    let isMarked = false;
    for await (const entry of this.#export.list(root, () => deadline.left)) {
      isMarked ||= entry.name === MARK_NAME;
      if (entry.name !== MARK_NAME && entry.name !== PARTS_NAME && readName(entry.name) === undefined) names.push(entry);
    }
    if (!isMarked) throw this.#unmarked();
    const found = await inTurns(names, async ({ name, handle, attributes }) =>
      handle === undefined || attributes === undefined ? this.other(name, deadline) : { name, handle, attributes },
    );
    return found.flatMap((file) => (file?.attributes.isFile === true ? [file] : []));
  }

  /** Undefined only when it is certainly not there, or is none of others. */
  async other(name: string, deadline: Deadline): Promise<OthersFile | undefined> {
    if (name === MARK_NAME || name === PARTS_NAME || readName(name) !== undefined) return undefined;
    const root = await this.#export.root(deadline.left);
    const handle = await this.#export.lookup(root, name, deadline.left);
    if (handle !== undefined) return { name, handle, attributes: await this.attributes({ handle }, deadline) };
    await this.#refuseUnmarked(deadline);
    return undefined;
  }

  mayWrite({ handle }: Pick<StoredFile, 'handle'>, deadline: Deadline): Promise<boolean> {
    return this.#export.mayWrite(handle, deadline.left);
  }

  /** Gives a file of others its name here, in one instant. What has that name already is replaced. */
  async take(name: string, file: PoolFile, deadline: Deadline): Promise<void> {
    const root = await this.#export.root(deadline.left);
    await unless('noent', () => this.#export.rename(root, name, root, fileName(file), deadline.left));
  }

  /** Gives it back the name that it had; what has that name meanwhile stays. @throws DriverError conflict */
  async giveBack(file: StoredFile, name: string, deadline: Deadline): Promise<void> {
    const root = await this.#export.root(deadline.left);
    const linked = await unless('exist', async () => {
      await this.#export.link(file.handle, root, name, deadline.left);
      return true;
    });
    if (linked !== true) {
      const [ours, other] = [await this.attributes(file, deadline), await this.other(name, deadline)];
      if (other?.attributes.fileId !== ours.fileId)
        throw new DriverError('conflict', `${name} is there, and another file`, { told: `Something else is called ${name} meanwhile.` });
    }
    await this.#remove(root, file.name, deadline);
  }

  attributes({ handle }: Pick<StoredFile, 'handle'>, deadline: Deadline): Promise<FileAttributes> {
    return this.#export.attributes(handle, deadline.left);
  }

  /** Past the end of the file there are zeroes. */
  async read({ handle }: Pick<StoredFile, 'handle'>, offsetBytes: number, lengthBytes: number, deadline: Deadline): Promise<Buffer> {
    const bytes = Buffer.alloc(lengthBytes);
    const pieceBytes = await this.#export.pieceBytes(deadline.left);
    await inTurns(pieces(lengthBytes, pieceBytes), async ({ atBytes, endBytes }) => {
      for (let at = atBytes; at < endBytes; ) {
        const piece = await this.#export.read(handle, offsetBytes + at, endBytes - at, deadline.left);
        if (piece.length === 0) break;
        at += piece.copy(bytes, at);
      }
    });
    return bytes;
  }

  /** They are on the server's disk when it answers. */
  async write(
    { handle }: Pick<StoredFile, 'handle'>,
    parts: readonly { offsetBytes: number; bytes: Uint8Array }[],
    deadline: Deadline,
  ): Promise<void> {
    const verifiers = new Set<string>();
    for (const part of parts) for (const each of await this.#send(handle, part, deadline)) verifiers.add(each);
    await this.#commit(handle, verifiers, deadline);
  }

  async #send(
    handle: Handle,
    { offsetBytes, bytes }: { offsetBytes: number; bytes: Uint8Array },
    deadline: Deadline,
  ): Promise<readonly string[]> {
    const pieceBytes = await this.#export.pieceBytes(deadline.left);
    return inTurns(pieces(bytes.length, pieceBytes), ({ atBytes, endBytes }) =>
      this.#export.write(handle, offsetBytes + atBytes, bytes.subarray(atBytes, endBytes), deadline.left),
    );
  }

  async #commit(handle: Handle, verifiers: Set<string>, deadline: Deadline): Promise<void> {
    verifiers.add(await this.#export.commit(handle, deadline.left));
    if (verifiers.size > 1)
      throw new DriverError('unavailable', `${this.#words}: the server began anew while it was written to, and has lost some of it`);
  }

  /** `conflict` when the file changed meanwhile. */
  async resize(
    { handle }: Pick<StoredFile, 'handle'>,
    sizeBytes: number,
    { changedAt }: FileAttributes,
    deadline: Deadline,
  ): Promise<void> {
    await this.#export.resize(handle, sizeBytes, changedAt, deadline.left);
  }

  /**
   * Makes a file whole, out of sight, and then gives it its name. False when one of that name was there, which stays. With `replaces` it goes, at the same instant.
   */
  async put(
    file: PoolFile,
    fill: (part: NewPart) => Promise<void>,
    deadline: Deadline,
    { replaces = false }: { readonly replaces?: boolean } = {},
  ): Promise<boolean> {
    const root = await this.#export.root(deadline.left);
    const parts = await this.#parts(root, deadline);
    const name = partName(file.kind, file.id, randomUUID());
    const handle = await this.#export.create(parts, name, deadline.left);
    let isThere = true;
    try {
      await fill(this.#newPart(handle, deadline));
      if (replaces) {
        await this.#export.rename(parts, name, root, fileName(file), deadline.left);
        isThere = false;
        return true;
      }
      return (
        (await unless('exist', async () => {
          await this.#export.link(handle, root, fileName(file), deadline.left);
          return true;
        })) === true
      );
    } finally {
      if (isThere) await this.#tidy(parts, name);
    }
  }

  #newPart(handle: Handle, deadline: Deadline): NewPart {
    const verifiers = new Set<string>();
    return {
      resize: async (sizeBytes) => this.resize({ handle }, sizeBytes, await this.attributes({ handle }, deadline), deadline),
      write: async (part) => {
        for (const each of await this.#send(handle, part, deadline)) verifiers.add(each);
      },
      commit: () => this.#commit(handle, verifiers, deadline),
    };
  }

  /** Deleting what is absent succeeds. What attempts to make it have left goes, too. */
  async delete(kind: StoredKind, id: string, deadline: Deadline): Promise<void> {
    const root = await this.#export.root(deadline.left);
    await this.#refuseUnmarked(deadline);
    for (const format of FORMATS) await this.#remove(root, fileName({ kind, id, format }), deadline);
    const parts = await this.#export.lookup(root, PARTS_NAME, deadline.left);
    if (parts === undefined) return;
    for await (const { name } of this.#export.list(parts, () => deadline.left))
      if (name.startsWith(partPrefix(kind, id))) await this.#remove(parts, name, deadline);
  }

  close(): void {
    this.#export.close();
  }

  async #parts(root: Handle, deadline: Deadline): Promise<Handle> {
    const parts = await this.#export.lookup(root, PARTS_NAME, deadline.left);
    if (parts !== undefined) return parts;
    await this.#refuseUnmarked(deadline);
    throw new DriverError('unavailable', `${this.#words}: the pool was not prepared`);
  }

  /** A server may say that the name is stale which another call removes at this moment: then it is looked at. */
  async #remove(folder: Handle, name: string, deadline: Deadline): Promise<void> {
    try {
      await unless('noent', () => this.#export.remove(folder, name, deadline.left));
    } catch (error) {
      const isStale = error instanceof NfsError && error.status === 'stale';
      if (!isStale || (await this.#export.lookup(folder, name, deadline.left)) !== undefined) throw error;
    }
  }

  /** What cannot be taken away now goes with the thing, or when it is old. */
  async #tidy(parts: Handle, name: string): Promise<void> {
    const bounds = { ...TIDY, signal: AbortSignal.timeout(TIDY.timeoutMs) };
    await this.#export.remove(parts, name, bounds).catch(() => {});
  }

  async #sweep(parts: Handle, deadline: Deadline): Promise<void> {
    for await (const { name, attributes } of this.#export.list(parts, () => deadline.left))
      if (attributes !== undefined && Date.now() - attributes.modifiedAt.seconds * 1000 > PART_AGE_MS_MAX)
        await this.#remove(parts, name, deadline);
  }

  async #refuseUnmarked(deadline: Deadline): Promise<void> {
    const root = await this.#export.root(deadline.left);
    if ((await this.#export.lookup(root, MARK_NAME, deadline.left)) === undefined) throw this.#unmarked();
  }

  #unmarked(): DriverError {
    return new DriverError('unavailable', `${this.#words} has no file ${MARK_NAME}: the disk behind it is not mounted, or it is no pool`);
  }

  get #words(): string {
    return `${this.place.server}:${this.place.path}`;
  }
}

/** A file that nobody sees yet. */
export interface NewPart {
  resize(sizeBytes: number): Promise<void>;
  write(part: { readonly offsetBytes: number; readonly bytes: Uint8Array }): Promise<void>;
  /** Until then the server may lose what was written. */
  commit(): Promise<void>;
}

/** Undefined where the server answers with that. */
async function unless<T>(status: NfsStatus, act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof NfsError && error.status === status) return undefined;
    throw error;
  }
}

function pieces(lengthBytes: number, pieceBytes: number): readonly { readonly atBytes: number; readonly endBytes: number }[] {
  return Array.from({ length: Math.ceil(lengthBytes / pieceBytes) }, (_, index) => ({
    atBytes: index * pieceBytes,
    endBytes: Math.min(lengthBytes, (index + 1) * pieceBytes),
  }));
}

/** What each gives, in their order, with some under way at a time. */
export async function inTurns<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  const next = all.entries();
  const work = async () => {
    for (const [index, one] of next) results[index] = await act(one);
  };
  await Promise.all(Array.from({ length: Math.min(WIDTH, all.length) }, work));
  return results;
}
