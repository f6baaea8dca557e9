import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { expect } from 'chai';
import { NfsError, NfsExport, NfsUnansweredError } from '../../src/nfs/index.ts';
import { accepted, framed } from './messages.ts';

const [PORTMAP, MOUNT, NFS] = [100_000, 100_005, 100_003];
const BOUNDS = { signal: new AbortController().signal, timeoutMs: 60_000 };
/** The server has failed. */
const SERVERFAULT = 10_006;

/** A server that lets anybody mount anything, up to the question of what the export can do, which `fsinfo` answers. */
async function exporting(
  fsinfo: (socket: Socket, xid: number) => void,
  use: (mounted: (signal: AbortSignal) => NfsExport) => Promise<void>,
): Promise<void> {
  let port = 0;
  const server = createServer((socket) => {
    socket.on('error', () => {});
    // A call of these tests is one piece of less than 1 KiB.
    socket.on('data', (bytes) => {
      const [xid, program] = [bytes.readUInt32BE(4), bytes.readUInt32BE(16)];
      if (program === PORTMAP) socket.write(framed(accepted(xid, port)));
      // A handle of four bytes.
      else if (program === MOUNT) socket.write(framed(accepted(xid, 0, 4, 1)));
      else if (program === NFS) fsinfo(socket, xid);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as AddressInfo).port;
  const place = { server: '127.0.0.1', path: '/pool', credential: { uid: 0, gid: 0 } };
  try {
    await use((signal) => new NfsExport(place, { portmapPort: port, signal: () => signal }));
  } finally {
    server.close();
    // Comes with the end of the last connection, which is the client's to end.
    await once(server, 'close');
  }
}

describe('a mount of an export that goes wrong at the end', () => {
  it('leaves no connection where the server refuses to tell what the export can do', async () => {
    await exporting(
      (socket, xid) => socket.write(framed(accepted(xid, SERVERFAULT))),
      async (mounted) => {
        const failed = await mounted(new AbortController().signal)
          .root(BOUNDS)
          .catch((error: unknown) => error);
        expect(failed).to.be.instanceOf(NfsError).with.property('status', 'serverfault');
      },
    );
  });

  it('leaves no connection where the time of the mount is over before it tells', async () => {
    const over = new AbortController();
    await exporting(
      () => over.abort(),
      async (mounted) => {
        const failed = await mounted(over.signal)
          .root(BOUNDS)
          .catch((error: unknown) => error);
        expect(failed).to.be.instanceOf(NfsUnansweredError).with.property('outcome', 'not_sent');
      },
    );
  });
});
