import { expect } from 'chai';
import { freeParts } from '../../src/hypervisor/room-for-processors.ts';

/** What QEMU 7.2 says to `x-query-jit`. */
const report = (used: number, size: number) =>
  `Translation buffer state:\ngen code size       ${used}/${size}\nTB count            42424\n`;
const MIB = 2 ** 20;

describe('room for a further processor of an emulated machine', () => {
  it('is what QEMU has not given to the others yet', () => {
    const processors = { from: 1, to: 2, most: 2 };
    // A cache of 32 MiB has sixteen parts, of which the first is the processor's that there is.
    expect(freeParts(report(0, 33_472_512), processors)).to.equal(15);
    expect(freeParts(report(3 * MIB, 33_472_512), processors)).to.equal(13);
    expect(freeParts(report(27 * MIB, 33_472_512), processors)).to.equal(1);
    // With this much one that was added ended QEMU, at times.
    expect(freeParts(report(31_358_195, 33_472_512), processors)).to.equal(0);
  });

  it('is divided by the processors that it may have at most', () => {
    expect(freeParts(report(0, 134_135_808), { from: 2, to: 3, most: 4 })).to.equal(30);
    expect(freeParts(report(17 * MIB, 134_135_808), { from: 1, to: 2, most: 2 })).to.equal(12);
    // Less than a part of two mebibytes for each: one part for each is made all the same.
    expect(freeParts(report(0, 33_472_512), { from: 1, to: 2, most: 64 })).to.equal(63);
  });

  it('is not guessed where QEMU does not tell', () => {
    expect(() => freeParts('', { from: 1, to: 2, most: 2 })).to.throw(/does not tell/);
  });
});
