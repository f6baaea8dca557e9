import type { XdrReader, XdrWriter } from './xdr.ts';

/** Of seconds and nanoseconds, as the server gave them. */
export interface NfsTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface FileAttributes {
  /** And not a folder, or a link to another name. */
  readonly isFile: boolean;
  /** How many names it has. */
  readonly names: number;
  /** On the server's disk: that of another file is another one. */
  readonly fileId: string;
  readonly sizeBytes: number;
  /** Taken on the server's disk: less than the size where there are holes. */
  readonly usedBytes: number;
  readonly modifiedAt: NfsTime;
  /** When anything of the file changed, its attributes too. */
  readonly changedAt: NfsTime;
}

const REGULAR = 1;

export function readAttributes(r: XdrReader): FileAttributes {
  const isFile = r.uint() === REGULAR;
  // Mode.
  r.fixed(4);
  const names = r.uint();
  // Owner, group.
  r.fixed(8);
  const sizeBytes = r.u64();
  const usedBytes = r.u64();
  // Device.
  r.fixed(8);
  const fileId = r.fixed(16).toString('hex');
  // When it was read.
  r.fixed(8);
  return { isFile, names, fileId, sizeBytes, usedBytes, modifiedAt: readTime(r), changedAt: readTime(r) };
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
