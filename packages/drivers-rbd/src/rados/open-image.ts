import type { Caller, CallOptions, ImageStat, OpenAt } from './calls.ts';
import { bytesOf } from './sizes.ts';

/** More in one read or write is refused: an answer is whole in memory at both ends. */
export const IO_BYTES_MAX = 32 * 1024 * 1024;

/** A stretch that differs. Without data it reads as zeroes now. */
export interface Extent {
  readonly offsetBytes: bigint;
  readonly lengthBytes: bigint;
  readonly hasData: boolean;
}

export interface DiffOptions extends CallOptions {
  /** What differs since then; without it, since the image was empty. */
  readonly sinceSnapshot?: string;
  readonly offsetBytes?: number | bigint;
  /** Default: to the end. */
  readonly lengthBytes?: number | bigint;
  /** Whole objects, from the object map alone: fast, and rarely more than what differs. Default true. */
  readonly wholeObjects?: boolean;
  /** What a clone reads from its parent differs, too. Default true. */
  readonly includeParent?: boolean;
}

/** Extents that one call of librbd tells at most: this much of an image in a call keeps calls short and answers small. */
const DIFF_WINDOW_BYTES = 256n * 1024n ** 3n;

/** An image, or a snapshot, that stays open from one call to the next. After a lost connection it is opened again. */
export class OpenImage implements AsyncDisposable {
  readonly #call: Caller;
  readonly #at: OpenAt;
  #used = false;

  constructor(call: Caller, at: OpenAt) {
    this.#call = call;
    this.#at = at;
  }

  async stat(options?: CallOptions): Promise<ImageStat> {
    this.#used = true;
    return await this.#call('open.stat', this.#at, options);
  }

  /** At most 32 MiB. Past the end it is `EINVAL`. */
  async read(offsetBytes: number | bigint, lengthBytes: number, options?: CallOptions): Promise<Uint8Array> {
    this.#used = true;
    const args = { ...this.#at, offsetBytes: bytesOf('offsetBytes', offsetBytes), lengthBytes: limited('lengthBytes', lengthBytes) };
    return await this.#call('open.read', args, options);
  }

  /** At most 32 MiB; durable when it answers. */
  async write(offsetBytes: number | bigint, bytes: Uint8Array, options?: CallOptions): Promise<void> {
    this.#used = true;
    limited('bytes', bytes.length);
    await this.#call('open.write', { ...this.#at, offsetBytes: bytesOf('offsetBytes', offsetBytes), bytes }, options);
  }

  /** Gives the space back where it can; what is there reads as zeroes or as before: for certain zeroes use `zero`. */
  async discard(offsetBytes: number | bigint, lengthBytes: number | bigint, options?: CallOptions): Promise<void> {
    this.#used = true;
    await this.#call('open.discard', { ...this.#at, ...stretch(offsetBytes, lengthBytes) }, options);
  }

  /** Writes zeroes, without sending or keeping them where it can. */
  async zero(offsetBytes: number | bigint, lengthBytes: number | bigint, options?: CallOptions): Promise<void> {
    this.#used = true;
    await this.#call('open.zero', { ...this.#at, ...stretch(offsetBytes, lengthBytes) }, options);
  }

  async flush(options?: CallOptions): Promise<void> {
    this.#used = true;
    await this.#call('open.flush', this.#at, options);
  }

  /** What differs between an earlier snapshot (or nothing) and what is open: ascending, never overlapping, neighbours joined. */
  async *diff(options: DiffOptions = {}): AsyncGenerator<Extent, void, undefined> {
    const { sinceSnapshot, wholeObjects = true, includeParent = true } = options;
    let offsetBytes = bytesOf('offsetBytes', options.offsetBytes ?? 0);
    const endBytes =
      options.lengthBytes === undefined ? (await this.stat(options)).sizeBytes : offsetBytes + bytesOf('lengthBytes', options.lengthBytes);
    let last: Extent | undefined;
    while (offsetBytes < endBytes) {
      const lengthBytes = minimum(DIFF_WINDOW_BYTES, endBytes - offsetBytes);
      const since = sinceSnapshot === undefined ? {} : { sinceSnapshot };
      const answer = await this.#call(
        'open.diff',
        { ...this.#at, offsetBytes, lengthBytes, wholeObjects, includeParent, ...since },
        options,
      );
      for (const extent of readExtents(answer)) {
        if (last !== undefined && last.hasData === extent.hasData && last.offsetBytes + last.lengthBytes === extent.offsetBytes) {
          last = { ...last, lengthBytes: last.lengthBytes + extent.lengthBytes };
          continue;
        }
        if (last !== undefined) yield last;
        last = extent;
      }
      offsetBytes += lengthBytes;
    }
    if (last !== undefined) yield last;
  }

  async close(options?: CallOptions): Promise<void> {
    if (!this.#used) return;
    this.#used = false;
    await this.#call('open.close', { handle: this.#at.handle }, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function* readExtents(bytes: Uint8Array): Generator<Extent, void, undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength; at += 24)
    yield {
      offsetBytes: view.getBigUint64(at, true),
      lengthBytes: view.getBigUint64(at + 8, true),
      hasData: view.getBigUint64(at + 16, true) === 1n,
    };
}

const stretch = (offsetBytes: number | bigint, lengthBytes: number | bigint) => ({
  offsetBytes: bytesOf('offsetBytes', offsetBytes),
  lengthBytes: bytesOf('lengthBytes', lengthBytes),
});

const minimum = (a: bigint, b: bigint): bigint => (a < b ? a : b);

function limited(what: string, lengthBytes: number): number {
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 0 || lengthBytes > IO_BYTES_MAX)
    throw new RangeError(`${what}: ${lengthBytes} bytes in one call; at most ${IO_BYTES_MAX} are taken`);
  return lengthBytes;
}
