import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContentFacts, ImageStore, Part, PartName } from '../cloud/storage/image-store.ts';
import { bytesText, CloudError } from '../kernel/index.ts';
import type { Content } from '../strategy/index.ts';

/** Of a try that nobody goes on with. Followed by its number. */
const DRAFT = '.part';
const DRAFT_NAME = /\.part\d+$/;
/** Followed by the digest that the whole has to have. */
const PART = '.part-';
const PART_NAME = /^([^.]+)\.part-([0-9a-f]{64})$/;
const READ_BYTES = 256 * 1024;

/** Keeps each content as a file of a directory. Drafts that an earlier process left are removed; parts of uploads stay. */
export async function directoryImageStore(directory: string): Promise<ImageStore> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) if (DRAFT_NAME.test(name)) await rm(join(directory, name), { force: true });
  return new DirectoryImageStore(directory);
}

/** How far the digest of a part is. */
interface Measured {
  readonly sizeBytes: number;
  readonly digest: Hash;
}

class DirectoryImageStore implements ImageStore {
  readonly #directory: string;
  /** Of parts that broke off in the life of this process, by path: they are not read again to be gone on with. */
  readonly #measured = new Map<string, Measured>();
  #drafts = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async write(id: string, bytes: AsyncIterable<Uint8Array>, limitBytes: number): Promise<ContentFacts> {
    this.#drafts += 1;
    // A try that was given up on may still be writing: each has a draft of its own.
    const draft = `${this.#path(id)}${DRAFT}${this.#drafts}`;
    const file = await open(draft, 'wx', 0o600);
    try {
      const copy = new Copy(file, limitBytes);
      await copy.take(bytes);
      await this.#keep(file, draft, id);
      return copy.facts;
    } catch (error) {
      await rm(draft, { force: true });
      throw noRoomOr(error);
    } finally {
      await file.close();
    }
  }

  async append(
    { id, sha256, fromBytes }: PartName & { readonly fromBytes: number },
    bytes: AsyncIterable<Uint8Array>,
    limitBytes: number,
    assertWanted?: () => void,
  ): Promise<ContentFacts> {
    const path = this.#partPath({ id, sha256 });
    const begun = await this.#begun(path, fromBytes, assertWanted);
    for (const part of await this.parts()) if (part.id === id && part.sha256 !== sha256) await this.deletePart(part);
    const file = await open(path, 'a', 0o600);
    const copy = new Copy(file, limitBytes, begun);
    try {
      await file.truncate(fromBytes);
      await copy.take(bytes);
      if (copy.facts.sha256 !== sha256) throw anotherDigest(sha256, copy.facts.sha256);
      await this.#keep(file, path, id);
      return copy.facts;
    } catch (error) {
      if (copy.isBrokenOff && copy.measured.sizeBytes > 0) this.#measured.set(path, copy.measured);
      else await rm(path, { force: true });
      throw noRoomOr(error);
    } finally {
      await file.close();
    }
  }

  async part(name: PartName): Promise<Part | undefined> {
    try {
      const { size, mtimeMs } = await stat(this.#partPath(name));
      return size === 0 ? undefined : { id: name.id, sha256: name.sha256, sizeBytes: size, changedAtMs: mtimeMs };
    } catch (cause) {
      if (isAbsence(cause)) return undefined;
      throw cause;
    }
  }

  async parts(): Promise<readonly Part[]> {
    const found: Part[] = [];
    for (const name of await readdir(this.#directory)) {
      const [, id, sha256] = PART_NAME.exec(name) ?? [];
      if (id === undefined || sha256 === undefined) continue;
      const { size, mtimeMs } = await stat(join(this.#directory, name)).catch((cause: unknown) => {
        if (isAbsence(cause)) return { size: undefined, mtimeMs: 0 };
        throw cause;
      });
      if (size !== undefined) found.push({ id, sha256, sizeBytes: size, changedAtMs: mtimeMs });
    }
    return found;
  }

  async deletePart(name: PartName): Promise<void> {
    const path = this.#partPath(name);
    this.#measured.delete(path);
    await rm(path, { force: true });
  }

  async open(id: string, sha256?: string): Promise<Content> {
    const file = await this.#file(id);
    const { size } = await file.stat().finally(() => file.close());
    return {
      sizeBytes: size,
      path: this.#path(id),
      open: () => (sha256 === undefined ? this.#read(id, 0) : checked(id, this.#read(id, 0), sha256)),
      openAt: (offsetBytes) => this.#read(id, offsetBytes),
    };
  }

  async head(id: string, sizeBytes: number): Promise<Uint8Array> {
    const file = await this.#file(id);
    try {
      const { bytesRead, buffer } = await file.read(new Uint8Array(sizeBytes), 0, sizeBytes, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  }

  async delete(id: string): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      if (idOf(name) !== id) continue;
      this.#measured.delete(join(this.#directory, name));
      await rm(join(this.#directory, name), { force: true });
    }
    await this.#syncDirectory();
  }

  async list(): Promise<readonly string[]> {
    return [...new Set((await readdir(this.#directory)).map(idOf))];
  }

  /** The digest of the first bytes of a part: as far as it was reckoned, or read again. @throws CloudError conflict when there are not so many */
  async #begun(path: string, fromBytes: number, assertWanted?: () => void): Promise<Measured> {
    const known = this.#measured.get(path);
    this.#measured.delete(path);
    if (known?.sizeBytes === fromBytes) return known;
    const digest = createHash('sha256');
    let sizeBytes = 0;
    try {
      if (fromBytes > 0)
        for await (const chunk of createReadStream(path, { end: fromBytes - 1, highWaterMark: READ_BYTES })) {
          assertWanted?.();
          digest.update(chunk as Buffer);
          sizeBytes += (chunk as Buffer).length;
        }
    } catch (cause) {
      if (!isAbsence(cause)) throw cause;
    }
    if (sizeBytes < fromBytes)
      throw new CloudError('conflict', `Only ${bytesText(sizeBytes)} of this content are here.`, { params: { receivedBytes: sizeBytes } });
    return { sizeBytes, digest };
  }

  async #keep(file: FileHandle, path: string, id: string): Promise<void> {
    await file.sync();
    await rename(path, this.#path(id));
    await this.#syncDirectory();
  }

  async *#read(id: string, start: number): AsyncGenerator<Uint8Array> {
    // The stream closes the file, also when nobody reads it to its end.
    yield* (await this.#file(id)).createReadStream({ start, highWaterMark: READ_BYTES }) as AsyncIterable<Uint8Array>;
  }

  async #file(id: string): Promise<FileHandle> {
    try {
      return await open(this.#path(id), 'r');
    } catch (cause) {
      if (!isAbsence(cause)) throw cause;
      throw new CloudError('not_found', `The content of image ${id} is not there.`, { cause });
    }
  }

  /** Ids are minted by us and hold no slash. */
  #path(id: string): string {
    return join(this.#directory, id);
  }

  #partPath({ id, sha256 }: PartName): string {
    return `${this.#path(id)}${PART}${sha256}`;
  }

  async #syncDirectory(): Promise<void> {
    const directory = await open(this.#directory, 'r');
    await directory.sync().finally(() => directory.close());
  }
}

/** Ids hold no dot. */
const idOf = (name: string): string => name.split('.', 1)[0] ?? name;

const isAbsence = (cause: unknown): boolean => (cause as NodeJS.ErrnoException).code === 'ENOENT';

/** Said as what it is: whoever uploads can do nothing about it, and whoever runs the server reads it in the reason of the image, too. */
function noRoomOr(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new CloudError('no_capacity', 'The disk on which the server keeps images is full.', { cause: error });
}

const anotherDigest = (expected: string, found: string): CloudError =>
  new CloudError('invalid_input', 'The content does not have the digest of Repr-Digest.', { params: { expected, found } });

/** What a disk has made of it is not passed on as what was uploaded. */
async function* checked(id: string, bytes: AsyncIterable<Uint8Array>, expected: string): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256');
  for await (const chunk of bytes) {
    digest.update(chunk);
    yield chunk;
  }
  const found = digest.digest('hex');
  if (found !== expected)
    throw new CloudError('internal', `The content of image ${id} is damaged: it does not have its digest any more.`, {
      params: { expected, found },
    });
}

/** Bytes on their way into a file, behind those that are there. */
class Copy {
  readonly #file: FileHandle;
  readonly #limitBytes: number;
  readonly #digest: Hash;
  #sizeBytes: number;
  #isReading = false;

  constructor(file: FileHandle, limitBytes: number, { sizeBytes, digest }: Measured = { sizeBytes: 0, digest: createHash('sha256') }) {
    this.#file = file;
    this.#limitBytes = limitBytes;
    this.#sizeBytes = sizeBytes;
    this.#digest = digest;
  }

  /** Whether it ended because the source failed. Then all that has come is in the file. */
  get isBrokenOff(): boolean {
    return this.#isReading;
  }

  get measured(): Measured {
    return { sizeBytes: this.#sizeBytes, digest: this.#digest };
  }

  get facts(): ContentFacts {
    return { sizeBytes: this.#sizeBytes, sha256: this.#digest.copy().digest('hex') };
  }

  /** @throws CloudError too_large, and what the source throws */
  async take(bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const limitBytes = this.#limitBytes;
    this.#isReading = true;
    for await (const chunk of bytes) {
      this.#isReading = false;
      if (this.#sizeBytes + chunk.length > limitBytes)
        throw new CloudError('too_large', `The image is larger than ${bytesText(limitBytes)}.`, { params: { limitBytes } });
      this.#digest.update(chunk);
      await this.#file.writeFile(chunk);
      this.#sizeBytes += chunk.length;
      this.#isReading = true;
    }
    this.#isReading = false;
  }
}
