import type { BackupStoreDriver, BackupStoreFactory, Call, Fault, KeyPage } from '@pileus/core/strategy';
import { AwsClient } from 'aws4fetch';

const KEY = /^(?!.{513})[a-z0-9_-][a-z0-9._-]*(\/[a-z0-9_-][a-z0-9._-]*)*$/;
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PROBE = 'pileus/probe';

class S3Error extends Error {
  readonly fault: Fault;
  constructor(fault: Fault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/** Backups in a bucket of anything that speaks the protocol of S3: Ceph's radosgw, MinIO, Amazon. */
export const s3Backups: BackupStoreFactory = {
  name: 's3',
  settings: {
    endpoint: { description: 'The address, e.g. `https://s3.example.org`.', required: true },
    bucket: { description: 'A bucket that is there, and has nothing else in it or below the prefix.', required: true },
    prefix: { description: 'A folder in the bucket, e.g. `pileus/`. Default: none.', required: false },
    region: { description: 'Default: `us-east-1`.', required: false },
    accessKeyId: { description: 'Who asks. He may list the bucket, and read, write and delete objects.', required: true, credential: true },
    secretAccessKey: { description: 'What proves that.', required: true, secret: true },
  },
  settingFault: ({ endpoint = '', bucket = '', prefix = '' }) => {
    if (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))
      return { setting: 'endpoint', reason: 'must be an address like https://s3.example.org' };
    if (!BUCKET.test(bucket))
      return { setting: 'bucket', reason: 'must be the name of a bucket: lower-case letters, digits, dots, hyphens' };
    if (prefix !== '' && !(prefix.endsWith('/') && KEY.test(prefix.slice(0, -1))))
      return { setting: 'prefix', reason: 'must be a folder like pileus/: lower-case letters, digits and . _ -, with a slash at its end' };
    return undefined;
  },
  open: ({ settings }) => {
    const { endpoint = '', bucket = '', prefix = '', region = 'us-east-1', accessKeyId = '', secretAccessKey = '' } = settings;
    const url = `${endpoint.replace(/\/$/, '')}/${bucket}`;
    return new Bucket(url, prefix, new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 }));
  },
};

class Bucket implements BackupStoreDriver {
  readonly #url: string;
  readonly #prefix: string;
  readonly #client: AwsClient;
  #isClosed = false;

  constructor(url: string, prefix: string, client: AwsClient) {
    this.#url = url;
    this.#prefix = prefix;
    this.#client = client;
  }

  async ensureStore(call: Call): Promise<void> {
    await this.put(PROBE, new Uint8Array(), call);
    await this.list({ prefix: 'pileus/' }, call);
    await this.delete(PROBE, call);
  }

  async put(key: string, bytes: Uint8Array, call: Call): Promise<void> {
    await this.#ask('PUT', this.#object(key), call, { body: bytes });
  }

  async get(key: string, call: Call): Promise<Uint8Array | undefined> {
    return (await this.#ask('GET', this.#object(key), call, { mayBeAbsent: true }))?.bytes;
  }

  /** By its first byte: the answer to HEAD does not tell whether the object or the bucket is absent. */
  async has(key: string, call: Call): Promise<boolean> {
    return (await this.#ask('GET', this.#object(key), call, { mayBeAbsent: true, headers: { range: 'bytes=0-0' } })) !== undefined;
  }

  async delete(key: string, call: Call): Promise<void> {
    await this.#ask('DELETE', this.#object(key), call, { mayBeAbsent: true });
  }

  async list({ prefix, after }: { readonly prefix: string; readonly after?: string }, call: Call): Promise<KeyPage> {
    if (!prefix.endsWith('/') || !KEY.test(prefix.slice(0, -1))) throw new S3Error('invalid', `${prefix} is no folder`);
    const query = new URLSearchParams({ 'list-type': '2', 'max-keys': '1000', prefix: this.#prefix + prefix });
    if (after !== undefined) query.set('start-after', this.#prefix + after);
    const text = Buffer.from((await this.#ask('GET', `${this.#url}?${query}`, call, {}))?.bytes ?? []).toString();
    // Keys have no character that XML would have to say in another way.
    const keys = [...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => key.slice(this.#prefix.length));
    return { keys, hasMore: /<IsTruncated>true<\/IsTruncated>/.test(text) };
  }

  classify(error: unknown): Fault {
    try {
      return error instanceof S3Error ? error.fault : 'internal';
    } catch {
      // Whatever was thrown may throw when it is looked at.
      return 'internal';
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #object(key: string): string {
    if (!KEY.test(key)) throw new S3Error('invalid', `${key} is no key`);
    return `${this.#url}/${this.#prefix}${key}`;
  }

  /** Undefined: there is no such object, for certain. */
  async #ask(method: string, url: string, call: Call, options: AskOptions): Promise<{ readonly bytes: Uint8Array } | undefined> {
    if (this.#isClosed) throw new S3Error('unavailable', 'the store is closed');
    if (call.signal.aborted) throw new S3Error('unavailable', 'aborted before it began');
    const { body, headers, mayBeAbsent = false } = options;
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(call.timeoutMs)]);
    const request = await this.#client.sign(url, {
      method,
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
      ...(headers === undefined ? {} : { headers }),
    });
    const { status, bytes } = await exchange(request, signal);
    if (status >= 200 && status < 300) return { bytes };
    const code = /<Code>([^<]*)<\/Code>/.exec(Buffer.from(bytes).toString())?.[1] ?? '';
    // Of an empty object there is no first byte.
    if (status === 416) return { bytes: new Uint8Array() };
    if (status === 404 && mayBeAbsent && code === 'NoSuchKey') return undefined;
    throw new S3Error(faultOf(status, code), `${method} answers ${status} ${code}`);
  }
}

interface AskOptions {
  readonly body?: Uint8Array;
  readonly headers?: Record<string, string>;
  readonly mayBeAbsent?: boolean;
}

async function exchange(request: Request, signal: AbortSignal): Promise<{ readonly status: number; readonly bytes: Uint8Array }> {
  try {
    const response = await fetch(request, { signal });
    return { status: response.status, bytes: new Uint8Array(await response.arrayBuffer()) };
  } catch (cause) {
    const isRefused = cause instanceof TypeError && UNSENT.includes(String((cause.cause as { code?: unknown } | undefined)?.code));
    throw new S3Error(isRefused ? 'unavailable' : 'unknown_outcome', 'the store did not answer', { cause });
  }
}

/** Codes of failures before anything was sent. */
const UNSENT: readonly string[] = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'];

function faultOf(status: number, code: string): Fault {
  if (code === 'QuotaExceeded' || code === 'EntityTooLarge' || status === 507) return 'exhausted';
  if (status === 403 || status === 401) return 'invalid';
  return status === 400 ? 'internal' : 'unavailable';
}
