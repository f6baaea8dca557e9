import type { Args, OpenAt } from '../calls.ts';
import { check, EINVAL, NativeFailure } from './failures.ts';
import { statOf } from './images.ts';
import { type Pointer, rbd, withExtents } from './native.ts';
import { nameOf, openImage, type Session } from './session.ts';

const TRIPLE_BYTES = 24;

/** The images that stay open between calls, by the numbers that their owner gave them. */
export class OpenImages {
  readonly #session: Session;
  readonly #open = new Map<number, Promise<Pointer>>();

  constructor(session: Session) {
    this.#session = session;
  }

  async read({ offsetBytes, lengthBytes, ...at }: Args<'open.read'>): Promise<Uint8Array> {
    const bytes = Buffer.alloc(lengthBytes);
    const count = check(await rbd.rbd_read.later(await this.#get(at), offsetBytes, lengthBytes, bytes), nameOf(at));
    return bytes.subarray(0, count);
  }

  async write({ offsetBytes, bytes, ...at }: Args<'open.write'>): Promise<null> {
    const image = await this.#get(at);
    const size = Buffer.alloc(8);
    check(await rbd.rbd_get_size.later(image, size), nameOf(at));
    // librbd would write up to the end of the image, and say how much that was.
    if (offsetBytes + BigInt(bytes.length) > size.readBigUInt64LE()) throw new NativeFailure(EINVAL, `${nameOf(at)}: beyond its end`);
    check(await rbd.rbd_write.later(image, offsetBytes, bytes.length, bytes), nameOf(at));
    return null;
  }

  async discard({ offsetBytes, lengthBytes, ...at }: Args<'open.discard'>): Promise<null> {
    check(await rbd.rbd_discard.later(await this.#get(at), offsetBytes, lengthBytes), nameOf(at));
    return null;
  }

  async zero({ offsetBytes, lengthBytes, ...at }: Args<'open.zero'>): Promise<null> {
    check(await rbd.rbd_write_zeroes.later(await this.#get(at), offsetBytes, lengthBytes, 0, 0), nameOf(at));
    return null;
  }

  async flush(at: OpenAt): Promise<null> {
    check(await rbd.rbd_flush.later(await this.#get(at)), nameOf(at));
    return null;
  }

  async stat(at: OpenAt) {
    return await statOf(await this.#get(at), nameOf(at));
  }

  async diff({ sinceSnapshot, offsetBytes, lengthBytes, wholeObjects, includeParent, ...at }: Args<'open.diff'>): Promise<Uint8Array> {
    const image = await this.#get(at);
    const triples: Buffer[] = [];
    const tell = (offset: bigint, length: bigint, exists: boolean) => {
      const triple = Buffer.alloc(TRIPLE_BYTES);
      triple.writeBigUInt64LE(offset, 0);
      triple.writeBigUInt64LE(length, 8);
      triple.writeBigUInt64LE(exists ? 1n : 0n, 16);
      triples.push(triple);
    };
    const result = await withExtents(tell, (extent) =>
      rbd.rbd_diff_iterate2.later(
        image,
        sinceSnapshot ?? null,
        offsetBytes,
        lengthBytes,
        includeParent ? 1 : 0,
        wholeObjects ? 1 : 0,
        extent,
        null,
      ),
    );
    check(result, `${nameOf(at)} since ${sinceSnapshot ?? 'it was empty'}`);
    return Buffer.concat(triples);
  }

  async close({ handle }: Args<'open.close'>): Promise<null> {
    const image = this.#open.get(handle);
    this.#open.delete(handle);
    if (image !== undefined) check(await rbd.rbd_close.later(await image), 'closing');
    return null;
  }

  async closeAll(): Promise<void> {
    await Promise.allSettled([...this.#open.keys()].map((handle) => this.close({ handle })));
  }

  /** Opened by the first call that needs it. What could not be opened is tried again by the next. */
  async #get(at: OpenAt): Promise<Pointer> {
    const known = this.#open.get(at.handle);
    if (known !== undefined) return await known;
    const image = this.#session.within(at, (io) => openImage(io, at, at.readOnly ? 'read' : 'write'));
    this.#open.set(at.handle, image);
    image.catch(() => this.#open.delete(at.handle));
    return await image;
  }
}
