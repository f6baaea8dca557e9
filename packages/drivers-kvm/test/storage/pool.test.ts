import { Readable } from 'node:stream';
import { expect } from 'chai';
import { Deadline } from '../../src/deadline.ts';
import type { HostLink } from '../../src/host-links.ts';
import type { LibvirtHost, UploadRequest } from '../../src/libvirt/index.ts';
import { DirPool } from '../../src/storage/pool.ts';

const volume = { pool: 'pool', name: 'volume', key: '/pool/volume' };
const PIECE_BYTES = 4;

/** A file of a host whose disk takes so many bytes, and which says nothing of the others. */
function fileOf(roomBytes: number) {
  const file = Buffer.alloc(64);
  const host: Pick<LibvirtHost, 'uploadVolume' | 'downloadVolume'> = {
    async uploadVolume({ source, offsetBytes = 0 }: UploadRequest) {
      let taken = 0;
      for await (const piece of source) {
        for (const [at, byte] of piece.entries()) if (taken + at < roomBytes) file[offsetBytes + taken + at] = byte;
        taken += piece.length;
      }
      return taken;
    },
    downloadVolume: async ({ offsetBytes = 0, lengthBytes = 0 }) =>
      Readable.from([Buffer.from(file.subarray(offsetBytes, offsetBytes + lengthBytes))]),
  };
  const link = { host, local: true, close: async () => {} } as unknown as HostLink;
  const pool = new DirPool(link, 'pool', '/pool');
  const deadline = new Deadline({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 5_000 });
  const outcome = (work: Promise<unknown>) =>
    work.then(
      () => 'written',
      (error: Error) => error.message,
    );
  const part = (text: string) => outcome(pool.writePart(volume, 8, Buffer.from(text), deadline));
  const whole = (text: string) => {
    const bytes = Buffer.from(text);
    async function* source() {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
    }
    return outcome(pool.write(volume, { source, lengthBytes: bytes.length, onProgress: () => {} }, deadline));
  };
  return { part, whole, file };
}

const LOST = 'what was written to volume is not there; its host may have no room';

describe('what a pool has written', () => {
  it('is there, or the write fails: libvirt is silent about the last ones that a full disk refused', async () => {
    const roomy = fileOf(64);
    expect([await roomy.part('some words'), await roomy.part('\0'.repeat(10))]).to.deep.equal(['written', 'written']);
    expect(roomy.file.every((byte) => byte === 0)).to.equal(true);
    expect(await fileOf(9).part('some words')).to.equal(LOST);
  });

  it('is found missing by the last of it that has data, also where zeroes follow', async () => {
    expect(await fileOf(64).whole('all of these words\0\0\0\0\0\0\0\0\0')).to.equal('written');
    for (const roomBytes of [0, 4, 17]) expect(await fileOf(roomBytes).whole('all of these words\0\0\0\0\0\0\0\0\0')).to.equal(LOST);
    expect(await fileOf(18).whole('all of these words\0\0\0\0\0\0\0\0\0'), 'a hole reads as zeroes').to.equal('written');
  });
});
