import { expect } from 'chai';
import fc from 'fast-check';
import { ProtocolError } from '../../src/ovsdb/errors.ts';
import { MessageReader } from '../../src/ovsdb/message-reader.ts';

const space = fc.constantFrom('', ' ', '\n', '\t', '\r\n ');
const message = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4 }));

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

function readAll(pieces: readonly Buffer[], bytesMax = 1 << 20): unknown[] {
  const reader = new MessageReader(bytesMax);
  const messages: unknown[] = [];
  for (const piece of pieces) reader.push(piece, (bytes) => messages.push(JSON.parse(bytes.toString())));
  return messages;
}

describe('OVSDB message framing', () => {
  it('finds the same messages however the bytes were split or merged', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(fc.tuple(message, space), { maxLength: 12 }), sizes, fc.boolean(), (sent, pieces, pretty) => {
        const texts = sent.map(([value, gap]) => JSON.stringify(value, undefined, pretty ? 2 : undefined) + gap);
        expect(readAll(cut(Buffer.from(texts.join('')), pieces))).to.deep.equal(sent.map(([value]) => JSON.parse(JSON.stringify(value))));
      }),
      { numRuns: 500 },
    );
  });

  it('hands over a message with its last byte, not before and not later', () => {
    const bytes = Buffer.from('{"a":"}\\"{[","b":[{}]}');
    expect(readAll([bytes.subarray(0, -1)])).to.deep.equal([]);
    expect(readAll([bytes.subarray(0, -1), bytes.subarray(-1)])).to.have.length(1);
  });

  it('refuses what begins no object', () => {
    for (const text of ['[1]', 'x', '"a"', '{}]', '{}1', '\0']) expect(() => readAll([Buffer.from(text)]), text).to.throw(ProtocolError);
  });

  it('makes of whatever comes messages, a refusal, or waits for more', () => {
    const bytes = fc.array(
      fc.oneof(fc.constantFrom('{', '}', '[', ']', '"', '\\', ' ', '{"a":1}').map(Buffer.from), fc.uint8Array({ maxLength: 8 })),
    );
    fc.assert(
      fc.property(bytes, (pieces) => {
        const reader = new MessageReader(1 << 10);
        let kept = 0;
        try {
          for (const piece of pieces)
            reader.push(Buffer.from(piece), (message) => {
              kept += message.length;
              expect([message[0], message.at(-1)]).to.satisfy(
                ([first, last]: number[]) => first === 0x7b && (last === 0x7d || last === 0x5d),
              );
            });
        } catch (error) {
          expect(error).to.be.instanceOf(ProtocolError);
        }
        expect(kept).to.be.at.most(pieces.reduce((sum, { length }) => sum + length, 0));
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a message that is too long before it has come, and no other', () => {
    const long = Buffer.from(`{"a":"${'x'.repeat(1_000)}"}`);
    expect(readAll([long], long.length)).to.have.length(1);
    expect(() => readAll([long.subarray(0, 900)], 800)).to.throw(ProtocolError);
    expect(() => readAll(cut(long, [100]), 800)).to.throw(ProtocolError);
    // Many small ones are no long one.
    expect(readAll([Buffer.from('{"a":1}'.repeat(1_000))], 800)).to.have.length(1_000);
  });

  it('looks at each byte once, however small the pieces are', () => {
    const rows = Object.fromEntries(Array.from({ length: 60_000 }, (_, index) => [`row ${index}`, 'x'.repeat(20)]));
    const bytes = Buffer.from(JSON.stringify(rows));
    const reader = new MessageReader(bytes.length);
    let found = 0;
    // What looks again at all that came before does not end within a test's time: 40,000 times 2.5 MB.
    for (const piece of cut(bytes, [64]))
      reader.push(piece, () => {
        found += 1;
      });
    expect(found).to.equal(1);
  });
});
