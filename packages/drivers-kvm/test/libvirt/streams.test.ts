import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortedError,
  ConnectionLostError,
  LibvirtError,
  type LibvirtHost,
  type LibvirtStream,
  type StoragePool,
} from '@pileus/drivers-kvm/libvirt';
import { assert, expect } from 'chai';
import { connectTo, createPool, createVolume, domainXml, rejection, unlessCrashed, writeEchoDisk } from './fixtures.ts';
import { PrivateHost } from './private-host.ts';

const mebibyte = 1 << 20;
/** VIR_DOMAIN_START_PAUSED */
const START_PAUSED = 1;

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Uneven pieces, some far larger than one message. */
function* pieces(content: Buffer): Generator<Buffer> {
  for (let at = 0, size = 1; at < content.length; at += size, size = (size * 7) % 700_001) yield content.subarray(at, at + size);
}

async function readUntil(stream: LibvirtStream, text: string): Promise<void> {
  let seen = '';
  const done = new AbortController();
  const ended = once(stream, 'end', done).then(() => assert.fail(`the stream ended after ${JSON.stringify(seen)}`));
  ended.catch(() => {});
  while (!seen.includes(text)) {
    const chunk: Buffer | null = stream.read();
    if (chunk === null) await Promise.race([once(stream, 'readable'), ended]);
    else seen += chunk.toString('latin1');
  }
  done.abort();
}

describe('libvirt streams', function () {
  this.timeout(300_000);
  let host: PrivateHost;
  let libvirt: LibvirtHost;
  let pool: StoragePool;
  before(async () => {
    host = await PrivateHost.start();
    libvirt = connectTo(host);
    pool = await createPool(libvirt);
  });
  after(async () => {
    await libvirt?.close();
    await host?.[Symbol.asyncDispose]();
  });

  async function download(name: string): Promise<Buffer> {
    const volume = await libvirt.api.storageVolLookupByName({ pool, name });
    const source = await libvirt.downloadVolume({ volume });
    return Buffer.concat(await source.toArray());
  }

  describe('of a volume', () => {
    it('carry its content both ways, with progress', async () => {
      const content = randomBytes(9 * mebibyte + 4_321);
      const volume = await createVolume(libvirt, pool, 'both-ways', content.length);
      const sent: number[] = [];
      const bytes = await libvirt.uploadVolume({ volume, source: pieces(content), onProgress: (done) => sent.push(done) });
      expect(bytes).to.equal(content.length);
      expect(sent.at(-1)).to.equal(content.length);
      expect(sent.every((done, index) => done > (sent[index - 1] ?? 0))).to.equal(true);

      const received: number[] = [];
      const source = await libvirt.downloadVolume({ volume, onProgress: (done) => received.push(done) });
      expect(digest(Buffer.concat(await source.toArray()))).to.equal(digest(content));
      expect(received.at(-1)).to.equal(content.length);
    });

    it('carry a part of it', async () => {
      const content = randomBytes(mebibyte);
      const volume = await createVolume(libvirt, pool, 'part', content.length);
      await libvirt.uploadVolume({ volume, source: [content] });
      await libvirt.uploadVolume({ volume, source: [Buffer.alloc(1_000, 7)], offsetBytes: 5_000, lengthBytes: 1_000 });
      const part = await libvirt.downloadVolume({ volume, offsetBytes: 4_999, lengthBytes: 1_002 });
      const expected = Buffer.concat([content.subarray(4_999, 5_000), Buffer.alloc(1_000, 7), content.subarray(6_000, 6_001)]);
      expect(Buffer.concat(await part.toArray())).to.deep.equal(expected);
    });

    it('are read from the source no faster than the host takes them', async () => {
      const volume = await createVolume(libvirt, pool, 'slow-host', 64 * mebibyte);
      await unlessCrashed(host, async () => {
        let produced = 0;
        const piece = Buffer.alloc(mebibyte / 4, 3);
        const { promise: frozen, resolve } = Promise.withResolvers<void>();
        const source = async function* (): AsyncGenerator<Buffer> {
          for (; produced < 64 * mebibyte; produced += piece.length) {
            if (produced === 8 * mebibyte) await host.command('freeze').then(resolve);
            yield piece;
          }
        };
        const upload = libvirt.uploadVolume({ volume, source: source() });
        try {
          await Promise.race([frozen, upload]);
          // What is between them is filled up; then the source rests while the host does.
          for (let before = -1; produced !== before; await sleep(400)) before = produced;
          expect(produced).to.be.lessThan(64 * mebibyte);
        } finally {
          upload.catch(() => {});
          await host.command('thaw');
        }
        expect(await upload).to.equal(64 * mebibyte);
      });
    });

    it('hold back the host while their reader is slow, without being taken for dead', async () => {
      const content = randomBytes(48 * mebibyte);
      const volume = await createVolume(libvirt, pool, 'slow-reader', content.length);
      await libvirt.uploadVolume({ volume, source: [content] });
      await using impatient = connectTo(host, { keepaliveIntervalMs: 500, keepaliveMissesMax: 10 });
      const source = await impatient.downloadVolume({ volume });
      // Longer than a dead host would be given.
      await sleep(7_000);
      expect(source.readableLength).to.be.lessThan(4 * mebibyte);
      expect(digest(Buffer.concat(await source.toArray()))).to.equal(digest(content));
    });

    it('end without harm when the source of an upload fails', async () => {
      const volume = await createVolume(libvirt, pool, 'failing', 4 * mebibyte);
      const source = function* (): Generator<Buffer> {
        yield Buffer.alloc(mebibyte, 1);
        throw new Error('the source broke');
      };
      const error = await rejection(libvirt.uploadVolume({ volume, source: source() }));
      expect(error).to.have.property('message', 'the source broke');
      // The host let go of the volume: it can be written anew, and deleted.
      await libvirt.uploadVolume({ volume, source: [Buffer.alloc(4 * mebibyte, 2)] });
      expect(digest(await download('failing'))).to.equal(digest(Buffer.alloc(4 * mebibyte, 2)));
      await libvirt.api.storageVolDelete({ volume });
    });

    it('are aborted by a signal', async () => {
      const volume = await createVolume(libvirt, pool, 'aborted', 64 * mebibyte);
      const abort = new AbortController();
      const source = async function* (): AsyncGenerator<Buffer> {
        for (;;) {
          yield Buffer.alloc(mebibyte, 1);
          await sleep(1);
        }
      };
      const onProgress = (bytes: number): void => {
        if (bytes >= 3 * mebibyte) abort.abort(new Error('enough'));
      };
      const error = await rejection(libvirt.uploadVolume({ volume, source: source(), onProgress }, { signal: abort.signal }));
      assert(error instanceof AbortedError);
      expect(error.cause).to.have.property('message', 'enough');
      await libvirt.api.storageVolDelete({ volume });
    });

    it('are given up by a reader that has seen enough', async () => {
      const volume = await createVolume(libvirt, pool, 'unread', 32 * mebibyte);
      let seen = 0;
      for await (const piece of await libvirt.downloadVolume({ volume, onProgress: (bytes) => (seen = bytes) })) {
        if (piece.length > 0) break;
      }
      expect(seen)
        .to.be.greaterThan(0)
        .and.lessThan(32 * mebibyte);
      await libvirt.api.storageVolDelete({ volume });
    });

    it('fail when the host runs out of room for them', async () => {
      const volume = await createVolume(libvirt, pool, 'short', 1_000);
      const error = await rejection(libvirt.uploadVolume({ volume, source: [Buffer.alloc(5_000)], lengthBytes: 1_000 }));
      expect(error).to.be.instanceOf(LibvirtError);
    });

    it('fail when libvirtd is killed under them', async () => {
      await using doomed = await PrivateHost.start();
      await using client = connectTo(doomed);
      const volume = await createVolume(client, await createPool(client), 'lost', 64 * mebibyte);
      const source = async function* (): AsyncGenerator<Buffer> {
        yield Buffer.alloc(mebibyte);
        await doomed.command('kill');
        for (;;) {
          yield Buffer.alloc(mebibyte);
          await sleep(1);
        }
      };
      const error = await rejection(client.uploadVolume({ volume, source: source() }));
      assert(error instanceof ConnectionLostError);
      expect(error.outcome).to.equal('unknown');
    });

    it('refuse a volume that is not there', async () => {
      const error = await rejection(libvirt.downloadVolume({ volume: { pool: 'pool', name: 'absent', key: 'absent' } }));
      assert(error instanceof LibvirtError);
      expect(error.codeName).to.equal('noStorageVolume');
    });
  });

  describe('of a guest', () => {
    it('carry its console both ways, and its screen', async () => {
      const disk = await writeEchoDisk(host);
      // It speaks once when it starts, and on a busy machine that is before its console is open: so it starts with the console.
      const domain = await libvirt.api.domainCreateXml({ xml: domainXml({ disk, screen: true }), flags: START_PAUSED });
      const stream = await libvirt.openConsole({ domain });
      await libvirt.api.domainResume({ domain });
      await readUntil(stream, 'R');
      stream.write('over there and back');
      await readUntil(stream, 'over there and back');

      const { mime, image } = await libvirt.screenshot({ domain });
      expect(mime).to.match(/^image\//);
      expect(image.length).to.be.greaterThan(100);

      const taken = await rejection(libvirt.openConsole({ domain }));
      assert(taken instanceof LibvirtError);
      expect(taken.codeName).to.equal('operationFailed');

      const ended = once(stream, 'close');
      stream.end();
      stream.resume();
      await ended;
      const again = await libvirt.openConsole({ domain });
      again.write('still here');
      await readUntil(again, 'still here');
      const closed = once(again, 'close');
      again.on('error', () => {}).resume();
      await libvirt.api.domainDestroyFlags({ domain });
      await closed;
    });
  });
});
