import { type CallOptions, type Client, newKey, type RepeatOptions } from './client.ts';
import { PileusError } from './errors.ts';
import { chunks, isReplayable, type ReplayableBody, type StreamBody } from './transport.ts';

/** What can be uploaded. Bytes and Blobs are sent again when the connection breaks; a stream is read once, so its upload is not. */
export type Upload = ReplayableBody | StreamBody;

export interface UploadOptions extends RepeatOptions {
  /** SHA-256 of the content in hexadecimal; the server refuses other content. */
  readonly sha256?: string;
  /** Needed with a stream if the server shall know the size beforehand. */
  readonly sizeBytes?: number;
  /** Told how many bytes have been handed to the connection. */
  readonly onProgress?: (sentBytes: number) => void;
  readonly contentType?: string;
}

/** Uploads take as long as they take: an hour, unless the caller says otherwise. */
const UPLOAD_TIMEOUT_MS = 3_600_000;

/** Sends bytes to an upload endpoint and answers what it answers. @throws PileusError */
export async function upload<T>(client: Client, path: string, content: Upload, options: UploadOptions = {}): Promise<T> {
  const { onProgress } = options;
  return await client.json<T>(
    {
      method: 'PUT',
      path,
      body: onProgress === undefined ? content : isReplayable(content) ? () => counted(content, onProgress) : counted(content, onProgress),
      headers: {
        'content-type': options.contentType ?? 'application/octet-stream',
        'idempotency-key': options.idempotencyKey ?? newKey(),
        ...(options.sizeBytes === undefined ? {} : { 'content-length': String(options.sizeBytes) }),
        ...(options.sha256 === undefined ? {} : { 'repr-digest': `sha-256=:${base64OfHex(options.sha256)}:` }),
      },
    },
    { timeoutMs: UPLOAD_TIMEOUT_MS, ...options },
  );
}

function base64OfHex(hex: string): string {
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw new PileusError('invalid_input', 'sha256 must be 64 hexadecimal digits.', { pointer: '/sha256' });
  const bytes = hex.match(/../g) ?? [];
  return btoa(String.fromCharCode(...bytes.map((byte) => Number.parseInt(byte, 16))));
}

const SLICE_BYTES = 1 << 18;

async function* counted(content: Upload, onProgress: (sentBytes: number) => void): AsyncGenerator<Uint8Array> {
  let sentBytes = 0;
  for await (const chunk of pieces(content)) {
    yield chunk;
    sentBytes += chunk.byteLength;
    onProgress(sentBytes);
  }
}

async function* pieces(content: Upload): AsyncIterable<Uint8Array> {
  if (typeof content === 'string') yield new TextEncoder().encode(content);
  else if (content instanceof Uint8Array)
    for (let at = 0; at < content.byteLength; at += SLICE_BYTES) yield content.subarray(at, at + SLICE_BYTES);
  else if (content instanceof Blob) yield* chunks(content.stream());
  else if (content instanceof ReadableStream) yield* chunks(content);
  else yield* content;
}

/** The bytes of a download, as they come. @throws PileusError */
export async function* download(client: Client, path: string, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
  const connection = new AbortController();
  const signal = options.signal === undefined ? connection.signal : AbortSignal.any([options.signal, connection.signal]);
  try {
    const response = await client.open({ method: 'GET', path, headers: { accept: '*/*' } }, signal);
    yield* response.stream();
  } finally {
    connection.abort();
  }
}
