import { expect } from 'chai';
import { contentsDiffer, copyContent } from '../../../src/cloud/storage/volume-copy.ts';
import { CloudError } from '../../../src/kernel/index.ts';
import type { Extent } from '../../../src/strategy/index.ts';
import { SimEnvironment } from '../../../testing/index.ts';

const MIB = 2 ** 20;
const SIZE_BYTES = 40 * MIB;
const call = { requestId: 'copy', signal: new AbortController().signal, timeoutMs: 60_000 };

/** A volume in memory that says of everything that it may have data, in extents of a size that fits nothing. */
class Kept {
  readonly bytes = new Uint8Array(SIZE_BYTES);
  readonly writes: number[] = [];
  extentBytes = 3 * MIB + 512;
  inFlight = 0;
  inFlightMax = 0;
  failsAt: number | undefined;
  /** What is encrypted, as in pools where what was never written is noise. */
  isNoise = false;

  async eachChange(_of: unknown, _since: unknown, c: typeof call, take: (found: AsyncIterable<Extent>, c: typeof call) => Promise<void>) {
    await take(this.#extents(), c);
  }

  async *#extents(): AsyncGenerator<Extent> {
    for (let offsetBytes = 0; offsetBytes < SIZE_BYTES; offsetBytes += this.extentBytes)
      yield { offsetBytes, lengthBytes: Math.min(this.extentBytes, SIZE_BYTES - offsetBytes), hasData: true };
  }

  async readContent(_of: unknown, offsetBytes: number, lengthBytes: number): Promise<Uint8Array> {
    this.inFlight += 1;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    this.inFlight -= 1;
    expect(lengthBytes).to.be.at.most(4 * MIB);
    return this.bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
  }

  needsZeroes({ key }: { readonly key?: string }): boolean {
    return this.isNoise && key !== undefined;
  }

  async writeVolume(_to: unknown, offsetBytes: number, bytes: Uint8Array): Promise<void> {
    if (this.failsAt === offsetBytes) throw new CloudError('no_capacity', 'full');
    this.writes.push(offsetBytes);
    this.bytes.set(bytes, offsetBytes);
  }
}

describe('copies of volumes', () => {
  const environment = new SimEnvironment('copy');
  const request = (from: Kept, to: Kept) => ({ from, of: { volumeId: 'a' }, to, volumeId: 'a', sizeBytes: SIZE_BYTES });

  it('have all that is not zero, a few pieces at once, and send nothing else', async () => {
    const [from, to] = [new Kept(), new Kept()];
    for (const offset of [0, 4 * MIB - 1, 12 * MIB, SIZE_BYTES - 1]) from.bytes[offset] = 7;
    const told: number[] = [];
    expect(await copyContent({ environment }, request(from, to), { ...call, onProgress: (done) => told.push(done) })).to.be.greaterThan(0);
    expect(Buffer.from(from.bytes).equals(to.bytes)).to.equal(true);
    expect(to.writes.sort((a, b) => a - b)).to.deep.equal([0, 12 * MIB, 36 * MIB]);
    expect(from.inFlightMax).to.equal(4);
    expect(told.at(-1)).to.be.at.most(1);
    expect(await contentsDiffer({ environment }, request(from, to), call)).to.equal(false);
    to.bytes[20 * MIB] = 1;
    expect(await contentsDiffer({ environment }, request(from, to), call)).to.equal(true);
  });

  it('are whole, zeroes and what the source says nothing of too, where what was never written is noise; by the key of what is read', async () => {
    const [from, to] = [new Kept(), new Kept()];
    from.bytes[12 * MIB] = 7;
    from.eachChange = async (of, _since, c, take) => {
      expect(of).to.deep.equal({ volumeId: 'a', key: 'its key' });
      await take((async function* () {})(), c);
    };
    to.isNoise = true;
    to.bytes.fill(9);
    const sizeBytes = 21 * MIB + 512;
    await copyContent({ environment }, { ...request(from, to), of: { volumeId: 'a', key: 'its key' }, sizeBytes }, call);
    expect(to.writes.sort((a, b) => a - b)).to.deep.equal([0, 4, 8, 12, 16, 20].map((at) => at * MIB));
    expect(Buffer.from(from.bytes.subarray(0, sizeBytes)).equals(to.bytes.subarray(0, sizeBytes))).to.equal(true);
    expect(to.bytes[sizeBytes]).to.equal(9);
    to.writes.length = 0;
    await copyContent({ environment }, request(new Kept(), to), call);
    expect(to.writes, 'of what is not encrypted').to.deep.equal([]);
  });

  it('take nothing of what is beyond the end, where a pool has rounded up', async () => {
    const [from, to] = [new Kept(), new Kept()];
    from.bytes.fill(1);
    const sizeBytes = 5 * MIB + 512;
    await copyContent({ environment }, { ...request(from, to), sizeBytes }, call);
    expect(to.bytes.indexOf(0)).to.equal(sizeBytes);
    expect(await contentsDiffer({ environment }, { ...request(from, to), sizeBytes }, call)).to.equal(false);
  });

  it('end with the first failure, and leave nothing at work', async () => {
    const [from, to] = [new Kept(), new Kept()];
    from.bytes.fill(1);
    to.failsAt = 8 * MIB;
    const failure = await copyContent({ environment }, request(from, to), call).catch((error: unknown) => error);
    expect(failure).to.include({ code: 'no_capacity' });
    const written = to.writes.length;
    expect([from.inFlight, written < 9]).to.deep.equal([0, true]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(to.writes).to.have.length(written);
  });
});
