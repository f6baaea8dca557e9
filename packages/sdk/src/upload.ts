import { type Client, failure, newKey, type Outgoing, type RepeatOptions } from './client.ts';
import { isPileusError, PileusError } from './errors.ts';
import { chunks, isReplayable, type ReplayableBody, type StreamBody } from './transport.ts';

/**
 * What can be uploaded. Bytes and Blobs are sent again when the connection breaks; with `sha256`, only what the server does not have yet, also in another
 * process. A stream is read once, so its upload is not repeated.
 */
export type Upload = ReplayableBody | StreamBody;

export interface UploadOptions extends RepeatOptions {
  /** SHA-256 of the content in hexadecimal; the server refuses other content. By it an upload goes on where an earlier one broke off. */
  readonly sha256?: string;
  /** Needed with a stream if the server shall know the size beforehand. */
  readonly sizeBytes?: number;
  /** Told how many bytes have been handed to the connection, those included that the server had already. */
  readonly onProgress?: (sentBytes: number) => void;
  readonly contentType?: string;
}

/** Uploads take as long as they take: an hour, unless the caller says otherwise. */
const UPLOAD_TIMEOUT_MS = 3_600_000;

/** Sends bytes to an upload endpoint and answers what it answers. @throws PileusError */
export async function upload<T>(client: Client, path: string, content: Upload, options: UploadOptions = {}): Promise<T> {
  const { sha256, signal } = options;
  if (sha256 !== undefined && isReplayable(content)) {
    const headers = headersOf({ ...options, sha256 });
    const received = await receivedBytes(client, path, sha256, signal);
    if (received !== undefined)
      return await new ResumedUpload(client, path, bytesOf(content), { ...options, sha256 }).run<T>(received, headers);
  }
  const { onProgress } = options;
  const body =
    onProgress === undefined ? content : isReplayable(content) ? () => counted(content, onProgress) : counted(content, onProgress);
  const headers = {
    ...headersOf(options),
    'idempotency-key': options.idempotencyKey ?? newKey(),
    ...(options.sizeBytes === undefined ? {} : { 'content-length': String(options.sizeBytes) }),
  };
  return await client.json<T>({ method: 'PUT', path, body, headers }, { timeoutMs: UPLOAD_TIMEOUT_MS, ...options });
}

/** How much of the content the server has; undefined where uploads cannot be gone on with. */
async function receivedBytes(client: Client, path: string, sha256: string, signal: AbortSignal | undefined): Promise<number | undefined> {
  try {
    const request: Outgoing = { method: 'GET', path: `${path}/received?sha256=${sha256.toLowerCase()}` };
    return (await client.json<{ readonly receivedBytes: number }>(request, signal === undefined ? {} : { signal })).receivedBytes;
  } catch (error) {
    if (isPileusError(error) && error.code === 'not_found') return undefined;
    throw error;
  }
}

type Bytes = Uint8Array | Blob;

/** An upload that goes on behind what the server has, as often as the connection breaks. */
class ResumedUpload {
  readonly #client: Client;
  readonly #path: string;
  readonly #content: Bytes;
  readonly #sizeBytes: number;
  readonly #options: UploadOptions & { readonly sha256: string };

  constructor(client: Client, path: string, content: Bytes, options: UploadOptions & { readonly sha256: string }) {
    this.#client = client;
    this.#path = path;
    this.#content = content;
    this.#sizeBytes = content instanceof Blob ? content.size : content.byteLength;
    this.#options = options;
  }

  async run<T>(receivedAtFirst: number, headers: Readonly<Record<string, string>>): Promise<T> {
    const { signal, sha256 } = this.#options;
    let received = receivedAtFirst;
    let furthest = received;
    let isSpoiled = false;
    for (let attempt = 1, tries = 1; ; attempt += 1, tries += 1) {
      // With all of it there, the last byte tells the server that this is the end.
      const fromBytes = Math.min(received, Math.max(0, this.#sizeBytes - 1));
      try {
        return await this.#send<T>(fromBytes, { ...headers, ...this.#range(fromBytes, tries) });
      } catch (cause) {
        const error = failure(cause, signal);
        const again = this.#goesOn(error, fromBytes, isSpoiled);
        if (again === 'no' || attempt >= this.#client.retry.attempts) throw error;
        isSpoiled ||= again === 'from the start';
        await this.#client.pause(attempt, error, signal);
      }
      received = (await receivedBytes(this.#client, this.#path, sha256, signal)) ?? 0;
      if (received > furthest) attempt = 0;
      furthest = Math.max(furthest, received);
    }
  }

  #goesOn(error: PileusError, fromBytes: number, isSpoiled: boolean): 'no' | 'yes' | 'from the start' {
    if (error.retry === 'same_request') return 'yes';
    // Between the question and the request the server has lost or dropped something.
    if (error.code === 'conflict' && error.params.receivedBytes !== undefined) return 'yes';
    // What was there was not of this content. It is gone now, and all is sent, once.
    const isOther = error.code === 'invalid_input' && error.params.found !== undefined;
    return isOther && fromBytes > 0 && !isSpoiled ? 'from the start' : 'no';
  }

  /** The first try is not to take the turn from an upload that somebody else has under way; the next ones take it from our own. */
  #range(fromBytes: number, tries: number): Record<string, string> {
    const size = this.#sizeBytes;
    return size === 0 || (fromBytes === 0 && tries === 1) ? {} : { 'content-range': `bytes ${fromBytes}-${size - 1}/${size}` };
  }

  async #send<T>(fromBytes: number, headers: Readonly<Record<string, string>>): Promise<T> {
    const { onProgress, idempotencyKey } = this.#options;
    const content = this.#content instanceof Blob ? this.#content.slice(fromBytes) : this.#content.subarray(fromBytes);
    return await this.#client.once<T>(
      {
        method: 'PUT',
        path: this.#path,
        body: onProgress === undefined ? content : () => counted(content, onProgress, fromBytes),
        headers: { ...headers, 'idempotency-key': idempotencyKey ?? newKey() },
      },
      { timeoutMs: UPLOAD_TIMEOUT_MS, ...this.#options },
    );
  }
}

const headersOf = ({ contentType, sha256 }: UploadOptions): Record<string, string> => ({
  'content-type': contentType ?? 'application/octet-stream',
  ...(sha256 === undefined ? {} : { 'repr-digest': `sha-256=:${base64OfHex(sha256)}:` }),
});

function base64OfHex(hex: string): string {
  if (!/^[0-9a-f]{64}$/i.test(hex)) throw new PileusError('invalid_input', 'sha256 must be 64 hexadecimal digits.', { pointer: '/sha256' });
  const bytes = hex.match(/../g) ?? [];
  return btoa(String.fromCharCode(...bytes.map((byte) => Number.parseInt(byte, 16))));
}

const SLICE_BYTES = 1 << 18;

async function* counted(content: Upload, onProgress: (sentBytes: number) => void, fromBytes = 0): AsyncGenerator<Uint8Array> {
  let sentBytes = fromBytes;
  for await (const chunk of pieces(content)) {
    yield chunk;
    sentBytes += chunk.byteLength;
    onProgress(sentBytes);
  }
}

const bytesOf = (content: ReplayableBody): Bytes => (typeof content === 'string' ? new TextEncoder().encode(content) : content);

async function* pieces(content: Upload): AsyncIterable<Uint8Array> {
  if (typeof content === 'string') yield new TextEncoder().encode(content);
  else if (content instanceof Uint8Array)
    for (let at = 0; at < content.byteLength; at += SLICE_BYTES) yield content.subarray(at, at + SLICE_BYTES);
  else if (content instanceof Blob) yield* chunks(content.stream());
  else if (content instanceof ReadableStream) yield* chunks(content);
  else yield* content;
}
