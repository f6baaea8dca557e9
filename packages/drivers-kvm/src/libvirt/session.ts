/**
 * One connection to a libvirt daemon, from its handshake to its end. A session is never repaired: `LibvirtConnection` opens the next.
 */
import type { Socket } from 'node:net';
import { ConnectionLostError, LibvirtError, ProtocolError } from './errors.ts';
import { type Frame, FrameReader, headBytes, messageStatus, messageType, seal } from './frames.ts';
import { domainEvents, procedures, readErrorBody } from './generated/procedures.ts';
import type { DomainEvent } from './generated/types.ts';
import { Outbox } from './outbox.ts';
import { type CallOptions, keepaliveProgram, type Procedure, remoteProgram } from './procedure.ts';
import { Requests } from './requests.ts';
import { LibvirtStream } from './stream.ts';
import { type Address, openTransport } from './transport.ts';
import { XdrReader, XdrWriter } from './xdr.ts';

export interface SessionOptions {
  readonly address: Address;
  readonly uri: string;
  /** Unanswered requests at a time; must be below the daemon's `max_client_requests`, which is 5 unless it was raised. */
  readonly maxInFlight: number;
  /** How often we ask for a sign of life. 0 turns keepalive off. */
  readonly keepaliveIntervalMs: number;
  /** Intervals without an answer after which the connection counts as lost. */
  readonly keepaliveMissesMax: number;
  readonly onEvent: (event: DomainEvent) => void;
}

export type DomainEventKind = keyof typeof domainEvents;

export interface OpenedStream<R> {
  readonly answer: R;
  readonly stream: LibvirtStream;
}

const keepaliveProcedure = { ping: 1, pong: 2 } as const;
/** libvirt's VIR_DRV_FEATURE_PROGRAM_KEEPALIVE: asking for it is also what starts the server's own pings. */
const keepaliveFeature = 10;
const authType = { none: 0, polkit: 2 } as const;
const eventReaders = new Map(Object.values(domainEvents).map((event) => [event.procedure, event.read]));

export class Session {
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #options: SessionOptions;
  readonly #frames = new FrameReader();
  readonly #streams = new Map<number, LibvirtStream>();
  /** Streams whose reader lags; while there is one, nothing is read from the socket. */
  readonly #lagging = new Set<LibvirtStream>();
  readonly #closed = Promise.withResolvers<Error>();
  #serial = 0;
  #misses = 0;
  #pulse: NodeJS.Timeout | undefined;
  #ended: Error | undefined;

  private constructor(socket: Socket, options: SessionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#outbox = new Outbox(socket);
    this.#requests = new Requests(
      options.maxInFlight,
      (message) => this.#outbox.push(message),
      () => this.end(new Error('every request slot is held by a call that was given up')),
    );
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.end(error));
    socket.on('close', () => this.end(new Error('the connection was closed')));
    socket.resume();
  }

  /** Connects, authenticates and opens the hypervisor connection. Rejects with an `UnansweredError` or `LibvirtError`. */
  static async open(options: SessionOptions, signal: AbortSignal): Promise<Session> {
    const session = new Session(await openTransport(options.address, signal), options);
    try {
      await session.#handshake({ signal });
      return session;
    } catch (error) {
      session.end(error instanceof Error ? error : new Error('the handshake failed'));
      throw error;
    }
  }

  async #handshake(call: CallOptions): Promise<void> {
    const types = await this.call(procedures.authList, {}, call);
    if (types.length > 0 && !types.includes(authType.none)) {
      if (!types.includes(authType.polkit)) throw new ProtocolError('the daemon demands SASL, which this client does not speak');
      await this.call(procedures.authPolkit, {}, call);
    }
    const keepalive = await this.call(procedures.connectSupportsFeature, { feature: keepaliveFeature }, call);
    await this.call(procedures.connectOpen, { name: this.#options.uri }, call);
    if (keepalive && this.#options.keepaliveIntervalMs > 0) {
      this.#pulse = setInterval(() => this.#beat(), this.#options.keepaliveIntervalMs);
      this.#pulse.unref();
    }
  }

  /** Asks for the events of these kinds, of every domain. */
  async register(kinds: readonly DomainEventKind[], call: CallOptions): Promise<void> {
    await Promise.all(
      kinds.map((kind) => this.call(procedures.connectDomainEventCallbackRegisterAny, { eventId: domainEvents[kind].id }, call)),
    );
  }

  /** Resolves, with the reason, when the session has ended. */
  get closed(): Promise<Error> {
    return this.#closed.promise;
  }

  /** Ends the session: what is unanswered rejects with `ConnectionLostError`, streams fail. Ending twice does nothing. */
  end(reason: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    clearInterval(this.#pulse);
    this.#socket.destroy();
    this.#requests.end(reason);
    for (const stream of this.#streams.values())
      stream.fail(new ConnectionLostError(`stream: ${reason.message}`, 'unknown', { cause: reason }));
    this.#streams.clear();
    this.#closed.resolve(reason);
  }

  async call<A, R>(procedure: Procedure<A, R>, args: A, options: CallOptions): Promise<R> {
    return decode(procedure, await this.#request(procedure, args, options, this.#nextSerial()));
  }

  /** Calls a procedure of lane `stream`. The stream is open when this resolves; `options.signal` aborts it as long as it lives. */
  async openStream<A, R>(procedure: Procedure<A, R>, args: A, options: CallOptions): Promise<OpenedStream<R>> {
    const serial = this.#nextSerial();
    const stream: LibvirtStream = new LibvirtStream({
      send: (status, data) => this.#sendStream(procedure, serial, { type: messageType.stream, status }, data),
      skip: (hole) => this.#sendStream(procedure, serial, { type: messageType.streamHole, status: messageStatus.continue }, hole),
      pause: () => this.#setLagging(stream, true),
      resume: () => this.#setLagging(stream, false),
    });
    this.#streams.set(serial, stream);
    // Until it is open, what goes wrong with it is told by the rejection below.
    const quiet = (): void => {};
    stream.on('error', quiet);
    try {
      // If the answer comes after the caller gave up, the stream is open at the server: abort it there.
      const body = await this.#request(procedure, args, options, serial, () => this.#abortLate(serial, stream));
      const answer = decode(procedure, body);
      stream.off('error', quiet);
      if (options.signal !== undefined) stream.bindSignal(options.signal);
      return { answer, stream };
    } catch (error) {
      this.#streams.delete(serial);
      throw error;
    }
  }

  #abortLate(serial: number, stream: LibvirtStream): void {
    this.#streams.set(serial, stream);
    stream.destroy();
  }

  async #request<A, R>(procedure: Procedure<A, R>, args: A, options: CallOptions, serial: number, late?: () => void): Promise<Buffer> {
    if (this.#ended !== undefined)
      throw new ConnectionLostError(`${procedure.name}: ${this.#ended.message}`, 'not_sent', { cause: this.#ended });
    const writer = new XdrWriter(headBytes);
    procedure.write(writer, args);
    const message = seal(writer.finish(), {
      program: procedure.program,
      procedure: procedure.number,
      type: messageType.call,
      serial,
      status: messageStatus.ok,
    });
    return this.#requests.add(serial, procedure.name, message, options, late);
  }

  #sendStream(
    procedure: Procedure<never, unknown>,
    serial: number,
    kind: { readonly type: number; readonly status: number },
    data: Uint8Array,
  ): Promise<void> {
    const message = Buffer.allocUnsafe(headBytes + data.length);
    message.set(data, headBytes);
    seal(message, { program: procedure.program, procedure: procedure.number, serial, ...kind });
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(new ConnectionLostError(`${procedure.name}: ${this.#ended.message}`, 'unknown'));
      this.#outbox.push(message, resolve);
    });
  }

  #setLagging(stream: LibvirtStream, lagging: boolean): void {
    if (lagging) this.#lagging.add(stream);
    else if (!this.#lagging.delete(stream)) return;
    if (this.#lagging.size > 0) this.#socket.pause();
    else this.#socket.resume();
  }

  #nextSerial(): number {
    this.#serial = (this.#serial % 0xffff_fff0) + 1;
    return this.#serial;
  }

  #beat(): void {
    // While a stream's reader lags we do not read, so we could not hear an answer either.
    if (this.#lagging.size > 0) return;
    if (this.#misses >= this.#options.keepaliveMissesMax) {
      this.end(new Error(`no sign of life in ${this.#misses} keepalive intervals`));
      return;
    }
    this.#misses += 1;
    this.#sendKeepalive(keepaliveProcedure.ping);
  }

  #sendKeepalive(procedure: number): void {
    const head = { program: keepaliveProgram, procedure, type: messageType.message, serial: 0, status: messageStatus.ok };
    this.#outbox.pushFirst(seal(Buffer.allocUnsafe(headBytes), head));
  }

  #receive(chunk: Buffer): void {
    try {
      this.#frames.push(chunk, (frame) => this.#dispatch(frame));
    } catch (error) {
      this.end(error instanceof Error ? error : new ProtocolError('unreadable data'));
    }
  }

  #dispatch(frame: Frame): void {
    if (frame.program === keepaliveProgram) {
      // Only answers to what we asked are life: a daemon that no longer reads us can still send pings and events.
      if (frame.procedure === keepaliveProcedure.ping) this.#sendKeepalive(keepaliveProcedure.pong);
      else this.#misses = 0;
    } else if (frame.type === messageType.reply) {
      this.#misses = 0;
      if (frame.status === messageStatus.ok) this.#requests.answered(frame.serial, frame.body);
      else this.#requests.failed(frame.serial, (name) => readError(name, frame.body));
    } else if (frame.type === messageType.stream) this.#dispatchStream(frame);
    else if (frame.type === messageType.message) this.#dispatchEvent(frame);
    else throw new ProtocolError(`message of unexpected type ${frame.type}`);
  }

  #dispatchStream(frame: Frame): void {
    const stream = this.#streams.get(frame.serial);
    if (stream === undefined) return;
    if (frame.status === messageStatus.continue) {
      stream.receive(frame.body);
      return;
    }
    this.#streams.delete(frame.serial);
    if (frame.status === messageStatus.ok) stream.confirm();
    else stream.fail(readError('stream', frame.body));
  }

  #dispatchEvent(frame: Frame): void {
    const read = frame.program === remoteProgram ? eventReaders.get(frame.procedure) : undefined;
    if (read !== undefined) this.#options.onEvent(read(new XdrReader(frame.body)));
  }
}

function decode<A, R>(procedure: Procedure<A, R>, body: Buffer): R {
  const reader = new XdrReader(body);
  const answer = procedure.read(reader);
  reader.end();
  return answer;
}

function readError(name: string, body: Buffer): Error {
  try {
    return new LibvirtError(name, readErrorBody(new XdrReader(body)));
  } catch (error) {
    return error instanceof Error ? error : new ProtocolError('unreadable error');
  }
}
