import type { Content, DiskFormat, StorageDriver } from '@pileus/core/strategy';
import type { OpenImage } from '../rados/index.ts';
import type { CephPool } from './ceph-pool.ts';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { fill, shown, takeApart } from './filling.ts';
import { imageName } from './names.ts';
import type { Purge } from './purge.ts';
import { fileOf } from './source-file.ts';

/** As large as the objects of an image, so that each is written once. */
const PIECE_BYTES = 4 * 1024 * 1024;
const WRITES_AT_ONCE = 4;

export function imageVerbs(pool: CephPool, purge: Purge): StorageDriver['images'] {
  return {
    async put(request, call) {
      const deadline = pool.begin(call);
      const { id, format, content } = request;
      if ((await shown(pool, 'image', id, deadline)) === undefined) {
        const copy = format === 'raw' && content.path === undefined ? copyPieces : copyFile;
        const make = (part: string) => copy(pool, { ...request, part, onProgress: call.onProgress }, deadline);
        await fill(pool, purge, { kind: 'image', id, hasBase: true, make }, deadline);
      }
      call.onProgress?.(1);
    },

    /** Volumes that were cloned from it live on: what they still read is kept, out of sight, until the last of them is gone or flattened. */
    delete: async (id, call) => takeApart(pool, purge, { kind: 'image', id }, pool.begin(call)),

    async attach(id, call) {
      await pool.need(imageName(id), pool.begin(call));
      return pool.attachment(imageName(id));
    },
  };
}

interface Copy {
  readonly part: string;
  readonly format: DiskFormat;
  readonly virtualSizeBytes: number;
  readonly content: Content;
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** By a program, which knows the formats. What it leaves when it is cut short is removed behind the back of the caller, whose time may be over. */
async function copyFile(pool: CephPool, { part, format, virtualSizeBytes, content, onProgress }: Copy, deadline: Deadline): Promise<void> {
  await using source = await fileOf(content, deadline);
  const options = { ...pool.newImage, ...deadline.left, onProgress };
  const copied = pool.cluster.bulk.importFile(pool.images, part, { path: source.path, format }, options);
  await deadline.bound(copied, 'for an image to be copied');
  const { sizeBytes } = await pool.need(part, deadline);
  if (Number(sizeBytes) !== virtualSizeBytes)
    throw new DriverError('invalid', `the content is of a disk of ${sizeBytes} bytes, not of ${virtualSizeBytes}`);
}

/** Raw content as it comes; what is zero is left out. */
async function copyPieces(pool: CephPool, { part, virtualSizeBytes, content, onProgress }: Copy, deadline: Deadline): Promise<void> {
  await pool.images.create(part, { ...pool.newImage, sizeBytes: virtualSizeBytes }, deadline.left);
  await using image = pool.images.image(part).open();
  const underWay = new Set<Promise<void>>();
  let bytes = 0;
  for await (const piece of piecesOf(content, deadline)) {
    if (bytes + piece.length > content.sizeBytes) throw differs(part, content, 'more');
    if (underWay.size >= WRITES_AT_ONCE) await Promise.race(underWay);
    const write = writeUnlessZero(image, bytes, piece, deadline).finally(() => underWay.delete(write));
    underWay.add(write);
    write.catch(() => undefined);
    bytes += piece.length;
    onProgress?.(Math.min(1, bytes / content.sizeBytes));
  }
  await Promise.all(underWay);
  if (bytes < content.sizeBytes) throw differs(part, content, `${bytes}`);
  await image.flush(deadline.left);
}

const differs = (part: string, { sizeBytes }: Content, what: string): DriverError =>
  new DriverError('invalid', `${part}: the content has ${what} bytes, not the ${sizeBytes} announced`);

async function writeUnlessZero(image: OpenImage, offsetBytes: number, piece: Uint8Array, deadline: Deadline): Promise<void> {
  if (!isZero(piece)) await image.write(offsetBytes, piece, deadline.left);
}

const ZEROES = Buffer.alloc(64 * 1024);
function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROES.length) {
    const end = Math.min(at + ZEROES.length, bytes.length);
    if (ZEROES.compare(bytes, at, end, 0, end - at) !== 0) return false;
  }
  return true;
}

/** The content in pieces of one size, but for the last; given up when the deadline passes, also while the source gives nothing. */
async function* piecesOf(content: Content, deadline: Deadline): AsyncGenerator<Uint8Array, void, undefined> {
  const source = content.open()[Symbol.asyncIterator]();
  try {
    let piece = new Uint8Array(PIECE_BYTES);
    let filled = 0;
    for (;;) {
      const next = await deadline.bound(source.next(), 'for the content of an image');
      if (next.done === true) break;
      for (let from = 0; from < next.value.length; ) {
        const part = next.value.subarray(from, from + PIECE_BYTES - filled);
        piece.set(part, filled);
        from += part.length;
        filled += part.length;
        if (filled < PIECE_BYTES) continue;
        yield piece;
        piece = new Uint8Array(PIECE_BYTES);
        filled = 0;
      }
    }
    if (filled > 0) yield piece.subarray(0, filled);
  } finally {
    // A source that stalls does not end when asked to, and nobody waits for it.
    source.return?.().catch(() => undefined);
  }
}
