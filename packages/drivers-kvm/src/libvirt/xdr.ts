/** XDR (RFC 4506) as libvirt uses it: big-endian, everything padded to four bytes. Strings are UTF-8, UUIDs canonical strings. */
import { ProtocolError } from './errors.ts';

/** The longest string and the most bytes that libvirt's decoders accept in one field. */
const stringBytesMax = 4_194_304;
const two32 = 4_294_967_296;

/** Grows a message. The first `headBytes` are left for the frame's header. */
export class XdrWriter {
  #buffer: Buffer;
  #at: number;

  constructor(headBytes: number) {
    this.#buffer = Buffer.allocUnsafe(512);
    this.#at = headBytes;
  }

  /** All that was written, head included. The writer is not to be used afterwards. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#at);
  }

  int(value: number): void {
    this.#reserve(4);
    this.#at = this.#buffer.writeInt32BE(value, this.#at);
  }

  uint(value: number): void {
    this.#reserve(4);
    // Flag sets built with | may have come out negative.
    this.#at = this.#buffer.writeUInt32BE(value < 0 ? value >>> 0 : value, this.#at);
  }

  bool(value: boolean): void {
    this.int(value ? 1 : 0);
  }

  i64(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a whole number below 2^53`);
    this.#reserve(8);
    this.#at = this.#buffer.writeBigInt64BE(BigInt(value), this.#at);
  }

  u64(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a whole number from 0 to 2^53`);
    this.#reserve(8);
    this.#at = this.#buffer.writeUInt32BE(Math.floor(value / two32), this.#at);
    this.#at = this.#buffer.writeUInt32BE(value % two32, this.#at);
  }

  big(value: bigint): void {
    this.#reserve(8);
    this.#at = this.#buffer.writeBigUInt64BE(value, this.#at);
  }

  bigSigned(value: bigint): void {
    this.#reserve(8);
    this.#at = this.#buffer.writeBigInt64BE(value, this.#at);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at = this.#buffer.writeDoubleBE(value, this.#at);
  }

  string(value: string): void {
    const length = Buffer.byteLength(value);
    if (length > stringBytesMax) throw new RangeError(`a string of ${length} bytes is longer than libvirt's ${stringBytesMax}`);
    if (value.includes('\0')) throw new RangeError('libvirt strings cannot hold a NUL');
    this.uint(length);
    this.#reserve(length + 3);
    this.#buffer.write(value, this.#at);
    this.#pad(length);
  }

  bytes(value: Uint8Array, max: number): void {
    if (value.length > max) throw new RangeError(`${value.length} bytes are more than libvirt's ${max}`);
    this.uint(value.length);
    this.#reserve(value.length + 3);
    this.#buffer.set(value, this.#at);
    this.#pad(value.length);
  }

  uuid(value: string): void {
    const hex = value.replaceAll('-', '');
    if (!/^[0-9a-fA-F]{32}$/.test(hex)) throw new RangeError(`'${value}' is not a UUID`);
    this.#reserve(16);
    this.#at += this.#buffer.write(hex, this.#at, 'hex');
  }

  optional<T>(value: T | undefined, write: (value: T) => void): void {
    this.bool(value !== undefined);
    if (value !== undefined) write(value);
  }

  list<T>(values: readonly T[], max: number, write: (value: T) => void): void {
    if (values.length > max) throw new RangeError(`${values.length} entries are more than libvirt's ${max}`);
    this.uint(values.length);
    for (const value of values) write(value);
  }

  #pad(length: number): void {
    this.#at += length;
    for (let rest = -length & 3; rest > 0; rest--) this.#buffer[this.#at++] = 0;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(grown, 0, 0, this.#at);
    this.#buffer = grown;
  }
}

/** Reads one message. Anything that does not fit throws {@link ProtocolError}. */
export class XdrReader {
  readonly #buffer: Buffer;
  #at: number;

  constructor(buffer: Buffer, at = 0) {
    this.#buffer = buffer;
    this.#at = at;
  }

  /** Throws unless every byte was read: a layout that leaves bytes over is the wrong layout. */
  end(): void {
    if (this.#at !== this.#buffer.length) throw new ProtocolError(`${this.#buffer.length - this.#at} bytes are left over`);
  }

  int(): number {
    return this.#buffer.readInt32BE(this.#take(4));
  }

  uint(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  bool(): boolean {
    return this.int() !== 0;
  }

  i64(): number {
    const at = this.#take(8);
    return this.#buffer.readInt32BE(at) * two32 + this.#buffer.readUInt32BE(at + 4);
  }

  u64(): number {
    const at = this.#take(8);
    return this.#buffer.readUInt32BE(at) * two32 + this.#buffer.readUInt32BE(at + 4);
  }

  big(): bigint {
    return this.#buffer.readBigUInt64BE(this.#take(8));
  }

  bigSigned(): bigint {
    return this.#buffer.readBigInt64BE(this.#take(8));
  }

  double(): number {
    return this.#buffer.readDoubleBE(this.#take(8));
  }

  string(): string {
    const length = this.#length(stringBytesMax);
    const at = this.#take(length + (-length & 3));
    return this.#buffer.toString('utf8', at, at + length);
  }

  /** A copy: what it was cut from may be large. */
  bytes(max: number): Uint8Array {
    const length = this.#length(max);
    const at = this.#take(length + (-length & 3));
    return Uint8Array.from(this.#buffer.subarray(at, at + length));
  }

  uuid(): string {
    const at = this.#take(16);
    const hex = this.#buffer.toString('hex', at, at + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }

  /** A fixed array of 32 chars, each of which XDR widens to four bytes. */
  chars32(): string {
    const codes = Array.from({ length: 32 }, () => this.uint() & 0xff);
    const end = codes.indexOf(0);
    return Buffer.from(end === -1 ? codes : codes.slice(0, end)).toString('utf8');
  }

  optional<T>(read: () => T): T | undefined {
    return this.bool() ? read() : undefined;
  }

  list<T>(max: number, read: () => T): T[] {
    const length = this.#length(max);
    const values: T[] = [];
    for (let index = 0; index < length; index++) values.push(read());
    return values;
  }

  #length(max: number): number {
    const length = this.uint();
    if (length > max) throw new ProtocolError(`a length of ${length} is above ${max}`);
    return length;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (at + bytes > this.#buffer.length) throw new ProtocolError('the message ends too early');
    this.#at = at + bytes;
    return at;
  }
}
