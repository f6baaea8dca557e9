/**
 * Messages between a connection's process and its owner: each is a line of JSON, followed by the bytes that it mentions. What JSON has no form for is tagged:
 * `{"$int":"…"}` a bigint, `{"$date":…}` a time, `{"$bytes":n}` the next n bytes after the line. Keys that begin with `$` get another one in front.
 */

/** What came is no message of ours; the stream is of no use after that. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

const NEWLINE = 0x0a;
/** Longer ones are a mistake of the peer. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;
const BYTES_MAX = 64 * 1024 * 1024;

/** The parts of a message, to be written one after the other. */
export function encodeFrame(message: unknown): readonly Uint8Array[] {
  const attached: Uint8Array[] = [];
  return [Buffer.from(`${JSON.stringify(tagged(message, attached))}\n`), ...attached];
}

function tagged(value: unknown, attached: Uint8Array[]): unknown {
  if (typeof value === 'bigint') return { $int: value.toString() };
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return { $date: value.getTime() };
  if (value instanceof Uint8Array) {
    attached.push(value);
    return { $bytes: value.length };
  }
  if (Array.isArray(value)) return value.map((item) => tagged(item, attached));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key.startsWith('$') ? `$${key}` : key, tagged(item, attached)]));
}

/** The other way. Bytes are allocated here, and filled by who reads on. */
function untagged(value: unknown, attached: Uint8Array[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => untagged(item, attached));
  const entries = Object.entries(value);
  const [tag, held]: readonly unknown[] = entries[0] ?? [];
  if (entries.length === 1 && tag === '$int') return BigInt(String(held));
  if (entries.length === 1 && tag === '$date') return new Date(Number(held));
  if (entries.length === 1 && tag === '$bytes') {
    if (typeof held !== 'number' || !Number.isInteger(held) || held < 0 || held > BYTES_MAX)
      throw new FrameError(`${held} bytes in one message`);
    const bytes = new Uint8Array(held);
    attached.push(bytes);
    return bytes;
  }
  return Object.fromEntries(entries.map(([key, item]) => [key.startsWith('$$') ? key.slice(1) : key, untagged(item, attached)]));
}

/** Cuts a stream into messages, however it was cut on its way. */
export class FrameReader {
  #line: Uint8Array[] = [];
  #lineBytes = 0;
  #message: unknown;
  /** Of `#message`: still to be filled, in order. */
  #missing: Uint8Array[] = [];
  #filled = 0;

  /** @throws FrameError */
  push(chunk: Uint8Array, emit: (message: unknown) => void): void {
    let at = 0;
    while (at < chunk.length) {
      const target = this.#missing[0];
      if (target !== undefined) {
        const part = chunk.subarray(at, at + target.length - this.#filled);
        target.set(part, this.#filled);
        this.#filled += part.length;
        at += part.length;
        this.#settle(emit);
        continue;
      }
      const end = chunk.indexOf(NEWLINE, at);
      this.#keep(chunk.subarray(at, end < 0 ? chunk.length : end));
      if (end < 0) return;
      at = end + 1;
      this.#parse();
      this.#settle(emit);
    }
  }

  /** Whether the stream ends between two messages. */
  get isBetween(): boolean {
    return this.#lineBytes === 0 && this.#missing.length === 0;
  }

  #keep(part: Uint8Array): void {
    this.#lineBytes += part.length;
    if (this.#lineBytes > LINE_BYTES_MAX) throw new FrameError(`a line is longer than ${LINE_BYTES_MAX} bytes`);
    this.#line.push(part);
  }

  #parse(): void {
    const text = Buffer.concat(this.#line).toString('utf8');
    this.#line = [];
    this.#lineBytes = 0;
    try {
      this.#message = untagged(JSON.parse(text), this.#missing);
    } catch (cause) {
      throw cause instanceof FrameError ? cause : new FrameError('a line is no JSON', { cause });
    }
  }

  /** Tells the message when its last byte is there. */
  #settle(emit: (message: unknown) => void): void {
    for (let target = this.#missing[0]; target !== undefined && this.#filled === target.length; target = this.#missing[0]) {
      this.#missing.shift();
      this.#filled = 0;
    }
    if (this.#missing.length > 0) return;
    const message = this.#message;
    this.#message = undefined;
    emit(message);
  }
}
