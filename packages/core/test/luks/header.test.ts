import { createCipheriv, randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { type HeaderWrite, LUKS_HEADER_BYTES, LuksError, LuksHeader, LuksSectors } from '../../src/luks/index.ts';

const [OLD, NEW, OTHER] = ['b2xkIGtleQ==', 'bmV3IGtleQ==', 'b3RoZXIga2V5'] as const;

/** A disk that is all header. */
class Disk {
  readonly bytes: Buffer;

  constructor(bytes: Buffer = Buffer.alloc(LUKS_HEADER_BYTES)) {
    this.bytes = bytes;
  }

  static async made(): Promise<Disk> {
    return new Disk().write(await LuksHeader.make(OLD, randomBytes));
  }

  get header(): LuksHeader {
    return LuksHeader.read(this.bytes);
  }

  write(writes: readonly HeaderWrite[]): this {
    for (const { offsetBytes, bytes } of writes) bytes.copy(this.bytes, offsetBytes);
    return this;
  }

  /** As it would be had the power failed after each of the writes, or in the middle of one that is no single block. */
  *cutOff(writes: readonly HeaderWrite[]): Generator<Disk> {
    for (const [index, { offsetBytes, bytes }] of writes.entries()) {
      const before = new Disk(Buffer.from(this.bytes)).write(writes.slice(0, index));
      yield before;
      if (bytes.length > 4096) yield before.write([{ offsetBytes, bytes: bytes.subarray(0, bytes.length / 2) }]);
    }
  }
}

const reason = (work: () => unknown): Promise<string> =>
  Promise.resolve()
    .then(work)
    .then(
      () => 'done',
      (error: unknown) => (error instanceof LuksError ? error.reason : 'another error'),
    );

describe('LUKS headers', function () {
  this.timeout(300_000);

  it('are opened by their passphrase and by no other', async () => {
    const { header, bytes } = await Disk.made();
    expect(await header.opens(OLD)).to.equal(true);
    expect(await header.opens(NEW)).to.equal(false);
    expect(header.contentAtBytes).to.equal(LUKS_HEADER_BYTES);
    expect(bytes.includes(OLD)).to.equal(false);
    expect((await Disk.made()).bytes.equals(bytes)).to.equal(false);
  });

  it('take another passphrase, and let go of the others, also a second time', async () => {
    const disk = await Disk.made();
    disk.write(await disk.header.withPassphrase(OLD, NEW));
    expect([await disk.header.opens(OLD), await disk.header.opens(NEW)]).to.deep.equal([true, true]);
    expect(await disk.header.withPassphrase(OLD, NEW)).to.deep.equal([]);
    disk.write(await disk.header.withoutOthers(NEW));
    expect([await disk.header.opens(OLD), await disk.header.opens(NEW)]).to.deep.equal([false, true]);
    expect(await disk.header.withoutOthers(NEW)).to.deep.equal([]);
    disk.write(await disk.header.withPassphrase(NEW, OLD));
    expect([await disk.header.opens(OLD), await disk.header.opens(NEW)]).to.deep.equal([true, true]);
  });

  it('change nothing for a passphrase that does not open them', async () => {
    const { header } = await Disk.made();
    expect(await reason(() => header.withPassphrase(OTHER, NEW))).to.equal('wrong_passphrase');
    expect(await reason(() => header.withoutOthers(OTHER))).to.equal('wrong_passphrase');
  });

  it('are opened at every instant by what opened them before and is to stay; what was cut off is done by doing it again', async () => {
    const disk = await Disk.made();
    const adding = await disk.header.withPassphrase(OLD, NEW);
    expect(await disk.header.withPassphrase(OLD, NEW), 'what arrives late is what is there').to.deep.equal(adding);
    for (const cut of disk.cutOff(adding)) {
      expect(await cut.header.opens(OLD)).to.equal(true);
      cut.write(await cut.header.withPassphrase(OLD, NEW));
      expect(await cut.header.opens(NEW)).to.equal(true);
    }
    disk.write(adding);
    const removing = await disk.header.withoutOthers(NEW);
    for (const cut of disk.cutOff(removing)) {
      expect(await cut.header.opens(NEW)).to.equal(true);
      cut.write(await cut.header.withoutOthers(NEW));
      expect(await cut.header.opens(OLD)).to.equal(false);
      // Nothing is left of it, so that the header of an earlier day does not help, either.
      const former = Buffer.from(cut.bytes);
      disk.bytes.copy(former, 0, 0, 4096);
      expect(await LuksHeader.read(former).opens(OLD)).to.equal(false);
    }
  });

  it('have eight slots', async () => {
    const disk = await Disk.made();
    for (let slot = 1; slot < 8; slot += 1) disk.write(await disk.header.withPassphrase(OLD, `${NEW}${slot}`));
    expect(await reason(() => disk.header.withPassphrase(OLD, OTHER))).to.equal('full');
    disk.write(await disk.header.withoutOthers(`${NEW}7`));
    expect(await disk.header.opens(OLD)).to.equal(false);
    expect(await disk.header.opens(`${NEW}7`)).to.equal(true);
  });

  it('are not taken for what they are not', async () => {
    const { bytes } = await Disk.made();
    const changed = (at: number, value: string) => {
      const copy = Buffer.from(bytes);
      copy.write(value, at, 'latin1');
      return copy;
    };
    const cases = {
      'no magic': changed(0, 'QFI'),
      'version 2': changed(6, '\0\x02'),
      cipher: changed(8, 'serpent'),
      mode: changed(40, 'cbc'),
    };
    for (const [what, each] of Object.entries({ ...cases, short: bytes.subarray(0, 100), cut: bytes.subarray(0, 100_000) }))
      expect(await reason(() => LuksHeader.read(each)), what).to.equal('unreadable');
  });
});

describe('LUKS sectors', function () {
  this.timeout(300_000);

  it('are those of AES in XTS, whichever are asked for together', () => {
    for (const keyBytes of [32, 64]) {
      const [key, plain] = [randomBytes(keyBytes), randomBytes(5 * 512)];
      const sectors = new LuksSectors(key);
      for (const first of [0, 7, 2 ** 32 - 2, 2 ** 41]) {
        const expected = Buffer.concat(
          Array.from({ length: 5 }, (_, at) => {
            const number = Buffer.alloc(16);
            number.writeBigUInt64LE(BigInt(first + at));
            return createCipheriv(`aes-${keyBytes * 4}-xts`, key, number).update(plain.subarray(at * 512, (at + 1) * 512));
          }),
        );
        const told = sectors.encrypt(first, plain);
        expect(told.equals(expected), `${keyBytes} bytes, sector ${first}`).to.equal(true);
        expect(sectors.decrypt(first, told).equals(plain)).to.equal(true);
        expect(sectors.decrypt(first + 3, told.subarray(3 * 512)).equals(plain.subarray(3 * 512)), 'some of them').to.equal(true);
      }
    }
  });

  it('are whole, and what is given is left as it was', () => {
    const [sectors, plain] = [new LuksSectors(randomBytes(64)), Buffer.alloc(1024, 1)];
    expect(sectors.encrypt(0, plain.subarray(512)).length).to.equal(512);
    expect(plain.equals(Buffer.alloc(1024, 1))).to.equal(true);
    expect(sectors.decrypt(0, Buffer.alloc(0)).length).to.equal(0);
    expect(() => sectors.encrypt(0, plain.subarray(1))).to.throw(RangeError, '1023 bytes');
  });

  it('are opened by whatever opens the header, and stay the same when that changes', async () => {
    const [disk, plain] = [await Disk.made(), randomBytes(1024)];
    const told = (await disk.header.unlock(OLD)).encrypt(3, plain);
    expect(await reason(() => disk.header.unlock(NEW))).to.equal('wrong_passphrase');
    disk.write(await disk.header.withPassphrase(OLD, NEW)).write(await disk.header.withoutOthers(NEW));
    expect((await disk.header.unlock(NEW)).decrypt(3, told).equals(plain)).to.equal(true);
    expect(await reason(() => disk.header.unlock(OLD))).to.equal('wrong_passphrase');
    const other = await (await Disk.made()).header.unlock(OLD);
    expect(other.decrypt(3, told).equals(plain), 'another disk has another key').to.equal(false);
  });
});
