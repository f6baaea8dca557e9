/** One connection to an OVSDB server, from its beginning to its end. A session is never repaired: the client opens the next. */
import type { Socket } from 'node:net';
import type { BigMessages } from './big-messages.ts';
import { ClusterError, ConnectionLostError, OvsdbError, ProtocolError, readErrorBody } from './errors.ts';
import { type Message, parseMessage } from './message.ts';
import { MessageReader } from './message-reader.ts';
import { type CallOptions, type Limits, Requests } from './requests.ts';
import { type Address, openTransport } from './transport.ts';

export interface SessionOptions {
  readonly limits: Limits;
  /** After how much silence we ask for a sign of life. 0: never. */
  readonly probeIntervalMs: number;
  /** Intervals of silence after which the connection counts as lost. */
  readonly probeMissesMax: number;
  /** Of a message, both ways. */
  readonly messageBytesMax: number;
  /** Messages from this length on are parsed by `bigMessages`. */
  readonly bigMessageBytes: number;
  readonly bigMessages: BigMessages;
  /** Told in the order in which messages came; while a promise of it is unsettled, no further message is looked at. */
  readonly onNotification: (method: string, params: readonly unknown[], session: Session) => void | Promise<void>;
}

export class Session {
  readonly #socket: Socket;
  readonly #options: SessionOptions;
  readonly #requests: Requests;
  readonly #reader: MessageReader;
  readonly #closed = Promise.withResolvers<Error>();
  #inbox: Buffer[] = [];
  #held = false;
  #outbox: string[] = [];
  #pulse: NodeJS.Timeout | undefined;
  #silentIntervals = 0;
  #ended: Error | undefined;

  private constructor(socket: Socket, options: SessionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#requests = new Requests(options.limits, (message) => this.#write(message));
    this.#reader = new MessageReader(options.messageBytesMax);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.end(error));
    socket.on('close', () => this.end(new Error('the connection was closed')));
    if (options.probeIntervalMs > 0) this.#pulse = setInterval(() => this.#beat(), options.probeIntervalMs).unref();
    socket.resume();
  }

  static async open(address: Address, options: SessionOptions, signal: AbortSignal): Promise<Session> {
    return new Session(await openTransport(address, signal), options);
  }

  /** Resolves, with the reason, when the session has ended. */
  get closed(): Promise<Error> {
    return this.#closed.promise;
  }

  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Ends the session: what is unanswered rejects with `ConnectionLostError`. Ending twice does nothing. */
  end(reason: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    clearInterval(this.#pulse);
    this.#socket.destroy();
    this.#inbox = [];
    this.#requests.end(reason);
    this.#closed.resolve(reason);
  }

  /** Asks, and reads the result with `read` before anything that came after it is looked at. `name` is for errors. */
  request<R>(
    name: string,
    method: string,
    params: readonly unknown[],
    options: CallOptions,
    read: (result: unknown) => R | Promise<R>,
  ): Promise<R> {
    if (this.#ended !== undefined)
      return Promise.reject(new ConnectionLostError(`${name}: ${this.#ended.message}`, 'not_sent', { cause: this.#ended }));
    const text = JSON.stringify(params);
    const bytesMax = this.#options.messageBytesMax;
    if (text.length > bytesMax) return Promise.reject(new RangeError(`${name}: longer than ${bytesMax} bytes`));
    return new Promise((resolve, reject) => {
      const onResult = (result: unknown): void | Promise<void> => {
        try {
          const value = read(result);
          if (!(value instanceof Promise)) return resolve(value);
          return value.then(resolve, reject);
        } catch (error) {
          reject(error);
        }
      };
      this.#requests.add({ name, method, params: text, onResult, reject }, options);
    });
  }

  /** Joins what is written in one turn. */
  #write(message: string): void {
    this.#outbox.push(message);
    if (this.#outbox.length === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const text = this.#outbox.join('');
    this.#outbox = [];
    if (this.#ended === undefined) this.#socket.write(text);
  }

  #beat(): void {
    // While a message is worked on we do not read, so we could not hear anything either.
    if (this.#held) return;
    this.#silentIntervals += 1;
    if (this.#silentIntervals > this.#options.probeMissesMax + 1)
      this.end(new Error(`silence for ${this.#silentIntervals} probe intervals`));
    else if (this.#silentIntervals > 1) this.#write('{"id":"probe","method":"echo","params":[]}');
  }

  #receive(chunk: Buffer): void {
    this.#silentIntervals = 0;
    this.#guard(() => {
      this.#reader.push(chunk, (message) => this.#inbox.push(message));
      if (!this.#held) this.#work();
    });
  }

  /** Messages are looked at one after the other; one that takes its time holds the rest, and what the server would still send. */
  #work(): void {
    let at = 0;
    while (at < this.#inbox.length) {
      const bytes = this.#inbox[at];
      at += 1;
      const held = bytes === undefined ? undefined : this.#handle(bytes);
      if (held === undefined) continue;
      this.#inbox = this.#inbox.slice(at);
      this.#held = true;
      this.#socket.pause();
      void held.then(
        () => {
          this.#held = false;
          this.#silentIntervals = 0;
          this.#socket.resume();
          this.#guard(() => this.#work());
        },
        (error: unknown) => this.end(error instanceof Error ? error : new ProtocolError('unreadable data')),
      );
      return;
    }
    this.#inbox = [];
  }

  #guard(body: () => void): void {
    try {
      body();
    } catch (error) {
      this.end(error instanceof Error ? error : new ProtocolError('unreadable data'));
    }
  }

  #handle(bytes: Buffer): void | Promise<void> {
    const { bigMessageBytes, bigMessages } = this.#options;
    if (bytes.length >= bigMessageBytes)
      return bigMessages.parse(bytes).then((message) => (this.#ended === undefined ? this.#dispatch(message) : undefined));
    return this.#dispatch(parseMessage(bytes.toString()));
  }

  #dispatch(message: Message): void | Promise<void> {
    const { id, method, params, result, error } = message;
    if (method === 'echo') return this.#write(JSON.stringify({ id, result: params, error: null }));
    if (typeof method === 'string') return this.#options.onNotification(method, Array.isArray(params) ? params : [], this);
    // Read first: what cannot be read ends the session, and the request with it.
    const failure = error === undefined || error === null ? undefined : readErrorBody(error);
    const request = this.#requests.answered(id);
    if (failure === undefined) return request?.onResult(result);
    // What the server has stopped to follow may still be committed.
    if (failure.error === 'canceled') request?.reject(new ClusterError(`${request.name}: ${failure.error}`, 'unknown'));
    else request?.reject(new OvsdbError(request.name, failure));
  }
}
