import { expect } from 'chai';
import fc from 'fast-check';
import { encodeFrame, FrameError, FrameReader } from '../../src/rados/frames.ts';

/** What a message may hold, keys that look like our tags included. */
const message = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: 'grapheme' }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('$int', '$bytes', '$date', '$$', '\n')), tie('value'), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
  ),
})).value;

function read(chunks: Iterable<Uint8Array>): { readonly messages: readonly unknown[]; readonly isBetween: boolean } {
  const reader = new FrameReader();
  const messages: unknown[] = [];
  for (const chunk of chunks) reader.push(chunk, (one) => messages.push(one));
  return { messages, isBetween: reader.isBetween };
}

describe('messages between a connection and its process', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 }),
        (sent, sizes) => {
          const stream = Buffer.concat(sent.flatMap((one) => encodeFrame(one)));
          const chunks: Uint8Array[] = [];
          for (let at = 0, turn = 0; at < stream.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1;
            chunks.push(stream.subarray(at, at + size));
            at += size;
          }
          const { messages, isBetween } = read(chunks);
          expect(messages).to.deep.equal(sent);
          expect(isBetween).to.equal(true);
        },
      ),
    );
  });

  it('are told when their last byte is there, and not before', () => {
    const stream = Buffer.concat([...encodeFrame({ bytes: new Uint8Array([1, 2, 3]) })]);
    const reader = new FrameReader();
    const messages: unknown[] = [];
    reader.push(stream.subarray(0, -1), (one) => messages.push(one));
    expect(messages).to.deep.equal([]);
    expect(reader.isBetween).to.equal(false);
    reader.push(stream.subarray(-1), (one) => messages.push(one));
    expect(messages).to.deep.equal([{ bytes: new Uint8Array([1, 2, 3]) }]);
  });

  it('are refused when they are none', () => {
    expect(() => read([Buffer.from('no\n')])).to.throw(FrameError, 'no JSON');
    expect(() => read([Buffer.from('{"bytes":{"$bytes":1e12}}\n')])).to.throw(FrameError, '1000000000000 bytes');
  });
});
