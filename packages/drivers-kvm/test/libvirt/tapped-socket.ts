import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import net from 'node:net';
import { FrameReader, messageType } from '../../src/libvirt/frames.ts';
import { keepaliveProgram } from '../../src/libvirt/procedure.ts';

/** Stands between clients and libvirtd: knows how many calls were unanswered at once, and breaks connections on demand. */
export class TappedSocket implements AsyncDisposable {
  inFlightMax = 0;
  readonly #server: net.Server;
  readonly #listen: string;
  readonly #clients = new Set<net.Socket>();
  #held = false;

  private constructor(target: string, listen: string) {
    this.#listen = listen;
    this.#server = net.createServer((client) => this.#serve(client, target)).listen(listen);
  }

  static async start(target: string, listen: string): Promise<TappedSocket> {
    const tap = new TappedSocket(target, listen);
    await once(tap.#server, 'listening');
    return tap;
  }

  /** From now on, what the clients of this moment send is dropped. */
  hold(): void {
    this.#held = true;
  }

  /** Breaks every connection; those made afterwards are served. */
  cut(): void {
    this.#held = false;
    for (const client of this.#clients) client.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await rm(this.#listen, { force: true });
  }

  #serve(client: net.Socket, target: string): void {
    this.#clients.add(client);
    const daemon = net.connect({ path: target });
    const [calls, replies] = [new FrameReader(), new FrameReader()];
    let inFlight = 0;
    client.on('data', (chunk: Buffer) => {
      calls.push(chunk, ({ program, type }) => {
        if (program !== keepaliveProgram && type === messageType.call) inFlight += 1;
        this.inFlightMax = Math.max(this.inFlightMax, inFlight);
      });
      if (!this.#held) daemon.write(chunk);
    });
    daemon.on('data', (chunk: Buffer) => {
      replies.push(chunk, ({ program, type }) => {
        if (program !== keepaliveProgram && type === messageType.reply) inFlight -= 1;
      });
      client.write(chunk);
    });
    client
      .on('error', () => {})
      .on('close', () => {
        this.#clients.delete(client);
        daemon.destroy();
      });
    daemon.on('error', () => {}).on('close', () => client.destroy());
  }
}
