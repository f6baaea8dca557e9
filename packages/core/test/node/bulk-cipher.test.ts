import { expect } from 'chai';
import { inPlace } from '../../src/cloud/index.ts';
import { threadedCipher } from '../../src/node/index.ts';

const MIB = 2 ** 20;
const bytes = (count: number, value: number) => new Uint8Array(count).fill(value);

describe('the cipher of backups by threads', () => {
  const threaded = threadedCipher();
  const [key, iv, bound] = [bytes(32, 1), bytes(12, 2), bytes(32, 3)];
  const plain = bytes(4 * MIB + 5, 4).subarray(3);

  it('seals and digests as the one in place does, and each opens what the other sealed', async () => {
    const sealed = await threaded.seal(key, iv, plain, bound);
    expect(Buffer.compare(sealed, await inPlace.seal(key, iv, plain, bound))).to.equal(0);
    expect(await threaded.digest(key, plain)).to.deep.equal(new Uint8Array(await inPlace.digest(key, plain)));
    for (const cipher of [threaded, inPlace])
      expect(Buffer.compare((await cipher.open(key, iv, sealed, bound)) ?? bytes(0, 0), plain)).to.equal(0);
  });

  it('opens nothing that was changed, cut short, or is bound to something else', async () => {
    const sealed = await threaded.seal(key, iv, plain, bound);
    const changed = sealed.slice();
    changed[1000] = (changed[1000] ?? 0) ^ 1;
    for (const cipher of [threaded, inPlace]) {
      expect(await cipher.open(key, iv, changed, bound)).to.equal(undefined);
      expect(await cipher.open(key, iv, sealed.subarray(0, 100), bound)).to.equal(undefined);
      expect(await cipher.open(key, iv, sealed, bytes(32, 9))).to.equal(undefined);
    }
  });

  it('leaves the event loop to others meanwhile', async () => {
    // Whoever takes the processor away for as long as that lasts keeps the loop from turning, too: once is enough. In place it never turns.
    const turns: number[] = [];
    while (turns.length < 20 && !turns.some((count) => count > 1))
      turns.push(await turnsDuring(() => threaded.digest(key, bytes(64 * MIB, 0))));
    expect(
      turns.some((count) => count > 1),
      String(turns),
    ).to.equal(true);
    expect(await turnsDuring(() => inPlace.digest(key, bytes(64 * MIB, 0)))).to.be.at.most(1);
  });
});

/** How often the event loop comes round while some work is done. */
async function turnsDuring(work: () => PromiseLike<unknown>): Promise<number> {
  let turns = 0;
  let isDone = false;
  const count = () => {
    turns += 1;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await work();
  isDone = true;
  return turns;
}
