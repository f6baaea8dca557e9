import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect, isIPv6, type Socket } from 'node:net';
import type { Command, Greeted, Greeting, ProbeCommands } from './probe-commands.ts';

const TIMEOUT_MS = 3_000;
const SEND_EVERY_MS = 50;
/** How long the last answers of a stream may take. */
const LAST_ANSWERS_MS = 500;
const SPREAD = { atOnce: 32, firstPort: 2_000, timeoutMs: 30_000 } as const;

type Ask<C extends Command> = ProbeCommands[C]['ask'];
type Answer<C extends Command> = Promise<ProbeCommands[C]['answer']>;

const held = new Map<string, { readonly socket: Socket; echoes: number }>();
interface Stream {
  received: number;
  readonly end: () => Answer<'gap'>;
}
const streams = new Map<string, Stream>();

export const ask: { readonly [C in Exclude<Command, 'serve' | 'close'>]: (what: Ask<C>) => Answer<C> } = {
  greet,
  hold,
  held: isHeld,
  release,
  stream,
  streaming,
  gap,
  spread,
  resolve,
  get,
};

async function greet(what: Greeting): Promise<Greeted> {
  if (what.protocol === 'udp') return greetByDatagram(what);
  if (what.protocol === 'http') return greetByHttp(what);
  const { socket, greeted } = await open(what);
  socket.destroy();
  return greeted;
}

function readGreeting(text: string): Greeted {
  const [server = '', client = '', port] = (text.split('\n')[0] ?? '').split(' ');
  return { server, client, clientPort: Number(port) };
}

function open({ address, port, timeoutMs = TIMEOUT_MS, from, fromPort }: Omit<Greeting, 'protocol'>) {
  const local = { ...(from === undefined ? {} : { localAddress: from }), ...(fromPort === undefined ? {} : { localPort: fromPort }) };
  const socket = connect({ host: address, port, ...local });
  return new Promise<{ readonly socket: Socket; readonly greeted: Greeted }>((resolve) => {
    const end = (greeted: Greeted) => {
      clearTimeout(timer);
      resolve({ socket, greeted });
    };
    const timer = setTimeout(() => end({ error: 'timeout' }), timeoutMs);
    socket.once('data', (data) => end(readGreeting(String(data))));
    socket.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? error.message }));
    socket.once('close', () => end({ error: 'closed' }));
  });
}

async function greetByHttp({ address, port, timeoutMs }: Greeting): Promise<Greeted> {
  const url = `http://${isIPv6(address) ? `[${address}]` : address}:${port}/`;
  const answer = await get({ url, ...(timeoutMs === undefined ? {} : { timeoutMs }) });
  return 'error' in answer ? answer : readGreeting(answer.body);
}

async function greetByDatagram({ address, port, timeoutMs = TIMEOUT_MS, from, fromPort }: Greeting): Promise<Greeted> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    const end = (greeted: Greeted) => {
      clearTimeout(timer);
      clearInterval(again);
      socket.close();
      resolve(greeted);
    };
    const timer = setTimeout(() => end({ error: 'timeout' }), timeoutMs);
    const send = () => socket.send('hello', port, address, () => {});
    // Datagrams may be lost on an empty wire too: the first one to a host waits for its address to be found.
    const again = setInterval(send, 200);
    socket.on('message', (message) => end(readGreeting(String(message))));
    socket.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? error.message }));
    socket.bind(fromPort ?? 0, from, send);
  });
}

async function hold({ id, ...what }: Ask<'hold'>): Answer<'hold'> {
  const { socket, greeted } = await open(what);
  const entry = { socket, echoes: 0 };
  socket.on('data', () => {
    entry.echoes += 1;
  });
  const timer = setInterval(() => socket.write('.'), SEND_EVERY_MS);
  socket.on('close', () => clearInterval(timer));
  held.set(id, entry);
  return greeted;
}

async function isHeld({ id, timeoutMs }: Ask<'held'>): Answer<'held'> {
  const entry = held.get(id);
  if (entry === undefined) throw new Error(`no connection ${id}`);
  return {
    alive: await grows(
      () => entry.echoes,
      timeoutMs,
      () => entry.socket.destroyed,
    ),
  };
}

/** What was under way may come yet: only some answers more say that something sent later came back. */
async function grows(count: () => number, timeoutMs: number, isOver = () => false): Promise<boolean> {
  const before = count();
  for (const deadline = performance.now() + timeoutMs; performance.now() < deadline && !isOver(); await pause(20)) {
    if (count() > before + 3) return true;
  }
  return false;
}

async function release({ id }: Ask<'release'>): Answer<'release'> {
  held.get(id)?.socket.destroy();
  held.delete(id);
  return null;
}

async function stream({ id, address, port, periodMs }: Ask<'stream'>): Answer<'stream'> {
  const socket: Datagrams = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  let sent = 0;
  let gapMs = 0;
  let lastMs = performance.now();
  const note = () => {
    gapMs = Math.max(gapMs, performance.now() - lastMs);
    lastMs = performance.now();
  };
  const timer = setInterval(() => socket.send(String(sent++), port, address, () => {}), periodMs);
  const end = async () => {
    clearInterval(timer);
    // Still without an answer when it is asked: that is a gap, too.
    gapMs = Math.max(gapMs, performance.now() - lastMs);
    await pause(LAST_ANSWERS_MS);
    socket.close();
    return { sent, received: entry.received, gapMs };
  };
  const entry: Stream = { received: 0, end };
  socket.on('error', () => {});
  socket.on('message', () => {
    entry.received += 1;
    note();
  });
  streams.set(id, entry);
  return null;
}

function streamOf(id: string): Stream {
  const found = streams.get(id);
  if (found === undefined) throw new Error(`no stream ${id}`);
  return found;
}

async function streaming({ id, timeoutMs }: Ask<'streaming'>): Answer<'streaming'> {
  const entry = streamOf(id);
  return { alive: await grows(() => entry.received, timeoutMs) };
}

async function gap({ id }: Ask<'gap'>): Answer<'gap'> {
  const { end } = streamOf(id);
  streams.delete(id);
  return end();
}

/** From ports one after the other: each is another connection for whoever goes by addresses and ports. */
async function spread({ address, port, count, firstPort = SPREAD.firstPort }: Ask<'spread'>): Answer<'spread'> {
  const tally: Record<string, number> = {};
  const ports = Array.from({ length: count }, (_, n) => firstPort + n).values();
  const talk = async () => {
    for (const fromPort of ports) {
      const greeted = await greetByDatagram({ protocol: 'udp', address, port, fromPort, timeoutMs: SPREAD.timeoutMs });
      const name = 'server' in greeted ? greeted.server : 'error';
      tally[name] = (tally[name] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: SPREAD.atOnce }, talk));
  return tally;
}

async function resolve({ server, name, type, timeoutMs = TIMEOUT_MS }: Ask<'resolve'>): Answer<'resolve'> {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
  resolver.setServers([isIPv6(server) ? `[${server}]` : server]);
  try {
    return { records: [...(await resolver.resolve(name, type))].sort() };
  } catch (error) {
    return { error: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}

async function get({ url, method = 'GET', headers = {}, timeoutMs = TIMEOUT_MS }: Ask<'get'>): Answer<'get'> {
  try {
    const response = await fetch(url, { method, headers, signal: AbortSignal.timeout(timeoutMs) });
    return { status: response.status, body: await response.text() };
  } catch (error) {
    const { name, cause } = error as Error & { readonly cause?: NodeJS.ErrnoException };
    return { error: name === 'TimeoutError' ? 'timeout' : (cause?.code ?? name) };
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
