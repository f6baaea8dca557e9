import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { NfsProtocolError, NfsRefusedError, NfsUnansweredError } from '../../src/nfs/errors.ts';
import { type CallOptions, RpcConnection } from '../../src/nfs/rpc.ts';
import { accepted, framed, words } from './messages.ts';

const ECHO = { name: 'echo', program: 7, version: 1, number: 3 };
const bounds = (change: Partial<CallOptions> = {}): CallOptions => ({ signal: new AbortController().signal, timeoutMs: 60_000, ...change });

/** What a server says to a call: the words after its number. */
type Answer = (socket: Socket, xid: number) => void;

describe('a connection to a program of RPC', () => {
  /** Each call is answered by the next of the answers; `taken` waits until so many calls have come. */
  async function connected(
    answers: readonly Answer[],
    use: (connection: RpcConnection, taken: (count: number) => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const left = [...answers];
    const taken = async (count: number) => {
      while (answers.length - left.length < count) await new Promise((resolve) => setImmediate(resolve));
    };
    const server = createServer((socket) => {
      socket.on('error', () => {});
      // A call of these tests is one piece of less than 1 KiB.
      socket.on('data', (bytes) => left.shift()?.(socket, bytes.readUInt32BE(4)));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const connection = await RpcConnection.connect('127.0.0.1', (server.address() as AddressInfo).port, { uid: 0, gid: 0 }, bounds());
    try {
      await use(connection, taken);
    } finally {
      connection.close();
      server.close();
      await once(server, 'close');
    }
  }
  const call = (connection: RpcConnection, change: Partial<CallOptions> = {}) =>
    connection
      .call(ECHO, (w) => w.uint(1), bounds(change))
      .then((answer) => answer.uint())
      .catch((error: unknown) => error);

  it('reads answers in fragments, byte by byte, and several at once', async () => {
    const inPieces: Answer = async (socket, xid) => {
      socket.setNoDelay(true);
      for (const byte of framed(accepted(xid, 42), 5)) {
        socket.write(Buffer.of(byte));
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const together: Answer = (socket, xid) => socket.write(Buffer.concat([framed(accepted(xid - 1, 1)), framed(accepted(xid, 2), 3)]));
    await connected([inPieces, () => {}, together], async (connection, taken) => {
      expect(await call(connection)).to.equal(42);
      const first = call(connection);
      await taken(2);
      expect(await Promise.all([first, call(connection)])).to.deep.equal([1, 2]);
    });
  });

  it('tells refusals from answers that never came, and whether those may have been heard', async () => {
    const denied: Answer = (socket, xid) => socket.write(framed(words(xid, 1, 1, 1, 1)));
    const mismatch: Answer = (socket, xid) => socket.write(framed(words(xid, 1, 0, 0, 0, 2, 4, 4)));
    const hangsUp: Answer = (socket) => socket.destroy();
    await connected([denied, mismatch, hangsUp], async (connection) => {
      expect(await call(connection)).to.be.instanceOf(NfsRefusedError);
      expect(await call(connection))
        .to.be.instanceOf(NfsRefusedError)
        .with.property('message', 'echo: the server does not speak version 3');
      expect(await call(connection, { signal: AbortSignal.abort() })).to.have.property('outcome', 'not_sent');
      expect(await call(connection))
        .to.be.instanceOf(NfsUnansweredError)
        .with.property('outcome', 'unknown');
      expect(connection.isOpen).to.equal(false);
      expect(await call(connection)).to.have.property('outcome', 'not_sent');
    });
  });

  it('is given up with the first call to which nothing at all is said in time, not with one of several, and not by who stops waiting', async () => {
    const answers: Answer = (socket, xid) => socket.write(framed(accepted(xid, 7)));
    const silent: Answer = () => {};
    await connected([silent, silent], async (connection, taken) => {
      const stop = new AbortController();
      const waiting = call(connection, { signal: stop.signal });
      await taken(1);
      stop.abort();
      expect(await waiting).to.have.property('outcome', 'unknown');
      expect(connection.isOpen).to.equal(true);
      expect(await call(connection, { timeoutMs: 200 })).to.have.property('outcome', 'unknown');
      expect(connection.isOpen).to.equal(false);
    });
    let isSeen = false;
    // On a busy machine the time of the one that waits may be over before the other has its answer: that is another story.
    for (let attempt = 0; attempt < 20 && !isSeen; attempt += 1)
      await connected([silent, answers], async (connection, taken) => {
        let isOver = false;
        const waiting = call(connection, { timeoutMs: 500 }).finally(() => {
          isOver = true;
        });
        await taken(1);
        const answer = await call(connection);
        if (isOver) return;
        isSeen = true;
        expect(answer).to.equal(7);
        expect(await waiting).to.have.property('outcome', 'unknown');
        expect(connection.isOpen).to.equal(true);
      });
    expect(isSeen).to.equal(true);
  });

  it('ends when what comes is no answer', async () => {
    for (const bytes of [words(0xffff_ffff), framed(words(1, 0, 0)), framed(words(1))])
      await connected([(socket) => socket.write(bytes)], async (connection) => {
        const error = await call(connection);
        expect(error).to.be.instanceOf(NfsUnansweredError);
        expect((error as Error).cause).to.be.instanceOf(NfsProtocolError);
      });
    await connected([(socket, xid) => socket.write(framed(accepted(xid)))], async (connection) => {
      expect(await call(connection)).to.be.instanceOf(NfsProtocolError);
    });
  });
});
