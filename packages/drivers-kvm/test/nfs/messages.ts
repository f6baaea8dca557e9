import { XdrWriter } from '../../src/nfs/xdr.ts';

export const words = (...values: readonly number[]): Buffer => {
  const w = new XdrWriter();
  w.uint(...values);
  return w.finish();
};

/** One message, in fragments of so many bytes. */
export function framed(message: Buffer, fragmentBytes = message.length): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += fragmentBytes) {
    const fragment = message.subarray(at, at + fragmentBytes);
    const isLast = at + fragmentBytes >= message.length;
    parts.push(words(fragment.length + (isLast ? 0x8000_0000 : 0)), fragment);
  }
  return Buffer.concat(parts);
}

/** That the server has done it, and with what result. */
export const accepted = (xid: number, ...result: readonly number[]) => words(xid, 1, 0, 0, 0, 0, ...result);
