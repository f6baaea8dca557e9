import { PileusError } from './errors.ts';
import { isReplayable, type ReplayableBody, type StreamBody } from './transport.ts';

type SigningKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

const SCHEME = 'PILEUS-HMAC-SHA256';
const KEY = /^pil_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/;

export interface Signed {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly project: string | undefined;
  readonly body: ReplayableBody | StreamBody | undefined;
}

/**
 * Proves by each request that the API key is there, without sending it: the value of the header Authorization. Each proof is good for one request, and for
 * five minutes. Needs WebCrypto: any Node, and pages served over https.
 */
export class Signer {
  readonly #keyId: string;
  readonly #signingKey: Promise<SigningKey>;

  /** @throws PileusError invalid_input for what is no key that signs, as the root key */
  constructor(apiKey: string) {
    const [, ...parts] = KEY.exec(apiKey) ?? [];
    if (parts.length === 0) throw new PileusError('invalid_input', 'Only an API key that a user or a service account holds can sign.');
    this.#keyId = parts.join('-');
    this.#signingKey = signingKeyOf(apiKey);
  }

  /** @throws PileusError invalid_input for a body that can be read but once */
  async authorization({ method, path, project = '', body }: Signed): Promise<string> {
    const content = await sha256(await bytesOf(body));
    const { pathname, search } = new URL(path, 'http://server');
    const date = new Date().toISOString();
    const nonce = hex(crypto.getRandomValues(new Uint8Array(16)));
    const lines = [SCHEME, method, pathname + search, date, nonce, content, project].join('\n');
    const signature = hex(new Uint8Array(await crypto.subtle.sign('HMAC', await this.#signingKey, encoder.encode(lines))));
    return `${SCHEME} key=${this.#keyId}, date=${date}, nonce=${nonce}, content=${content}, signature=${signature}`;
  }
}

const encoder = new TextEncoder();

async function signingKeyOf(apiKey: string): Promise<SigningKey> {
  const derived = await sha256(encoder.encode(`pileus-signing:${apiKey}`));
  return crypto.subtle.importKey('raw', encoder.encode(derived), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
}

async function bytesOf(body: Signed['body']): Promise<Uint8Array<ArrayBuffer>> {
  if (body === undefined) return new Uint8Array();
  if (typeof body === 'string') return encoder.encode(body);
  if (body instanceof Blob) return new Uint8Array(await body.arrayBuffer());
  if (isReplayable(body)) return body as Uint8Array<ArrayBuffer>;
  throw new PileusError('invalid_input', 'What is sent as a stream cannot be signed: give its bytes, or a client that sends its key.');
}

const sha256 = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> => hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
