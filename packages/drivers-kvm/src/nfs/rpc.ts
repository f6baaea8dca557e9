import { randomInt } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { NfsProtocolError, NfsRefusedError, NfsUnansweredError } from './errors.ts';
import { XdrReader, XdrWriter } from './xdr.ts';

/** Bounds of one call, waiting for the connection included. */
export interface CallOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export interface Procedure {
  readonly name: string;
  readonly program: number;
  readonly version: number;
  readonly number: number;
}

/** As whom calls are made (AUTH_SYS): the server believes it. */
export interface Credential {
  readonly uid: number;
  readonly gid: number;
}

interface Pending {
  resolve(answer: XdrReader): void;
  reject(error: Error): void;
}

const LAST_FRAGMENT = 0x8000_0000;
/** Of an answer: what is read at once, and its attributes, are far below. */
const ANSWER_BYTES_MAX = 16 * 2 ** 20;
const KEEPALIVE_MS = 15_000;

/** One TCP connection to a program of ONC RPC (RFC 5531), with many calls under way on it. It ends with the first thing that goes wrong with it. */
export class RpcConnection {
  readonly #socket: Socket;
  readonly #peer: string;
  readonly #pending = new Map<number, Pending>();
  readonly #credential: Buffer;
  #xid = randomInt(2 ** 31);
  #received: Buffer[] = [];
  #receivedBytes = 0;
  /** Until so many are there, nothing can be done: a head, or the fragment after it. */
  #wantedBytes = 4;
  #fragments: Buffer[] = [];
  #answers = 0;
  #ended: Error | undefined;

  private constructor(socket: Socket, peer: string, { uid, gid }: Credential) {
    this.#socket = socket;
    this.#peer = peer;
    const credential = new XdrWriter();
    credential.uint(0);
    credential.string(hostname().slice(0, 255));
    credential.uint(uid, gid, 0);
    this.#credential = credential.finish();
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    socket.on('data', (bytes) => this.#take(bytes));
    socket.on('error', (cause) => this.#end(cause));
    socket.on('close', () => this.#end(new Error('the connection was closed')));
  }

  /** @throws NfsUnansweredError `not_sent` */
  static connect(host: string, port: number, credential: Credential, options: CallOptions): Promise<RpcConnection> {
    const peer = `${host}:${port}`;
    const unsent = (cause: unknown) => new NfsUnansweredError(`${peer} cannot be reached`, 'not_sent', { cause });
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port });
      const given = bound(options, (cause) => {
        socket.destroy();
        reject(unsent(cause));
      });
      socket.once('error', (cause) => {
        given();
        reject(unsent(cause));
      });
      socket.once('connect', () => {
        given();
        resolve(new RpcConnection(socket, peer, credential));
      });
    });
  }

  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /** What the answer has after "accepted". @throws NfsUnansweredError, NfsRefusedError */
  call(procedure: Procedure, write: (w: XdrWriter) => void, options: CallOptions): Promise<XdrReader> {
    const { name } = procedure;
    if (options.signal.aborted) return Promise.reject(new NfsUnansweredError(name, 'not_sent', { cause: options.signal.reason }));
    if (this.#ended !== undefined) return Promise.reject(new NfsUnansweredError(name, 'not_sent', { cause: this.#ended }));
    this.#xid = (this.#xid + 1) >>> 0;
    const xid = this.#xid;
    const answersBefore = this.#answers;
    const { promise, resolve, reject } = Promise.withResolvers<XdrReader>();
    const given = bound(options, (cause) => {
      this.#pending.delete(xid);
      reject(new NfsUnansweredError(`${name}: ${this.#peer} does not answer`, 'unknown', { cause }));
      // A server that has lost its power says nothing either, and its connection would stand for a quarter of an hour.
      if (this.#answers === answersBefore && !options.signal.aborted) this.close();
    });
    const settle = <T>(act: (value: T) => void) => {
      return (value: T) => {
        given();
        act(value);
      };
    };
    this.#pending.set(xid, { resolve: settle(resolve), reject: settle(reject) });
    this.#socket.write(this.#message(xid, procedure, write));
    return promise.then((answer) => accepted(answer, name));
  }

  close(): void {
    this.#end(new Error('the connection was closed'));
  }

  #message(xid: number, { program, version, number }: Procedure, write: (w: XdrWriter) => void): Buffer {
    const w = new XdrWriter();
    w.uint(xid, 0, 2, program, version, number, 1);
    w.bytes(this.#credential);
    w.uint(0, 0);
    write(w);
    const body = w.finish();
    const head = Buffer.allocUnsafe(4);
    head.writeUInt32BE(LAST_FRAGMENT + body.length);
    return Buffer.concat([head, body]);
  }

  #take(bytes: Buffer): void {
    this.#received.push(bytes);
    this.#receivedBytes += bytes.length;
    while (this.#receivedBytes >= this.#wantedBytes) {
      const whole = Buffer.concat(this.#received);
      const head = whole.readUInt32BE();
      const endBytes = 4 + (head & ~LAST_FRAGMENT);
      if (endBytes > ANSWER_BYTES_MAX) {
        this.#end(new NfsProtocolError(`an answer of ${endBytes} bytes`));
        return;
      }
      const isThere = whole.length >= endBytes;
      if (isThere) this.#fragments.push(whole.subarray(4, endBytes));
      const rest = isThere ? whole.subarray(endBytes) : whole;
      this.#received = [rest];
      this.#receivedBytes = rest.length;
      this.#wantedBytes = isThere ? 4 : endBytes;
      if (isThere && head >= LAST_FRAGMENT) this.#answer(Buffer.concat(this.#fragments.splice(0)));
    }
  }

  #answer(message: Buffer): void {
    this.#answers += 1;
    if (message.length < 8 || message.readUInt32BE(4) !== 1) {
      this.#end(new NfsProtocolError('what came is no answer'));
      return;
    }
    const xid = message.readUInt32BE();
    const pending = this.#pending.get(xid);
    // One that was given up on is answered, too.
    this.#pending.delete(xid);
    pending?.resolve(new XdrReader(message.subarray(8)));
  }

  #end(cause: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = cause;
    this.#socket.destroy();
    for (const pending of this.#pending.values())
      pending.reject(new NfsUnansweredError(`the connection to ${this.#peer} is lost`, 'unknown', { cause }));
    this.#pending.clear();
  }
}

/** Calls `give` once when the bounds are over, unless the function that it answers was called before. */
function bound({ signal, timeoutMs }: CallOptions, give: (cause: unknown) => void): () => void {
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  };
  const over = (cause: unknown) => {
    end();
    give(cause);
  };
  const abort = () => over(signal.reason);
  const timer = setTimeout(() => over(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  signal.addEventListener('abort', abort);
  if (signal.aborted) abort();
  return end;
}

/** @throws NfsRefusedError */
function accepted(answer: XdrReader, name: string): XdrReader {
  if (answer.uint() !== 0) throw new NfsRefusedError(`${name}: the server does not take our word for who we are (AUTH_SYS)`);
  answer.uint();
  answer.bytes();
  const status = answer.uint();
  if (status !== 0) throw new NfsRefusedError(`${name}: ${REFUSALS[status] ?? `the server refuses with ${status}`}`);
  return answer;
}

const REFUSALS: Readonly<Record<number, string>> = {
  1: 'the server has no such program',
  2: 'the server does not speak version 3',
  3: 'the server does not know the procedure',
  4: 'the server cannot read what it was sent',
  5: 'the server has failed',
};
