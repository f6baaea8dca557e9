import { setImmediate as nextTurn } from 'node:timers/promises';
import { LUKS_SECTOR_BYTES, LuksHeader, type LuksSectors } from '@pileus/core/luks';
import type { ContentRef, Extent, StorageDriver } from '@pileus/core/strategy';
import type { CephPool } from './ceph-pool.ts';
import { extentsOf, readable, refuseBeyond, refuseTooMuch } from './contents.ts';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';
import { volumeName } from './names.ts';
import { Writers } from './writers.ts';

type LockedRef = ContentRef & { readonly key: string };
type LockedContents = NonNullable<NonNullable<StorageDriver['encryption']>['contents']>;

/** What is encrypted in one turn of the event loop: some milliseconds. */
const TURN_BYTES = 2 ** 20;
const ZEROES = Buffer.alloc(TURN_BYTES);

/**
 * What is in encrypted volumes, as the QEMU that has them open sees it. What was never written, or was discarded, is zeroes in the pool, and noise to QEMU: here it is zeroes.
 * No sector that was written is all zeroes in the pool, but for a chance of one in 2 to the power of 4096.
 */
export function lockedContentVerbs(pool: CephPool): LockedContents {
  const headers = new OpenHeaders(pool);
  // Whether it is encrypted, the header has told.
  const writers = new Writers(pool, async () => undefined);
  return {
    needsZeroes: true,

    async *changes(of, sinceId, call) {
      const deadline = pool.begin(call);
      const { headerBytes } = await headers.with(of, deadline, async (opened) => opened);
      await using image = readable(pool, of);
      yield* inSectors(extentsOf(image, sinceId, deadline), headerBytes);
    },

    async read(of, offsetBytes, lengthBytes, call) {
      const deadline = pool.begin(call);
      refuseTooMuch(lengthBytes);
      refuseParts(offsetBytes, lengthBytes);
      return await headers.with(of, deadline, async ({ headerBytes, sectors }) => {
        await using image = readable(pool, of);
        const { sizeBytes } = await image.stat(deadline.left);
        refuseBeyond(volumeName(of.volumeId), Number(sizeBytes) - headerBytes, offsetBytes + lengthBytes);
        return await decrypted(sectors, offsetBytes, await image.read(headerBytes + offsetBytes, lengthBytes, deadline.left));
      });
    },

    async write(to, offsetBytes, bytes, call) {
      const deadline = pool.begin(call);
      refuseTooMuch(bytes.length);
      refuseParts(offsetBytes, bytes.length);
      const name = volumeName(to.volumeId);
      await headers.with(to, deadline, ({ headerBytes, sectors }) =>
        writers.with(name, deadline, async (image) => {
          const { sizeBytes } = await image.stat(deadline.left);
          refuseBeyond(name, Number(sizeBytes) - headerBytes, offsetBytes + bytes.length);
          await image.write(headerBytes + offsetBytes, await encrypted(sectors, offsetBytes, bytes), deadline.left);
        }),
      );
    },
  };
}

function refuseParts(offsetBytes: number, lengthBytes: number): void {
  if (offsetBytes % LUKS_SECTOR_BYTES !== 0 || lengthBytes % LUKS_SECTOR_BYTES !== 0)
    throw new DriverError('invalid', `${lengthBytes} bytes at ${offsetBytes} are no whole sectors of ${LUKS_SECTOR_BYTES}`);
}

/** Behind the header, and of whole sectors: what is zeroes in a part of one is not in the whole of it. */
async function* inSectors(extents: AsyncIterable<Extent>, headerBytes: number): AsyncGenerator<Extent, void, undefined> {
  let toldBytes = 0;
  for await (const { offsetBytes, lengthBytes, hasData } of extents) {
    const [from, to] = [Math.max(0, offsetBytes - headerBytes), offsetBytes + lengthBytes - headerBytes];
    const begin = Math.max(toldBytes, Math.floor(from / LUKS_SECTOR_BYTES) * LUKS_SECTOR_BYTES);
    const end = Math.ceil(to / LUKS_SECTOR_BYTES) * LUKS_SECTOR_BYTES;
    if (end <= begin) continue;
    yield { offsetBytes: begin, lengthBytes: end - begin, hasData: hasData || begin !== from || end !== to };
    toldBytes = end;
  }
}

async function decrypted(sectors: LuksSectors, offsetBytes: number, bytes: Uint8Array): Promise<Buffer> {
  return await inTurns(offsetBytes, bytes, (number, piece) => {
    if (isZero(piece)) return piece;
    const plain = sectors.decrypt(number, piece);
    for (let at = 0; at < piece.length; at += LUKS_SECTOR_BYTES)
      if (isZero(piece.subarray(at, at + LUKS_SECTOR_BYTES))) plain.fill(0, at, at + LUKS_SECTOR_BYTES);
    return plain;
  });
}

const encrypted = (sectors: LuksSectors, offsetBytes: number, bytes: Uint8Array): Promise<Buffer> =>
  inTurns(offsetBytes, bytes, (number, piece) => sectors.encrypt(number, piece));

async function inTurns(
  offsetBytes: number,
  bytes: Uint8Array,
  through: (number: number, piece: Uint8Array) => Uint8Array,
): Promise<Buffer> {
  const made: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += TURN_BYTES) {
    if (at > 0) await nextTurn();
    made.push(through((offsetBytes + at) / LUKS_SECTOR_BYTES, bytes.subarray(at, at + TURN_BYTES)));
  }
  return Buffer.concat(made);
}

const isZero = (bytes: Uint8Array): boolean => ZEROES.subarray(0, bytes.length).equals(bytes);

interface OpenHeader {
  readonly headerBytes: number;
  readonly sectors: LuksSectors;
}

/** Headers that were opened, each once for those that use it at the same time, and forgotten with the last of them. */
class OpenHeaders {
  readonly #pool: CephPool;
  readonly #open = new Map<string, { readonly header: Promise<OpenHeader>; users: number }>();

  constructor(pool: CephPool) {
    this.#pool = pool;
  }

  async with<T>(of: LockedRef, deadline: Deadline, work: (header: OpenHeader) => Promise<T>): Promise<T> {
    const name = JSON.stringify([of.volumeId, of.id, of.key]);
    const shared = this.#open.get(name) ?? { header: this.#read(of, deadline), users: 0 };
    this.#open.set(name, shared);
    shared.users += 1;
    try {
      return await work(await deadline.bound(shared.header, `for the header of ${volumeName(of.volumeId)}`));
    } catch (error) {
      // The time of who has read it is not that of those who come after.
      if (this.#open.get(name) === shared) this.#open.delete(name);
      throw error;
    } finally {
      shared.users -= 1;
      if (shared.users === 0 && this.#open.get(name) === shared) this.#open.delete(name);
    }
  }

  /** @throws DriverError not_found, conflict; LuksError conflict */
  async #read({ key, ...of }: LockedRef, deadline: Deadline): Promise<OpenHeader> {
    const name = volumeName(of.volumeId);
    const stat = await this.#pool.volume(name, deadline, of.id);
    if (stat === undefined)
      throw new DriverError('not_found', `the pool has no ${name}${of.id === undefined ? '' : ` with a snapshot ${of.id}`}`);
    const { headerBytes } = stat;
    if (headerBytes === 0) throw new DriverError('conflict', `${name} is not encrypted`);
    await using image = readable(this.#pool, of);
    const header = LuksHeader.read(await image.read(0, headerBytes, deadline.left));
    if (header.contentAtBytes !== headerBytes)
      throw new DriverError('conflict', `the content of ${name} does not begin where it is said to`);
    return { headerBytes, sectors: await header.unlock(key) };
  }
}
