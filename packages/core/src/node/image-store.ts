import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageStore } from '../cloud/storage/image-store.ts';
import { bytesText, CloudError } from '../kernel/index.ts';

const DRAFT = '.part';

/** Keeps each content as a file of a directory. Drafts that an earlier process left are removed. */
export async function directoryImageStore(directory: string): Promise<ImageStore> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) if (name.includes(DRAFT)) await rm(join(directory, name), { force: true });
  return new DirectoryImageStore(directory);
}

class DirectoryImageStore implements ImageStore {
  readonly #directory: string;
  #drafts = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async write(
    id: string,
    bytes: AsyncIterable<Uint8Array>,
    limitBytes: number,
  ): Promise<{ readonly sizeBytes: number; readonly sha256: string }> {
    this.#drafts += 1;
    // A try that was given up on may still be writing: each has a draft of its own.
    const draft = `${this.#path(id)}${DRAFT}${this.#drafts}`;
    const file = await open(draft, 'wx', 0o600);
    try {
      const facts = await copyInto(file, bytes, limitBytes);
      await file.sync();
      await rename(draft, this.#path(id));
      await this.#syncDirectory();
      return facts;
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    } finally {
      await file.close();
    }
  }

  async open(id: string): Promise<{ readonly sizeBytes: number; open(): AsyncIterable<Uint8Array> }> {
    const file = await this.#file(id);
    const { size } = await file.stat().finally(() => file.close());
    return { sizeBytes: size, open: () => this.#read(id) };
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
    for (const name of await readdir(this.#directory)) if (idOf(name) === id) await rm(join(this.#directory, name), { force: true });
    await this.#syncDirectory();
  }

  async list(): Promise<readonly string[]> {
    return [...new Set((await readdir(this.#directory)).map(idOf))];
  }

  async *#read(id: string): AsyncGenerator<Uint8Array> {
    // The stream closes the file, also when nobody reads it to its end.
    yield* (await this.#file(id)).createReadStream({ highWaterMark: 256 * 1024 }) as AsyncIterable<Uint8Array>;
  }

  async #file(id: string): Promise<FileHandle> {
    try {
      return await open(this.#path(id), 'r');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      throw new CloudError('not_found', `The content of image ${id} is not there.`, { cause });
    }
  }

  /** Ids are minted by us and hold no slash. */
  #path(id: string): string {
    return join(this.#directory, id);
  }

  async #syncDirectory(): Promise<void> {
    const directory = await open(this.#directory, 'r');
    await directory.sync().finally(() => directory.close());
  }
}

const idOf = (name: string): string => name.split(DRAFT, 1)[0] ?? name;

async function copyInto(file: FileHandle, bytes: AsyncIterable<Uint8Array>, limitBytes: number) {
  const digest = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of bytes) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes)
      throw new CloudError('too_large', `The image is larger than ${bytesText(limitBytes)}.`, { params: { limitBytes } });
    digest.update(chunk);
    await file.writeFile(chunk);
  }
  return { sizeBytes, sha256: digest.digest('hex') };
}
