import { ProtocolError } from './errors.ts';

const quote = 0x22;
const backslash = 0x5c;

/**
 * Cuts a byte stream into messages. OVSDB has no framing: a message is a JSON object and ends with its last brace, so braces are counted
 * outside of strings. Each byte is looked at once, and the parts of a message are joined once, when it is whole.
 */
export class MessageReader {
  readonly #bytesMax: number;
  #parts: Buffer[] = [];
  #size = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Throws {@link ProtocolError} at what begins no message, or is too long for one; the stream is of no use after that. */
  push(chunk: Buffer, emit: (message: Buffer) => void): void {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      if (this.#inString) {
        at = this.#endOfString(chunk, at);
        continue;
      }
      const byte = chunk[at];
      if (byte === quote && this.#depth > 0) this.#inString = true;
      else if (byte === 0x7b || (byte === 0x5b && this.#depth > 0)) this.#depth += 1;
      else if ((byte === 0x7d || byte === 0x5d) && this.#depth > 0) {
        this.#depth -= 1;
        if (this.#depth > 0) continue;
        emit(this.#take(chunk.subarray(start, at + 1)));
        start = at + 1;
      } else if (this.#depth === 0) {
        if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) throw new ProtocolError('what came is no JSON object');
        start = at + 1;
      }
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** The index of the quote that ends the string, or of the last byte there is. */
  #endOfString(chunk: Buffer, from: number): number {
    let at = from;
    for (; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.#escaped) this.#escaped = false;
      else if (byte === backslash) this.#escaped = true;
      else if (byte === quote) {
        this.#inString = false;
        break;
      }
    }
    return at;
  }

  #keep(part: Buffer): void {
    this.#size += part.length;
    if (this.#size > this.#bytesMax) throw new ProtocolError(`a message is longer than ${this.#bytesMax} bytes`);
    this.#parts.push(part);
  }

  #take(last: Buffer): Buffer {
    this.#keep(last);
    const message = this.#parts.length === 1 ? last : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    return message;
  }
}
