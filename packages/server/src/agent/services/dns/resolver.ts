import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram';
import type { Server, Socket } from 'node:net';
import { describeChain, type Environment, Rates } from '@pileus/core/environment';
import {
  type Answer,
  AUTHORITATIVE_ANSWER,
  decode,
  encode,
  type Packet,
  RECURSION_AVAILABLE,
  RECURSION_DESIRED,
  TRUNCATED_RESPONSE,
} from 'dns-packet';
import { peerOf } from '../machines.ts';
import { type Forwarder, lengthOf } from './forward.ts';
import { type Known, TTL_SECONDS, type Zone } from './zone.ts';

export interface ResolverOptions {
  /** The names of the VPC that a network is in. */
  readonly zoneOf: (networkId: string) => Zone | undefined;
  readonly forwarder: Pick<Forwarder, 'ask'>;
  readonly environment: Environment;
}

const NO_ERROR = 0;
const FORMAT_ERROR = 1;
const SERVER_FAILURE = 2;
const NO_SUCH_NAME = 3;
const NOT_IMPLEMENTED = 4;
const BAD_VERSION = 16;
/** Of one address on a network. */
const RATE = { perSecond: 200, burst: 1000 };
/** Over UDP: what everybody takes, and what we say that we take. */
const UDP_BYTES = 512;
const EDNS_BYTES = 1232;
const IDLE_MS = 10_000;
const CONNECTIONS_MAX = 64;

/**
 * The resolver of a VPC's networks. What is of the VPC it knows by itself, also that a name is not there; anything else it asks others for. OVN answers plain
 * questions about names that are there before they come here: it lets through those with EDNS, for other types, and for names it does not know.
 */
export class Resolver {
  readonly #options: ResolverOptions;
  readonly #rates: Rates;

  constructor(options: ResolverOptions) {
    this.#options = options;
    this.#rates = new Rates(RATE, options.environment.clock);
  }

  /** Undefined: not worth an answer. */
  async answer(networkId: string, packet: Buffer, from: string, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    if (!this.#rates.take(`${networkId}/${from}`).granted) return undefined;
    let asked: Packet;
    try {
      asked = decode(packet);
    } catch {
      return undefined;
    }
    if (asked.type !== 'query') return undefined;
    const edns = asked.additionals?.find((record) => record.type === 'OPT');
    const reply = (code: number, more: Partial<Packet> = {}) => replyTo(asked, code, more, { edns, transport });
    if (((asked.flags ?? 0) >> 11) % 16 !== 0) return reply(NOT_IMPLEMENTED);
    const [question] = asked.questions ?? [];
    if (question === undefined || asked.questions?.length !== 1) return reply(FORMAT_ERROR);
    if (edns !== undefined && edns.type === 'OPT' && edns.ednsVersion !== 0) return reply(BAD_VERSION);
    const zone = this.#options.zoneOf(networkId);
    const known = zone?.find(question.name.toLowerCase(), question.type);
    if (zone !== undefined && known !== undefined)
      return reply(known === 'absent' ? NO_SUCH_NAME : NO_ERROR, own(zone, known, question.name));
    const answer = await this.#options.forwarder.ask(packet, transport);
    return answer ?? reply(SERVER_FAILURE);
  }

  serveUdp(networkId: string, socket: UdpSocket): void {
    socket.on('error', (error) => this.#options.environment.logger.warn({ networkId, error: describeChain(error) }, 'resolver'));
    socket.on('message', (packet: Buffer, { address, port }: RemoteInfo) => {
      void this.answer(networkId, packet, address, 'udp').then((answer) => {
        if (answer !== undefined) socket.send(answer, port, address, () => undefined);
      });
    });
  }

  serveTcp(networkId: string, server: Server): void {
    let open = 0;
    server.on('connection', (socket: Socket) => {
      if (open >= CONNECTIONS_MAX) return socket.destroy();
      open += 1;
      socket.once('close', () => {
        open -= 1;
      });
      socket.on('error', () => socket.destroy());
      this.#endIdle(socket);
      void this.#converse(networkId, socket).catch(() => socket.destroy());
    });
  }

  #endIdle(socket: Socket): void {
    const { timers } = this.#options.environment;
    const idle = () => timers.after(IDLE_MS, () => socket.destroy());
    let cancel = idle();
    socket.on('data', () => {
      cancel();
      cancel = idle();
    });
    socket.once('close', () => cancel());
  }

  async #converse(networkId: string, socket: Socket): Promise<void> {
    let seen = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      seen = Buffer.concat([seen, chunk]);
      while (seen.length >= 2 && seen.length >= 2 + seen.readUInt16BE(0)) {
        const packet = seen.subarray(2, 2 + seen.readUInt16BE(0));
        seen = seen.subarray(2 + packet.length);
        const answer = await this.answer(networkId, packet, peerOf(socket), 'tcp');
        if (answer === undefined) return void socket.destroy();
        socket.write(Buffer.concat([lengthOf(answer), answer]));
      }
    }
  }
}

interface Way {
  readonly edns: Answer | undefined;
  readonly transport: 'udp' | 'tcp';
}

/** With the spelling of the question: some ask in odd case, to see whether the answer is theirs. */
function own({ domain }: Zone, known: Known, name: string): Partial<Packet> {
  const records = known === 'absent' ? [] : known.records;
  if (records.length > 0) return { answers: records.map((record) => ({ ...record, name }) as Answer) };
  const data = { mname: domain, rname: `hostmaster.${domain}`, serial: 1, refresh: 3600, retry: 600, expire: 86_400, minimum: TTL_SECONDS };
  return { authorities: [{ type: 'SOA', name: domain, ttl: TTL_SECONDS, data }] };
}

function replyTo(asked: Packet, code: number, more: Partial<Packet>, { edns, transport }: Way): Buffer {
  const isOwn = more.answers !== undefined || more.authorities !== undefined;
  const flags = ((asked.flags ?? 0) & RECURSION_DESIRED) | RECURSION_AVAILABLE | (isOwn ? AUTHORITATIVE_ANSWER : 0) | (code & 0xf);
  const opt = {
    type: 'OPT' as const,
    name: '.',
    udpPayloadSize: EDNS_BYTES,
    extendedRcode: code >> 4,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  const additionals = edns === undefined ? [] : [opt];
  const base = { type: 'response' as const, id: asked.id ?? 0, questions: asked.questions ?? [], additionals };
  const whole = encode({ ...base, flags, ...more } as Packet);
  const takes = edns?.type === 'OPT' ? Math.max(UDP_BYTES, Math.min(edns.udpPayloadSize, EDNS_BYTES)) : UDP_BYTES;
  return transport === 'tcp' || whole.length <= takes ? whole : encode({ ...base, flags: flags | TRUNCATED_RESPONSE } as Packet);
}
