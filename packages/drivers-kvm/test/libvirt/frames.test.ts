import { expect } from 'chai';
import fc from 'fast-check';
import { ProtocolError } from '../../src/libvirt/errors.ts';
import { type Frame, FrameReader, frameBytesMax, headBytes, seal } from '../../src/libvirt/frames.ts';

const uint = fc.nat(0xffff_ffff);
const head = fc.record({ program: uint, procedure: fc.integer(), type: fc.nat(6), serial: uint, status: fc.nat(2) });
const frames = fc.array(fc.record({ head, body: fc.uint8Array({ maxLength: 300 }) }), { maxLength: 12 });

function encode(frame: { readonly head: Omit<Frame, 'body'>; readonly body: Uint8Array }): Buffer {
  return seal(Buffer.concat([Buffer.alloc(headBytes), frame.body]), frame.head);
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (let index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

describe('libvirt message framing', () => {
  it('finds the same messages however the bytes were split or merged', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 20 }), (sent, sizes) => {
        const reader = new FrameReader();
        const received: Frame[] = [];
        for (const piece of cut(Buffer.concat(sent.map(encode)), sizes)) reader.push(piece, (frame) => received.push(frame));
        expect(received.map(({ body, ...rest }) => ({ head: rest, body: [...body] }))).to.deep.equal(
          sent.map((frame) => ({ head: frame.head, body: [...frame.body] })),
        );
      }),
    );
  });

  it('hands over a message only when it is whole', () => {
    const message = encode({ head: { program: 1, procedure: 2, type: 0, serial: 3, status: 0 }, body: Buffer.alloc(100) });
    const reader = new FrameReader();
    let count = 0;
    const counting = (): void => {
      count += 1;
    };
    reader.push(message.subarray(0, message.length - 1), counting);
    expect(count).to.equal(0);
    reader.push(message.subarray(message.length - 1), counting);
    expect(count).to.equal(1);
  });

  it('refuses a length that no message can have', () => {
    fc.assert(
      fc.property(fc.oneof(fc.nat(headBytes - 1), fc.integer({ min: frameBytesMax + 1, max: 0xffff_ffff })), (length) => {
        const bytes = Buffer.alloc(headBytes);
        bytes.writeUInt32BE(length);
        expect(() => new FrameReader().push(bytes, () => {})).to.throw(ProtocolError);
      }),
    );
  });
});
