import { type CallOptions, type Client, failure } from './client.ts';
import { type ConnectOptions, clientOf } from './connect.ts';
import { PileusError } from './errors.ts';
import type { TransportResponse } from './transport.ts';

export interface DownloadOptions extends CallOptions {
  /** SHA-256 of the content in hexadecimal, where it is known beforehand. Default: as the first answer tells it. */
  readonly sha256?: string;
  /**
   * Other clouds where images with the same content can be read: the download goes on there when this one does not answer. One that does not have the
   * content is left out.
   */
  readonly mirrors?: readonly ConnectOptions[];
}

/** Where the content can be had. */
interface Source {
  readonly client: Client;
  readonly path: string;
}

/** What a download knows of the content once a server has answered. */
interface Whole {
  readonly sizeBytes: number | undefined;
  readonly tag: string | undefined;
  readonly sha256: string | undefined;
  /** Whether the server sends the rest when it is asked for that. */
  readonly isRanged: boolean;
}

/**
 * The bytes of a download, as they come, each once and all of them: where the connection breaks, it goes on behind the last one. In Node they are checked
 * by the digest that the server tells, or the one given.
 * @throws PileusError, also when the rest cannot be had: then what came is not the content
 */
export async function* download(client: Client, path: string, options: DownloadOptions = {}): AsyncGenerator<Uint8Array> {
  yield* new Download(client, path, options).bytes();
}

class Download {
  readonly #own: Source;
  readonly #options: DownloadOptions;
  readonly #mirrors: Client[];
  readonly #hash = sha256Hash();
  #whole: Whole | undefined;
  #atBytes = 0;
  /** Which of the sources is asked: our own, then the mirrors. */
  #turn = 0;

  constructor(client: Client, path: string, options: DownloadOptions) {
    this.#own = { client, path };
    this.#options = options;
    this.#mirrors = (options.mirrors ?? []).map(clientOf);
  }

  async *bytes(): AsyncGenerator<Uint8Array> {
    const { client } = this.#own;
    const { signal } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const fromBytes = this.#atBytes;
      const source = this.#source();
      let error: PileusError;
      try {
        yield* this.#read(source);
        break;
      } catch (cause) {
        error = failure(cause, signal);
      }
      if (this.#atBytes > fromBytes) attempt = 1;
      if (!this.#goesOn(error, source) || attempt >= client.retry.attempts) throw this.#atBytes === 0 ? error : this.#brokenOff(error);
      await client.pause(attempt, error, signal);
    }
    this.#check();
  }

  /** What comes over one connection. @throws PileusError */
  async *#read({ client, path }: Source): AsyncGenerator<Uint8Array> {
    const { signal } = this.#options;
    const connection = new AbortController();
    const both = signal === undefined ? connection.signal : AbortSignal.any([signal, connection.signal]);
    let whole: Whole;
    try {
      const response = await client.open({ method: 'GET', path, headers: { accept: '*/*', ...this.#rest() } }, both);
      whole = this.#atBytes === 0 ? wholeOf(response, this.#options.sha256) : goneOn(response, this.#whole, this.#atBytes);
      this.#whole = whole;
      for await (const chunk of response.stream()) {
        this.#atBytes += chunk.byteLength;
        this.#hash?.update(chunk);
        yield chunk;
      }
    } finally {
      connection.abort();
    }
    if (whole.sizeBytes !== undefined && this.#atBytes !== whole.sizeBytes)
      throw new PileusError('connection_failed', 'The answer ended too early.');
  }

  /** By its digest the content is known elsewhere, too. */
  #source(): Source {
    const sha256 = this.#options.sha256 ?? this.#whole?.sha256;
    const mirror = this.#mirrors[(this.#turn % (this.#mirrors.length + 1)) - 1];
    return mirror === undefined || sha256 === undefined
      ? this.#own
      : { client: mirror, path: `/v1/image-contents/${sha256.toLowerCase()}` };
  }

  #goesOn(error: PileusError, source: Source): boolean {
    if (error.code === 'aborted' || !(this.#atBytes === 0 || this.#whole?.isRanged === true)) return false;
    const isMirror = source !== this.#own;
    if (error.retry === 'same_request' && error.code !== 'bad_response') this.#turn += 1;
    else if (isMirror) this.#mirrors.splice(this.#mirrors.indexOf(source.client), 1);
    else return false;
    return true;
  }

  #rest(): Record<string, string> {
    if (this.#atBytes === 0) return {};
    const tag = this.#whole?.tag;
    return { range: `bytes=${this.#atBytes}-`, ...(tag === undefined ? {} : { 'if-range': tag }) };
  }

  /** @throws PileusError bad_response */
  #check(): void {
    const expected = this.#whole?.sha256;
    if (expected === undefined || this.#hash === undefined) return;
    const found = this.#hash.digest('hex');
    if (found === expected) return;
    throw new PileusError('bad_response', 'What came does not have the digest of the content.', { params: { expected, found } });
  }

  #brokenOff(error: PileusError): PileusError {
    const { code, retry, params, status, requestId } = error;
    const size = this.#whole?.sizeBytes ?? 'an unknown number of';
    return new PileusError(code, `The download broke off after ${this.#atBytes} of ${size} bytes. ${error.message}`, {
      retry,
      params,
      ...(status === undefined ? {} : { status }),
      ...(requestId === undefined ? {} : { requestId }),
      cause: error,
    });
  }
}

/** @throws PileusError bad_response when it is other content than what is asked for */
function wholeOf({ status, headers }: TransportResponse, asked: string | undefined): Whole {
  const length = headers['content-length'];
  const told = hexOf(headers['repr-digest']);
  const expected = asked?.toLowerCase();
  if (expected !== undefined && told !== undefined && told !== expected)
    throw new PileusError('bad_response', 'The content has another digest than the one given.', {
      status,
      params: { expected, found: told },
    });
  return {
    sizeBytes: length === undefined ? undefined : Number(length),
    tag: headers.etag,
    sha256: expected ?? told,
    isRanged: headers['accept-ranges'] === 'bytes' && length !== undefined,
  };
}

/** @throws PileusError bad_response when this is not the rest of that */
function goneOn({ status, headers }: TransportResponse, whole: Whole | undefined, atBytes: number): Whole {
  const [, from, sizeBytes] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
  if (whole === undefined || status !== 206 || Number(from) !== atBytes || Number(sizeBytes) !== whole.sizeBytes)
    throw new PileusError('bad_response', 'The server does not go on where it stopped: the content may be another by now.', { status });
  return whole;
}

/** The SHA-256 of a `Repr-Digest` header (RFC 9530) in hexadecimal. */
function hexOf(header: string | undefined): string | undefined {
  const encoded = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(header ?? '')?.[1];
  return encoded === undefined ? undefined : Array.from(atob(encoded), (char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

interface Sha256 {
  update(bytes: Uint8Array): unknown;
  digest(encoding: 'hex'): string;
}

/** Of Node. Browsers reckon a digest only of what they hold as a whole, which a disk is not. */
function sha256Hash(): Sha256 | undefined {
  const { process } = globalThis as {
    readonly process?: { getBuiltinModule?(id: string): { createHash(algorithm: string): Sha256 } | undefined };
  };
  return process?.getBuiltinModule?.('node:crypto')?.createHash('sha256');
}
