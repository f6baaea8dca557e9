import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Json } from '@pileus/core/kernel';

interface Appended {
  readonly entry: Json;
  readonly durable: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A file that cannot be believed: neither what was promised by it nor what was not can be told. */
export class DamagedLog extends Error {
  constructor(path: string, line: number) {
    super(`${path} is damaged in line ${line}; put it right from a copy, or move it away to begin anew`);
    this.name = 'DamagedLog';
  }
}

/**
 * Entries that only grow, durable before they are answered. What is asked for at once is written as one line, under one checksum, and synced once. A process
 * that dies leaves at most its last line incomplete, of which nothing was promised: that one is dropped. Any other that does not fit its checksum is damage.
 */
export class LogFile {
  readonly #path: string;
  readonly #failed: (error: unknown) => void;
  #handle: FileHandle;
  #sizeBytes: number;
  #compactedBytes: number;
  #waiting: Appended[] = [];
  #snapshot: (() => readonly Json[]) | undefined;
  #working: Promise<void> | undefined;
  #broken: unknown;

  private constructor(path: string, failed: (error: unknown) => void, handle: FileHandle, sizeBytes: number) {
    this.#path = path;
    this.#failed = failed;
    this.#handle = handle;
    this.#sizeBytes = sizeBytes;
    this.#compactedBytes = sizeBytes;
  }

  /** Tells each entry there is, oldest first; later, once, that it can be written no more. @throws DamagedLog */
  static async open(path: string, told: (entry: Json) => void, failed: (error: unknown) => void): Promise<LogFile> {
    const content = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    const goodBytes = replay(path, content, told);
    const handle = await open(path, 'a', 0o600);
    if (goodBytes < content.length) await handle.truncate(goodBytes);
    await handle.sync();
    await syncDirectory(dirname(path));
    return new LogFile(path, failed, handle, goodBytes);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Its size when it was last made anew, or opened. */
  get compactedBytes(): number {
    return this.#compactedBytes;
  }

  /** Answers when it is durable; `durable` is called at that moment, in the order of entries, before anything else is written. */
  append(entry: Json, durable: () => void = () => undefined): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ entry, durable, resolve, reject });
    this.#working ??= this.#work();
    return promise;
  }

  /** Answers when all that was asked for so far is durable. */
  async settled(): Promise<void> {
    await this.#working;
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** Before the next entry, and soon: the file is made anew of what `snapshot` answers then. */
  compact(snapshot: () => readonly Json[]): void {
    if (this.#broken !== undefined) return;
    this.#snapshot = snapshot;
    this.#working ??= this.#work();
  }

  async close(): Promise<void> {
    await this.#working;
    await this.#handle.close();
  }

  async #work(): Promise<void> {
    // What comes in the same turn is written together.
    await null;
    try {
      while (this.#waiting.length > 0 || this.#snapshot !== undefined) await this.#write();
    } catch (error) {
      // Nobody knows how much of it is there: nothing may be promised on top of it.
      this.#broken = error;
      for (const { reject } of this.#waiting.splice(0)) reject(error);
      this.#failed(error);
    } finally {
      this.#working = undefined;
    }
  }

  async #write(): Promise<void> {
    const snapshot = this.#snapshot;
    this.#snapshot = undefined;
    if (snapshot !== undefined) await this.#replace(snapshot());
    const batch = this.#waiting.splice(0);
    if (batch.length === 0) return;
    try {
      const line = lineOf(batch.map(({ entry }) => entry));
      await this.#handle.appendFile(line);
      await this.#handle.datasync();
      this.#sizeBytes += line.length;
    } catch (error) {
      for (const { reject } of batch) reject(error);
      throw error;
    }
    for (const { durable } of batch) durable();
    for (const { resolve } of batch) resolve();
  }

  async #replace(entries: readonly Json[]): Promise<void> {
    const path = `${this.#path}.new`;
    await rm(path, { force: true });
    const handle = await open(path, 'a', 0o600);
    const line = lineOf(entries);
    await handle.appendFile(line);
    await handle.sync();
    await rename(path, this.#path);
    await syncDirectory(dirname(this.#path));
    await this.#handle.close();
    this.#handle = handle;
    this.#sizeBytes = line.length;
    this.#compactedBytes = line.length;
  }
}

const CRC_DIGITS = 8;
const crcOf = (text: Buffer): string => crc32(text).toString(16).padStart(CRC_DIGITS, '0');

function lineOf(entries: readonly Json[]): Buffer {
  const text = Buffer.from(JSON.stringify(entries));
  return Buffer.concat([Buffer.from(`${crcOf(text)} `), text, Buffer.from('\n')]);
}

/** How many bytes from the start are whole lines. */
function replay(path: string, content: Buffer, told: (entry: Json) => void): number {
  let start = 0;
  for (let line = 1; start < content.length; line += 1) {
    const end = content.indexOf(10, start);
    const text = content.subarray(start + CRC_DIGITS + 1, end === -1 ? content.length : end);
    const isWhole = end !== -1 && content.toString('latin1', start, start + CRC_DIGITS + 1) === `${crcOf(text)} `;
    const isLast = end === -1 || end === content.length - 1;
    if (!isWhole && isLast) return start;
    if (!isWhole) throw new DamagedLog(path, line);
    for (const entry of JSON.parse(text.toString()) as readonly Json[]) told(entry);
    start = end + 1;
  }
  return start;
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path);
  await handle.sync();
  await handle.close();
}
