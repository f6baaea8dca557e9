import { bytesText, CloudError } from '../../kernel/index.ts';
import type { DiskFormat } from '../../strategy/index.ts';
import { SECTOR_BYTES } from './volume.ts';

/** Where ISO 9660 and UDF begin to tell what they are: in the 17th of their sectors. */
const DISC_AT = 16 * 2048 + 1;
/** So many first bytes tell the format. */
export const HEAD_BYTES = 33_280;

export interface FormatFacts {
  /** An `iso` is kept and read as it is, as `raw` is. */
  readonly format: DiskFormat | 'iso';
  readonly virtualSizeBytes: number;
}

interface Magic {
  readonly name: string;
  readonly at?: number;
  readonly magic: readonly number[] | string;
}

const LUKS = 'encrypted with LUKS';

/** Content that is neither, though it looks like a raw disk to a program: the mistake is named at upload, not by a guest that does not boot. */
const FOREIGN: readonly Magic[] = [
  { name: 'a VMDK image', magic: 'KDMV' },
  { name: 'a VMDK image', magic: 'COWD' },
  { name: 'the descriptor of a VMDK image, whose data is in other files', magic: '# Disk DescriptorFile' },
  { name: 'a VHDX image', magic: 'vhdxfile' },
  { name: 'a VHD image', magic: 'conectix' },
  { name: 'a VDI image', at: 64, magic: [0x7f, 0x10, 0xda, 0xbe] },
  { name: 'a QED image', magic: 'QED\0' },
  { name: 'a Parallels image', magic: 'WithoutFreeSpace' },
  { name: 'a Parallels image', magic: 'WithouFreSpacExt' },
  { name: LUKS, magic: [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe] },
  { name: 'an archive (tar, e.g. an OVA)', at: 257, magic: 'ustar' },
  { name: 'an archive (zip)', magic: [0x50, 0x4b, 0x03, 0x04] },
  { name: 'an archive (7z)', magic: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c] },
  { name: 'compressed with gzip', magic: [0x1f, 0x8b] },
  { name: 'compressed with bzip2', magic: 'BZh' },
  { name: 'compressed with xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
  { name: 'compressed with zstd', magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { name: 'compressed with lz4', magic: [0x04, 0x22, 0x4d, 0x18] },
];
/** Of ISO 9660, and of UDF alone. Those that are made to be written to USB sticks, too, have a partition table before that. */
const DISC = ['CD001', 'BEA01'];
const QCOW2 = [0x51, 0x46, 0x49, 0xfb];

const has = (head: Uint8Array, { at = 0, magic }: Pick<Magic, 'at' | 'magic'>): boolean =>
  (typeof magic === 'string' ? [...Buffer.from(magic, 'latin1')] : magic).every((byte, index) => head[at + index] === byte);
const refuse = (message: string) => new CloudError('invalid_input', message);

/**
 * Tells the format by the content alone. What an image refers to beside itself (a backing file, an external data file) would let a guest read files of
 * the host, so such an image is refused.
 * @throws CloudError invalid_input
 */
export function tellFormat(head: Uint8Array, sizeBytes: number): FormatFacts {
  if (sizeBytes === 0) throw refuse('The content is empty.');
  const foreign = FOREIGN.find((each) => has(head, each));
  if (foreign !== undefined) throw refuse(`The content is ${foreign.name}; images are qcow2, raw or ISO.`);
  if (has(head, { magic: QCOW2 })) return { format: 'qcow2', virtualSizeBytes: readQcow2(head) };
  if (sizeBytes % SECTOR_BYTES !== 0)
    throw refuse(`A raw image is a whole number of ${SECTOR_BYTES}-byte sectors; this one has ${bytesText(sizeBytes)}.`);
  const isDisc = DISC.some((magic) => has(head, { at: DISC_AT, magic }));
  return { format: isDisc ? 'iso' : 'raw', virtualSizeBytes: sizeBytes };
}

/** What a file, or a disk that is to be read as it is, is in truth: undefined where it may well be a disk, encrypted by whom it belongs to or not. */
export function wrappingOf(head: Uint8Array): string | undefined {
  if (has(head, { magic: QCOW2 })) return 'a qcow2 image';
  return FOREIGN.find((each) => each.name !== LUKS && has(head, each))?.name;
}

/** Fields of the header that version 2 and 3 have in common, and those of version 3. */
const HEADER = { version: 4, backingFileOffset: 8, clusterBits: 20, virtualSize: 24, encryption: 32, incompatibleFeatures: 72 } as const;
const HEADER_BYTES = { 2: 72, 3: 104 } as const;
/** Incompatible features of version 3: unclean shutdown, corrupt, external data file, compression type, extended L2 entries. */
const FEATURE = { corrupt: 1n << 1n, externalData: 1n << 2n, known: 0b11111n } as const;

/** The virtual size. @throws CloudError invalid_input */
function readQcow2(head: Uint8Array): number {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const version = head.byteLength < HEADER_BYTES[2] ? 0 : view.getUint32(HEADER.version);
  if (version !== 2 && version !== 3) throw refuse('The qcow2 image has a version that is not known here.');
  if (head.byteLength < HEADER_BYTES[version]) throw refuse('The qcow2 image ends within its header.');
  if (view.getBigUint64(HEADER.backingFileOffset) !== 0n) throw refuse('The qcow2 image has a backing file; flatten it first.');
  if (view.getUint32(HEADER.encryption) !== 0) throw refuse('The qcow2 image is encrypted.');
  const features = version === 3 ? view.getBigUint64(HEADER.incompatibleFeatures) : 0n;
  if ((features & FEATURE.externalData) !== 0n) throw refuse('The qcow2 image keeps its data in another file; flatten it first.');
  if ((features & FEATURE.corrupt) !== 0n) throw refuse('The qcow2 image is marked as corrupt.');
  if ((features & ~FEATURE.known) !== 0n) throw refuse('The qcow2 image has features that are not known here.');
  const clusterBits = view.getUint32(HEADER.clusterBits);
  const virtualSize = view.getBigUint64(HEADER.virtualSize);
  if (clusterBits < 9 || clusterBits > 21 || virtualSize === 0n || virtualSize > BigInt(Number.MAX_SAFE_INTEGER))
    throw refuse('The qcow2 image has a header that makes no sense.');
  if (virtualSize % BigInt(SECTOR_BYTES) !== 0n)
    throw refuse(
      `The qcow2 image is of a disk of ${bytesText(Number(virtualSize))}, which is no whole number of ${SECTOR_BYTES}-byte sectors.`,
    );
  return Number(virtualSize);
}
