import { errorOf, isPileusError, PileusError } from './errors.ts';
import { Signer } from './signing.ts';
import {
  isReplayable,
  type ReplayableBody,
  type StreamBody,
  type Transport,
  type TransportRequest,
  type TransportResponse,
} from './transport.ts';

/** How often and how patiently a request is sent again. */
export interface RetryPolicy {
  /** Tries in all, the first included. Default 6. */
  readonly attempts: number;
  /** Longest wait before the second try; doubles with each, and a random share of it is taken. Default 200. */
  readonly baseMs: number;
  /** Upper bound of one wait, also of what a server asks for. Default 20,000. */
  readonly maxMs: number;
  /** For how long who waits for what was accepted goes on asking while the server does not answer, as when it is restarted. Default 60,000. */
  readonly awayMs: number;
  /** Is told why, and after how many tries, before each wait for the next. Tells a person that waits for it. */
  readonly onRetry?: ((error: PileusError, tries: number) => void) | undefined;
}
export const DEFAULT_RETRY: RetryPolicy = { attempts: 6, baseMs: 200, maxMs: 20_000, awayMs: 60_000 };

export interface CallOptions {
  /** Gives up; the call rejects with code `aborted`. A change that was already sent may still be accepted. */
  readonly signal?: AbortSignal;
  /** Time for one try to be answered. Default 30 s, plus what a long poll asks for. */
  readonly timeoutMs?: number;
}

export interface RepeatOptions extends CallOptions {
  /** Default: a new one for each call. Give your own to make a call of yours safe to repeat after a restart of your program. */
  readonly idempotencyKey?: string;
}

export interface ChangeOptions extends RepeatOptions {
  /** Refuse (`precondition_failed`) unless the resource still has this `generation`. */
  readonly ifGeneration?: number;
  /** Is sent how the operation ended, as a signed CloudEvent: see `verifyWebhook`. The server's configuration says which URLs may be called. */
  readonly callbackUrl?: string;
}

export interface ClientOptions {
  /** Several servers of one cloud: the next is taken when one does not answer. */
  readonly transports: readonly Transport[];
  readonly apiKey?: string | undefined;
  /** Sign each request with the key in place of sending it. */
  readonly sign?: boolean | undefined;
  /** Id or name of the project to work in. Default: that of the key. */
  readonly project?: string | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
}

export interface Outgoing {
  readonly method: TransportRequest['method'];
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A function is asked for the body anew at each try. */
  readonly body?: ReplayableBody | StreamBody | (() => StreamBody);
}

const ANSWER_TIMEOUT_MS = 30_000;

/** Sends requests until they are answered or there is no point in trying; the one place where anything is sent again. */
export class Client {
  readonly #transports: readonly Transport[];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #signer: Signer | undefined;
  readonly #project: string | undefined;
  readonly #retry: RetryPolicy;
  #current = 0;

  constructor(options: ClientOptions) {
    if (options.transports.length === 0) throw new PileusError('invalid_input', 'connect() needs a url, urls or a transport.');
    this.#transports = options.transports;
    this.#retry = { ...DEFAULT_RETRY, ...options.retry };
    const { apiKey, sign = false, project } = options;
    if (apiKey !== undefined && !fitsHeader(apiKey)) throw new PileusError('invalid_input', 'The API key has a character that no key has.');
    if (project !== undefined && !fitsHeader(project))
      throw new PileusError('invalid_input', `${JSON.stringify(project)} is neither the name nor the id of a project.`);
    this.#signer = sign && apiKey !== undefined ? new Signer(apiKey) : undefined;
    this.#project = project;
    this.#headers = {
      ...(apiKey === undefined || sign ? {} : { authorization: `Bearer ${apiKey}` }),
      ...(project === undefined ? {} : { 'x-pileus-project': project }),
    };
  }

  /** Where requests go now; undefined in process. */
  get url(): string | undefined {
    return this.#transport().url;
  }

  get retry(): RetryPolicy {
    return this.#retry;
  }

  /** Sends, reads the answer as JSON, and retries. @throws PileusError */
  async json<T>(request: Outgoing, options: CallOptions = {}): Promise<T> {
    return await this.send(request, options, readJson<T>);
  }

  /** `json` that sends once: for who makes another request of it after a failure. The next one goes to another server if this one did not answer. */
  async once<T>(request: Outgoing, options: CallOptions = {}): Promise<T> {
    try {
      return await this.#try(request, options, readJson<T>);
    } catch (cause) {
      const error = failure(cause, options.signal);
      if (error.retry === 'same_request' && error.code !== 'busy') this.#current += 1;
      throw error;
    }
  }

  /** `json` for a request that changes something: it carries one idempotency key through all its tries. */
  async change<T>(request: Outgoing, options: ChangeOptions = {}): Promise<T> {
    const headers = {
      ...request.headers,
      'idempotency-key': options.idempotencyKey ?? newKey(),
      ...(options.ifGeneration === undefined ? {} : { 'if-match': `"${options.ifGeneration}"` }),
      ...(options.callbackUrl === undefined ? {} : { 'x-callback-url': options.callbackUrl }),
    };
    return await this.json<T>({ ...request, headers }, options);
  }

  /** Sends until `read` has read an answer. `read` is part of the try: an answer that breaks off is asked for again. */
  async send<T>(request: Outgoing, options: CallOptions, read: (response: TransportResponse) => Promise<T>): Promise<T> {
    const replayable = request.body === undefined || typeof request.body === 'function' || isReplayable(request.body);
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#try(request, options, read);
      } catch (cause) {
        const error = failure(cause, options.signal);
        if (error.retry !== 'same_request' || !replayable || attempt >= this.#retry.attempts) throw error;
        if (error.code !== 'busy') this.#current += 1;
        await this.pause(attempt, error, options.signal);
      }
    }
  }

  /** One answer whose body is read as it comes; not retried, no time limit. @throws PileusError */
  async open(request: Outgoing, signal: AbortSignal): Promise<TransportResponse> {
    try {
      return await this.#checked(request, signal);
    } catch (cause) {
      const error = failure(cause, undefined);
      if (error.retry === 'same_request') this.#current += 1;
      throw error;
    }
  }

  /** Waits before try `attempt + 1`; `error` is what the last one ended with. @throws PileusError aborted */
  async pause(attempt: number, error: PileusError | undefined, signal: AbortSignal | undefined): Promise<void> {
    const { baseMs, maxMs, onRetry } = this.#retry;
    if (error !== undefined) onRetry?.(error, attempt);
    const backoffMs = Math.random() * Math.min(maxMs, baseMs * 2 ** (attempt - 1));
    await sleep(Math.min(maxMs, error?.retryAfterMs ?? 0) + backoffMs, signal);
  }

  async #try<T>(request: Outgoing, options: CallOptions, read: (response: TransportResponse) => Promise<T>): Promise<T> {
    const timeout = new AbortController();
    const timer = setTimeout(
      () => timeout.abort(new PileusError('connection_failed', 'The server did not answer in time.')),
      options.timeoutMs ?? ANSWER_TIMEOUT_MS,
    );
    try {
      options.signal?.throwIfAborted();
      const signal = options.signal === undefined ? timeout.signal : AbortSignal.any([options.signal, timeout.signal]);
      return await read(await this.#checked(request, signal));
    } catch (error) {
      throw timeout.signal.aborted ? timeout.signal.reason : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #checked(request: Outgoing, signal: AbortSignal): Promise<TransportResponse> {
    const { body: given, ...rest } = request;
    const body = typeof given === 'function' ? given() : given;
    const { method, path } = request;
    checkPath(path);
    const authorization = await this.#signer?.authorization({ method, path, project: this.#project, body });
    const response = await this.#transport().request({
      ...rest,
      ...(body === undefined ? {} : { body }),
      headers: {
        accept: 'application/json',
        ...this.#headers,
        ...(authorization === undefined ? {} : { authorization }),
        ...request.headers,
      },
      signal,
    });
    if (response.status >= 400) throw errorOf(response.status, response.headers, await response.text());
    return response;
  }

  #transport(): Transport {
    const transport = this.#transports[this.#current % this.#transports.length];
    if (transport === undefined) throw new PileusError('invalid_input', 'connect() needs a url, urls or a transport.');
    return transport;
  }
}

/** What a header takes as it is; ends of lines around a key, as files have them, go by themselves. */
const fitsHeader = (text: string): boolean => /^[\x20-\x7e]*$/.test(text.trim());

/**
 * Names and ids are parts of paths. An empty one, and those that URLs take for steps up, would ask for something else: `users.password('..')` for the password of
 * whoever asks. @throws PileusError invalid_input
 */
function checkPath(path: string): void {
  const [names = ''] = path.split('?');
  const astray = names
    .split('/')
    .slice(1)
    .find((name) => name === '' || name === '.' || name === '..');
  if (astray !== undefined) throw new PileusError('invalid_input', `${JSON.stringify(astray)} is neither a name nor an id.`);
}

async function readJson<T>(response: TransportResponse): Promise<T> {
  const text = await response.text();
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new PileusError('bad_response', 'The answer is not JSON: is this the URL of a Pileus server?', {
      status: response.status,
      cause,
    });
  }
}

/** Whatever a transport threw, as an error with an answer to "again?". */
export function failure(cause: unknown, signal: AbortSignal | undefined): PileusError {
  if (signal?.aborted === true) return new PileusError('aborted', 'The call was given up.', { cause: signal.reason });
  if (isPileusError(cause)) return cause;
  return new PileusError('connection_failed', `No answer from the server (${reason(cause)}).`, { cause });
}

/** The innermost message: `fetch failed` alone helps nobody. */
function reason(error: unknown): string {
  let at = error;
  for (let depth = 0; depth < 8 && at instanceof Error && at.cause instanceof Error; depth += 1) at = at.cause;
  if (at instanceof AggregateError && at.errors[0] instanceof Error) at = at.errors[0];
  if (at instanceof Error && 'code' in at && NO_TLS.has(at.code)) return 'it does not speak TLS; is its URL one of http://, not https://?';
  return at instanceof Error ? at.message : String(at);
}

/** What TLS makes of an answer that is none of TLS: its own words name files of OpenSSL. */
const NO_TLS: ReadonlySet<unknown> = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']);

export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(new PileusError('aborted', 'The call was given up.', { cause: signal?.reason }));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', giveUp);
      resolve();
    }, ms);
    if (signal?.aborted === true) giveUp();
    else signal?.addEventListener('abort', giveUp, { once: true });
  });
}

/** 128 random bits; `crypto.randomUUID` is missing on pages served over plain http. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
