/** XDR (RFC 4506) as NFS uses it: big-endian, everything padded to four bytes. Numbers of 64 bits that count bytes are numbers, those that mean nothing are bigints. */
import { NfsProtocolError } from './errors.ts';

export class XdrWriter {
  readonly #parts: Buffer[] = [];

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }

  uint(...values: readonly number[]): void {
    const part = Buffer.allocUnsafe(4 * values.length);
    for (const [index, value] of values.entries()) part.writeUInt32BE(value, 4 * index);
    this.#parts.push(part);
  }

  u64(value: number | bigint): void {
    const part = Buffer.allocUnsafe(8);
    part.writeBigUInt64BE(BigInt(value));
    this.#parts.push(part);
  }

  /** As many bytes as both sides know. */
  fixed(value: Uint8Array): void {
    this.#parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength), Buffer.alloc(-value.length & 3));
  }

  bytes(value: Uint8Array): void {
    this.uint(value.length);
    this.fixed(value);
  }

  string(value: string): void {
    this.bytes(Buffer.from(value));
  }
}

/** Reads one message. What does not fit throws {@link NfsProtocolError}. */
export class XdrReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  uint(): number {
    return this.#take(4).readUInt32BE();
  }

  bool(): boolean {
    return this.uint() !== 0;
  }

  big(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  /** Of what counts bytes. Beyond 2^53 - 1 it is that. */
  u64(): number {
    return Math.min(Number(this.big()), Number.MAX_SAFE_INTEGER);
  }

  fixed(lengthBytes: number): Buffer {
    const bytes = this.#take(lengthBytes);
    this.#take(-lengthBytes & 3);
    return bytes;
  }

  bytes(): Buffer {
    return this.fixed(this.uint());
  }

  string(): string {
    return this.bytes().toString();
  }

  optional<T>(read: () => T): T | undefined {
    return this.bool() ? read() : undefined;
  }

  #take(lengthBytes: number): Buffer {
    const at = this.#at;
    if (at + lengthBytes > this.#buffer.length) throw new NfsProtocolError('a message ends too early');
    this.#at += lengthBytes;
    return this.#buffer.subarray(at, this.#at);
  }
}
