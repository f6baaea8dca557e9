import { expect } from 'chai';
import fc from 'fast-check';
import { ProtocolError } from '../../src/libvirt/errors.ts';
import { readTypedParams, type TypedParam, writeTypedParams } from '../../src/libvirt/typed-params.ts';
import { XdrReader, XdrWriter } from '../../src/libvirt/xdr.ts';

/** Writes, checks the padding to four bytes, reads back, and checks that nothing is left over. */
function roundTrip<T>(write: (w: XdrWriter) => void, read: (r: XdrReader) => T): T {
  const writer = new XdrWriter(0);
  write(writer);
  const bytes = writer.finish();
  expect(bytes.length % 4).to.equal(0);
  const reader = new XdrReader(bytes);
  const value = read(reader);
  reader.end();
  return value;
}

const text = fc.string({ unit: 'grapheme', maxLength: 700 }).filter((value) => !value.includes('\0'));

describe('XDR', () => {
  it('reads back what it wrote', () => {
    fc.assert(
      fc.property(
        fc.record({
          int: fc.integer(),
          uint: fc.nat(0xffff_ffff),
          safe: fc.maxSafeInteger(),
          size: fc.maxSafeNat(),
          big: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
          text,
          bytes: fc.uint8Array(),
          uuid: fc.uuid(),
        }),
        ({ int, uint, safe, size, big, text: string, bytes, uuid }) => {
          expect(
            roundTrip(
              (w) => w.int(int),
              (r) => r.int(),
            ),
          ).to.equal(int);
          expect(
            roundTrip(
              (w) => w.uint(uint),
              (r) => r.uint(),
            ),
          ).to.equal(uint);
          expect(
            roundTrip(
              (w) => w.i64(safe),
              (r) => r.i64(),
            ),
          ).to.equal(safe);
          expect(
            roundTrip(
              (w) => w.u64(size),
              (r) => r.u64(),
            ),
          ).to.equal(size);
          expect(
            roundTrip(
              (w) => w.big(big),
              (r) => r.big(),
            ),
          ).to.equal(big);
          expect(
            roundTrip(
              (w) => w.string(string),
              (r) => r.string(),
            ),
          ).to.equal(string);
          expect(
            roundTrip(
              (w) => w.bytes(bytes, 1 << 20),
              (r) => r.bytes(1 << 20),
            ),
          ).to.deep.equal(bytes);
          expect(
            roundTrip(
              (w) => w.uuid(uuid),
              (r) => r.uuid(),
            ),
          ).to.equal(uuid);
          expect(
            roundTrip(
              (w) => w.list([int, 7], 2, (v) => w.int(v)),
              (r) => r.list(2, () => r.int()),
            ),
          ).to.deep.equal([int, 7]);
        },
      ),
    );
  });

  it('writes flags whose sign bit is set', () => {
    expect(
      roundTrip(
        (w) => w.uint((1 << 31) | 1),
        (r) => r.uint(),
      ),
    ).to.equal(0x8000_0001);
  });

  it('keeps the value of every kind of typed parameter', () => {
    const params: TypedParam[] = [
      { field: 'a', type: 'int', value: -5 },
      { field: 'b', type: 'uint', value: 4_000_000_000 },
      { field: 'c', type: 'llong', value: -9_000_000_000 },
      { field: 'd', type: 'ullong', value: (1n << 64n) - 1n },
      { field: 'e', type: 'double', value: 0.25 },
      { field: 'f', type: 'boolean', value: true },
      { field: 'g', type: 'string', value: 'grüße' },
    ];
    const read = roundTrip(
      (w) => writeTypedParams(w, params, 16),
      (r) => readTypedParams(r, 16),
    );
    expect(read).to.deep.equal(Object.fromEntries(params.map(({ field, value }) => [field, value])));
  });

  it('refuses to write what the protocol cannot hold', () => {
    const writer = new XdrWriter(0);
    expect(() => writer.int(2 ** 31)).to.throw(RangeError);
    expect(() => writer.u64(-1)).to.throw(RangeError);
    expect(() => writer.u64(2 ** 53)).to.throw(RangeError);
    expect(() => writer.string('a\0b')).to.throw(RangeError);
    expect(() => writer.string('x'.repeat(4_194_305))).to.throw(RangeError);
    expect(() => writer.uuid('not-a-uuid')).to.throw(RangeError);
    expect(() => writer.list([1, 2, 3], 2, (value) => writer.int(value))).to.throw(RangeError);
  });

  it('never reads past the end, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reader = new XdrReader(Buffer.from(bytes));
        try {
          readTypedParams(reader, 16);
        } catch (error) {
          expect(error).to.be.instanceOf(ProtocolError);
        }
      }),
    );
  });
});
