import { type CallOptions, type Client, failure, newKey, type RepeatOptions } from './client.ts';
import { PileusError } from './errors.ts';
import { chunks, isReplayable, type ReplayableBody, type StreamBody, type TransportResponse } from './transport.ts';

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

/** What a download knows of the content once the server has answered. */
interface Whole {
  readonly sizeBytes: number | undefined;
  readonly tag: string | undefined;
  /** Whether the server sends the rest when it is asked for that. */
  readonly isRanged: boolean;
}

/**
 * The bytes of a download, as they come, each once and all of them: where the connection breaks, it goes on behind the last one.
 * @throws PileusError, also when the rest cannot be had: then what came is not the content
 */
export async function* download(client: Client, path: string, options: CallOptions = {}): AsyncGenerator<Uint8Array> {
  const { signal } = options;
  let whole: Whole | undefined;
  let atBytes = 0;
  for (let attempt = 1; ; attempt += 1) {
    const connection = new AbortController();
    const both = signal === undefined ? connection.signal : AbortSignal.any([signal, connection.signal]);
    let error: PileusError;
    try {
      const response = await client.open({ method: 'GET', path, headers: { accept: '*/*', ...restOf(whole, atBytes) } }, both);
      whole = atBytes === 0 ? wholeOf(response) : goneOn(response, whole, atBytes);
      for await (const chunk of response.stream()) {
        attempt = 1;
        atBytes += chunk.byteLength;
        yield chunk;
      }
      if (whole.sizeBytes === undefined || atBytes === whole.sizeBytes) return;
      error = new PileusError('connection_failed', 'The answer ended too early.');
    } catch (cause) {
      error = failure(cause, signal);
    } finally {
      connection.abort();
    }
    const canGoOn = atBytes === 0 || whole?.isRanged === true;
    if (error.retry !== 'same_request' || error.code === 'bad_response' || !canGoOn || attempt >= client.retry.attempts)
      throw atBytes === 0 ? error : brokenOff(error, whole, atBytes);
    await client.pause(attempt, error.retryAfterMs, signal);
  }
}

function wholeOf({ headers }: TransportResponse): Whole {
  const length = headers['content-length'];
  return {
    sizeBytes: length === undefined ? undefined : Number(length),
    tag: headers.etag,
    isRanged: headers['accept-ranges'] === 'bytes' && length !== undefined,
  };
}

const restOf = (whole: Whole | undefined, atBytes: number): Record<string, string> =>
  atBytes === 0 ? {} : { range: `bytes=${atBytes}-`, ...(whole?.tag === undefined ? {} : { 'if-range': whole.tag }) };

/** @throws PileusError bad_response when this is not the rest of that */
function goneOn({ status, headers }: TransportResponse, whole: Whole | undefined, atBytes: number): Whole {
  const [, from, sizeBytes] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
  if (whole === undefined || status !== 206 || Number(from) !== atBytes || Number(sizeBytes) !== whole.sizeBytes)
    throw new PileusError('bad_response', 'The server does not go on where it stopped: the content may be another by now.', { status });
  return whole;
}

const brokenOff = (error: PileusError, whole: Whole | undefined, atBytes: number): PileusError =>
  new PileusError(
    error.code,
    `The download broke off after ${atBytes} of ${whole?.sizeBytes ?? 'an unknown number of'} bytes. ${error.message}`,
    {
      retry: error.retry,
      params: error.params,
      ...(error.status === undefined ? {} : { status: error.status }),
      ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
      cause: error,
    },
  );
