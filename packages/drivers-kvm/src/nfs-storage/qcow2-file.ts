import { DriverError } from '../driver-error.ts';

const CLUSTER_BITS = 16;
const CLUSTER_BYTES = 2 ** CLUSTER_BITS;
const ENTRY_BYTES = 8;
const HEADER_BYTES = 104;
const MAGIC = 0x514649fb;
const BACKING_FORMAT = 0xe2792aca;
/** Room for the largest disk from the beginning: it is a hole in the file, and growing is a change of one number then. */
const L1_CLUSTERS = 16;
const L1_ENTRIES = (L1_CLUSTERS * CLUSTER_BYTES) / ENTRY_BYTES;
/** An entry is for a table, whose entries are for a cluster each. */
export const DISK_BYTES_MAX = L1_ENTRIES * (CLUSTER_BYTES / ENTRY_BYTES) * CLUSTER_BYTES;
const [REFCOUNT_TABLE, REFCOUNT_BLOCK, L1_TABLE] = [1, 2, 3];
const CLUSTERS = L1_TABLE + L1_CLUSTERS;
const SIZE_AT = 24;

export interface Qcow2Part {
  readonly offsetBytes: number;
  readonly bytes: Buffer;
}

/** A qcow2 file of version 3 without any content of its own: its length, and what of it is not zero. */
export function emptyQcow2(
  sizeBytes: number,
  backing?: { readonly name: string; readonly format: string },
): { readonly lengthBytes: number; readonly parts: readonly Qcow2Part[] } {
  const table = Buffer.alloc(ENTRY_BYTES);
  table.writeBigUInt64BE(BigInt(REFCOUNT_BLOCK * CLUSTER_BYTES));
  const counts = Buffer.alloc(2 * CLUSTERS);
  for (let cluster = 0; cluster < CLUSTERS; cluster += 1) counts.writeUInt16BE(1, 2 * cluster);
  return {
    lengthBytes: CLUSTERS * CLUSTER_BYTES,
    parts: [
      { offsetBytes: 0, bytes: header(sizeBytes, backing) },
      { offsetBytes: REFCOUNT_TABLE * CLUSTER_BYTES, bytes: table },
      { offsetBytes: REFCOUNT_BLOCK * CLUSTER_BYTES, bytes: counts },
    ],
  };
}

/** What is to be written over a file, to give its disk another size that its table has room for. */
export function sizePart(sizeBytes: number): Qcow2Part {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(sizeBytes));
  return { offsetBytes: SIZE_AT, bytes };
}

/** @throws DriverError invalid */
export function refuseLarger(sizeBytes: number): void {
  if (sizeBytes > DISK_BYTES_MAX) throw new DriverError('invalid', `a disk of ${sizeBytes} bytes; at most ${DISK_BYTES_MAX} are kept`);
}

/** Files that others have made have no more room in their table than their disk needs. @throws DriverError conflict */
export function refuseBeyondTable(header: Buffer, sizeBytes: number): void {
  const clusterBytes = 2 ** header.readUInt32BE(20);
  const reachBytes = header.readUInt32BE(36) * (clusterBytes / ENTRY_BYTES) * clusterBytes;
  if (sizeBytes > reachBytes)
    throw new DriverError('conflict', `the table of the file reaches ${reachBytes} bytes, not ${sizeBytes}`, {
      told: `The file was made elsewhere, with room for ${reachBytes} bytes: move the volume to a pool, this one or another, to grow it beyond that.`,
    });
}

function header(sizeBytes: number, backing: { readonly name: string; readonly format: string } | undefined): Buffer {
  const extensions = Buffer.concat([
    ...(backing === undefined ? [] : [extension(BACKING_FORMAT, Buffer.from(backing.format))]),
    extension(0),
  ]);
  const name = Buffer.from(backing?.name ?? '');
  const fixed = Buffer.alloc(HEADER_BYTES);
  fixed.writeUInt32BE(MAGIC, 0);
  fixed.writeUInt32BE(3, 4);
  fixed.writeBigUInt64BE(BigInt(name.length === 0 ? 0 : HEADER_BYTES + extensions.length), 8);
  fixed.writeUInt32BE(name.length, 16);
  fixed.writeUInt32BE(CLUSTER_BITS, 20);
  fixed.writeBigUInt64BE(BigInt(sizeBytes), SIZE_AT);
  fixed.writeUInt32BE(L1_ENTRIES, 36);
  fixed.writeBigUInt64BE(BigInt(L1_TABLE * CLUSTER_BYTES), 40);
  fixed.writeBigUInt64BE(BigInt(REFCOUNT_TABLE * CLUSTER_BYTES), 48);
  fixed.writeUInt32BE(1, 56);
  // Counts of 16 bits.
  fixed.writeUInt32BE(4, 96);
  fixed.writeUInt32BE(HEADER_BYTES, 100);
  return Buffer.concat([fixed, extensions, name]);
}

function extension(type: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(type, 0);
  head.writeUInt32BE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(-data.length & 7)]);
}
