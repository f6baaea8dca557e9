import { DriverError } from '../driver-error.ts';

/** Features that are cleared by who opens the file to write and does not know them. */
export const MARK_AT = 88;
/** Bitmaps, and that raw data of another file stands alone: who knows them keeps them. */
const KNOWN = 0b11n;
/** Without it an empty word would be none. */
const IS_MARKED = 1n << 63n;
const WORD = /^[0-9a-f]{15}$/;

export interface Mark {
  /** Bits that are not of a mark. */
  readonly known: bigint;
  readonly word: string | undefined;
}

export const NO_MARK: Mark = { known: 0n, word: undefined };

/** What the header of a file has; undefined of one that has no room for any. */
export function markOf(header: Buffer): Mark | undefined {
  if (header.readUInt32BE(0) !== 0x514649fb || header.readUInt32BE(4) !== 3) return undefined;
  const bits = header.readBigUInt64BE(MARK_AT);
  const word = (bits & IS_MARKED) === 0n ? undefined : ((bits & ~IS_MARKED) >> 2n).toString(16).padStart(15, '0');
  return { known: bits & KNOWN, word };
}

/** That the bitmaps in the file are right, by which QEMU notes where it was written to. */
const HAS_BITMAPS = 1n;

/** Whether the header says something of the content that a write makes untrue. */
export const isTold = ({ known, word }: Mark): boolean => word !== undefined || (known & HAS_BITMAPS) !== 0n;

/** What is to be written at `MARK_AT` before that: QEMU throws the bitmaps away when it opens the file next. */
export const untold = ({ known }: Mark): Buffer => wordOf(undefined, { known: known & ~HAS_BITMAPS, word: undefined });

/** What is to be written at `MARK_AT`; without a word, none is there then. @throws DriverError invalid */
export function wordOf(word: string | undefined, { known }: Mark): Buffer {
  if (word !== undefined && !WORD.test(word)) throw new DriverError('invalid', `${word} is no mark: they are 15 hexadecimal digits`);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(word === undefined ? known : known | (BigInt(`0x${word}`) << 2n) | IS_MARKED);
  return bytes;
}
