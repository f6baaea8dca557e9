import { createHash, hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { CloudError, isCloudError, notLetIn, type RequestBody, type Timers } from '@pileus/core/kernel';

export interface BodyLimits {
  /** Of a JSON body. */
  readonly bytesMax: number;
  /** For a whole JSON body, and for the next bytes of an upload. */
  readonly timeoutMs: number;
}

const JSON_TYPES = new Set(['application/json', 'application/merge-patch+json']);

/** @param sha256 of the body that was signed: another is refused, at the latest when the last of it is read */
export function bodyOf(request: IncomingMessage, limits: BodyLimits, timers: Timers, sha256?: string): RequestBody | undefined {
  const { headers } = request;
  if (headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0') {
    if (sha256 !== undefined && sha256 !== NOTHING) throw notAsSigned();
    return undefined;
  }
  return {
    async json() {
      const mediaType = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
      if (!JSON_TYPES.has(mediaType))
        throw new CloudError(
          'unsupported_media_type',
          `This route takes application/json, not ${mediaType === '' ? 'a body without a type' : mediaType}.`,
        );
      const announced = Number(headers['content-length'] ?? 0);
      if (announced > limits.bytesMax) throw tooLarge(limits);
      const bytes = await readAll(request, limits, timers);
      if (sha256 !== undefined && hash('sha256', bytes) !== sha256) throw notAsSigned();
      return parse(bytes);
    },
    bytes: () => (sha256 === undefined ? whole(request, limits, timers) : checked(whole(request, limits, timers), sha256)),
  };
}

const NOTHING = hash('sha256', '');

const notAsSigned = (): CloudError =>
  notLetIn(new CloudError('unauthenticated', 'The body is not the one that was signed.'), {
    reason: 'bad_signature',
    action: 'apiKey.use',
  });

async function* checked(bytes: AsyncIterable<Uint8Array>, sha256: string): AsyncGenerator<Uint8Array> {
  const digest = createHash('sha256');
  for await (const chunk of bytes) {
    digest.update(chunk);
    yield chunk;
  }
  if (digest.digest('hex') !== sha256) throw notAsSigned();
}

const tooLarge = ({ bytesMax }: BodyLimits): CloudError =>
  new CloudError('too_large', `The body is larger than ${bytesMax} bytes.`, { params: { limitBytes: bytesMax } });

const late = (): CloudError => new CloudError('invalid_input', 'The body did not arrive in time.');

const cutShort = (cause: unknown): CloudError =>
  new CloudError('invalid_input', 'The request ended before its body was complete.', { cause });

/** Whoever stops reading does not end the connection with it: the rest is read and dropped, and the client gets to read why. */
async function* whole(request: IncomingMessage, { timeoutMs }: BodyLimits, timers: Timers): AsyncGenerator<Uint8Array> {
  // Whoever sends nothing is cut. The time that the other side takes to store what has come does not count.
  const awaitNext = () => timers.after(timeoutMs, () => request.destroy(late()));
  let cancel = awaitNext();
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      cancel();
      yield chunk;
      cancel = awaitNext();
    }
  } catch (cause) {
    throw isCloudError(cause) ? cause : cutShort(cause);
  } finally {
    cancel();
    request.resume();
  }
}

function readAll(request: IncomingMessage, limits: BodyLimits, timers: Timers): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  const cancel = timers.after(limits.timeoutMs, () => reject(late()));
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    chunks.push(chunk);
    if (size > limits.bytesMax) {
      // What is on its way is read and dropped, so that the client gets to read the answer.
      request.removeAllListeners('data').resume();
      reject(tooLarge(limits));
    }
  });
  request.on('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
  request.on('error', (cause) => reject(cutShort(cause)));
  // A client that went while its request waited for its turn has told so before anyone listened.
  if (request.destroyed && !request.complete) reject(cutShort(request.errored));
  return promise.finally(cancel);
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** More than any route takes, and less than what walks through a value by recursion can stand. */
const NESTING_MAX = 128;

function parse(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  if (isNestedDeeper(bytes, NESTING_MAX))
    throw new CloudError('invalid_input', `The body is nested more than ${NESTING_MAX} deep.`, { pointer: '' });
  try {
    return JSON.parse(decoder.decode(bytes)) as unknown;
  } catch (cause) {
    throw new CloudError('invalid_input', 'The body is not valid JSON in UTF-8.', { pointer: '', cause });
  }
}

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];

function isNestedDeeper(json: Buffer, max: number): boolean {
  if (json.length <= max) return false;
  let depth = 0;
  let isText = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (byte === QUOTE) isText = !isText;
    else if (isText) at += byte === BACKSLASH ? 1 : 0;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      if (++depth > max) return true;
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
  return false;
}
