import { HEAD_BYTES } from '../../../src/cloud/storage/image-format.ts';
import { GIB } from '../little-cloud.ts';

interface Header {
  readonly version?: number;
  readonly backingFileOffset?: bigint;
  readonly clusterBits?: number;
  readonly virtualSize?: bigint;
  readonly encryption?: number;
  readonly incompatible?: bigint;
}

/** Content that begins like a qcow2 image: only its header is ever read. */
export function qcow2(header: Header = {}, length = HEAD_BYTES): Uint8Array {
  const bytes = new Uint8Array(Math.max(length, HEAD_BYTES));
  const view = new DataView(bytes.buffer);
  bytes.set([0x51, 0x46, 0x49, 0xfb]);
  view.setUint32(4, header.version ?? 3);
  view.setBigUint64(8, header.backingFileOffset ?? 0n);
  view.setUint32(20, header.clusterBits ?? 16);
  view.setBigUint64(24, header.virtualSize ?? BigInt(GIB));
  view.setUint32(32, header.encryption ?? 0);
  view.setBigUint64(72, header.incompatible ?? 0n);
  return bytes.subarray(0, length);
}
