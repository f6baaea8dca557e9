import type { DiskFormat } from '@pileus/core/strategy';
import { DriverError } from '../driver-error.ts';
import { QCOW2_FIRST_BYTES, type ReadAt } from './qcow2.ts';

/** Disks at once in a page of those of others. */
export const OTHERS_PAGE = 200;
/** Of what a disk begins with, so much at most is shown. */
export const HEAD_BYTES_MAX = 65_536;
/** What is smaller is no disk of a machine: a seed, firmware's variables, a note. */
const DISK_BYTES_MIN = 2 ** 20;
const SECTOR_BYTES = 512;
const MAGIC = 0x514649fb;

/** A file that is a disk, or has one in it: which of the two its first bytes say, and not its name. */
export interface FoundDisk {
  readonly format: DiskFormat;
  readonly sizeBytes: number;
  /** What keeps it from being a volume: a sentence. */
  readonly unfit?: string;
}

/** Whether a file of others may be a disk, by its name and its length. Names that begin with a dot are of files that are on their way in or out. */
export const mayBeDisk = (name: string, fileBytes: number): boolean => !name.startsWith('.') && !/[\p{Cc}/]/u.test(name) && fileBytes > 0;

/** Whether it is one, by the size of the disk. */
export const isDisk = (sizeBytes: number): boolean => sizeBytes >= DISK_BYTES_MIN && sizeBytes % SECTOR_BYTES === 0;

/** Undefined for what is no disk. */
export async function foundDisk(read: ReadAt, fileBytes: number): Promise<FoundDisk | undefined> {
  const first = await read(0, QCOW2_FIRST_BYTES);
  const found: FoundDisk =
    fileBytes >= QCOW2_V2_BYTES && first.readUInt32BE(0) === MAGIC ? qcow2Disk(first) : { format: 'raw', sizeBytes: fileBytes };
  return isDisk(found.sizeBytes) ? found : undefined;
}

const QCOW2_V2_BYTES = 72;
/** Incompatible features that files may have: unclean, corrupt, data in another file, the kind of packing. */
const UNCLEAN = 0b11n;
const OTHER_FILE = 0b100n;
const READ = 0b1000n;
/** Of those that a writer who does not know them has to clear: bitmaps of what changes. */
const BITMAPS = 0b1n;

function qcow2Disk(first: Buffer): FoundDisk {
  const found = { format: 'qcow2', sizeBytes: Math.min(Number(first.readBigUInt64BE(24)), Number.MAX_SAFE_INTEGER) } as const;
  const unfit = unfitness(first);
  return unfit === undefined ? found : { ...found, unfit };
}

function unfitness(first: Buffer): string | undefined {
  const version = first.readUInt32BE(4);
  const isNew = version === 3;
  const features = isNew ? first.readBigUInt64BE(72) : 0n;
  const packing = isNew && first.readUInt32BE(100) > 104 ? first.readUInt8(104) : 0;
  if ((version !== 2 && version !== 3) || (features & ~(UNCLEAN | OTHER_FILE | READ)) !== 0n || packing !== 0)
    return 'It is a qcow2 file with what is not known here: convert it first.';
  if (first.readBigUInt64BE(8) !== 0n) return 'It is a clone, and reads from what is not ours: flatten it first.';
  if ((features & OTHER_FILE) !== 0n) return 'It keeps its data in another file: convert it first.';
  if (first.readUInt32BE(32) !== 0) return 'It is encrypted, and its key is not known.';
  if (first.readUInt32BE(60) !== 0) return 'It has snapshots, which would be unknown: remove them first.';
  if ((features & UNCLEAN) !== 0n) return 'It was not closed as it should be: stop what uses it, or repair it (`qemu-img check -r all`).';
  if (isNew && (first.readBigUInt64BE(88) & BITMAPS) !== 0n)
    return 'It has bitmaps of what changes, which nobody would go by: remove them first.';
  return undefined;
}

export const noDisk = (name: string) => new DriverError('not_found', `the pool has no disk ${name} of others`);

/** @throws DriverError conflict, which tells what stands in the way */
export function refuseUnfit(name: string, { unfit }: FoundDisk): void {
  if (unfit !== undefined) throw cannotBe(name, unfit);
}

export const cannotBe = (name: string, told: string) => new DriverError('conflict', `${name} cannot be adopted`, { told });
