import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { StorageVolume } from './generated/types.ts';
import type { LibvirtStream } from './stream.ts';

export interface DownloadRequest {
  readonly volume: StorageVolume;
  /** Where in the volume to begin. Default 0. */
  readonly offsetBytes?: number;
  /** Default: to the end. */
  readonly lengthBytes?: number;
  /** Told the bytes so far after each piece. */
  readonly onProgress?: (bytes: number) => void;
}

/** A part of a volume. The host does not answer anybody while it writes the last of it: large ones are better asked for in pieces. */
export interface ZeroRequest {
  readonly volume: StorageVolume;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

export interface UploadRequest extends DownloadRequest {
  /** Read only as fast as the host takes it. */
  readonly source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

async function* counted(source: UploadRequest['source'], onBytes: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of source) {
    yield piece;
    // The next one is asked for when this one has been taken.
    bytes += piece.length;
    onBytes(bytes);
  }
}

/** Resolves with the bytes sent when the host has confirmed them. When it rejects, the host has been told to drop the upload. */
export async function upload(stream: LibvirtStream, request: UploadRequest): Promise<number> {
  let sent = 0;
  const closed = new Promise((resolve) => stream.once('close', resolve));
  // Nothing comes back but the end, which must be read for the stream to close.
  stream.resume();
  try {
    await pipeline(
      counted(request.source, (bytes) => {
        sent = bytes;
        request.onProgress?.(bytes);
      }),
      stream,
    );
  } finally {
    stream.destroy();
    await closed;
  }
  return sent;
}

/** Resolves when the host has confirmed that so many bytes are zeroes now: it writes them itself. */
export async function zero(stream: LibvirtStream, lengthBytes: number): Promise<void> {
  const closed = new Promise((resolve) => stream.once('close', resolve));
  stream.resume();
  try {
    await stream.skip(lengthBytes);
    await pipeline([], stream);
  } finally {
    stream.destroy();
    await closed;
  }
}

export function download(stream: LibvirtStream, { onProgress }: DownloadRequest): Readable {
  if (onProgress === undefined) return stream;
  let bytes = 0;
  const counter = new Transform({
    transform(piece: Buffer, _encoding, callback) {
      bytes += piece.length;
      onProgress(bytes);
      callback(null, piece);
    },
  });
  // Each failure reaches the other end: pipeline destroys both, and readers see it on the counter.
  pipeline(stream, counter).catch(() => {});
  return counter;
}
