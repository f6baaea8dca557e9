import type { Socket } from 'node:net';

interface Item {
  readonly message: Buffer;
  readonly sent: (() => void) | undefined;
}

/**
 * Writes messages one at a time, each when the one before was taken. libvirtd expects one message per TLS record, and Node joins writes
 * that are queued in the socket; the socket's own queue thus never holds more than one message, and an urgent one overtakes the rest.
 */
export class Outbox {
  readonly #socket: Socket;
  readonly #items: Item[] = [];
  #busy = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** `sent` runs when the operating system has taken the message: that is the back-pressure of streams. */
  push(message: Buffer, sent?: () => void): void {
    this.#items.push({ message, sent });
    this.#next();
  }

  /** For keepalive: its answer must not wait behind a queue of stream data. */
  pushFirst(message: Buffer): void {
    this.#items.unshift({ message, sent: undefined });
    this.#next();
  }

  #next(): void {
    if (this.#busy) return;
    const item = this.#items.shift();
    if (item === undefined) return;
    this.#busy = true;
    this.#socket.write(item.message, (error) => {
      // After an error the socket closes, and its owner settles everything that was waiting.
      if (error) return;
      this.#busy = false;
      item.sent?.();
      this.#next();
    });
  }
}
