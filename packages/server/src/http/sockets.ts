import type { WebSocket } from '@fastify/websocket';
import type { ByteStream } from '@pileus/core/strategy';

const GOING_AWAY = 1001;
const INTERNAL_ERROR = 1011;
const NORMAL = 1000;
/** What may wait in memory for a slow client. */
const BUFFERED_BYTES_MAX = 256 * 1024;

/** Joins a WebSocket and a byte stream, at the pace of the slower side both ways. The end or failure of either ends the other. Resolves at the end. */
export async function joinSocket(socket: WebSocket, stream: ByteStream, stop: AbortSignal): Promise<void> {
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const onStop = () => socket.close(GOING_AWAY, 'the server stops');
  stop.addEventListener('abort', onStop, { once: true });
  receive(socket, stream);
  send(socket, stream).then(
    () => socket.close(NORMAL),
    () => socket.close(INTERNAL_ERROR, 'the stream failed'),
  );
  await closed;
  stop.removeEventListener('abort', onStop);
}

/** Messages to the stream; the socket is not read while the stream is full. */
function receive(socket: WebSocket, { writable }: ByteStream): void {
  const writer = writable.getWriter();
  const fail = () => socket.close(INTERNAL_ERROR, 'the stream failed');
  socket.on('message', (data: Buffer | ArrayBuffer | Buffer[]) => {
    writer.write(bytesOf(data)).catch(fail);
    if ((writer.desiredSize ?? 0) > 0) return;
    socket.pause();
    writer.ready.then(() => socket.resume(), fail);
  });
  socket.once('close', () => void writer.close().catch(() => undefined));
}

async function send(socket: WebSocket, { readable }: ByteStream): Promise<void> {
  const reader = readable.getReader();
  socket.once('close', () => void reader.cancel().catch(() => undefined));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const sent = new Promise<void>((resolve, reject) => socket.send(value, (error) => (error == null ? resolve() : reject(error))));
    if (socket.bufferedAmount > BUFFERED_BYTES_MAX) await sent;
    else sent.catch(() => undefined);
  }
}

function bytesOf(data: Buffer | ArrayBuffer | Buffer[]): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
