import type { XdrReader, XdrWriter } from './xdr.ts';

/** Of seconds and nanoseconds, as the server gave them. */
export interface NfsTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface FileAttributes {
  readonly sizeBytes: number;
  /** Taken on the server's disk: less than the size where there are holes. */
  readonly usedBytes: number;
  readonly modifiedAt: NfsTime;
  /** When anything of the file changed, its attributes too. */
  readonly changedAt: NfsTime;
}

export function readAttributes(r: XdrReader): FileAttributes {
  // Type, mode, links, owner, group.
  r.fixed(20);
  const sizeBytes = r.u64();
  const usedBytes = r.u64();
  // Device, file system, number of the file, and when it was read.
  r.fixed(32);
  return { sizeBytes, usedBytes, modifiedAt: readTime(r), changedAt: readTime(r) };
}

const readTime = (r: XdrReader): NfsTime => ({ seconds: r.uint(), nanoseconds: r.uint() });

export function skipWeakCacheData(r: XdrReader): void {
  r.optional(() => r.fixed(24));
  r.optional(() => readAttributes(r));
}

/** What is to be set: nothing of owners and times. */
export function writeSettable(w: XdrWriter, { mode, sizeBytes }: { readonly mode?: number; readonly sizeBytes?: number }): void {
  if (mode === undefined) w.uint(0);
  else w.uint(1, mode);
  w.uint(0, 0);
  if (sizeBytes === undefined) w.uint(0);
  else {
    w.uint(1);
    w.u64(sizeBytes);
  }
  w.uint(0, 0);
}
