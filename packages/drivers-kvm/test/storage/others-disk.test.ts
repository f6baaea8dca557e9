import { expect } from 'chai';
import { emptyQcow2 } from '../../src/nfs-storage/qcow2-file.ts';
import { foundDisk, isDisk, mayBeDisk } from '../../src/storage/others-disk.ts';
import { backingFormat, QCOW2_FIRST_BYTES } from '../../src/storage/qcow2.ts';

const MIB = 2 ** 20;

/** The beginning of a file, with some of it changed. */
async function found(
  change: (first: Buffer) => void,
  { backing, fileBytes = 2 * MIB }: { readonly backing?: string; readonly fileBytes?: number } = {},
) {
  const first = Buffer.alloc(QCOW2_FIRST_BYTES);
  emptyQcow2(4 * MIB, backing === undefined ? undefined : { name: backing, format: 'raw' }).parts[0]?.bytes.copy(first);
  change(first);
  const disk = await foundDisk(async (at, length) => first.subarray(at, at + length), fileBytes);
  return disk?.unfit ?? disk;
}

describe('a file that others have put into a folder', () => {
  it('is the disk that its first bytes say, and no disk where it is too small or no whole number of sectors', async () => {
    expect(await found(() => {})).to.deep.equal({ format: 'qcow2', sizeBytes: 4 * MIB });
    expect(await found((first) => first.fill(0))).to.deep.equal({ format: 'raw', sizeBytes: 2 * MIB });
    expect(await found((first) => first.fill(0), { fileBytes: 2 * MIB + 1 })).to.equal(undefined);
    expect(await found((first) => first.fill(0), { fileBytes: MIB - 512 })).to.equal(undefined);
    expect(await found((first) => first.writeBigUInt64BE(BigInt(MIB / 2), 24))).to.equal(undefined);
    expect([isDisk(MIB), isDisk(MIB - 512), isDisk(MIB + 511)]).to.deep.equal([true, false, false]);
    expect(
      ['vm.img', '.vm.img.swp', 'a\nb', '../vm.img', ''].map((name) => mayBeDisk(name, MIB)),
      'names',
    ).to.deep.equal([true, false, false, false, true]);
    expect(mayBeDisk('vm.img', 0)).to.equal(false);
  });

  it('is refused, and told why, where a pool could not go on with it', async () => {
    expect(await found(() => {}, { backing: '/elsewhere/base.raw' })).to.match(/^It is a clone/);
    for (const [at, value, why] of [
      [4, 4, /not known here/],
      [32, 1, /^It is encrypted/],
      [60, 1, /^It has snapshots/],
      [76, 1, /not closed as it should be/],
      [76, 2, /not closed as it should be/],
      [76, 4, /data in another file/],
      [76, 16, /not known here/],
      [92, 1, /bitmaps/],
    ] as const)
      expect(await found((first) => first.writeUInt32BE(value, at)), `${value} at ${at}`).to.match(why);
  });

  it('says what the file below it is, which no name of that can belie', async () => {
    const of = (format: string) => {
      const first = Buffer.alloc(QCOW2_FIRST_BYTES);
      emptyQcow2(4 * MIB, { name: '/pool/disk.qcow2', format }).parts[0]?.bytes.copy(first);
      return backingFormat(first);
    };
    expect(['raw', 'qcow2', 'vmdk'].map(of)).to.deep.equal(['raw', 'qcow2', undefined]);
  });
});
