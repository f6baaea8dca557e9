import { once } from 'node:events';
import type { ConsoleTicket } from '@pileus/sdk';
import { openSocket } from '@pileus/sdk';

const TIMEOUT_MS = 120_000;

/** A console over the API's WebSocket, as text. */
export class ConsoleClient {
  readonly #socket: WebSocket;
  #said = '';
  #closed = false;
  #heard = Promise.withResolvers<void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => {
      this.#said += typeof data === 'string' ? data : Buffer.from(data as ArrayBuffer).toString('latin1');
      this.#wake();
    });
    socket.addEventListener('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  static async open(ticket: ConsoleTicket): Promise<ConsoleClient> {
    const socket = openSocket(ticket, WebSocket);
    const client = new ConsoleClient(socket);
    await Promise.race([
      once(socket, 'open'),
      once(socket, 'error').then(() => {
        throw new Error('the console was refused');
      }),
    ]);
    return client;
  }

  get said(): string {
    return this.#said;
  }

  type(text: string): void {
    this.#socket.send(new TextEncoder().encode(text));
  }

  /** The first match in all that was said so far and will be. Rejects when the console ends before. */
  async until(pattern: RegExp): Promise<string> {
    const deadline = AbortSignal.timeout(TIMEOUT_MS);
    for (;;) {
      const match = pattern.exec(this.#said)?.[0];
      if (match !== undefined) return match;
      if (this.#closed) throw new Error(`the console ended without ${pattern}; it said: ${this.#said.slice(-1000)}`);
      const late = once(deadline, 'abort').then(() => {
        throw new Error(`not heard in ${TIMEOUT_MS} ms: ${pattern}; the console said: ${this.#said.slice(-1000)}`);
      });
      await Promise.race([this.#heard.promise, late]);
    }
  }

  /** Resolves when the other side has closed it. */
  async untilClosed(): Promise<void> {
    while (!this.#closed) await this.#heard.promise;
  }

  close(): void {
    this.#socket.close();
  }

  #wake(): void {
    const heard = this.#heard;
    this.#heard = Promise.withResolvers();
    heard.resolve();
  }
}
