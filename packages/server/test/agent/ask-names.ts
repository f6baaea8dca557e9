/** Asks a resolver one question, and prints what it answers. Run where the question is to come from. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type Answer, decode, encode, type Packet, type Question, streamDecode, streamEncode } from 'dns-packet';

const { server, name, type, edns, transport } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly server: string;
  readonly name: string;
  readonly type: 'A';
  readonly edns?: number;
  readonly transport?: 'tcp' | 'udp';
};
const opt = { type: 'OPT', name: '.', udpPayloadSize: edns, extendedRcode: 0, ednsVersion: 0, flags: 0, flag_do: false, options: [] };
const packet: Packet = {
  type: 'query',
  id: 4711,
  flags: 1 << 8,
  questions: [{ type, name, class: 'IN' } as Question],
  ...(edns === undefined ? {} : { additionals: [opt as unknown as Answer] }),
};

async function ask(): Promise<Packet & { readonly rcode?: string }> {
  if (transport === 'tcp') {
    const socket = connect({ host: server, port: 53 });
    socket.write(streamEncode(packet));
    let seen = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      seen = Buffer.concat([seen, chunk]);
      if (seen.length > 2 && seen.length >= 2 + seen.readUInt16BE(0)) {
        socket.destroy();
        return streamDecode(seen);
      }
    }
    throw new Error('closed without an answer');
  }
  const socket = createSocket('udp4');
  // The first packet of a neighbour may be lost while it is being looked for.
  const timer = setInterval(() => socket.send(encode(packet), 53, server), 1000);
  socket.send(encode(packet), 53, server);
  const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(20_000) })) as [Buffer];
  clearInterval(timer);
  socket.close();
  return decode(answer);
}

const { id, rcode, flags = 0, answers = [], authorities = [], additionals = [] } = (await ask()) as Packet & { readonly rcode?: string };
process.stdout.write(
  JSON.stringify({
    id,
    rcode,
    authoritative: (flags & (1 << 10)) !== 0,
    truncated: (flags & (1 << 9)) !== 0,
    answers: answers.map((answer) => ('data' in answer ? answer.data : answer.type)),
    authorities: authorities.map(({ type: of }) => of),
    additionals: additionals.map(({ type: of }) => of),
  }),
);
