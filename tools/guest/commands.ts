import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

const COMMAND_MS = 180_000;

export interface Outcome {
  readonly exitCode: number;
  /** What it said, without the line ends at its end. */
  readonly said: string;
}

/** The port by which commands go in and answers come out, one after the other. */
export class Commands {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = linesOf(socket);
  }

  static async open(path: string): Promise<Commands> {
    const socket = connect({ path });
    await once(socket, 'connect');
    return new Commands(socket);
  }

  run(command: string): Promise<Outcome> {
    const outcome = this.#last.then(() => this.#run(command));
    this.#last = outcome.catch(() => {});
    return outcome;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #run(command: string): Promise<Outcome> {
    this.#socket.write(`${Buffer.from(command).toString('base64')}\n`);
    const late = new Error(`${command}: no answer after ${COMMAND_MS} ms`);
    const timer = setTimeout(() => this.#socket.destroy(late), COMMAND_MS);
    try {
      const { value, done } = await this.#lines.next();
      const [, code, said] = /^(\d+) (\S*)/.exec(String(value)) ?? [];
      if (done === true || code === undefined) throw new Error(`${command}: the machine has ended`);
      return {
        exitCode: Number(code),
        said: Buffer.from(said ?? '', 'base64')
          .toString()
          .trimEnd(),
      };
    } finally {
      clearTimeout(timer);
    }
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<string, undefined, undefined> {
  let text = '';
  for await (const bytes of socket) {
    text += String(bytes);
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      yield text.slice(0, end).trim();
      text = text.slice(end + 1);
    }
  }
  return undefined;
}
