import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Environment } from '@pileus/core/kernel';

export interface ForwardOptions {
  /** Addresses, asked in turn. An address may have a port, as `192.0.2.1#5353`. */
  readonly upstreams: readonly string[];
  readonly environment: Environment;
}

/** Of one upstream, before the next one is asked. */
const ANSWER_MS = 2_000;
const AT_ONCE_MAX = 512;

/** Asks others, from the host's own addresses. The packet goes as it came, but for its id. */
export class Forwarder {
  readonly #options: ForwardOptions;
  #open = 0;

  constructor(options: ForwardOptions) {
    this.#options = options;
  }

  /** Undefined: nobody answered. */
  async ask(packet: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    if (this.#open >= AT_ONCE_MAX) return undefined;
    this.#open += 1;
    try {
      for (const upstream of this.#options.upstreams) {
        const answer = await this.#askOne(upstream, packet, transport).catch(() => undefined);
        if (answer !== undefined) return answer;
      }
      return undefined;
    } finally {
      this.#open -= 1;
    }
  }

  async #askOne(upstream: string, packet: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer> {
    const { environment } = this.#options;
    const [address = '', port = '53'] = upstream.split('#');
    const query = Buffer.from(packet);
    // Ours, so that an answer to it cannot be guessed by who sent the question.
    query.set(environment.random.bytes(2), 0);
    const ask = transport === 'udp' ? overUdp : overTcp;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const close = ask(address, Number(port), query, resolve, reject);
    const cancel = environment.timers.after(ANSWER_MS, () => reject(new Error('no answer in time')));
    try {
      const answer = Buffer.from(await promise);
      packet.copy(answer, 0, 0, 2);
      return answer;
    } finally {
      cancel();
      close();
    }
  }
}

type Ask = (address: string, port: number, query: Buffer, found: (answer: Buffer) => void, failed: (error: Error) => void) => () => void;

const HEADER_BYTES = 12;
const isAnswerTo = (query: Buffer, answer: Buffer): boolean =>
  answer.length >= HEADER_BYTES && answer.readUInt16BE(0) === query.readUInt16BE(0);

const overUdp: Ask = (address, port, query, found, failed) => {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  socket.on('error', failed);
  // Connected: from whom it did not ask it takes nothing. As an event, since a function given to `connect` is called where no way leads there, too.
  socket.on('connect', () => socket.send(query));
  socket.connect(port, address);
  socket.on('message', (answer) => isAnswerTo(query, answer) && found(answer));
  return () => socket.close();
};

const overTcp: Ask = (address, port, query, found, failed) => {
  const socket = connect({ host: address, port });
  let seen = Buffer.alloc(0);
  socket.on('error', failed);
  socket.on('close', () => failed(new Error('closed without an answer')));
  socket.on('data', (chunk) => {
    seen = Buffer.concat([seen, chunk]);
    if (seen.length < 2 || seen.length < 2 + seen.readUInt16BE(0)) return;
    const answer = seen.subarray(2, 2 + seen.readUInt16BE(0));
    if (isAnswerTo(query, answer)) found(answer);
    else failed(new Error('an answer to another question'));
  });
  socket.write(Buffer.concat([lengthOf(query), query]));
  return () => socket.destroy();
};

/** What goes before a packet over TCP. */
export function lengthOf(packet: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  return length;
}
