import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

const PORT = 5432;

/** The way between one store and its server, which a test can cut, slow down, or close in one direction. */
export class Wire {
  readonly dir: string;
  /** What each message waits for on the way to the server: nothing by default. */
  until: (message: Buffer, connection: object) => Promise<unknown> | undefined = () => undefined;
  /** What the server says, as it arrives. */
  answer: (message: Buffer) => Buffer = (message) => message;
  /** What the server answers is lost. */
  deaf = false;
  /** Nothing passes, not even an end: as when a network is gone. */
  frozen = false;
  /** Whether new connections are let through. */
  open = true;
  readonly #upstream: string;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();

  private constructor(dir: string, upstream: string) {
    this.dir = dir;
    this.#upstream = upstream;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#join(socket));
  }

  /** In a new folder of its own; a client finds the socket there by PostgreSQL's usual name. */
  static async to(upstream: string, dir: string): Promise<Wire> {
    await mkdir(dir, { recursive: true });
    const wire = new Wire(dir, upstream);
    wire.#server.listen(join(dir, `.s.PGSQL.${PORT}`));
    await once(wire.#server, 'listening');
    return wire;
  }

  /** The same store, by way of this. */
  url(url: string): string {
    const [before = '', parameters = ''] = url.split('?');
    const search = new URLSearchParams(parameters);
    search.set('host', this.dir);
    search.set('port', String(PORT));
    return `${before}?${search}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** Ends what is connected, at once. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  /** Ends this for good. */
  async close(): Promise<void> {
    this.open = false;
    this.cut();
    this.#server.close();
    await rm(this.dir, { recursive: true, force: true });
  }

  #join(near: Socket): void {
    if (!this.open) {
      near.destroy();
      return;
    }
    const far = createConnection(this.#upstream);
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    let held = Promise.resolve();
    near.on('data', (bytes) => {
      if (this.frozen) return;
      const until = this.until(bytes, pair);
      if (this.frozen) return;
      held = held.then(() => until).then(() => void far.write(bytes));
    });
    near.on('end', () => {
      if (this.frozen) return;
      near.end();
      far.end();
    });
    far.on('data', (bytes) => {
      if (!this.deaf && !this.frozen) near.write(this.answer(bytes));
    });
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        if (this.frozen && socket === far) return;
        this.#pairs.delete(pair);
        near.destroy();
        far.destroy();
      });
    }
  }
}
