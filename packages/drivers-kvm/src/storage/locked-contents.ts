import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LUKS_SECTOR_BYTES, LuksHeader, type LuksSectors } from '@pileus/core/luks';
import type { Call, ContentRef, StorageDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import { DriverError } from '../driver-error.ts';
import { noSnapshots } from './content-bounds.ts';
import { type Disk, type DiskCipher, type DiskFiles, Disks, extentsOf, readFrom, writeTo } from './contents.ts';
import { luksPlace, QCOW2_FIRST_BYTES } from './qcow2.ts';

type LockedContents = NonNullable<NonNullable<StorageDriver['encryption']>['contents']>;
type LockedRef = ContentRef & { readonly key: string };

/** What is encrypted in one turn of the event loop: some milliseconds. */
const TURN_BYTES = 2 ** 20;
const ZEROES = Buffer.alloc(TURN_BYTES);
/** All that says which keys open it. */
const FIRST_BLOCK_BYTES = 4096;
/** To open a header takes seconds of a processor, for QEMU derives keys slowly: what was opened is kept from one call of an operation to its next. */
const IDLE_MS = 30_000;

/**
 * What is in encrypted volumes, as the QEMU that has them open sees it: each sector is bound to its offset in the file. Where a file that is to be filled has a place
 * for a sector that was never written, QEMU sees noise: here it is zeroes. No sector that was written is all zeroes in the file, but for a chance of one in 2 to the
 * power of 4096.
 */
export function lockedContentVerbs<File extends { readonly name: string }>(pool: DiskFiles<File>): LockedContents {
  const disks = new Disks(pool);
  const keys = new OpenKeys(pool);
  const open = async ({ key, ...of }: LockedRef, call: Call, deadline: Deadline) => {
    const disk = await disks.open(of, call, deadline);
    return { disk, cipher: inTurns(await keys.open(disk, key, deadline)) };
  };
  return {
    needsZeroes: true,

    async *changes(of, sinceId, call) {
      if (sinceId !== undefined) throw noSnapshots();
      const deadline = new Deadline(call);
      yield* extentsOf((await open(of, call, deadline)).disk, deadline);
    },

    async read(of, offsetBytes, lengthBytes, call) {
      refuseParts(offsetBytes, lengthBytes);
      const deadline = new Deadline(call);
      const { disk, cipher } = await open(of, call, deadline);
      return readFrom(disk, offsetBytes, lengthBytes, deadline, cipher);
    },

    async write(to, offsetBytes, bytes, call) {
      refuseParts(offsetBytes, bytes.length);
      const deadline = new Deadline(call);
      const { disk, cipher } = await open(to, call, deadline);
      await writeTo(disk, offsetBytes, bytes, deadline, cipher);
    },
  };
}

function refuseParts(offsetBytes: number, lengthBytes: number): void {
  if (offsetBytes % LUKS_SECTOR_BYTES !== 0 || lengthBytes % LUKS_SECTOR_BYTES !== 0)
    throw new DriverError('invalid', `${lengthBytes} bytes at ${offsetBytes} are no whole sectors of ${LUKS_SECTOR_BYTES}`);
}

function inTurns(sectors: LuksSectors): DiskCipher {
  const through = async (offsetBytes: number, bytes: Uint8Array, turn: (number: number, piece: Uint8Array) => Uint8Array) => {
    const made: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += TURN_BYTES) {
      if (at > 0) await nextTurn();
      made.push(turn((offsetBytes + at) / LUKS_SECTOR_BYTES, bytes.subarray(at, at + TURN_BYTES)));
    }
    return Buffer.concat(made);
  };
  return {
    encrypt: (offsetBytes, plain) => through(offsetBytes, plain, (number, piece) => sectors.encrypt(number, piece)),
    decrypt: (offsetBytes, stored) =>
      through(offsetBytes, stored, (number, piece) => {
        if (isZero(piece)) return piece;
        const plain = sectors.decrypt(number, piece);
        for (let at = 0; at < piece.length; at += LUKS_SECTOR_BYTES)
          if (isZero(piece.subarray(at, at + LUKS_SECTOR_BYTES))) plain.fill(0, at, at + LUKS_SECTOR_BYTES);
        return plain;
      }),
  };
}

const isZero = (bytes: Uint8Array): boolean => ZEROES.subarray(0, bytes.length).equals(bytes);

/** Headers that keys have opened, for as long as they are used. A header that was changed is another one. */
class OpenKeys<File extends { readonly name: string }> {
  readonly #pool: DiskFiles<File>;
  readonly #opened = new Map<string, { readonly sectors: Promise<LuksSectors>; readonly forget: NodeJS.Timeout }>();

  constructor(pool: DiskFiles<File>) {
    this.#pool = pool;
  }

  /** @throws DriverError conflict; LuksError conflict */
  async open({ file, isEncrypted }: Disk<File>, key: string, deadline: Deadline): Promise<LuksSectors> {
    const place = isEncrypted ? luksPlace(await this.#pool.readPart(file, 0, QCOW2_FIRST_BYTES, deadline)) : undefined;
    if (place === undefined) throw new DriverError('conflict', `${file.name} is not encrypted`);
    const first = await this.#pool.readPart(file, place.offsetBytes, FIRST_BLOCK_BYTES, deadline);
    const name = createHash('sha256')
      .update(JSON.stringify([file.name, key]))
      .update(first)
      .digest('hex');
    const known = this.#opened.get(name);
    if (known !== undefined) known.forget.refresh();
    const { sectors } =
      known ??
      this.#begin(name, async () => {
        const header = LuksHeader.read(await this.#pool.readPart(file, place.offsetBytes, place.lengthBytes, deadline));
        return header.unlock(key);
      });
    return deadline.bound(sectors, `the header of ${file.name}`);
  }

  #begin(name: string, unlock: () => Promise<LuksSectors>) {
    const forget = setTimeout(() => this.#opened.delete(name), IDLE_MS);
    forget.unref();
    const begun = { sectors: unlock(), forget };
    this.#opened.set(name, begun);
    // The time of who has begun it is not that of those who come after.
    begun.sectors.catch(() => {
      if (this.#opened.get(name) === begun) this.#opened.delete(name);
      clearTimeout(forget);
    });
    return begun;
  }
}
