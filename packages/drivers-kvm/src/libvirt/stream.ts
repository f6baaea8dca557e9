import { Duplex } from 'node:stream';
import { AbortedError } from './errors.ts';
import { messageStatus } from './frames.ts';

/** libvirt's clients cut stream data at 256 KiB less a header; older daemons refuse more. */
const chunkBytesMax = 262_120;

/** What a stream needs of the session that carries it. */
export interface StreamLink {
  /** Resolves when the operating system has taken the message; rejects when the session has ended. */
  send(status: number, data: Uint8Array): Promise<void>;
  /** Resolves and rejects as `send` does. */
  skip(hole: Uint8Array): Promise<void>;
  /** libvirt has no flow control per stream: not reading the socket is all there is. */
  pause(): void;
  resume(): void;
}

/**
 * A libvirt data stream as a Node Duplex: a console both ways, an upload to write to, a download to read from.
 *
 * `end()` finishes it: 'finish' fires once the server has confirmed that all data arrived. A download ends ('end') only after that
 * confirmation, so a read error at the server is never mistaken for the end of the data. `destroy()` aborts it at the server; 'close' fires
 * when the server has confirmed the abort, or the connection is gone.
 */
export class LibvirtStream extends Duplex {
  readonly #link: StreamLink;
  #finishing = false;
  /** The server has forgotten the stream. */
  #over = false;
  #whenOver: (() => void) | undefined;
  #release: (() => void) | undefined;

  constructor(link: StreamLink) {
    super({ readableHighWaterMark: 1 << 20, writableHighWaterMark: 1 << 18 });
    this.#link = link;
  }

  /** The signal aborts the stream for as long as it lives. */
  bindSignal(signal: AbortSignal): void {
    const abort = (): void => {
      this.destroy(new AbortedError('the stream was aborted', 'unknown', { cause: signal.reason }));
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#release = () => signal.removeEventListener('abort', abort);
    if (signal.aborted) abort();
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#sendData(chunk).then(() => callback(), callback);
  }

  /** What comes next are so many zeroes. Only of a stream that was opened as sparse, and that nothing is being written to. */
  async skip(lengthBytes: number): Promise<void> {
    const hole = Buffer.alloc(12);
    hole.writeBigInt64BE(BigInt(lengthBytes));
    await this.#link.skip(hole);
  }

  async #sendData(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length && !this.destroyed; at += chunkBytesMax) {
      await this.#link.send(messageStatus.continue, chunk.subarray(at, at + chunkBytesMax));
    }
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.#over) callback();
    else {
      this.#whenOver = callback;
      this.#finish();
    }
  }

  override _read(): void {
    this.#link.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#release?.();
    this.#link.resume();
    if (this.#over) callback(error);
    else {
      this.#whenOver = () => callback(error);
      this.#link.send(messageStatus.error, new Uint8Array()).catch(() => this.#end());
    }
  }

  /** The session hands over what the server sent. An empty body is the end of the data. */
  receive(body: Buffer): void {
    if (this.destroyed || this.#over) return;
    if (body.length === 0) this.#finish();
    else if (!this.push(body)) this.#link.pause();
  }

  /** The server confirmed the finish or the abort. */
  confirm(): void {
    this.#end();
    if (this.destroyed) return;
    this.push(null);
    if (!this.writableEnded) this.end();
  }

  /** The server failed the stream, or the connection is gone. */
  fail(error: Error): void {
    this.#over = true;
    if (this.destroyed) this.#end();
    else {
      this.#whenOver = undefined;
      this.destroy(error);
    }
  }

  #finish(): void {
    if (this.#finishing || this.#over) return;
    this.#finishing = true;
    this.#link.send(messageStatus.ok, new Uint8Array()).catch(() => {});
  }

  #end(): void {
    this.#over = true;
    const whenOver = this.#whenOver;
    this.#whenOver = undefined;
    whenOver?.();
  }
}
