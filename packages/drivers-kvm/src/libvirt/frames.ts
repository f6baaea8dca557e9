/** libvirt's message framing: a length, a header of six words, a body. */
import { ProtocolError } from './errors.ts';

export const headBytes = 28;
/** 32 MiB of message and the length itself. */
export const frameBytesMax = 33_554_436;

export const messageType = { call: 0, reply: 1, message: 2, stream: 3, streamHole: 6 } as const;
export const messageStatus = { ok: 0, error: 1, continue: 2 } as const;

export interface Head {
  readonly program: number;
  readonly procedure: number;
  readonly type: number;
  readonly serial: number;
  readonly status: number;
}

export interface Frame extends Head {
  readonly body: Buffer;
}

/** Fills the first `headBytes` of a finished message. */
export function seal(message: Buffer, head: Head): Buffer {
  if (message.length > frameBytesMax)
    throw new RangeError(`a message of ${message.length} bytes is longer than libvirt's ${frameBytesMax}`);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(head.program, 4);
  message.writeUInt32BE(1, 8);
  message.writeInt32BE(head.procedure, 12);
  message.writeUInt32BE(head.type, 16);
  message.writeUInt32BE(head.serial, 20);
  message.writeUInt32BE(head.status, 24);
  return message;
}

function open(message: Buffer): Frame {
  return {
    program: message.readUInt32BE(4),
    procedure: message.readInt32BE(12),
    type: message.readUInt32BE(16),
    serial: message.readUInt32BE(20),
    status: message.readUInt32BE(24),
    body: message.subarray(headBytes),
  };
}

/** Cuts a byte stream, however it was split or merged, into frames. Chunks of a large frame are joined once, when it is whole. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #size = 0;
  #need = 4;

  /** Throws {@link ProtocolError} at a length that no message can have; the stream is of no use after that. */
  push(chunk: Buffer, emit: (frame: Frame) => void): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#need) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    let at = 0;
    this.#need = 4;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32BE(at);
      if (length < headBytes || length > frameBytesMax) throw new ProtocolError(`a message cannot be ${length} bytes long`);
      this.#need = length;
      if (bytes.length - at < length) break;
      emit(open(bytes.subarray(at, at + length)));
      at += length;
      this.#need = 4;
    }
    this.#chunks = at < bytes.length ? [bytes.subarray(at)] : [];
    this.#size = bytes.length - at;
  }
}
